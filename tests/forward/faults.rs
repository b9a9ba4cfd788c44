//! Whatever the store behind does, an outage is no 404 and a part is no whole.

use super::{Answer, OPEN, ZIP, ask, before, of_kind, open};
use crate::{
    curl::{Download, Http},
    gateway::{Gateway, await_that},
    process::Process,
    upstream::{Reply, Upstream},
};

/// Every request is asked, and once: what happens when a source is left alone or tried again is in `faults`.
const QUICK: &str = "read_timeout = \"300ms\"\nconnect_timeout = \"300ms\"\nretries = 0\nfailure_threshold = 1000\n";

fn hasty(upstream: &Upstream) -> Gateway {
    before(Gateway::plain().policy(OPEN), &upstream.url()).config(QUICK).start()
}

/// The beginning of a large zip, and all of it.
fn large(upstream: &Upstream) -> (Vec<u8>, Vec<u8>) {
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &[b'/'; 1_000_000])]);
    let zip = upstream.body(ZIP);
    (zip[..500_000].to_vec(), zip)
}

#[test]
fn an_outage_is_never_a_404() {
    let html = b"<!DOCTYPE html><html><body>sign in</body></html>";
    let undelimited = [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], b"PK\x03\x04 and more"].concat();
    let faults = [
        ("401", Reply::Status(401, "who are you"), 502),
        ("403", Reply::Status(403, "no"), 502),
        ("429", Reply::Status(429, "slow down"), 503),
        ("500", Reply::Status(500, "oops"), 503),
        ("503", Reply::Status(503, "later"), 503),
        (
            "206",
            Reply::Raw(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nPK".to_vec()),
            503,
        ),
        ("reset", Reply::Reset, 503),
        ("stall", Reply::Stalled, 504),
        ("no http", Reply::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), 503),
        ("html", Reply::Body(html.to_vec()), 502),
        ("undelimited", Reply::Raw(undelimited), 502),
        ("nothing", Reply::Truncated(Vec::new(), 4096), 503),
    ];
    for (name, fault, expected) in faults {
        let upstream = Upstream::start();
        upstream.reply_to_everything(Some(fault));
        let gateway = hasty(&upstream);
        for path in ["list", "main.info", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip", "../@latest"] {
            let path = format!("/example.test/lib/@v/{path}").replace("/@v/../", "/");
            for arguments in [&[][..], &["-I"], &["-r", "0-9"]] {
                let answer = ask(&gateway, &path, arguments);
                assert_eq!(answer.status, expected, "{name}: {path} {arguments:?}: {}", answer.text());
            }
        }
        let records = gateway.records();
        assert!(records.iter().any(|record| record["kind"] == "asked"), "{name}");
    }
}

