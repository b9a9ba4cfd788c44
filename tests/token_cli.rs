//! `modgate token` beside a running server: what is created works at once, what is revoked stops, and the journal tells.

use crate::gateway::{Gateway, await_that, modgate};
use std::{path::Path, process::Output};

fn acts(gateway: &Gateway, name: &str) -> Vec<String> {
    let records = gateway.records();
    let details = records.iter().filter(|record| record["act"] == name).map(|record| record["detail"].as_str());
    details.map(|detail| detail.unwrap().to_owned()).collect()
}

fn id(token: &str) -> &str {
    token.split('_').nth(1).unwrap()
}

fn run(data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = modgate();
    let Output { status, stdout, stderr } = command.args(arguments).arg("--data").arg(data).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn creation_and_revocation_are_acts_in_the_journal_without_secrets() {
    let data = tempfile::tempdir().unwrap();
    let (code, before, _) = run(data.path(), &["token", "create", "early"]);
    assert_eq!(code, Some(0));
    let gateway = Gateway::plain().upstream("off").data(data.path()).start();
    let alice = gateway.token("alice", &["--group", "platform"]);
    let robot = gateway.token("builder", &["--ci"]);
    await_that("both creations in the journal", || acts(&gateway, "token.created").len() == 2);
    let created = [format!("{} of user:token/alice", id(&alice)), format!("{} of ci:token/builder", id(&robot))];
    let mut told = acts(&gateway, "token.created");
    told.sort_by_key(|detail| !detail.contains("alice"));
    assert_eq!(told, created, "the token that was there at the start is none of them");

    assert!(gateway.run(&["token", "revoke", "--name", "alice"]).status.success());
    await_that("the revocation in the journal", || acts(&gateway, "token.revoked").len() == 1);
    assert_eq!(acts(&gateway, "token.revoked"), [format!("{} of user:token/alice", id(&alice))]);

    let journal = std::fs::read_to_string(data.path().join("audit/journal-00000001.jsonl")).unwrap();
    for token in [&alice, &robot, &before] {
        let secret = token.trim().rsplit('_').next().unwrap();
        assert!(!journal.contains(secret) && !gateway.log().contains(secret));
    }
}

#[test]
fn what_goes_to_a_pipe_is_the_token_alone() {
    let data = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(&data.path().join("new"), &["token", "create", "alice"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("mg_") && stdout.lines().count() == 1, "{stdout}");
    let (_, listed, _) = run(&data.path().join("new"), &["token", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["id"], id(&stdout));
    assert!(!listed.to_string().contains(stdout.trim().rsplit('_').next().unwrap()));
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let missing = data.path().join("none");
    for arguments in [&["token", "list"][..], &["token", "revoke", "000000000000"]] {
        let (code, _, stderr) = run(&missing, arguments);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("no token ledger at `") && stderr.contains("modgate token create"), "{stderr}");
        assert!(!missing.exists(), "asking makes no directory");
    }
    assert_eq!(run(data.path(), &["token", "create", "alice"]).0, Some(0));
    for (arguments, code, said) in [
        (&["token", "revoke", "000000000000"][..], 1, "modgate token list --all"),
        (&["token", "revoke", "--name", "bob"], 1, "there is no token for `bob`"),
        (&["token", "revoke"], 2, "required"),
        (&["token", "revoke", "short"], 2, "invalid value"),
        (&["token", "create"], 2, "<NAME>"),
        (&["token", "create", "a b"], 2, "invalid value"),
        (&["token", "create", "alice", "--expires", "soon"], 2, "invalid value"),
        (&["token", "create", "alice", "--expires", "2001-01-01"], 2, "2001-01-01"),
        (&["token", "create", "alice", "--scope", "fly"], 2, "scope"),
    ] {
        let (ended, stdout, stderr) = run(data.path(), arguments);
        assert_eq!((ended, stdout.as_str()), (Some(code), ""), "{arguments:?} {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(said), "{arguments:?} {stderr}");
    }
    let (_, listed, _) = run(data.path(), &["token", "list", "--all", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&listed).unwrap().as_array().unwrap().len(), 1);
}
