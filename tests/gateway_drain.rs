//! SIGTERM to the built gateway in the middle of a download: it stops being ready, then listening, and ends in peace.

use crate::{
    curl::{Download, Http},
    gateway::{Gateway, await_that},
    outages::get,
    upstream::{Reply, Upstream},
};
use std::{net::TcpStream, process::Command};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
const MOD: &str = "/example.test/lib/@v/v1.0.0.mod";

#[test]
fn a_download_in_flight_is_completed_after_readiness_failed() {
    for (plan, http) in [(Gateway::plain(), Http::One), (Gateway::tls(), Http::Two)] {
        let upstream = Upstream::start();
        upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &[b'/'; 1_000_000])]);
        let zip = upstream.body(ZIP);
        upstream.reply(ZIP, Reply::Gated(zip.clone()));
        let plan = plan.policy(OPEN).listen("drain_delay = \"3s\"\n").upstream(&upstream.url());
        let mut gateway = plan.start();
        assert_eq!(readiness(&gateway).0, "200");
        let mut download = Download::start(&gateway, ZIP, http);
        download.await_bytes(zip.len() / 3);

        gateway.signal("TERM");
        await_that("readiness to fail", || readiness(&gateway).0 == "503");
        assert!(readiness(&gateway).1.contains("draining"));
        let late = Download::start(&gateway, MOD, http).end();
        assert!(late.whole, "whoever does not know yet is still served: {}", late.status);
        await_that("the listener to close", || TcpStream::connect(("127.0.0.1", gateway.port())).is_err());

        download.await_bytes(zip.len() / 3);
        upstream.open_gate();
        let got = download.end();
        assert!(got.whole && got.body == zip, "{http:?}: {}, {} bytes", got.status, got.body.len());
        assert_eq!(gateway.ended().code(), Some(0));
        assert!(gateway.records().iter().any(|record| record["act"] == "server.stopped"));
    }
}

#[test]
fn a_gateway_that_was_drained_left_everything_for_the_next() {
    let (data, upstream) = (tempfile::tempdir().unwrap(), Upstream::start());
    upstream.module("example.test/lib", "v1.0.0");
    let start = || Gateway::plain().policy(OPEN).data(data.path()).upstream(&upstream.url()).start();
    let mut gateway = start();
    let expected = [ZIP, MOD].map(|path| get(&gateway, path));
    gateway.signal("TERM");
    assert_eq!(gateway.ended().code(), Some(0));
    upstream.reply_to_everything(Some(Reply::Status(503, "cut off")));
    let gateway = start();
    assert_eq!([ZIP, MOD].map(|path| get(&gateway, path)), expected);
}

/// Status and body of `/readyz`.
fn readiness(gateway: &Gateway) -> (String, String) {
    let mut curl = Command::new("curl");
    let output = curl.args(["-s", "-w", "\n%{http_code}"]).arg(format!("{}/readyz", gateway.admin_url())).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}
