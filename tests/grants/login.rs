//! Logins: by device and by browser, and what becomes of their tokens.

use super::{LIB, door::Door, open, text};
use crate::{
    curl::{Answer, bearer},
    go_client::GoClient,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://127.0.0.1:8123/callback";

#[test]
fn a_device_gets_tokens_once_a_person_has_approved() {
    let (door, issuer, _upstream) = open("");
    let begun = door.form("/-/oauth/device_authorization", &[("client_id", "modgate-cli")], &[]);
    assert_eq!(begun.status, 200, "{}", begun.body);
    let begun = begun.json();
    let (device, user) = (text(&begun, "device_code"), text(&begun, "user_code"));
    let page = text(&begun, "verification_uri");
    assert!(page.ends_with("/-/device"), "{page}");
    assert_eq!(text(&begun, "verification_uri_complete"), format!("{page}?user_code={user}"));
    assert_eq!((begun["expires_in"].as_i64(), begun["interval"].as_i64()), (Some(600), Some(5)));
    assert_eq!(door.poll(device).error(), "authorization_pending");
    let hasty = door.poll(device);
    assert_eq!((hasty.error().as_str(), hasty.json()["interval"].as_i64()), ("slow_down", Some(10)));

    let alice = issuer.jwt("alice");
    let decide = |fields: &[(&str, &str)], credential: &[&str]| door.form("/-/device", fields, credential).status;
    let yes = [("user_code", user), ("decision", "approve")];
    let by_hand = door.gateway.token("robot", &[]);
    assert_eq!(decide(&yes, &[]), 401, "nobody");
    assert_eq!(decide(&yes, &["-u", &format!("alice:{alice}")]), 403, "Basic");
    assert_eq!(decide(&yes, &["-H", &bearer(&by_hand)]), 403, "a token is no person");
    assert_eq!(decide(&[("user_code", "BBBB-BBBB"), ("decision", "approve")], &["-H", &bearer(&alice)]), 404);
    assert_eq!(decide(&[("user_code", user)], &["-H", &bearer(&alice)]), 400, "undecided");
    let typed = user.to_lowercase().replace('-', "");
    assert_eq!(decide(&[("user_code", &typed), ("decision", "approve")], &["-H", &bearer(&alice)]), 204);
    assert_eq!(decide(&yes, &["-H", &bearer(&issuer.jwt("mallory"))]), 403, "approved already");

    let tokens = door.poll(device).json();
    assert_eq!((text(&tokens, "token_type"), tokens["expires_in"].as_i64()), ("Bearer", Some(3600)));
    assert_eq!(door.poll(device).error(), "invalid_grant", "given once");
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let who = door.get("/-/api/v1/whoami", access).json();
    assert_eq!((text(&who, "subject"), text(&who, "method")), ("user:corp/alice", "token"));
    assert_eq!(who["groups"][0], "group:corp/eng/platform");
    assert!(text(&who, "expires").ends_with('Z'));
    GoClient::of(&door.gateway, Some(access)).ok(&["get", "example.test/lib@v1.0.0"]);

    // A refresh token opens nothing.
    let refused = door.get(LIB, refresh);
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("refresh token"), "{}", refused.body);
    let records = door.gateway.records();
    assert!(records.iter().any(|record| record["reason"] == "token_purpose"));
    let created = door.acts("token.created");
    let hers = created.iter().find(|act| act["subject"] == "user:corp/alice").unwrap_or_else(|| panic!("{created:?}"));
    assert_eq!(text(hers, "client"), "127.0.0.1");
    let journal = serde_json::to_string(&records).unwrap();
    for secret in [access, refresh, device] {
        let secret = secret.rsplit('_').next().unwrap();
        assert!(!journal.contains(secret) && !door.gateway.log().contains(secret));
    }
}

#[test]
fn a_denied_login_gives_nothing() {
    let (door, issuer, upstream) = open("");
    let begun = door.form("/-/oauth/device_authorization", &[("client_id", "modgate-cli")], &[]).json();
    let no = [("user_code", text(&begun, "user_code")), ("decision", "deny")];
    assert_eq!(door.form("/-/device", &no, &["-H", &bearer(&issuer.jwt("alice"))]).status, 204);
    assert_eq!(door.poll(text(&begun, "device_code")).error(), "access_denied");
    assert_eq!(door.poll(text(&begun, "device_code")).error(), "invalid_grant");
    assert!(upstream.asked().is_empty());
}

/// Consents, and returns where the browser is sent.
fn consent(door: &Door, jwt: &str, changes: &[(&str, &str)]) -> Answer {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", "modgate-cli"),
        ("redirect_uri", REDIRECT),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "a b&c"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    door.form("/-/oauth/authorize", &fields, &["-H", &bearer(jwt)])
}

fn code(door: &Door, jwt: &str) -> String {
    let answer = consent(door, jwt, &[]);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    let rest = location.strip_prefix(&format!("{REDIRECT}?code=")).unwrap_or_else(|| panic!("{location}"));
    rest.strip_suffix("&state=a+b%26c").unwrap_or_else(|| panic!("{location}")).to_owned()
}

fn redeem(door: &Door, code: &str, verifier: &str, redirect: &str) -> Answer {
    door.token(&[
        ("grant_type", "authorization_code"),
        ("client_id", "modgate-cli"),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", redirect),
    ])
}

