//! What somebody tries on the way back from the issuer who wants to be somebody else, and an issuer that fails.

use super::{Scene, refused};
use crate::web_client::WebClient;
use serde_json::json;

#[test]
fn what_comes_back_counts_once_and_in_the_browser_that_was_sent() {
    let scene = Scene::new();
    let (mut alice, mut mallory) = (WebClient::new(), WebClient::new());
    let back = scene.at_callback(&mut alice, "/-/login/corp", "alice");
    refused(&mallory.get(&back), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_browser", "mallory has no cookie");
    refused(&alice.get(&back), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_state", "whoever came first has ended it");

    // A login that mallory began: somebody else's browser must not end it, or they would be mallory.
    let back = scene.at_callback(&mut mallory, "/-/login/corp", "mallory");
    alice.get(&scene.url("/-/login/corp"));
    refused(&alice.get(&back), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_browser");
    assert_eq!(alice.get(&scene.url("/-/")).status, 303);

    // The same URL again, by the right browser.
    let mut alice = WebClient::new();
    let back = scene.at_callback(&mut alice, "/-/login/corp", "alice");
    assert_eq!(alice.get(&back).status, 303);
    let csrf = scene.home(&mut alice).field("csrf").unwrap();
    refused(&alice.get(&back), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_state");
    assert_eq!(scene.home(&mut alice).field("csrf"), Some(csrf), "the session is what it was");
}

#[test]
fn an_id_token_is_of_this_login_this_issuer_and_for_us() {
    let scene = Scene::new();
    let now = jiff::Timestamp::now().as_second();
    let far = now + 3600;
    for (fault, code) in [
        (json!({"claims": {"nonce": null}}), "login_nonce"),
        (json!({"claims": {"nonce": "another"}}), "login_nonce"),
        (json!({"claims": {"iss": "https://evil.example"}}), "login_claims"),
        (json!({"claims": {"aud": "other"}}), "login_claims"),
        (json!({"claims": {"aud": ["modgate", "other"]}}), "login_claims"),
        (json!({"claims": {"azp": "other"}}), "login_claims"),
        (json!({"claims": {"exp": now - 120}}), "login_claims"),
        (json!({"claims": {"iat": far, "exp": far + 60}}), "login_claims"),
        (json!({"claims": {"nbf": far}}), "login_claims"),
        (json!({"claims": {"groups": [7]}}), "login_names"),
        (json!({"claims": {"groups": ["a\u{202e}b"]}}), "login_names"),
        (json!({"claims": {"_claim_names": {"groups": "src1"}, "groups": null}}), "login_names"),
        (json!({"claims": {}, "stranger": true}), "login_signature"),
        (json!({"iss": "https://evil.example"}), "login_iss"),
        (json!({"iss": null}), "login_iss"),
    ] {
        let mut alice = WebClient::new();
        scene.issuer.control("fault", &fault);
        let back = scene.at_callback(&mut alice, "/-/login/corp", "alice");
        refused(&alice.get(&back), 403, "You are not logged in");
        assert_eq!(scene.last_failure(), code, "{fault}");
    }
    // The same, re-signed and as it was: it is the claims that were refused.
    scene.issuer.control("fault", &json!({"claims": {"nbf": now}}));
    scene.log_in(&mut WebClient::new(), "alice");
    scene.issuer.control("fault", &json!({}));
    let failures = scene.acts("login.failed");
    assert!(failures.iter().all(|act| act["client"] == "127.0.0.1" && act["subject"] == "anonymous"), "{failures:?}");
    let (log, text) = (scene.gateway.log(), serde_json::to_string(&failures).unwrap());
    assert!(!log.contains("eyJ") && !text.contains("eyJ"), "no token is told anywhere");
}

#[test]
fn a_code_of_another_client_or_another_login_is_not_taken() {
    let scene = Scene::new();
    let (mut alice, mut mallory) = (WebClient::new(), WebClient::new());
    let begun = alice.get(&scene.url("/-/login/corp")).location().unwrap();
    let begun = begun.replace("client_id=modgate", "client_id=other");
    let back = scene.issuer.log_in(&mut alice, &begun, "alice").location().unwrap();
    refused(&alice.get(&back), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_code");

    // Alice's code in mallory's login: it is bound to the verifier of alice's.
    let parameter = |url: &str, name: &str| {
        let url: url::Url = url.parse().unwrap();
        url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
    };
    let mut alice = WebClient::new();
    let stolen = parameter(&scene.at_callback(&mut alice, "/-/login/corp", "alice"), "code");
    let back = scene.at_callback(&mut mallory, "/-/login/corp", "mallory");
    refused(&mallory.get(&back.replace(&parameter(&back, "code"), &stolen)), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_code");

    for (parameters, status, code) in [
        ("", 403, "login_state"),
        ("?code=x", 403, "login_state"),
        ("?state=x&code=x", 403, "login_state"),
        ("?state=x&state=y", 400, "login_state"),
        ("?state=%ff", 403, "login_state"),
    ] {
        let answer = mallory.get(&scene.url(&format!("/-/callback/corp{parameters}")));
        refused(&answer, status, "");
        assert_eq!(scene.last_failure(), code, "{parameters}");
    }
    assert_eq!(mallory.get(&scene.url("/-/callback/nobody?state=x")).status, 404);
    assert_eq!(mallory.get(&scene.url("/-/login/nobody")).status, 404);

    // Whoever presses "cancel" at the issuer comes back with an error.
    let begun = mallory.get(&scene.url("/-/login/corp"));
    let (state, iss) = (begun.sent("state").unwrap(), scene.issuer.url());
    let back = format!("/-/callback/corp?error=access_denied&state={state}&iss={iss}");
    refused(&mallory.get(&scene.url(&back)), 403, "You are not logged in");
    assert_eq!(scene.last_failure(), "login_denied");
}

#[test]
fn an_issuer_that_is_down_says_so_and_keys_may_be_replaced() {
    let scene = Scene::new();
    let mut alice = WebClient::new();
    scene.log_in(&mut alice, "alice");
    let found = scene.issuer.count("discovery");
    scene.issuer.rotate(false);
    scene.log_in(&mut WebClient::new(), "alice");
    scene.log_in(&mut WebClient::new(), "alice");
    assert_eq!(scene.issuer.count("discovery") - found, 1, "the new keys were fetched once");

    let mut late = WebClient::new();
    let back = scene.at_callback(&mut late, "/-/login/corp", "alice");
    scene.issuer.control("down", &json!({"down": true}));
    refused(&late.get(&back), 503, "cannot be asked now");
    assert_eq!(scene.last_failure(), "login_unavailable");
    scene.home(&mut alice);

    // One that never answered: nobody can even begin.
    let other = Scene::new();
    other.issuer.control("down", &json!({"down": true}));
    refused(&late.get(&other.url("/-/login/corp")), 503, "cannot be asked now");
    assert_eq!(other.gateway.records().iter().filter(|record| record["reason"] == "login_unavailable").count(), 1);
}
