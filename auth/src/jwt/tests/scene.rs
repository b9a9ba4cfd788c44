//! Issuers configured over files in a directory of the test's own: those that the corpus is for.

pub(super) use super::corpus::{claims, with, without};
use super::mint::Mint;
use crate::jwt::{
    Algorithm, ClaimPattern, Issuer, IssuerSettings, Issuers, KeyFile, KeySource, Refusal, TrustRule, Unproved,
};
use crate::principal::Principal;
use jiff::Timestamp;
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
            ("access", KeyFile::Public(write("access", ours.jwks().to_string().as_bytes())), PUBLIC.to_vec()),
            ("ci", KeyFile::Public(write("ci", ours.jwks().to_string().as_bytes())), PUBLIC.to_vec()),
        ];
        let issuers = files.map(|(alias, keys, algorithms)| {
            let mut settings = settings(alias, keys, algorithms);
            match alias {
                "access" => {
                    settings.types = IssuerSettings::types_of(["at+jwt"]);
                    settings.authorized_parties = vec!["go-client".into()];
                }
                "ci" => settings.trust = vec![deploy()],
                _ => {}
            }
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

/// The rule of `ci`.
pub(super) fn deploy() -> TrustRule {
    let text = |text: &str| ClaimPattern::Text(text.parse().unwrap());
    let conditions = [
        ("repository", text("corp/*")),
        ("ref", text("refs/heads/main")),
        ("environment", text("prod")),
        ("ref_protected", ClaimPattern::Boolean(true)),
        ("run_attempt", ClaimPattern::Integer(1)),
    ];
    TrustRule {
        name: "deploy".parse().unwrap(),
        conditions: conditions.map(|(claim, pattern)| (claim.parse().unwrap(), pattern)).into(),
        subject: "{repository}:{environment}".parse().unwrap(),
        groups: vec!["deploy".parse().unwrap()],
        record: ["run_id", "repository", "sha"].map(|claim| claim.parse().unwrap()).into(),
        lifetime: Some(Duration::from_secs(900)),
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
