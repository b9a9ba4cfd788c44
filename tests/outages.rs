//! Upstreams that fail in every way: an outage is never a 404, and what is held goes on being served.

use crate::{
    gateway::{Gateway, await_that},
    upstream::{Reply, Upstream},
};
use std::process::Command;

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const QUICK: &str =
    "read_timeout = \"300ms\"\nconnect_timeout = \"300ms\"\n[store]\nlist_fresh = \"1ms\"\nquery_fresh = \"1ms\"\n";

fn faults() -> Vec<(&'static str, Reply)> {
    vec![
        ("401", Reply::Status(401, "who are you")),
        ("403", Reply::Status(403, "no")),
        ("429", Reply::Status(429, "slow down")),
        ("500", Reply::Status(500, "oops")),
        ("503", Reply::Status(503, "later")),
        ("reset", Reply::Reset),
        ("stall", Reply::Stalled),
        ("truncated", Reply::Truncated(b"v1.0.0\n".to_vec(), 4096)),
        ("no http", Reply::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec())),
        ("html", Reply::Body(b"<!DOCTYPE html><html><body>sign in</body></html>".to_vec())),
    ]
}

fn start(upstream: &Upstream) -> Gateway {
    let config = format!("[upstream]\nlist = \"{}\"\n{QUICK}", upstream.url());
    Gateway::plain().policy(OPEN).config(&config).start()
}

/// A gateway that waits longer for its upstream than the clients of these tests wait for it: who waits along fails.
fn start_patient(upstream: &Upstream, store: &str) -> Gateway {
    let patience = "read_timeout = \"60s\"\n[store]\nlist_fresh = \"1ms\"\nquery_fresh = \"1ms\"\n";
    let config = format!("[upstream]\nlist = \"{}\"\n{patience}{store}", upstream.url());
    Gateway::plain().policy(OPEN).config(&config).start()
}

#[test]
fn an_outage_is_never_a_404() {
    let mut wrong = Vec::new();
    for (name, fault) in faults() {
        let upstream = Upstream::start();
        upstream.reply_to_everything(Some(fault));
        let gateway = start(&upstream);
        for path in ["list", "main.info", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip", "../@latest"] {
            let path = format!("/example.test/lib/@v/{path}").replace("/@v/../", "/");
            let (status, body) = get(&gateway, &path);
            if !matches!(status, 502..=504) {
                wrong.push(format!("{name}: {path} is {status}: {body}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_warm_list_is_served_at_once_whatever_the_upstream_does() {
    for (name, fault) in faults() {
        let upstream = Upstream::start();
        upstream.module("example.test/lib", "v1.0.0");
        upstream.reply("/example.test/lib/@v/main.info", Reply::Body(b"{\"Version\":\"v1.0.0\"}".to_vec()));
        let gateway = start_patient(&upstream, "");
        let warm = ["/example.test/lib/@v/list", "/example.test/lib/@latest", "/example.test/lib/@v/main.info"];
        let expected = warm.map(|path| get(&gateway, path));
        upstream.reply_to_everything(Some(fault));
        for round in 0..3 {
            assert_eq!(warm.map(|path| get(&gateway, path)), expected, "{name}, round {round}");
        }
    }
}

#[test]
fn a_list_that_changed_is_seen_after_one_stale_answer() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let gateway = start(&upstream);
    assert_eq!(get(&gateway, "/example.test/lib/@v/list").1, "v1.0.0\n");
    upstream.list("example.test/lib", "v1.1.0");
    await_that("the new version in the list", || get(&gateway, "/example.test/lib/@v/list").1.contains("v1.1.0"));
}

#[test]
fn an_old_list_is_current_if_the_upstream_is_well_and_served_soon_if_not() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let gateway = start_patient(&upstream, "stale_wait = \"0s\"\n");
    let list = || get(&gateway, "/example.test/lib/@v/list");
    assert_eq!(list().1, "v1.0.0\n");
    upstream.list("example.test/lib", "v1.1.0");
    // On a busy machine the refresh may take longer than the second that a caller waits for it.
    await_that("a list with the new version", || list().1 == "v1.0.0\nv1.1.0\n");
    for (name, fault) in faults() {
        upstream.reply_to_everything(Some(fault));
        assert_eq!(list(), (200, "v1.0.0\nv1.1.0\n".into()), "{name}");
    }
}

#[test]
fn one_version_that_the_upstream_refuses_leaves_the_others() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.module("example.test/lib", "v1.1.0");
    for kind in ["info", "mod", "zip"] {
        upstream.reply(&format!("/example.test/lib/@v/v1.1.0.{kind}"), Reply::Status(403, "quarantined"));
    }
    let gateway = start(&upstream);
    assert_eq!(get(&gateway, "/example.test/lib/@v/v1.1.0.zip").0, 502);
    assert_eq!(get(&gateway, "/example.test/lib/@v/v1.0.0.zip").0, 200);
}

#[test]
fn latest_is_derived_where_the_upstream_has_none() {
    let upstream = Upstream::start();
    for version in ["v1.0.0", "v1.9.0", "v1.10.0", "v1.11.0-pre"] {
        upstream.module("example.test/lib", version);
    }
    upstream.list("example.test/lib", "v1.99.0-0.20240506070809-abcdefabcdef");
    let gateway = start(&upstream);
    let (status, body) = get(&gateway, "/example.test/lib/@latest");
    assert_eq!(status, 200);
    assert!(body.contains("\"v1.10.0\""), "{body}");
}

#[test]
fn the_next_upstream_is_asked_as_go_would() {
    let (first, second) = (Upstream::start(), Upstream::start());
    second.module("example.test/lib", "v1.0.0");
    let status = |separator: &str, fault: Option<Reply>| {
        first.reply_to_everything(fault);
        let list = format!("{}{separator}{}", first.url(), second.url());
        let gateway = Gateway::plain().policy(OPEN).config(&format!("[upstream]\nlist = \"{list}\"\n{QUICK}")).start();
        get(&gateway, "/example.test/lib/@v/v1.0.0.mod").0
    };
    assert_eq!(status(",", None), 200);
    assert_eq!(status(",", Some(Reply::Status(410, "gone"))), 200);
    assert_eq!(status(",", Some(Reply::Status(500, "oops"))), 503);
    assert_eq!(status("|", Some(Reply::Status(500, "oops"))), 200);
    assert_eq!(status("|", Some(Reply::Reset)), 200);
    assert_eq!(status("|", Some(Reply::Stalled)), 200);
}

/// Status and body; 0 when the transfer broke.
pub(crate) fn get(gateway: &Gateway, path: &str) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "20", "--path-as-is", "-w", "\n%{http_code}"]).arg(format!("{}{path}", gateway.url()));
    let output = curl.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let status = if output.status.success() { status.parse().unwrap() } else { 0 };
    (status, body.to_owned())
}