#[test]
fn a_code_is_worth_something_once_and_to_its_program_only() {
    let (door, issuer, upstream) = open("");
    let alice = issuer.jwt("alice");
    let stolen = code(&door, &alice);
    let other = VERIFIER.replace('d', "e");
    assert_eq!(redeem(&door, &stolen, &other, REDIRECT).error(), "invalid_grant");
    assert_eq!(redeem(&door, &stolen, VERIFIER, REDIRECT).error(), "invalid_grant", "burnt");
    let moved = code(&door, &alice);
    assert_eq!(redeem(&door, &moved, VERIFIER, "http://127.0.0.1:8124/callback").error(), "invalid_grant");
    assert!(upstream.asked().is_empty());

    let good = code(&door, &alice);
    let tokens = redeem(&door, &good, VERIFIER, REDIRECT).json();
    let access = text(&tokens, "access_token");
    assert_eq!(door.get(LIB, access).status, 200);
    assert_eq!(redeem(&door, &good, VERIFIER, REDIRECT).error(), "invalid_grant");
    assert_eq!(door.get(LIB, access).status, 401, "what it gave is revoked");
    assert_eq!(door.refresh(text(&tokens, "refresh_token")).error(), "invalid_grant");
    assert_eq!(door.acts("token.reused").len(), 1);
    assert_eq!(door.acts("token.revoked").len(), 2);
}

#[test]
fn nothing_is_sent_anywhere_but_to_loopback() {
    let (door, issuer, _upstream) = open("");
    let alice = issuer.jwt("alice");
    for (name, value) in [
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://localhost:8123/callback"),
        ("redirect_uri", "http://127.0.0.1:8123/callback?x=y"),
        ("redirect_uri", "http://127.0.0.1:8123@evil.example/"),
        ("code_challenge_method", "plain"),
        ("code_challenge", "short"),
        ("response_type", "token"),
        ("client_id", "other"),
        ("scope", "everything"),
    ] {
        let answer = consent(&door, &alice, &[(name, value)]);
        assert_eq!(answer.status, 400, "{name}={value}: {}", answer.body);
        assert!(!answer.head.to_lowercase().contains("location:"), "{}", answer.head);
    }
    let robot = door.gateway.token("robot", &[]);
    assert_eq!(consent(&door, &robot, &[]).status, 403);
}

#[test]
fn refresh_tokens_rotate_and_one_that_comes_again_ends_the_login() {
    let (door, issuer, upstream) = open("");
    let first = door.log_in(&issuer.jwt("alice"), None);
    let second = door.refresh(text(&first, "refresh_token")).json();
    assert_eq!(door.get(LIB, text(&first, "access_token")).status, 200, "until it expires");
    assert_eq!(door.get(LIB, text(&second, "access_token")).status, 200);
    // What was made with the help of the login goes with it.
    let made = door.make(text(&second, "access_token"), &serde_json::json!({})).json();
    assert_eq!(door.get(LIB, text(&made, "token")).status, 200);
    let third = door.refresh(text(&second, "refresh_token")).json();
    let asked = upstream.asked().len();
    assert_eq!(door.refresh(text(&first, "refresh_token")).error(), "invalid_grant");
    for token in [
        text(&first, "access_token"),
        text(&second, "access_token"),
        text(&third, "access_token"),
        text(&made, "token"),
    ] {
        assert_eq!(door.get("/example.test/other/@v/list", token).status, 401);
    }
    assert_eq!(door.refresh(text(&third, "refresh_token")).error(), "invalid_grant");
    assert_eq!(upstream.asked().len(), asked, "nothing was fetched for them");
    let reused = door.acts("token.reused");
    assert_eq!((reused.len(), &reused[0]["subject"]), (1, &serde_json::json!("user:corp/alice")));
    // Access tokens are no refresh tokens, and scopes do not change on the way.
    let login = door.log_in(&issuer.jwt("alice"), Some("read"));
    assert_eq!(door.refresh(text(&login, "access_token")).error(), "invalid_grant");
    let wider = [
        ("grant_type", "refresh_token"),
        ("client_id", "modgate-cli"),
        ("refresh_token", text(&login, "refresh_token")),
        ("scope", "read,write"),
    ];
    assert_eq!(door.token(&wider).error(), "invalid_scope");
    assert_eq!(door.refresh(text(&login, "refresh_token")).json()["scope"], "read");
}

#[test]
fn whoever_holds_a_token_may_give_it_back() {
    let (door, issuer, _upstream) = open("");
    let login = door.log_in(&issuer.jwt("alice"), None);
    let (access, refresh) = (text(&login, "access_token"), text(&login, "refresh_token"));
    let next = door.refresh(refresh).json();
    let revoke = |token: &str| door.form("/-/oauth/revoke", &[("token", token)], &[]);
    assert_eq!(revoke(access).status, 200);
    assert_eq!(door.get(LIB, access).status, 401);
    assert_eq!(door.get(LIB, text(&next, "access_token")).status, 200, "the login goes on");
    assert_eq!(revoke(text(&next, "refresh_token")).status, 200);
    assert_eq!(door.get(LIB, text(&next, "access_token")).status, 401, "and ends with its refresh token");
    assert_eq!(door.refresh(text(&next, "refresh_token")).error(), "invalid_grant");
    // Unknown ones look the same, and cost.
    assert_eq!(revoke(&access.replace(&access[3..6], "zzz")).status, 200);
    assert_eq!(revoke("eyJhbGciOiJFZERTQSJ9.e30.x").error(), "unsupported_token_type");
}
