//! JWTs at the built gateway: in a netrc and as Bearer, groups that the policy gives roles to, keys that are replaced while it
//! runs, and tokens that are refused without anybody learning why.

use crate::{
    curl,
    gateway::{Gateway, SHIPPED_POLICY, await_that},
    go_client::GoClient,
    jwt_issuer::{Issuer, claims, header},
    upstream::Upstream,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// The platform team reads `example.test/lib`, and nobody anything else.
const BY_GROUP: &str = "g, group:corp/eng/platform, role:developer\n\
                        p, role:developer, example.test/lib, *, read, allow, -, -\n";
const REFUSED: &str =
    "the JWT is not accepted here\nget a new one, and send it as the password in .netrc or as Bearer\n";
const LIST: &str = "/example.test/lib/@v/list";

fn upstream() -> Upstream {
    Upstream::of(&["example.test/lib", "example.test/other"])
}

/// Status and body of a request with these arguments of curl for its credential.
fn ask(gateway: &Gateway, path: &str, credential: &[&str]) -> (u16, String) {
    let answer = curl::ask(gateway, path, credential);
    (answer.status, answer.body)
}

fn bearer(gateway: &Gateway, token: &str) -> (u16, String) {
    ask(gateway, LIST, &["-H", &curl::bearer(token)])
}

fn acts(gateway: &Gateway, name: &str) -> Vec<String> {
    let records = gateway.records().into_iter().filter(|record| record["act"] == name);
    records.map(|record| record["detail"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_developer_downloads_with_a_jwt_and_the_group_decides() {
    let (upstream, issuer) = (upstream(), Issuer::new());
    let nested = issuer.config() + "groups_claim = \"realm.groups\"\n";
    let gateway = Gateway::tls().policy(BY_GROUP).upstream(&upstream.url()).config(&nested).start();
    let token = issuer.token(&json!({"groups": ["elsewhere"], "realm": {"groups": ["/eng/platform", "staff"]}}));
    let client = GoClient::of(&gateway, Some(&token));
    client.ok(&["get", "example.test/lib@v1.0.0"]);
    let printed = client.fails(&["get", "example.test/other@v1.0.0"]);
    assert!(printed.contains("403 Forbidden"), "{printed}");
    let stranger = issuer.token(&json!({"sub": "bob", "realm": {"groups": ["staff"]}}));
    let printed = GoClient::of(&gateway, Some(&stranger)).fails(&["get", "example.test/lib@v1.0.0"]);
    assert!(printed.contains("no rule allows user:corp/bob"), "{printed}");

    let records = gateway.records();
    let of = |target: &str| records.iter().find(|r| r["target"] == target && r["kind"] == "answered").unwrap();
    let zip = of("zip");
    assert_eq!((&zip["subject"], &zip["method"]), (&json!("user:corp/alice@corp.example"), &json!("jwt")));
    assert_eq!(zip["groups"], json!(["group:corp/eng/platform", "group:corp/staff"]));
    assert_eq!((&zip["token"], &zip["roles"]), (&json!("run-7"), &json!(["role:developer"])));
    assert!(!upstream.asked().iter().any(|path| path.contains("/other/")), "{:?}", upstream.asked());
    let journal = fs::read_to_string(gateway.data().join("audit/journal-00000001.jsonl")).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!journal.contains(signature) && !gateway.log().contains(signature), "the token is kept nowhere");
}

#[test]
fn basic_with_any_login_and_bearer_are_the_same() {
    let (upstream, issuer) = (upstream(), Issuer::new());
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&issuer.config()).start();
    let token = issuer.token(&json!({}));
    assert_eq!(bearer(&gateway, &token), (200, "v1.0.0\n".to_owned()));
    for login in ["", "any", "alice@corp.example"] {
        assert_eq!(ask(&gateway, LIST, &["-u", &format!("{login}:{token}")]).0, 200, "{login}");
    }
    let issued = gateway.token("alice", &[]);
    assert_eq!(bearer(&gateway, &issued).0, 200, "issued tokens work beside them");
}

/// No signature is verified for an address that failed too often; whoever was seen before is not kept out.
#[test]
fn from_an_address_that_fails_too_often_only_known_jwts_are_accepted() {
    let (upstream, issuer) = (upstream(), Issuer::new());
    let config = format!("[limits]\nfailures = \"1/h\"\nfailures_burst = 2\n{}", issuer.config());
    let gateway = Gateway::plain().upstream(&upstream.url()).config(&config).start();
    let (known, new) = (issuer.token(&json!({})), issuer.token(&json!({"jti": "run-8"})));
    assert_eq!(bearer(&gateway, &known).0, 200);
    let bad = |number: i32| ask(&gateway, &format!("/example.test/other/@v/v1.{number}.0.info"), &["-u", "x:y.y.y"]).0;
    assert_eq!([bad(0), bad(1), bad(2)], [401, 401, 429]);

    assert_eq!(bearer(&gateway, &known).0, 200);
    let (status, text) = bearer(&gateway, &new);
    assert!(status == 429 && text.contains("without a good credential from 127.0.0.1"), "{status} {text}");
    let elsewhere = ["--interface", "127.0.0.2", "-H", &curl::bearer(&new)];
    assert_eq!(ask(&gateway, LIST, &elsewhere).0, 200, "another address");
    assert_eq!(bearer(&gateway, &new).0, 200, "it is known now");
    assert!(!upstream.asked().iter().any(|path| path.contains("/other/")), "{:?}", upstream.asked());
}

/// INVARIANT: whatever is wrong, outside it is told in the same words; and nothing else is tried, asked or kept.
#[test]
fn a_bad_jwt_is_refused_in_one_text_and_never_tried_as_anything_else() {
    let (upstream, issuer, stranger) = (upstream(), Issuer::new(), Issuer::new());
    let policy = format!("{SHIPPED_POLICY}p, anonymous, public, *, read, allow, -, -\n");
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).config(&issuer.config()).start();
    let now = Timestamp::now().as_second();
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        issuer.sign(&header, &claims())
    };
    let unsigned = |token: String| token.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap();
    let bad = [
        ("jwt_expired", issuer.token(&json!({"exp": now - 120}))),
        ("jwt_not_yet_valid", issuer.token(&json!({"nbf": now + 3000}))),
        ("jwt_aud_wrong", issuer.token(&json!({"aud": "elsewhere"}))),
        ("jwt_iss_unknown", issuer.token(&json!({"iss": "https://evil.example"}))),
        ("jwt_sub_missing", issuer.token(&json!({"sub": ""}))),
        ("jwt_signature", stranger.token(&json!({}))),
        ("jwt_alg_none", unsigned(with("alg", json!("none")))),
        ("jwt_alg_not_allowed", with("alg", json!("HS256"))),
        ("jwt_embedded_key", with("jwk", issuer.jwk())),
        ("jwt_kid_unknown", with("kid", json!("../1"))),
        ("jwt_crit", with("crit", json!(["x"]))),
        ("jwt_encrypted", format!("{}.a.b", issuer.token(&json!({})))),
    ];
    let mut texts = BTreeSet::new();
    for (reason, token) in &bad {
        let login = format!("alice:{token}");
        for credential in [["-H", &curl::bearer(token)], ["-u", &login]] {
            let (status, body) = ask(&gateway, LIST, &credential);
            assert_eq!(status, 401, "{reason}: {body}");
            let (text, id) = body.split_once("request: ").unwrap();
            texts.insert(text.to_owned());
            gateway.await_log(id.trim());
            let line = gateway.log().lines().find(|line| line.contains(id.trim())).unwrap().to_owned();
            assert!(line.contains(&format!("\"reason\":\"{reason}\"")), "{reason}: {line}");
        }
    }
    assert_eq!(texts, BTreeSet::from([REFUSED.to_owned()]));
    assert_eq!(upstream.asked(), Vec::<String>::new());
    let records = gateway.records();
    let refused = records.iter().filter(|record| record["kind"] == "answered").collect::<Vec<_>>();
    assert_eq!(refused.len(), 2 * bad.len());
    for record in refused {
        assert_eq!((&record["subject"], &record["decision"]), (&json!("anonymous"), &json!("unauthenticated")));
    }
    assert!(!gateway.log().contains("no directory is configured"), "no token was tried as a password");
    assert!(!gateway.log().contains(claims()["sub"].as_str().unwrap()), "nor is believed what a bad one says");

    let printed = GoClient::of(&gateway, Some(&bad[0].1)).fails(&["get", "example.test/lib@v1.0.0"]);
    assert!(printed.contains("401 Unauthorized") && printed.contains("the JWT is not accepted here"), "{printed}");
}

