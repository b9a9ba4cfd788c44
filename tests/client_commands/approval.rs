//! Logging in from a terminal with a person who has logged in at a real issuer: in one browser for a code, and by a redirect to
//! this machine.

use super::{
    developer::{Developer, MODULE, Said},
    logins::Login,
};
use crate::{gateway::Gateway, issuer::Issuer, login, upstream::Upstream, web_client::WebClient};
use serde_json::json;
use tempfile::TempDir;

/// An issuer, and a gateway that people log in to with it, over TLS.
struct Scene {
    _issuer: Issuer,
    _files: TempDir,
    _upstream: Upstream,
    gateway: Gateway,
    /// A browser in which alice has a session.
    alice: WebClient,
}

impl Scene {
    fn new() -> Self {
        let (issuer, files, upstream) = (Issuer::start(), TempDir::new().unwrap(), Upstream::start());
        upstream.module(MODULE, "v1.0.0");
        let config = login::config(&issuer, files.path(), "modgate");
        let gateway = Gateway::tls().config(&config).upstream(&upstream.url()).start();
        let callback = format!("{}/-/callback/corp", gateway.url());
        issuer.control("redirects", &json!({"uris": [callback]}));
        let mut alice = WebClient::trusting(Some(&gateway.certificate()));
        let begun = alice.get(&format!("{}/-/login/corp", gateway.url()));
        let back = issuer.log_in(&mut alice, &begun.location().unwrap(), "alice").location().unwrap();
        assert_eq!(alice.get(&back).status, 303);
        Self { _issuer: issuer, _files: files, _upstream: upstream, gateway, alice }
    }

    /// The form of a page, filled in as it came, and approved.
    fn approve(&mut self, page: &str, path: &str, fields: &[&str]) -> crate::web_client::Answer {
        let page = self.alice.get(page);
        assert!(page.body.contains("user:corp/alice"), "{} {}", page.status, page.body);
        let form: Vec<_> = fields.iter().filter_map(|name| Some((*name, page.field(name)?))).collect();
        let form = form.iter().map(|(name, value)| (*name, value.as_str())).chain([("decision", "approve")]);
        self.alice.post(&format!("{}{path}", self.gateway.url()), &form.collect::<Vec<_>>())
    }

    /// What `go` may do now, and as whom.
    fn is_let_in(&self, developer: &Developer, login: &Said) {
        login.ok().without("mg_");
        developer.download().ok();
        let records = self.gateway.records();
        let zip = records.iter().find(|record| record["target"] == "zip" && record["kind"] == "answered").unwrap();
        assert_eq!((&zip["subject"], &zip["method"]), (&json!("user:corp/alice"), &json!("token")));
        assert_eq!(zip["groups"], json!(["group:corp/eng/platform", "group:corp/staff"]));
    }
}

#[test]
fn a_code_is_approved_in_a_session_made_at_a_real_issuer() {
    let mut scene = Scene::new();
    let developer = Developer::of(&scene.gateway);
    let mut login = Login::start(&developer, &["login", "--no-browser"]);
    let code = login.line(|line| line.len() == 9 && line.as_bytes()[4] == b'-');
    let page = format!("{}/-/device?user_code={code}", scene.gateway.url());
    let approved = scene.approve(&page, "/-/device", &["csrf", "user_code"]);
    assert!(approved.status < 400, "{}", approved.body);
    scene.is_let_in(&developer, &login.end());
}

#[test]
fn a_redirect_to_this_machine_is_approved_in_a_session_made_at_a_real_issuer() {
    let mut scene = Scene::new();
    let developer = Developer::of(&scene.gateway);
    let mut login = Login::start(&developer, &["login", "--browser", "--no-browser", "--goauth"]);
    let page = login.line(|line| line.starts_with("https://"));
    let fields = [
        "csrf",
        "response_type",
        "client_id",
        "redirect_uri",
        "code_challenge",
        "code_challenge_method",
        "state",
        "scope",
    ];
    let sent = scene.approve(&page, "/-/oauth/authorize", &fields).location().unwrap();
    assert!(sent.starts_with("http://127.0.0.1:"), "{sent}");
    assert!(WebClient::new().get(&sent).body.contains("you are logged in"));
    scene.is_let_in(&developer, &login.end());
}
