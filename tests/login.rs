//! Logging in with a browser at a real issuer: the way there and back, the session, the pages; and what somebody tries who
//! wants to be somebody else.

use crate::{
    browser::Browser,
    gateway::{Gateway, SHIPPED_POLICY, await_that},
    issuer::Issuer,
    upstream::Upstream,
    web_client::{Answer, WebClient},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
};
use tempfile::TempDir;

/// Whoever is of the platform team is a developer.
const BY_GROUP: &str = "g, group:corp/eng/platform, role:developer\n";
const SCOPES: &str = "[\"openid\", \"profile\", \"groups\"]";

/// An issuer, a gateway that people log in to with it, and where that is.
struct Scene {
    issuer: Issuer,
    gateway: Gateway,
    base: String,
    _files: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::with("", "modgate")
    }

    /// With more of the configuration, and as this client of the issuer.
    fn with(more: &str, client: &str) -> Self {
        Self::asking(more, client, SCOPES)
    }

    /// Asking for other scopes, too.
    fn asking(more: &str, client: &str, scopes: &str) -> Self {
        let (issuer, files) = (Issuer::start(), TempDir::new().unwrap());
        let config = config(&issuer, files.path(), client).replace(SCOPES, scopes);
        let gateway = Gateway::plain().policy(&format!("{SHIPPED_POLICY}{BY_GROUP}")).config(&config).config(more);
        let gateway = gateway.start();
        let base = format!("http://localhost:{}", gateway.port());
        issuer.control("redirects", &json!({"uris": [format!("{base}/-/callback/corp")]}));
        Self { issuer, gateway, base, _files: files }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// As far as the issuer's redirect, which is not followed.
    fn at_callback(&self, client: &mut WebClient, page: &str, account: &str) -> String {
        let begun = client.get(&self.url(page));
        assert_eq!(begun.status, 303, "{}", begun.body);
        let back = self.issuer.log_in(client, &begun.location().unwrap(), account);
        let back = back.location().unwrap();
        assert!(back.starts_with(&self.url("/-/callback/corp?")), "{back}");
        back
    }

    /// All of it.
    fn log_in(&self, client: &mut WebClient, account: &str) -> Answer {
        let back = self.at_callback(client, "/-/login/corp", account);
        let landed = client.get(&back);
        assert_eq!(landed.location(), Some(self.url("/-/")), "{} {}", landed.status, landed.body);
        landed
    }

    /// The home page of somebody who has logged in.
    fn home(&self, client: &mut WebClient) -> Answer {
        let home = client.get(&self.url("/-/"));
        assert_eq!(home.status, 200, "{:?}", home.location());
        home
    }

    /// The acts of this name so far.
    fn acts(&self, name: &str) -> Vec<Value> {
        self.gateway.records().into_iter().filter(|record| record["act"] == name).collect()
    }

    /// Why the last login failed, as it was recorded.
    fn last_failure(&self) -> String {
        let acts = self.acts("login.failed");
        acts.last().map(|act| act["reason"].as_str().unwrap().to_owned()).unwrap_or_default()
    }
}

fn config(issuer: &Issuer, files: &Path, client: &str) -> String {
    let url = issuer.url();
    let (keys, secret) = (files.join("jwks.json"), files.join("secret"));
    fs::write(&keys, WebClient::new().get(&format!("{url}/jwks")).body).unwrap();
    fs::write(&secret, format!("{client}-secret\n")).unwrap();
    format!(
        "[[issuer]]\nname = \"corp\"\nissuer = \"{url}\"\naudience = [\"modgate\"]\nalgorithms = [\"RS256\", \"ES256\"]\n\
         keys = {keys:?}\n[issuer.login]\nclient_id = \"{client}\"\nclient_secret_file = {secret:?}\nscopes = {SCOPES}\n\
         title = \"Corp & Co\"\n"
    )
}

