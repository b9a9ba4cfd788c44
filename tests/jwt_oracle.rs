//! Tokens signed by Go's crypto (tests/oracle) are accepted here, by each of the five algorithms, and no other's key will do.

use crate::oracle_process::ask;
use auth::{Algorithm, Issuer, IssuerSettings, Issuers, KeyFile, KeySource, Reason, Unproved};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

const NOW: i64 = 1_800_000_000;

/// What the oracle makes: a token, and what it is verified with.
struct Signed {
    token: String,
    key: String,
}

fn signed(algorithms: &[Algorithm]) -> Vec<Signed> {
    let claims = json!({
        "iss": "https://go.example", "aud": "modgate", "sub": "gopher", "exp": NOW + 60, "nbf": NOW, "groups": ["go"]
    });
    let request = |one: &Algorithm| json!({"op": "jwt", "a": one.as_str(), "b": claims.to_string()});
    let answers = ask(&algorithms.iter().map(request).collect::<Vec<_>>());
    let made = answers.iter().map(|answer| {
        let made: Value = serde_json::from_str(answer.accepted().expect(&answer.err)).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Signed { token: text("token"), key: text("key") }
    });
    made.collect()
}

fn issuers(directory: &Path, algorithm: Algorithm, key: &str) -> Issuers {
    let path = directory.join(algorithm.as_str());
    fs::write(&path, key).unwrap();
    let settings = IssuerSettings {
        alias: "go".parse().unwrap(),
        issuer: "https://go.example".into(),
        audiences: vec!["modgate".into()],
        algorithms: vec![algorithm],
        keys: KeySource::File(if algorithm.is_symmetric() { KeyFile::Secret(path) } else { KeyFile::Public(path) }),
        roots: None,
        authorized_parties: Vec::new(),
        id_tokens: false,
        types: IssuerSettings::types_of(["JWT"]),
        leeway: Duration::ZERO,
        max_lifetime: None,
        require_nbf: true,
        subject_claim: "sub".parse().unwrap(),
        groups_claim: "groups".parse().unwrap(),
        trust: Vec::new(),
        login: None,
    };
    Issuers::new(vec![Issuer::read(settings).unwrap()], &[1; 32])
}

#[test]
fn what_go_signs_is_accepted_and_with_another_key_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::from_second(NOW).unwrap();
    let (ours, theirs) = (signed(&Algorithm::ALL), signed(&Algorithm::ALL));
    for ((algorithm, ours), theirs) in Algorithm::ALL.into_iter().zip(&ours).zip(&theirs) {
        let issuers = issuers(directory.path(), algorithm, &ours.key);
        let principal = issuers.verify(&ours.token, now).unwrap_or_else(|refusal| panic!("{algorithm}: {refusal:?}"));
        assert_eq!((&*principal.subject, &*principal.groups[0]), ("user:go/gopher", "group:go/go"), "{algorithm}");
        let Unproved::Refused(refusal) = issuers.verify(&theirs.token, now).unwrap_err() else { panic!("{algorithm}") };
        assert_eq!(refusal.reason(), Reason::Signature, "{algorithm}");
    }
}