#[test]
fn a_zip_that_breaks_is_a_broken_transfer_and_recorded_as_one() {
    let upstream = Upstream::start();
    let (first, zip) = large(&upstream);
    let chunked = [
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", zip.len()).into_bytes(),
        first.clone(),
    ];
    let ended = [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n"[..], &first, b"\r\n"].concat();
    for (name, fault) in [
        ("cut short", Reply::Truncated(first.clone(), zip.len())),
        ("one byte short", Reply::Truncated(zip[..zip.len() - 1].to_vec(), zip.len())),
        ("reset", Reply::Torn(first.clone(), zip.len())),
        ("stalls", Reply::Gated(zip.clone())),
        ("cut within a chunk", Reply::Raw(chunked.concat())),
        ("cut after a chunk", Reply::Raw(ended)),
    ] {
        upstream.reply(ZIP, fault);
        for (plan, http) in [(Gateway::plain(), Http::One), (Gateway::tls(), Http::One), (Gateway::tls(), Http::Two)] {
            let gateway = before(plan.policy(OPEN), &upstream.url()).config(QUICK).start();
            let got = Download::start(&gateway, ZIP, http).end();
            assert!(!got.whole && got.body.len() < zip.len(), "{name}, {http:?}: {}, {}", got.status, got.body.len());
            // A reset may overtake the head of the answer in HTTP/2.
            let overtaken = http == Http::Two && got.status.ends_with("000") && got.body.is_empty();
            let begun = got.status.ends_with("200") || overtaken;
            assert!(begun && zip.starts_with(&got.body), "{name}, {http:?}: {}", got.status);
            await_that("the record of the broken transfer", || of_kind(&gateway, "broken").len() == 1);
            let (broken, answered) = (of_kind(&gateway, "broken"), of_kind(&gateway, "answered"));
            assert_eq!(broken[0]["request"], answered[0]["request"], "{name}");
            assert_eq!(answered[0]["cache"], "forwarded");
        }
    }
}

#[test]
fn a_whole_zip_is_no_broken_one_and_comes_as_it_is_sent() {
    let upstream = Upstream::start();
    let (_, zip) = large(&upstream);
    let chunked = [
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", zip.len()).into_bytes(),
        zip.clone(),
        b"\r\n0\r\n\r\n".to_vec(),
    ];
    for (reply, length) in
        [(Reply::Body(zip.clone()), zip.len().to_string()), (Reply::Raw(chunked.concat()), String::new())]
    {
        upstream.reply(ZIP, reply);
        for http in [Http::One, Http::Two] {
            let gateway = before(Gateway::tls().policy(OPEN), &upstream.url()).start();
            let got = Download::start(&gateway, ZIP, http).end();
            assert!(got.whole && got.body == zip, "{http:?}: {}", got.status);
            let certificate = gateway.certificate();
            let head = ask(&gateway, ZIP, &["-I", "--cacert", certificate.to_str().unwrap()]);
            assert_eq!((head.status, head.header("content-length")), (200, &*length));
            assert!(of_kind(&gateway, "broken").is_empty());
        }
    }
    upstream.reply(ZIP, Reply::Gated(zip.clone()));
    let gateway = open(&upstream);
    let mut download = Download::start(&gateway, ZIP, Http::One);
    download.await_bytes(zip.len() / 2);
    upstream.open_gate();
    assert!(download.end().body == zip, "it flows while it comes");
}

#[test]
fn a_client_that_goes_away_ends_the_request_to_the_store() {
    let upstream = Upstream::start();
    upstream.reply(ZIP, Reply::Parts([b"PK\x03\x04".to_vec().into(), vec![0; 50_000_000].into(), Vec::new().into()]));
    let gateway = open(&upstream);
    let mut slow = std::process::Command::new("curl");
    slow.args(["-s", "--limit-rate", "10k", "-o", "/dev/null"]).arg(format!("{}{ZIP}", gateway.url()));
    let slow = Process::start(&mut slow);
    await_that("the answer to begin", || !of_kind(&gateway, "answered").is_empty());
    drop(slow);
    await_that("the broken transfer in the journal", || of_kind(&gateway, "broken").len() == 1);
}

#[test]
fn small_answers_have_tags_of_their_own_and_are_compressed_for_those_who_ask() {
    let upstream = Upstream::start();
    for minor in 0..200 {
        upstream.module("example.test/lib", &format!("v1.{minor}.0"));
    }
    let gateway = open(&upstream);
    let list = |arguments: &[&str]| -> Answer { ask(&gateway, "/example.test/lib/@v/list", arguments) };
    let first = list(&["-H", "Accept-Encoding: gzip"]);
    assert_eq!((first.status, first.header("content-encoding")), (200, "gzip"));
    let condition = format!("If-None-Match: {}", first.header("etag"));
    assert_eq!(list(&["-H", &condition]).status, 304);
    upstream.list("example.test/lib", "v2.0.0");
    let changed = list(&["-H", &condition]);
    assert!(changed.status == 200 && changed.text().ends_with("v2.0.0\n"), "nothing is kept");
    assert_eq!(list(&["-H", "Disable-Module-Fetch: true"]).status, 404);
    assert_eq!(upstream.asked().len(), 3);
}
