//! Visits: the interface for programs below `/-/`, as far as it concerns who may see it and what is kept of it.

use crate::{
    curl,
    gateway::{Gateway, SHIPPED_POLICY},
    upstream::Upstream,
};
use serde_json::Value;
use std::fs;

const WHOAMI: &str = "/-/api/v1/whoami";

/// Status, headers and body.
fn ask(gateway: &Gateway, arguments: &[&str], path: &str) -> (u16, String, String) {
    let answer = curl::ask(gateway, path, &[&["--http2"], arguments].concat());
    (answer.status, answer.head.to_lowercase(), answer.body)
}

#[test]
fn whoami_tells_whom_we_take_the_caller_for() {
    for base in ["", "/go"] {
        let policy = format!("{SHIPPED_POLICY}g, group:token/dev, role:developer\n");
        let gateway = Gateway::tls().base(base).policy(&policy).start();
        let token = gateway.token("alice", &["--group", "dev", "--scope", "read:example.test/*"]);
        for credential in [&["-u", &format!("any:{token}")][..], &["-H", &format!("Authorization: Bearer {token}")]] {
            let (status, head, body) = ask(&gateway, credential, WHOAMI);
            assert_eq!(status, 200, "{body}");
            assert!(
                head.contains("content-type: application/json") && head.contains("cache-control: no-store"),
                "{head}"
            );
            let who: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(who["subject"], "user:token/alice");
            assert_eq!(who["groups"], serde_json::json!(["group:token/dev"]));
            assert!(who["roles"].as_array().unwrap().contains(&"role:developer".into()), "{who}");
            assert_eq!((&who["method"], &who["scope"]), (&"token".into(), &"read:example.test/*".into()));
            assert!(!body.contains(&token[16..]), "{body}");
        }
        let record = gateway.records().into_iter().rfind(|record| record["target"] == "console").unwrap();
        assert_eq!((&record["path"], &record["status"]), (&WHOAMI.into(), &200.into()));
        assert_eq!(record["subject"], "user:token/alice");
    }
}

#[test]
fn nobody_learns_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let token = gateway.token("alice", &[]);
    let (status, head, _) = ask(&gateway, &[], WHOAMI);
    assert_eq!(status, 401);
    assert!(head.contains("www-authenticate: basic"), "{head}");
    assert!(!head.contains("access-control"), "{head}");
    let wrong = format!("any:mg_{}", "x".repeat(62));
    assert_eq!(ask(&gateway, &["-u", &wrong], WHOAMI).0, 401);
    let record = gateway.records().into_iter().rfind(|record| record["target"] == "console").unwrap();
    assert_eq!((&record["reason"], &record["decision"]), (&"token_mistyped".into(), &"unauthenticated".into()));
    for (sent, reason) in [
        (&["-u", "alice:"][..], "password_empty"),
        (&["-H", "Authorization: Digest x"], "authorization_scheme"),
        (&["-H", "Authorization: Bearer x", "-H", "Authorization: Bearer x"], "authorization_repeated"),
    ] {
        assert_eq!(ask(&gateway, sent, WHOAMI).0, 401);
        let record = gateway.records().into_iter().rfind(|record| record["target"] == "console").unwrap();
        assert_eq!(record["reason"], reason);
    }
    let good = format!("any:{token}");
    for (arguments, path, status) in [
        (&["-u", &good][..], "/-/nothing", 404),
        (&["-u", &good], "/-/../example.test/lib/@v/list", 404),
        (&["-u", &good, "-X", "POST", "-d", "x=y"], WHOAMI, 405),
        (&["-u", &good, "-X", "POST", "-d", "x=y"], "/example.test/lib/@v/list", 405),
    ] {
        assert_eq!(ask(&gateway, &[&["--path-as-is"], arguments].concat(), path).0, status, "{arguments:?} {path}");
    }
    let long = format!("/-/{}", "a".repeat(300));
    assert_eq!(ask(&gateway, &["-u", &good], &long).0, 404);
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    fs::write(&large, vec![b'x'; 70_000]).unwrap();
    let data = format!("@{}", large.display());
    assert_eq!(ask(&gateway, &["-u", &good, "--data-binary", &data], WHOAMI).0, 413);
    assert_eq!(upstream.asked(), Vec::<String>::new());
}
