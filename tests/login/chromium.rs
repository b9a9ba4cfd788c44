//! The same in a real browser, which holds us to our cookies and to the content policy of our pages.

use super::Scene;
use crate::{
    browser::Browser,
    web_client::{Answer, WebClient},
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};

/// What a page that was looked at says.
fn says(page: &Value, text: &str) {
    assert!(page["text"].as_str().unwrap_or_default().contains(text), "{text}\n{page:#}");
}

/// Logs in at the issuer; the page that comes then.
fn log_in(browser: &mut Browser, account: &str) -> Value {
    browser.clicks("Log in with Corp & Co");
    browser.does(&json!({"type": ["input[name=login]", account]}));
    browser.does(&json!({"type": ["input[name=password]", "any"]}));
    browser.clicks("Sign-in");
    browser.clicks("Continue")
}

/// What a terminal is answered that asks for the tokens of the login that it has begun.
fn poll(scene: &Scene, terminal: &mut WebClient, begun: &Value) -> Answer {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "modgate-cli"),
        ("device_code", begun["device_code"].as_str().unwrap()),
    ];
    terminal.post(&scene.url("/-/oauth/token"), &form)
}

#[test]
fn in_a_real_browser_alice_logs_in_approves_a_terminal_takes_it_back_and_logs_out() {
    let scene = Scene::new();
    let (mut terminal, mut browser) = (WebClient::new(), Browser::start());
    let form = [("client_id", "modgate-cli"), ("scope", "read")];
    let begun = terminal.post(&scene.url("/-/oauth/device_authorization"), &form);
    let begun: Value = serde_json::from_str(&begun.body).unwrap();
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();

    // Straight to the code: first to the login, and back to it.
    let page = browser.opens(&text("verification_uri_complete"));
    says(&page, "Log in");
    let page = log_in(&mut browser, "alice");
    assert_eq!(page["url"], text("verification_uri_complete"), "{page:#}");
    for said in ["Log in a terminal?", "user:corp/alice", &text("user_code"), "read", "127.0.0.1"] {
        says(&page, said);
    }
    assert_eq!(page["complaints"], json!([]), "nothing was refused by the content policy");
    says(&browser.clicks("Approve"), "Approved");

    let answer = poll(&scene, &mut terminal, &begun);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens: Value = serde_json::from_str(&answer.body).unwrap();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let mut who = || {
        let headers = [("authorization", bearer.as_str())];
        terminal.request(reqwest::Method::GET, &scene.url("/-/api/v1/whoami"), &headers)
    };
    let answer = who();
    assert!(answer.status == 200 && answer.body.contains("user:corp/alice"), "{}", answer.body);

    // The home page shows the login of the terminal, and takes it back.
    let page = browser.opens(&scene.url("/-/"));
    for said in ["user:corp/alice", "group:corp/eng/platform", "role:developer", "Revoke"] {
        says(&page, said);
    }
    let light = page["style"].clone();
    assert_ne!(browser.does(&json!({"dark": true}))["style"], light, "dark where the person wants it");
    let cookies = browser.does(&json!({"cookies": true}));
    let session = cookies["cookies"].as_array().unwrap().iter().find(|cookie| cookie["name"] == "modgate").unwrap();
    assert_eq!((&session["httpOnly"], &session["sameSite"]), (&json!(true), &json!("Lax")));
    let page = browser.clicks("Revoke");
    says(&page, "You have none");
    assert_eq!(page["complaints"], json!([]));
    assert_eq!(who().status, 401, "revoked on this node at once");

    let page = browser.clicks("Log out");
    assert_eq!(page["url"], scene.url("/-/login"));
    assert_eq!(browser.opens(&scene.url("/-/"))["url"], scene.url("/-/login?next=%2F-%2F"));
    for (act, count) in [("login.succeeded", 1), ("device.approved", 1), ("session.ended", 1)] {
        let acts = scene.acts(act);
        assert_eq!(acts.len(), count, "{act}");
        assert!(acts.iter().all(|act| act["subject"] == "user:corp/alice" && act["client"] == "127.0.0.1"), "{acts:?}");
    }
    let revoked = scene.acts("token.revoked");
    assert!(revoked.iter().any(|act| act["subject"] == "user:corp/alice"), "{revoked:?}");
}

#[test]
fn in_a_real_browser_a_denied_terminal_gets_nothing_and_a_program_is_called_back() {
    let scene = Scene::new();
    let (mut terminal, mut browser) = (WebClient::new(), Browser::start());
    let begun = terminal.post(&scene.url("/-/oauth/device_authorization"), &[("client_id", "modgate-cli")]);
    let begun: Value = serde_json::from_str(&begun.body).unwrap();
    browser.opens(&scene.url("/-/device"));
    log_in(&mut browser, "mallory");
    browser.does(&json!({"fill": ["The code that your terminal shows", "BCDF-GHJK"]}));
    says(&browser.clicks("Go on"), "No login waits with this code");
    browser.does(&json!({"fill": ["The code that your terminal shows", begun["user_code"]]}));
    says(&browser.clicks("Go on"), "everything that you may");
    says(&browser.clicks("Deny"), "Whoever asked gets nothing");
    let answer = poll(&scene, &mut terminal, &begun);
    assert!(answer.status == 400 && answer.body.contains("access_denied"), "{}", answer.body);
    assert_eq!(scene.acts("device.denied")[0]["subject"], "user:corp/mallory");

    // A program on this machine listens; the browser must be let through to it by the page's own policy.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let program = format!("http://127.0.0.1:{}/callback", listener.local_addr().unwrap().port());
    let called = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone").unwrap();
        line
    });
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    browser.opens(&scene.url(&format!(
        "/-/oauth/authorize?response_type=code&client_id=modgate-cli&redirect_uri={program}&state=s1\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    )));
    let page = browser.clicks("Approve");
    says(&page, "done");
    let line = called.join().unwrap();
    let code = line.split("code=").nth(1).unwrap().split(['&', ' ']).next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "modgate-cli"),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", &program),
    ];
    let answer = terminal.post(&scene.url("/-/oauth/token"), &form);
    assert_eq!(answer.status, 200, "{}", answer.body);
}
