//! The policy of a running gateway: read again when it changes or on SIGHUP, and the last good one stays.

use crate::{
    gateway::{Gateway, await_that},
    outages::get,
    upstream::Upstream,
};
use std::fs::{self, File};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
/// What is denied to the anonymous may be allowed to somebody.
const DENIED: u16 = 401;

/// A gateway whose upstream has two modules.
fn start(policy: &str, config: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    upstream.module("example.test/one", "v1.0.0");
    upstream.module("example.test/two", "v1.0.0");
    let gateway = Gateway::plain().policy(policy).upstream(&upstream.url()).config(config).start();
    (upstream, gateway)
}

fn status(gateway: &Gateway, module: &str) -> u16 {
    get(gateway, &format!("/example.test/{module}/@v/v1.0.0.mod")).0
}

fn deny(module: &str) -> String {
    format!("{OPEN}p, anonymous, example.test/{module}, *, read, deny, -, \"reason=recalled\"\n")
}

/// The details of the acts of that name in the journal.
fn acts(gateway: &Gateway, name: &str) -> Vec<String> {
    let of_name = |record: &serde_json::Value| record["act"] == name;
    let records = gateway.records();
    records.iter().filter(|record| of_name(record)).map(|record| record["detail"].as_str().unwrap().into()).collect()
}

#[test]
fn a_change_of_the_file_is_taken_up_without_being_told() {
    let (_upstream, gateway) = start(OPEN, "");
    assert_eq!(status(&gateway, "one"), 200);
    fs::write(gateway.policy_file(), deny("one")).unwrap();
    await_that("the new policy", || status(&gateway, "one") == DENIED);
    assert_eq!(status(&gateway, "two"), 200);
    assert_eq!(acts(&gateway, "policy.reloaded").len(), 1);
}

#[test]
fn a_signal_reads_what_looks_unchanged() {
    let (_upstream, gateway) = start(&deny("one"), "");
    assert_eq!((status(&gateway, "one"), status(&gateway, "two")), (DENIED, 200));
    // Same length, time and inode: nobody notices without being told.
    let time = fs::metadata(gateway.policy_file()).unwrap().modified().unwrap();
    fs::write(gateway.policy_file(), deny("two")).unwrap();
    File::options().write(true).open(gateway.policy_file()).unwrap().set_modified(time).unwrap();
    gateway.signal("HUP");
    await_that("the new policy", || (status(&gateway, "one"), status(&gateway, "two")) == (200, DENIED));
}

#[test]
fn a_bad_policy_leaves_the_last_good_one_in_force() {
    let (_upstream, gateway) = start(&deny("one"), "");
    let file = gateway.policy_file().display().to_string();
    let trailing = deny("two").replace("deny,", "deny # since yesterday,");
    let bad = [
        (trailing.as_str(), 2),
        ("p, anonymous, public, *, read, alow, -, -\n", 1),
        ("# all lines\n# are gone\n\np, anonymous\n", 4),
    ];
    for (number, (policy, line)) in bad.into_iter().enumerate() {
        fs::write(gateway.policy_file(), policy).unwrap();
        let place = format!("{file}:{line}: ");
        gateway.await_log(&place);
        await_that("the record", || acts(&gateway, "policy.refused").len() > number);
        assert!(acts(&gateway, "policy.refused").last().unwrap().contains(&place), "{policy}");
        assert_eq!((status(&gateway, "one"), status(&gateway, "two")), (DENIED, 200), "{policy}");
    }
    fs::remove_file(gateway.policy_file()).unwrap();
    gateway.await_log("policy.csv: cannot be read");
    assert_eq!((status(&gateway, "one"), status(&gateway, "two")), (DENIED, 200), "without a file");

    fs::write(gateway.policy_file(), deny("two")).unwrap();
    await_that("the mended policy", || (status(&gateway, "one"), status(&gateway, "two")) == (200, DENIED));
}

#[test]
fn nothing_private_becomes_public_unless_that_is_allowed() {
    let private = format!("p2, example.test/one, private, -\n{OPEN}");
    let (upstream, gateway) = start(&private, "");
    let before = status(&gateway, "one");
    assert_ne!(before, 200);
    fs::write(gateway.policy_file(), OPEN).unwrap();
    gateway.await_log("no longer private: `p2, example.test/one");
    await_that("the record", || !acts(&gateway, "policy.refused").is_empty());
    assert_eq!((status(&gateway, "one"), status(&gateway, "two")), (before, 200));
    assert!(!upstream.asked().iter().any(|path| path.contains("example.test/one")));
}