#[test]
fn without_an_issuer_a_jwt_is_told_what_to_send() {
    let gateway = Gateway::tls().upstream("off").start();
    let (status, body) = bearer(&gateway, &Issuer::new().token(&json!({})));
    assert_eq!(status, 401);
    assert!(body.contains("no issuer of JWTs is configured here\nsend a token (mg_…) instead"), "{body}");
}

#[test]
fn keys_are_replaced_while_it_runs_and_bad_ones_are_not_taken() {
    let (upstream, mut issuer) = (upstream(), Issuer::new());
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&issuer.config()).start();
    let old = issuer.token(&json!({}));
    assert_eq!(bearer(&gateway, &old).0, 200);

    for bad in ["", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"] {
        let before = acts(&gateway, "keys.refused").len();
        issuer.put(bad);
        await_that("the bad keys to be noticed", || acts(&gateway, "keys.refused").len() > before);
        assert_eq!(bearer(&gateway, &old).0, 200, "the last good keys stay");
    }
    assert!(
        acts(&gateway, "keys.refused")[1].contains("key 1: it is a secret"),
        "{:?}",
        acts(&gateway, "keys.refused")
    );

    issuer.change_key();
    issuer.publish();
    let new = issuer.token(&json!({}));
    await_that("the new key", || bearer(&gateway, &new).0 == 200);
    assert_eq!(bearer(&gateway, &old).0, 401, "though it was remembered");
    await_that("the record", || acts(&gateway, "keys.replaced") == ["corp: 1 key in force"]);
    let metrics = curl::admin(&gateway, "/metrics");
    assert!(metrics.contains("modgate_reloads_total{what=\"keys\",result=\"failed\"} 2\n"), "{metrics}");
    assert!(metrics.contains("modgate_reloads_total{what=\"keys\",result=\"ok\"} 1\n"), "{metrics}");
}

#[test]
fn a_signal_reads_keys_that_look_unchanged() {
    let (upstream, mut issuer) = (upstream(), Issuer::new());
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&issuer.config()).start();
    let time = fs::metadata(issuer.file()).unwrap().modified().unwrap();
    issuer.change_key();
    // Same length, time and inode: nobody notices without being told.
    fs::write(issuer.file(), json!({"keys": [issuer.jwk()]}).to_string()).unwrap();
    fs::File::options().write(true).open(issuer.file()).unwrap().set_modified(time).unwrap();
    gateway.signal("HUP");
    let new = issuer.token(&json!({}));
    await_that("the new key", || bearer(&gateway, &new).0 == 200);
}