#[test]
fn somebody_logs_in_sees_who_they_are_and_logs_out() {
    let scene = Scene::new();
    let mut alice = WebClient::new();
    let first = alice.get(&scene.url("/-/"));
    assert_eq!((first.status, first.location()), (303, Some(scene.url("/-/login?next=%2F-%2F"))));
    let choice = alice.get(&first.location().unwrap());
    assert!(choice.body.contains("Log in with Corp &#38; Co"), "{}", choice.body);
    assert!(choice.body.contains("href=\"/-/login/corp?next=%2F-%2F\""), "{}", choice.body);

    let landed = scene.log_in(&mut alice, "alice");
    let cookie = landed.all("set-cookie").into_iter().find(|cookie| cookie.starts_with("modgate=")).unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    let home = scene.home(&mut alice);
    for said in ["user:corp/alice", "group:corp/eng/platform", "group:corp/staff", "role:developer"] {
        assert!(home.body.contains(said), "{said}\n{}", home.body);
    }
    let who = alice.get(&scene.url("/-/api/v1/whoami"));
    let who: Value = serde_json::from_str(&who.body).unwrap();
    assert_eq!((&who["subject"], &who["method"]), (&json!("user:corp/alice"), &json!("session")));

    let csrf = home.field("csrf").unwrap();
    let out = alice.post(&scene.url("/-/logout"), &[("csrf", &csrf)]);
    assert_eq!((out.status, out.location()), (303, Some(scene.url("/-/login"))));
    assert_eq!(alice.cookie("modgate"), None);
    assert_eq!(alice.get(&scene.url("/-/")).status, 303);

    let [succeeded] = &scene.acts("login.succeeded")[..] else { panic!("one login") };
    assert_eq!((&succeeded["subject"], &succeeded["client"]), (&json!("user:corp/alice"), &json!("127.0.0.1")));
    assert_eq!(scene.acts("session.ended").len(), 1);
    assert_eq!(scene.acts("session.ended")[0]["subject"], "user:corp/alice");
}

/// Asks for a page, which must not be ours to give.
fn refused(answer: &Answer, status: u16, said: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(said), "{said}\n{}", answer.body);
    assert!(answer.all("set-cookie").iter().all(|cookie| !cookie.starts_with("modgate=")), "no session");
}

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

#[test]
fn a_login_may_ask_to_be_renewed() {
    let scene = Scene::asking("", "modgate", "[\"openid\", \"groups\", \"offline_access\"]");
    let mut alice = WebClient::new();
    let begun = alice.get(&scene.url("/-/login/corp"));
    assert_eq!(begun.sent("prompt").as_deref(), Some("consent"));
    assert_eq!(begun.sent("scope").as_deref(), Some("openid groups offline_access"));
    scene.log_in(&mut alice, "alice");
    assert!(scene.home(&mut alice).body.contains("group:corp/staff"));
}

#[test]
fn a_login_leads_to_own_pages_only() {
    let scene = Scene::new();
    for (next, lands) in [
        ("%2F-%2Fdevice%3Fuser_code%3DBCDF-GHJK", "/-/device?user_code=BCDF-GHJK"),
        ("https:%2F%2Fevil.example%2F-%2F", "/-/"),
        ("%2F%2Fevil.example%2F-%2F", "/-/"),
        ("%2F-%2F%5C%5Cevil.example", "/-/"),
        ("%2F-%2F..%2F..%2Fexample.test", "/-/"),
        ("javascript:alert(1)", "/-/"),
        ("%2F-%2F%0d%0aset-cookie:a=b", "/-/"),
    ] {
        let mut alice = WebClient::new();
        let back = scene.at_callback(&mut alice, &format!("/-/login/corp?next={next}"), "alice");
        assert_eq!(alice.get(&back).location(), Some(scene.url(lands)), "{next}");
        let choice = alice.get(&scene.url(&format!("/-/login?next={next}")));
        assert_eq!(choice.location(), Some(scene.url(lands)), "{next}: with a session");
    }
}

