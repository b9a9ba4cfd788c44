//! What a scrape of a running gateway has in it, against what the documentation says.

use crate::{
    curl::admin,
    gateway::{Gateway, await_that},
    outages::get,
    upstream::{Reply, Upstream},
};

const OPERATIONS: &str = include_str!("../docs/operations.md");
const OPEN: &str = "p, anonymous, *, *, read, allow, -, -\n";

pub(crate) fn scrape(gateway: &Gateway) -> String {
    admin(gateway, "/metrics")
}

#[test]
fn every_metric_of_the_documentation_is_exposed() {
    let gateway = Gateway::tls().upstream("off").start();
    let text = scrape(&gateway);
    let word = |character: char| character.is_ascii_lowercase() || character == '_';
    let named =
        OPERATIONS.match_indices("modgate_").map(|(at, _)| OPERATIONS[at..].split(|c| !word(c)).next().unwrap());
    let named: Vec<_> = named.map(|name| name.trim_end_matches("_total")).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is not in\n{text}");
    }
}

#[test]
fn requests_to_sources_are_counted_by_how_they_ended() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.reply("/example.test/down/@v/list", Reply::Status(503, "down"));
    let config = format!("[upstream]\nlist = \"{}\"\nretries = 0\n", upstream.url());
    let gateway = Gateway::plain().policy(OPEN).config(&config).start();
    get(&gateway, "/example.test/lib/@v/v1.0.0.zip");
    get(&gateway, "/example.test/down/@v/list");
    get(&gateway, "/example.test/none/@v/list");
    await_that("three requests to be counted", || {
        let text = scrape(&gateway);
        ["ok", "failed", "absent"]
            .iter()
            .all(|result| text.contains(&format!("modgate_upstream_requests_total{{result=\"{result}\"}} 1\n")))
    });
    let text = scrape(&gateway);
    assert!(text.contains("modgate_store_flights 0.0\n"), "{text}");
    assert!(text.contains("modgate_valid_tokens 0.0\n"), "{text}");
}

#[test]
fn a_revoked_token_is_no_valid_one() {
    let gateway = Gateway::plain().upstream("off").start();
    let token = gateway.token("alice", &[]);
    gateway.token("bob", &[]);
    await_that("two tokens", || scrape(&gateway).contains("modgate_valid_tokens 2.0\n"));
    assert!(gateway.run(&["token", "revoke", &token]).status.success());
    await_that("one token", || scrape(&gateway).contains("modgate_valid_tokens 1.0\n"));
}
