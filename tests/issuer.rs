//! A real issuer: npm `oidc-provider` as a child on a loopback port, ended with the test.
//!
//! Its packages are installed once into the target directory, as the lock file says; what it offers is in
//! `issuer/server.mjs`. Its URL and its port stay through rotations of its keys.

use crate::{
    gateway::{await_that, free_port},
    process::Process,
    web_client::{Answer, WebClient},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// A running issuer.
pub(crate) struct Issuer {
    _process: Process,
    port: u16,
    client: WebClient,
}

impl Issuer {
    /// Starts one and waits until it answers. It has the accounts `alice` (groups `/eng/platform` and `staff`) and
    /// `mallory` (none).
    pub(crate) fn start() -> Self {
        let port = free_port();
        let mut node = Command::new("node");
        node.arg(installed().join("server.mjs")).arg(json!({"port": port}).to_string());
        let node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = Process::from(node.expect("`node` is needed: apt-get install nodejs"));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "the issuer did not start; see `node {:?}`", installed().join("server.mjs"));
        Self { _process: process, port, client: WebClient::new() }
    }

    /// What it calls itself: `iss`.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Does something by its control door; `issuer/server.mjs` lists what there is.
    pub(crate) fn control(&self, action: &str, body: &Value) -> Value {
        let mut client = self.client.clone();
        let answer = client.post_json(&format!("{}/control/{action}", self.url()), body);
        assert_eq!(answer.status, 200, "{action}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// How often it was asked: `discovery`, `jwks`, `token` or `authorization`.
    pub(crate) fn count(&self, what: &str) -> u64 {
        self.control("counts", &json!({}))[what].as_u64().unwrap()
    }

    /// New keys sign from now on; the previous ones are still published, unless there is no `overlap`.
    pub(crate) fn rotate(&self, overlap: bool) {
        self.control("rotate", &json!({"overlap": overlap}));
    }

    /// A JWT access token for the audience `modgate`, by client credentials: subject `ci`, group `/eng/ci`.
    pub(crate) fn access_token(&self) -> String {
        let mut client = self.client.clone();
        let form = [("grant_type", "client_credentials"), ("scope", "api"), ("client_id", "ci")];
        let form = [&form[..], &[("client_secret", "ci-secret")]].concat();
        let answer = client.post(&format!("{}/token", self.url()), &form);
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    /// Fills its pages in the name of an account until they send the client away; that answer, which was not followed.
    pub(crate) fn log_in(&self, client: &mut WebClient, authorization: &str, account: &str) -> Answer {
        let mut answer = client.get(authorization);
        for _ in 0..20 {
            answer = match answer.location() {
                Some(away) if !away.starts_with(&format!("{}/", self.url())) => return answer,
                Some(own) => client.get(&own),
                None => self.fill(client, &answer, account),
            };
        }
        panic!("the pages of the issuer do not end");
    }

    fn fill(&self, client: &mut WebClient, page: &Answer, account: &str) -> Answer {
        let action = page.attribute("action").unwrap_or_else(|| panic!("no form: {} {}", page.status, page.body));
        let action = if action.starts_with('/') { format!("{}{action}", self.url()) } else { action };
        match page.body.contains("name=\"login\"") {
            true => client.post(&action, &[("prompt", "login"), ("login", account), ("password", "any")]),
            false => client.post(&action, &[("prompt", "consent")]),
        }
    }
}

/// Installs the packages that a lock file beside `package.json` names, unless they are there; where that is.
pub(crate) fn install(name: &str) -> PathBuf {
    let (from, to) = (Path::new("tests").join(name), Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    fs::create_dir_all(&to).unwrap();
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let (lock, seen) = (fs::read(to.join("package-lock.json")).unwrap(), to.join("node_modules/.installed"));
    if fs::read(&seen).is_ok_and(|installed| installed == lock) {
        return to;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]).current_dir(&to);
    assert!(npm.status().expect("`npm` is needed: apt-get install npm").success(), "npm ci failed in {to:?}");
    fs::write(seen, lock).unwrap();
    to
}

fn installed() -> &'static PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| install("issuer"))
}

#[test]
fn the_issuer_keeps_its_name_through_rotations() {
    let issuer = Issuer::start();
    let mut client = WebClient::new();
    let head = |token: &str| token.split('.').next().unwrap().to_owned();
    let (before, url) = (issuer.access_token(), issuer.url());
    issuer.rotate(true);
    let after = issuer.access_token();
    assert_ne!(head(&before), head(&after), "another kid");
    assert_eq!(issuer.url(), url);
    let mut published = || client.get(&format!("{url}/jwks")).body;
    let both = published();
    assert!(both.contains("RS256-1") && both.contains("RS256-2"), "{both}");
    issuer.rotate(false);
    let last = published();
    assert!(last.contains("RS256-3") && !last.contains("RS256-2"), "{last}");
    assert_eq!((issuer.count("jwks"), issuer.count("token")), (2, 2));
    await_that("the issuer to be down", || {
        issuer.control("down", &json!({"down": true}));
        client.get(&format!("{url}/jwks")).status == 503
    });
}
