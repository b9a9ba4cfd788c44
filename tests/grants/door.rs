//! A gateway as curl sees it, and an issuer whose key is in a file.

use crate::gateway::Gateway;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

pub(super) struct Door {
    pub(super) gateway: Gateway,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) head: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// The word of an OAuth refusal.
    pub(super) fn error(&self) -> String {
        assert!(self.head.to_lowercase().contains("cache-control: no-store"), "{}", self.head);
        assert!((400..=503).contains(&self.status), "{} {}", self.status, self.body);
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Door {
    /// Asks with these arguments of curl.
    pub(super) fn curl(&self, path: &str, arguments: &[&str]) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i", "--http1.1", "-m", "20", "-w", "\n%{http_code}"]).args(arguments);
        curl.arg("--cacert").arg(self.gateway.certificate());
        let output = curl.arg(format!("{}{path}", self.gateway.url())).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (answer, status) = text.rsplit_once('\n').unwrap();
        let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
        Answer { status: status.parse().unwrap(), body: body.to_owned(), head: head.to_owned() }
    }

    pub(super) fn get(&self, path: &str, token: &str) -> Answer {
        self.curl(path, &["-H", &bearer(token)])
    }

    /// Posts a form.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)], more: &[&str]) -> Answer {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut arguments = vec!["-X", "POST"];
        for field in &fields {
            arguments.extend(["--data-urlencode", field]);
        }
        arguments.extend(more);
        self.curl(path, &arguments)
    }

    pub(super) fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.form("/-/oauth/token", fields, &[])
    }

    /// Posts JSON to the tokens.
    pub(super) fn make(&self, token: &str, wanted: &Value) -> Answer {
        let json = wanted.to_string();
        let arguments = ["-X", "POST", "-H", &bearer(token), "-H", "Content-Type: application/json", "-d", &json];
        self.curl("/-/api/v1/tokens", &arguments)
    }

    pub(super) fn revoke(&self, id: &str, token: &str) -> u16 {
        self.curl(&format!("/-/api/v1/tokens/{id}"), &["-X", "DELETE", "-H", &bearer(token)]).status
    }

    /// Logs in as a device that the holder of a JWT approves.
    pub(super) fn log_in(&self, jwt: &str, scope: Option<&str>) -> Value {
        let mut asked = vec![("client_id", "modgate-cli")];
        asked.extend(scope.map(|scope| ("scope", scope)));
        let begun = self.form("/-/oauth/device_authorization", &asked, &[]).json();
        let user_code = begun["user_code"].as_str().unwrap();
        let approved =
            self.form("/-/device", &[("user_code", user_code), ("decision", "approve")], &["-H", &bearer(jwt)]);
        assert_eq!(approved.status, 204, "{}", approved.body);
        let answer = self.poll(begun["device_code"].as_str().unwrap());
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(super) fn poll(&self, device_code: &str) -> Answer {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        self.token(&[("grant_type", grant), ("client_id", "modgate-cli"), ("device_code", device_code)])
    }

    pub(super) fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("client_id", "modgate-cli"), ("refresh_token", token)])
    }

    /// The records of an act.
    pub(super) fn acts(&self, name: &str) -> Vec<Value> {
        self.gateway.records().into_iter().filter(|record| record["act"] == name).collect()
    }
}

pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// An issuer whose public key is in a file.
pub(super) struct Issuer {
    directory: TempDir,
    pair: Ed25519KeyPair,
}

impl Issuer {
    pub(super) fn new() -> Self {
        let issuer = Self { directory: TempDir::new().unwrap(), pair: Ed25519KeyPair::generate().unwrap() };
        let x = URL_SAFE_NO_PAD.encode(issuer.pair.public_key().as_ref());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "1", "x": x}]});
        fs::write(issuer.file(), keys.to_string()).unwrap();
        issuer
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("keys.json")
    }

    pub(super) fn config(&self) -> String {
        format!(
            "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\n\
             algorithms = [\"EdDSA\"]\nkeys = {:?}\n",
            self.file()
        )
    }

    /// A JWT of somebody, good for an hour.
    pub(super) fn jwt(&self, subject: &str) -> String {
        self.jwt_until(subject, 3600)
    }

    pub(super) fn jwt_until(&self, subject: &str, seconds: i64) -> String {
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": "https://corp.example", "aud": ["modgate"], "sub": subject, "groups": ["platform"],
            "exp": now + seconds, "nbf": now - 4000, "iat": now - 4000,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "1"})), part(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()).as_ref()))
    }
}