#[test]
fn what_changes_something_needs_the_token_of_the_session_and_comes_from_here() {
    let scene = Scene::new();
    let (mut alice, mut mallory) = (WebClient::new(), WebClient::new());
    scene.log_in(&mut alice, "alice");
    scene.log_in(&mut mallory, "mallory");
    let csrf = scene.home(&mut alice).field("csrf").unwrap();
    let hers = scene.home(&mut mallory).field("csrf").unwrap();
    let out = scene.url("/-/logout");
    let id = alice.cookie("modgate").unwrap().to_owned();
    for form in [vec![], vec![("csrf", "")], vec![("csrf", &*hers)], vec![("csrf", &*id)], vec![("csrf", &*csrf); 2]] {
        refused(&alice.post(&out, &form), 403, "did not come from a page of your session");
    }
    for headers in [
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [("origin", &*scene.base), ("sec-fetch-site", "cross-site")],
        [("origin", &*scene.base), ("sec-fetch-site", "same-site")],
        [("origin", "null"), ("sec-fetch-site", "cross-site")],
        [("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        let answer = alice.post_with(&out, &[("csrf", &csrf)], &headers);
        refused(&answer, 403, "did not come from a page of your session");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    assert_eq!(alice.get(&out).status, 405, "a link changes nothing");
    scene.home(&mut alice);
    let headers = [("origin", "null"), ("sec-fetch-site", "same-origin")];
    assert_eq!(alice.post_with(&out, &[("csrf", &csrf)], &headers).status, 303);
    assert_eq!(alice.get(&scene.url("/-/")).status, 303);
    // Without a session, its token is worth nothing.
    refused(&alice.post(&out, &[("csrf", &csrf)]), 401, "a credential is needed");
}

#[test]
fn a_login_has_an_id_of_its_own_and_ends_what_was_before() {
    let scene = Scene::new();
    let mut mallory = WebClient::new();
    scene.log_in(&mut mallory, "mallory");
    let planted: BTreeMap<_, _> =
        mallory.cookies.clone().into_iter().filter(|((name, _), _)| name == "modgate").collect();
    assert_eq!(planted.len(), 1);
    // Mallory's session in alice's browser, and one that never was.
    let mut alice = WebClient::new();
    for cookies in [planted, [(("modgate".to_owned(), "/".to_owned()), "A".repeat(43))].into()] {
        alice.cookies = cookies;
        let before = alice.cookie("modgate").unwrap().to_owned();
        scene.log_in(&mut alice, "alice");
        let after = alice.cookie("modgate").unwrap().to_owned();
        assert_ne!(before, after);
        assert!(scene.home(&mut alice).body.contains("user:corp/alice"));
        let mut old = WebClient::new();
        old.cookies.insert(("modgate".to_owned(), "/".to_owned()), before);
        assert_eq!(old.get(&scene.url("/-/")).status, 303, "the session before is over");
    }
    assert_eq!(scene.acts("session.ended").len(), 1);
    // Two cookies of the name: one of them is not ours, so none counts.
    let id = alice.cookie("modgate").unwrap().to_owned();
    let cookies = format!("modgate={id}; modgate={id}");
    let answer = WebClient::new().request(reqwest::Method::GET, &scene.url("/-/"), &[("cookie", &cookies)]);
    assert_eq!(answer.status, 303);
}

#[test]
fn a_session_expires_and_is_worth_nothing_for_modules() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let more = format!("[sessions]\nlifetime = \"3s\"\n[upstream]\nlist = \"{}\"\n", upstream.url());
    let scene = Scene::with(&more, "modgate");
    let mut alice = WebClient::new();
    scene.log_in(&mut alice, "alice");
    let csrf = scene.home(&mut alice).field("csrf").unwrap();
    let module = alice.get(&scene.url("/example.test/lib/@v/list"));
    assert_eq!(module.status, 401, "{}", module.body);
    assert_eq!(upstream.asked(), [""; 0]);
    let bearer = format!("Bearer {}", scene.gateway.token("alice", &[]));
    let headers = [("authorization", bearer.as_str())];
    let module = alice.request(reqwest::Method::GET, &scene.url("/example.test/lib/@v/list"), &headers);
    assert_eq!(module.status, 200, "{}", module.body);
    await_that("the session to expire", || alice.get(&scene.url("/-/")).status == 303);
    refused(&alice.post(&scene.url("/-/logout"), &[("csrf", &csrf)]), 401, "a credential is needed");
}

#[test]
fn pages_run_nothing_are_framed_by_nobody_and_show_names_as_text() {
    let scene = Scene::new();
    let name = "<script>alert(1)</script>";
    scene.issuer.control("account", &json!({"account": name, "groups": ["<img src=x onerror=alert(1)>"]}));
    let mut client = WebClient::new();
    scene.log_in(&mut client, name);
    let home = scene.home(&mut client);
    assert!(home.body.contains("user:corp/&#60;script&#62;alert(1)&#60;/script&#62;"), "{}", home.body);
    assert!(!home.body.contains("<script") && !home.body.contains("<img"), "{}", home.body);

    for path in ["/-/", "/-/login", "/-/device", "/-/device?user_code=BCDF-GHJK", "/-/style.css", "/-/callback/corp"] {
        let mut client = if path == "/-/login" { WebClient::new() } else { client.clone() };
        let answer = client.request(reqwest::Method::GET, &scene.url(path), &[("origin", "https://evil.example")]);
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{path}: {policy}");
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        for running in ["<script", "style=", "onclick", "onload", "javascript:"] {
            assert!(!answer.body.contains(running), "{path}: {running}");
        }
    }
}

#[test]
fn over_tls_cookies_are_held_to_our_host() {
    let (issuer, files) = (Issuer::start(), TempDir::new().unwrap());
    let gateway = Gateway::tls().base("/go").config(&config(&issuer, files.path(), "modgate")).start();
    let base = format!("https://localhost:{}/go", gateway.port());
    issuer.control("redirects", &json!({"uris": [format!("{base}/-/callback/corp")]}));
    let mut alice = WebClient::trusting(Some(&gateway.certificate()));
    let begun = alice.get(&format!("{base}/-/login/corp"));
    let cookie = &begun.all("set-cookie")[0];
    assert!(cookie.starts_with("__Host-modgate-login="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    let back = issuer.log_in(&mut alice, &begun.location().unwrap(), "alice").location().unwrap();
    let landed = alice.get(&back);
    assert_eq!(landed.location(), Some(format!("{base}/-/")), "{}", landed.body);
    let cookie = &landed.all("set-cookie")[0];
    assert!(cookie.starts_with("__Host-modgate="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax") && !cookie.contains("Domain"), "{cookie}");
    let home = alice.get(&format!("{base}/-/"));
    assert!(home.body.contains("user:corp/alice") && home.body.contains("action=\"/go/-/logout\""), "{}", home.body);
}

#[test]
fn a_program_on_ones_own_machine_is_let_in_by_consent_and_sent_to_loopback_only() {
    let scene = Scene::new();
    let mut alice = WebClient::new();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let asked = |redirect: &str, challenge: &str, more: &str| {
        let redirect: String = url::form_urlencoded::byte_serialize(redirect.as_bytes()).collect();
        scene.url(&format!(
            "/-/oauth/authorize?response_type=code&client_id=modgate-cli&redirect_uri={redirect}\
             &code_challenge={challenge}&code_challenge_method=S256&state=s1&scope=read{more}"
        ))
    };
    let good = asked("http://127.0.0.1:4711/callback", challenge, "");
    for bad in [
        asked("https://evil.example/callback", challenge, ""),
        asked("http://127.0.0.1.evil.example/callback", challenge, ""),
        asked("http://localhost:4711/callback", challenge, ""),
        asked("http://127.0.0.1:4711/callback", "short", ""),
        good.replace("S256", "plain"),
        good.replace("client_id=modgate-cli", "client_id=other"),
        good.replace("response_type=code", "response_type=token"),
        good.replace("state=s1", &format!("state={}", "x".repeat(513))),
        good.replace("&code_challenge_method=S256", ""),
    ] {
        let answer = alice.get(&bad);
        assert_eq!((answer.status, answer.location()), (400, None), "{bad}");
    }
    // Not logged in: first that, then back to the same question.
    let to_login = alice.get(&good).location().unwrap();
    let choice = alice.get(&to_login);
    let begin = choice.body.split("href=\"/-/login/").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let back = scene.at_callback(&mut alice, &format!("/-/login/{begin}"), "alice");
    assert_eq!(alice.get(&back).location(), Some(good.clone()));

    let page = alice.get(&good);
    assert!(page.body.contains("user:corp/alice") && page.body.contains("<code>read</code>"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:4711;"), "{policy}");
    let fields =
        ["csrf", "response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state"];
    let mut form: Vec<(String, String)> =
        fields.iter().map(|name| ((*name).to_owned(), page.field(name).unwrap())).collect();
    let mut decide = |form: &[(String, String)], verdict: &str| {
        let form = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([("decision", verdict)]);
        alice.post(&scene.url("/-/oauth/authorize"), &form.collect::<Vec<_>>())
    };
    let denied = decide(&form, "deny");
    assert_eq!((denied.status, denied.sent("error").as_deref()), (303, Some("access_denied")));
    let given = decide(&form, "approve");
    assert!(given.location().unwrap().starts_with("http://127.0.0.1:4711/callback?code="), "{:?}", given.location());
    assert_eq!((given.sent("state").as_deref(), given.sent("code").map(|code| code.len())), (Some("s1"), Some(43)));
    form[0].1 = "wrong".into();
    assert_eq!(decide(&form, "approve").status, 403);
    assert_eq!((scene.acts("consent.given").len(), scene.acts("consent.denied").len()), (1, 1));
    assert_eq!(scene.acts("consent.given")[0]["subject"], "user:corp/alice");
}

/// What a page that was looked at says.
fn says(page: &Value, text: &str) {
    assert!(page["text"].as_str().unwrap_or_default().contains(text), "{text}\n{page:#}");
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
    browser.clicks("Log in with Corp & Co");
    browser.does(&json!({"type": ["input[name=login]", "alice"]}));
    browser.does(&json!({"type": ["input[name=password]", "any"]}));
    browser.clicks("Sign-in");
    let page = browser.clicks("Continue");
    assert_eq!(page["url"], text("verification_uri_complete"), "{page:#}");
    for said in ["Log in a terminal?", "user:corp/alice", &text("user_code"), "read", "127.0.0.1"] {
        says(&page, said);
    }
    assert_eq!(page["complaints"], json!([]), "nothing was refused by the content policy");
    says(&browser.clicks("Approve"), "Approved");

    let poll = |terminal: &mut WebClient| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", "modgate-cli"),
            ("device_code", begun["device_code"].as_str().unwrap()),
        ];
        let answer = terminal.post(&scene.url("/-/oauth/token"), &form);
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let (status, tokens) = poll(&mut terminal);
    assert_eq!(status, 200, "{tokens}");
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
    browser.clicks("Log in with Corp & Co");
    browser.does(&json!({"type": ["input[name=login]", "mallory"]}));
    browser.does(&json!({"type": ["input[name=password]", "any"]}));
    browser.clicks("Sign-in");
    browser.clicks("Continue");
    browser.does(&json!({"fill": ["The code that your terminal shows", "BCDF-GHJK"]}));
    says(&browser.clicks("Go on"), "No login waits with this code");
    browser.does(&json!({"fill": ["The code that your terminal shows", begun["user_code"]]}));
    says(&browser.clicks("Go on"), "everything that you may");
    says(&browser.clicks("Deny"), "Whoever asked gets nothing");
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "modgate-cli"),
        ("device_code", begun["device_code"].as_str().unwrap()),
    ];
    let answer = terminal.post(&scene.url("/-/oauth/token"), &form);
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
