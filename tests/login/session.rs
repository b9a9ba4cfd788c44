//! What a session may, where it ends, and what its pages and cookies let nobody do.

use super::{Scene, config, refused};
use crate::{
    gateway::{Gateway, await_that},
    issuer::Issuer,
    upstream::Upstream,
    web_client::WebClient,
};
use serde_json::json;
use std::collections::BTreeMap;
use tempfile::TempDir;

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
