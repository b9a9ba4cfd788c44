//! The form of answers: what caches may keep, conditions, ranges.

use crate::{
    gateway::Gateway,
    upstream::{Reply, Upstream},
};
use std::process::Command;

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const KEY: &str = "sum.example.test/db+7c13b4ba+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
const LIST: &str = "/example.test/lib/@v/list";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    for minor in 0..200 {
        upstream.module("example.test/lib", &format!("v1.{minor}.0"));
    }
    upstream
}

/// The head of an answer, lower case, one header a line.
fn head(gateway: &Gateway, path: &str, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "20", "-o", "/dev/null", "-D", "-"]).args(arguments);
    let output = curl.arg(format!("{}{path}", gateway.url())).output().unwrap();
    assert!(output.status.success(), "{arguments:?} {path}");
    String::from_utf8(output.stdout).unwrap().to_lowercase().replace('\r', "")
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_default()
}

#[test]
fn the_entity_tag_of_the_compressed_form_is_known_again() {
    let upstream = upstream();
    let gateway = Gateway::plain().policy(OPEN).upstream(&upstream.url()).start();
    let gzip = ["-H", "Accept-Encoding: gzip"];
    let first = head(&gateway, LIST, &gzip);
    assert_eq!(header(&first, "content-encoding"), "gzip");
    let condition = format!("If-None-Match: {}", header(&first, "etag"));
    let again = head(&gateway, LIST, &[gzip.as_slice(), &["-H", &condition]].concat());
    assert!(again.starts_with("http/1.1 304"), "{again}");
    assert_eq!(header(&again, "etag"), header(&first, "etag"));
    assert_eq!(header(&again, "vary"), header(&first, "vary"));
    let plain = head(&gateway, LIST, &["-H", &condition]);
    assert!(plain.starts_with("http/1.1 304"), "a weak comparison of the same list: {plain}");
}

#[test]
fn what_nothing_vouches_for_yet_is_not_kept_for_a_week() {
    let upstream = upstream();
    upstream.reply("/sumdb/sum.example.test/db/supported", Reply::Status(503, "down"));
    let checksum = format!("[[checksum]]\nkey = \"{KEY}\"\nurl = \"{}/db\"\n", upstream.url());
    let provisional = Gateway::plain().policy(OPEN).upstream(&upstream.url()).config(&checksum).start();
    let unverified = Gateway::plain().policy(OPEN).upstream(&upstream.url()).start();
    for path in [ZIP, "/example.test/lib/@v/v1.0.0.mod"] {
        for (gateway, expected) in
            [(&provisional, "public, max-age=60"), (&unverified, "public, max-age=604800, immutable")]
        {
            head(gateway, path, &[]);
            let held = head(gateway, path, &[]);
            assert_eq!(header(&held, "cache-control"), expected, "{path}");
        }
    }
    let (slow, zip) = ("/example.test/lib/@v/v1.7.0.zip", vec![b'x'; 1_000_000]);
    upstream.reply(slow, Reply::Gated(zip));
    let arriving = head(&unverified, slow, &["-I"]);
    assert_eq!(header(&arriving, "cache-control"), "public, max-age=60", "not verified when its head leaves");
}

#[test]
fn what_only_some_may_read_is_never_public() {
    let upstream = upstream();
    let source = format!("[[source]]\npattern = \"inside.test/*\"\nlist = \"{}\"\n", upstream.url());
    upstream.module("inside.test/pay", "v1.0.0");
    let policy = OPEN.to_owned() + "p, anonymous, example.test/lib, >=v1.100.0, read, deny, -, -\n";
    let gateway = Gateway::plain().policy(&policy).upstream(&upstream.url()).config(&source).start();
    for path in ["/inside.test/pay/@v/list", "/inside.test/pay/@v/v1.0.0.mod"] {
        let answer = head(&gateway, path, &[]);
        assert!(
            answer.starts_with("http/1.1 200") && header(&answer, "cache-control").starts_with("private"),
            "{answer}"
        );
    }
    let narrowed = head(&gateway, LIST, &[]);
    assert_eq!(header(&narrowed, "cache-control"), "private, max-age=60", "made for one caller");
}

#[test]
fn ranges_are_for_get_and_a_bad_one_says_how_long_the_zip_is() {
    let upstream = upstream();
    let gateway = Gateway::plain().policy(OPEN).upstream(&upstream.url()).start();
    let whole = head(&gateway, ZIP, &[]);
    let length = header(&whole, "content-length");
    let asked = head(&gateway, ZIP, &["-I", "-H", "Range: bytes=0-9"]);
    assert!(asked.starts_with("http/1.1 200") && header(&asked, "content-length") == length, "{asked}");
    let outside = head(&gateway, ZIP, &["-H", "Range: bytes=99999999-"]);
    assert!(outside.starts_with("http/1.1 416"), "{outside}");
    assert_eq!(header(&outside, "content-range"), format!("bytes */{length}"));
}

#[test]
fn a_refusal_is_taken_for_text_and_kept_by_nobody() {
    let upstream = upstream();
    let gateway = Gateway::plain().upstream(&upstream.url()).start();
    for path in [LIST, "/example.test/lib/@v/%3Cscript%3E.info", "/sumdb/other.test/supported"] {
        let refused = head(&gateway, path, &[]);
        assert_eq!(header(&refused, "x-content-type-options"), "nosniff", "{refused}");
        assert_eq!(header(&refused, "cache-control"), "no-store");
        assert_eq!(header(&refused, "content-type"), "text/plain; charset=utf-8");
    }
}
