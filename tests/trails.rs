//! What requests leave behind: records that say what happened, log lines that say it without secrets.

use crate::{
    gateway::{Gateway, await_that},
    process::Process,
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::process::{Command, Stdio};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
const LATEST: &str = "/example.test/lib/@latest";

/// An upstream with a zip that does not fit into one write.
fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("large.txt", &[b'x'; 300_000])]);
    upstream
}

fn curl(gateway: &Gateway, arguments: &[&str], paths: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-m", "20", "--cacert"]).arg(gateway.certificate()).args(arguments);
    for path in paths {
        curl.args(["-o", "/dev/null"]).arg(format!("{}{path}", gateway.url()));
    }
    curl
}

fn of_kind(gateway: &Gateway, kind: &str) -> Vec<Value> {
    gateway.records().into_iter().filter(|record| record["kind"] == kind).collect()
}

#[test]
fn a_transfer_that_completes_is_no_broken_one() {
    let upstream = upstream();
    let gateway = Gateway::tls().policy(OPEN).upstream(&upstream.url()).start();
    for version in ["--http1.1", "--http2"] {
        for more in [&[][..], &["-I"], &["-r", "0-70000"]] {
            // On one connection: the second answer begins when all of the first is over.
            let status = curl(&gateway, &[&[version], more].concat(), &[ZIP, ZIP, "/"]).status().unwrap();
            assert!(status.success(), "{version} {more:?}");
        }
    }
    assert_eq!(of_kind(&gateway, "broken"), Vec::<Value>::new());
}

#[test]
fn a_client_that_goes_away_is_recorded_once() {
    let upstream = upstream();
    let body = vec![b'x'; 40_000_000];
    upstream.module_of("example.test/lib", "v1.0.0", &[("large.txt", &body)]);
    let gateway = Gateway::tls().policy(OPEN).upstream(&upstream.url()).start();
    assert!(curl(&gateway, &[], &[ZIP]).status().unwrap().success());
    for (round, version) in ["--http1.1", "--http2"].into_iter().enumerate() {
        let slow = Process::start(curl(&gateway, &[version, "--limit-rate", "10k"], &[ZIP]).stdout(Stdio::null()));
        await_that("the answer to begin", || of_kind(&gateway, "answered").len() > round + 1);
        drop(slow);
        await_that("the broken transfer in the journal", || of_kind(&gateway, "broken").len() > round);
        assert_eq!(of_kind(&gateway, "broken").len(), round + 1, "{version}");
    }
    let broken = of_kind(&gateway, "broken");
    let answered = of_kind(&gateway, "answered");
    assert!(broken.iter().all(|one| answered.iter().any(|other| other["request"] == one["request"])), "{broken:#?}");
}

#[test]
fn every_name_that_leaves_the_house_is_recorded_as_asked() {
    let upstream = Upstream::start();
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        upstream.module("example.test/lib", version);
    }
    upstream.reply(LATEST, Reply::Body(b"{\"Version\":\"v1.2.0\"}".to_vec()));
    let policy = OPEN.to_owned() + "p, anonymous, example.test/lib, >=v1.2.0, read, deny, -, id=CVE-1\n";
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).start();
    assert!(curl(&gateway, &["-f"], &[LATEST]).status().unwrap().success());
    let recorded = |target: &str, version: Option<&str>| {
        let asked = of_kind(&gateway, "asked");
        asked.iter().any(|record| record["target"] == target && record["version"].as_str() == version)
    };
    assert!(upstream.asked().iter().any(|path| path.ends_with("v1.1.0.info")), "{:?}", upstream.asked());
    assert!(recorded("latest", None));
    assert!(recorded("list", None), "{:#?}", gateway.records());
    assert!(recorded("info", Some("v1.1.0")), "{:#?}", gateway.records());
}

#[test]
fn a_refusal_that_the_answer_brought_about_is_recorded_as_one() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.reply(LATEST, Reply::Body(b"{\"Version\":\"v1.0.0\"}".to_vec()));
    upstream.reply("/example.test/lib/@v/main.info", Reply::Body(b"{\"Version\":\"v1.0.0\"}".to_vec()));
    let policy = OPEN.to_owned() + "p, anonymous, example.test/lib, >=v1.0.0, read, deny, -, id=CVE-1\n";
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).start();
    for path in [LATEST, "/example.test/lib/@v/main.info"] {
        curl(&gateway, &[], &[path]).status().unwrap();
    }
    for record in of_kind(&gateway, "answered") {
        assert_eq!((record["status"].as_u64(), record["decision"].as_str()), (Some(403), Some("deny")), "{record:#?}");
        assert_eq!(record["rule_id"], "CVE-1", "{record:#?}");
    }
}

#[test]
fn a_token_just_issued_is_known_to_all_of_a_burst() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    for round in 0..8 {
        let token = gateway.token(&format!("fresh{round}"), &[]);
        let probes = (0..12).map(|n| format!("/example.test/lib/p{n}/@v/list")).collect::<Vec<_>>();
        let paths = probes.iter().map(String::as_str).collect::<Vec<_>>();
        let login = format!("x:{token}");
        let mut burst = curl(&gateway, &["-Z", "--http1.1", "-u", &login, "-w", "%{http_code}\n"], &paths);
        let codes = String::from_utf8(burst.output().unwrap().stdout).unwrap();
        assert!(codes.lines().all(|code| code == "404"), "round {round}: {codes}");
    }
}

#[test]
fn the_log_tells_every_request_and_no_secret() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).config("[log]\nlevel = \"trace\"\n").start();
    let token = gateway.token("alice", &[]);
    let (secret, query) = (&token[16..], "hush-in-the-query");
    let login = format!("someone:{token}");
    let bearer = format!("Authorization: Bearer {token}");
    let wrong = "someone:a-directory-password";
    let path = format!("{ZIP}?key={query}");
    for (version, arguments) in [
        ("--http1.1", ["-u", &login]),
        ("--http2", ["-u", &login]),
        ("--http2", ["-H", &bearer]),
        ("--http1.1", ["-u", wrong]),
        ("--http2", ["-u", wrong]),
    ] {
        let status = curl(&gateway, &[&[version], arguments.as_slice()].concat(), &[&path, "/"]).status().unwrap();
        assert!(status.success());
    }
    let base64 = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let records = gateway.records();
    await_that("a line for every request", || {
        records.iter().all(|record| {
            let field = format!("\"request_id\":{}", record["request"]);
            record["request"].is_null() || gateway.log().contains(&field)
        })
    });
    let kept = format!("{}{}", gateway.log(), serde_json::to_string(&records).unwrap());
    for hidden in [secret, query, "a-directory-password", &base64(&login), &base64(wrong)] {
        assert!(!kept.contains(hidden), "`{hidden}` is in the log or the journal");
    }
}
