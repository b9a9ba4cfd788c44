//! Issuers configured over files in a directory of the test's own.
//!
//! | alias | `iss` | keys | algorithms |
//! |---|---|---|---|
//! | `corp` | `https://corp.example` | ours, a JWKS | all but HS256 |
//! | `solo` | `https://solo.example` | ours, RSA alone as PEM | RS256 |
//! | `hook` | `https://hook.example` | our secret | HS256 |
//! | `other` | `https://other.example` | theirs, a JWKS | all but HS256 |

use super::mint::Mint;
use crate::jwt::{Algorithm, Issuer, IssuerSettings, Issuers, KeyFile, KeySource, Refusal, Unproved};
use crate::principal::Principal;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The time of most tests.
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const PUBLIC: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

pub(super) struct Scene {
    pub(super) issuers: Issuers,
    directory: TempDir,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::changed(|_| {})
    }

    /// The same with other settings; called for each issuer.
    pub(super) fn changed(change: impl Fn(&mut IssuerSettings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let (ours, theirs) = (Mint::ours(), Mint::theirs());
        let files = [
            ("corp", KeyFile::Public(write("corp", ours.jwks().to_string().as_bytes())), PUBLIC.to_vec()),
            ("solo", KeyFile::Public(write("solo", ours.pem(Algorithm::Rs256).as_bytes())), vec![Algorithm::Rs256]),
            ("hook", KeyFile::Secret(write("hook", &ours.secret)), vec![Algorithm::Hs256]),
            ("other", KeyFile::Public(write("other", theirs.jwks().to_string().as_bytes())), PUBLIC.to_vec()),
        ];
        let issuers = files.map(|(alias, keys, algorithms)| {
            let mut settings = settings(alias, keys, algorithms);
            change(&mut settings);
            Issuer::read(settings).unwrap()
        });
        Self { issuers: Issuers::new(issuers.into(), &[9; 32]), directory }
    }

    /// The key file of an issuer.
    pub(super) fn file(&self, alias: &str) -> PathBuf {
        self.directory.path().join(alias)
    }

    pub(super) fn verify(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        self.verify_at(token, NOW)
    }

    pub(super) fn verify_at(&self, token: &str, now: i64) -> Result<Arc<Principal>, Refusal> {
        self.issuers.verify(token, Timestamp::from_second(now).unwrap()).map_err(|unproved| match unproved {
            Unproved::Refused(refusal) => refusal,
            other => panic!("{other:?}: the keys are all in files"),
        })
    }
}

pub(super) fn settings(alias: &str, keys: KeyFile, algorithms: Vec<Algorithm>) -> IssuerSettings {
    IssuerSettings {
        alias: alias.parse().unwrap(),
        issuer: format!("https://{alias}.example"),
        audiences: vec!["modgate".into(), "https://modules.example".into()],
        algorithms,
        keys: KeySource::File(keys),
        roots: None,
        authorized_parties: Vec::new(),
        id_tokens: false,
        types: IssuerSettings::types_of(["JWT", "at+jwt"]),
        leeway: Duration::from_secs(60),
        max_lifetime: None,
        require_nbf: true,
        subject_claim: "sub".parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
        trust: Vec::new(),
        login: None,
    }
}

/// Good claims of an issuer.
pub(super) fn claims(alias: &str) -> Value {
    json!({
        "iss": format!("https://{alias}.example"), "aud": "modgate", "sub": "alice", "jti": "id-1",
        "exp": NOW + 600, "nbf": NOW, "iat": NOW, "groups": ["dev", "/eng/platform"]
    })
}

/// Good claims with one changed.
pub(super) fn with(alias: &str, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims(alias);
    claims[name] = value.into();
    claims
}

/// Good claims without one.
pub(super) fn without(alias: &str, name: &str) -> Value {
    let mut claims = claims(alias);
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}
