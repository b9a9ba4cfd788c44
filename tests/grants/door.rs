//! A gateway as curl sees it.

use crate::{
    curl::{self, Answer, bearer},
    gateway::Gateway,
};
use serde_json::Value;

pub(super) struct Door {
    pub(super) gateway: Gateway,
}

impl Answer {
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
        curl::ask(&self.gateway, path, &[&["--http1.1"], arguments].concat())
    }

    pub(super) fn get(&self, path: &str, token: &str) -> Answer {
        self.curl(path, &["-H", &bearer(token)])
    }

    /// Posts a form.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)], more: &[&str]) -> Answer {
        curl::post(&self.gateway, path, fields, &[&["--http1.1"], more].concat())
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
