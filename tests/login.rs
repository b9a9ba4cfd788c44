//! Logging in with a browser at a real issuer: the way there and back, the session, the pages; and what somebody tries who
//! wants to be somebody else.

mod chromium;
mod hostile;
mod leaving;
mod session;

use crate::{
    gateway::{Gateway, SHIPPED_POLICY},
    issuer::Issuer,
    web_client::{Answer, WebClient},
};
use serde_json::{Value, json};
use std::{fs, path::Path};
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

/// The tables of the configuration; files that they name are put there.
pub(crate) fn config(issuer: &Issuer, files: &Path, client: &str) -> String {
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

/// A terminal's access token and refresh token, which somebody with a session approves on the page.
pub(crate) fn approved(base: &str, person: &mut WebClient) -> (String, String) {
    let mut terminal = WebClient::new();
    let json = |answer: &Answer| serde_json::from_str::<Value>(&answer.body).unwrap();
    let begun = terminal.post(&format!("{base}/-/oauth/device_authorization"), &[("client_id", "modgate-cli")]);
    let (begun, text) = (json(&begun), |value: &Value, name: &str| value[name].as_str().unwrap().to_owned());
    let user_code = text(&begun, "user_code");
    let csrf = person.get(&format!("{base}/-/device?user_code={user_code}")).field("csrf").unwrap();
    let form = [("csrf", &*csrf), ("user_code", &*user_code), ("decision", "approve")];
    let approved = person.post(&format!("{base}/-/device"), &form);
    assert!(approved.status < 400, "{}", approved.body);
    let device_code = text(&begun, "device_code");
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = [("grant_type", grant), ("client_id", "modgate-cli"), ("device_code", &*device_code)];
    let given = terminal.post(&format!("{base}/-/oauth/token"), &form);
    assert_eq!(given.status, 200, "{}", given.body);
    (text(&json(&given), "access_token"), text(&json(&given), "refresh_token"))
}

/// Whom the gateway takes the holder of a token for, if for anybody.
pub(crate) fn whoami(base: &str, token: &str) -> Option<Value> {
    let bearer = format!("Bearer {token}");
    let url = format!("{base}/-/api/v1/whoami");
    let answer = WebClient::new().request(reqwest::Method::GET, &url, &[("authorization", &bearer)]);
    (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())
}

/// Asks for a page, which must not be ours to give.
fn refused(answer: &Answer, status: u16, said: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(said), "{said}\n{}", answer.body);
    assert!(answer.all("set-cookie").iter().all(|cookie| !cookie.starts_with("modgate=")), "no session");
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
