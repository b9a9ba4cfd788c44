//! What reaches a server that runs: the process stays up, the last good stays, and it is said where the mistake is.

use crate::{
    curl,
    gateway::{Gateway, SHIPPED_POLICY, await_that},
    metrics::scrape,
};
use std::{fs, process::Command};

/// The status for a credential as `curl` sends it, and the body.
fn ask(gateway: &Gateway, credential: &[&str]) -> (u16, String) {
    let answer = curl::ask(gateway, "/", credential);
    (answer.status, answer.body)
}

#[test]
fn a_bad_policy_changes_nothing_but_the_log() {
    let gateway = Gateway::plain().upstream("off").start();
    let token = format!("alice:{}", gateway.token("alice", &[]));
    let refused = |gateway: &Gateway| {
        gateway.records().into_iter().filter(|record| record["act"] == "policy.refused").collect::<Vec<_>>()
    };
    let lines = SHIPPED_POLICY.lines().count();
    for (number, (row, said)) in [
        ("p, authenticated, public, *, read, allow", "columns"),
        ("p, authenticated, public, *, read, permit, -, -", "permit"),
        ("p, authenticated, public, *, read, allow, soon, -", "soon"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(gateway.policy_file(), format!("{SHIPPED_POLICY}{row}\n")).unwrap();
        await_that("the refusal in the journal", || refused(&gateway).len() > number);
        let detail = refused(&gateway).pop().unwrap()["detail"].as_str().unwrap().to_owned();
        let place = format!("policy.csv:{}: ", lines + 1);
        assert!(detail.contains(&place) && detail.contains(said), "{detail}");
        assert_eq!(ask(&gateway, &["-u", &token]).0, 200, "the last good one stays");
    }
    assert!(scrape(&gateway).contains("modgate_reloads_total{what=\"policy\",result=\"failed\"} 3\n"));
    fs::write(gateway.policy_file(), format!("{SHIPPED_POLICY}p, user:token/alice, *, *, *, deny, -, -\n")).unwrap();
    await_that("the good one to be in force", || ask(&gateway, &["-u", &token]).0 == 403);
}

#[test]
fn bad_tokens_are_told_what_is_wrong_and_nothing_secret() {
    let gateway = Gateway::plain().upstream("off").start();
    let good = gateway.token("alice", &[]);
    let revoked = gateway.token("bob", &[]);
    assert!(gateway.run(&["token", "revoke", &revoked]).status.success());
    let other = if good.ends_with('0') { "1" } else { "0" };
    let mistyped = good[..good.len() - 1].to_owned() + other;
    let (cut, login) = (&good[..good.len() - 3], format!("{good}:"));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    await_that("the revocation to be seen", || ask(&gateway, &["-u", &format!("bob:{revoked}")]).0 == 401);
    for (credential, said) in [
        (["-u", &format!("alice:{cut}")], "token"),
        (["-u", &format!("alice:{mistyped}")], "token"),
        (["-H", &bearer(cut)], "token"),
        (["-u", &login], "clear"),
        (["-u", &format!("bob:{revoked}")], "revoked"),
        (["-u", "alice:hunter2"], "passwords are not accepted"),
        (["-H", "Authorization: Digest x"], "Basic"),
    ] {
        let (status, body) = ask(&gateway, &credential);
        assert_eq!(status, 401, "{credential:?}: {body}");
        assert!(body.contains(said), "{credential:?}: `{said}` is not in {body}");
        for secret in [&good, cut, &revoked, "hunter2"] {
            assert!(!body.contains(secret) && !gateway.log().contains(secret), "{body}");
        }
    }
    assert_eq!(ask(&gateway, &["-u", &format!("alice:{good}")]).0, 200);
}

#[test]
fn a_token_database_that_is_damaged_while_it_runs_locks_nobody_out() {
    let gateway = Gateway::plain().upstream("off").start();
    let token = format!("alice:{}", gateway.token("alice", &[]));
    assert_eq!(ask(&gateway, &["-u", &token]).0, 200);
    let database = gateway.data().join("tokens.sqlite");
    let (aside, bad) = (database.with_extension("aside"), database.with_extension("bad"));
    fs::rename(&database, &aside).unwrap();
    fs::write(&bad, "x".repeat(4096)).unwrap();
    fs::rename(&bad, &database).unwrap();
    gateway.await_log("token ledger cannot be read");
    assert!(gateway.log().contains("tokens.sqlite` is damaged"), "{}", gateway.log());
    assert_eq!(ask(&gateway, &["-u", &token]).0, 200, "the last good view stays");
    assert!(scrape(&gateway).contains("modgate_reloads_total{what=\"tokens\",result=\"failed\"}"));
    let created = gateway.run(&["token", "create", "bob"]);
    assert_eq!(created.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&created.stderr).starts_with("error: the token ledger `"));
    fs::rename(&aside, &database).unwrap();
    gateway.await_log("token ledger can be read again");
    assert_eq!(ask(&gateway, &["-u", &format!("bob:{}", gateway.token("bob", &[]))]).0, 200);
}

#[test]
fn readiness_says_when_the_store_is_gone() {
    let gateway = Gateway::plain().upstream("off").start();
    let ready = || {
        let url = gateway.admin_url() + "/readyz";
        let output = Command::new("curl").args(["-s", "-w", "%{http_code}", &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    await_that("readiness", || ready().ends_with("200"));
    let (store, aside) = (gateway.data().join("store"), gateway.data().join("aside"));
    fs::rename(&store, &aside).unwrap();
    let told = ready();
    assert!(told.ends_with("503") && told.contains("\"check\":\"store\""), "{told}");
    fs::rename(&aside, &store).unwrap();
    assert!(ready().ends_with("200"));
}
