//! Well-signed tokens for another purpose, for another party, or of a workload that nobody trusts.
//!
//! The one rule of `ci`: `repository = "corp/*"`, `ref = "refs/heads/main"`, `environment = "prod"`, `ref_protected = true`,
//! `run_attempt = 1`, with the subject `{repository}:{environment}`.

use super::super::mint::{Mint, kid};
use super::{Algorithm, Reason, Row, claims, es256, row, with};
use serde_json::{Value, json};

/// ID tokens, and others that are not for using something.
pub(super) fn purposes() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in ["nonce", "at_hash", "c_hash", "s_hash"] {
        rows.push(row(format!("an ID token by {name}"), es256(&with("corp", name, "x")), Reason::IdToken));
    }
    for (name, value) in [("typ", "ID"), ("typ", "id"), ("token_use", "id")] {
        rows.push(row(format!("an ID token by {name} {value}"), es256(&with("corp", name, value)), Reason::IdToken));
    }
    rows.push(row("an ID token with nonce null", es256(&with("corp", "nonce", Value::Null)), Reason::IdToken));
    let plain = es256(&of_party("azp", "go-client"));
    rows.push(row("a plain JWT where an access token is due", plain, Reason::Type));
    rows
}

/// Claims of `access` with a party.
pub(super) fn of_party(name: &str, party: impl Into<Value>) -> Value {
    with("access", name, party)
}

/// Signed as an access token.
pub(super) fn access(claims: &Value) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid(Algorithm::Es256)});
    Mint::ours().sign(Algorithm::Es256, &header.to_string(), &claims.to_string())
}

pub(super) fn parties() -> Vec<Row> {
    let mut rows = vec![
        row("made for its audience, which is no party", access(&claims("access")), Reason::Party),
        row(
            "azp of another, client_id right",
            access(&{
                let mut claims = of_party("azp", "evil");
                claims["client_id"] = "go-client".into();
                claims
            }),
            Reason::Party,
        ),
        row(
            "several audiences and no azp",
            access(&with("access", "aud", json!(["modgate", "go-client"]))),
            Reason::PartyMissing,
        ),
        row("azp as a list where any party may", es256(&with("corp", "azp", json!(["x"]))), Reason::Party),
    ];
    for azp in
        [json!("evil"), json!("GO-CLIENT"), json!("go-client "), json!(""), json!(7), json!(["go-client"]), json!(null)]
    {
        rows.push(row(format!("azp {azp}"), access(&of_party("azp", azp)), Reason::Party));
    }
    for client in [json!("evil"), json!({"id": "go-client"})] {
        rows.push(row(format!("client_id {client}"), access(&of_party("client_id", client)), Reason::Party));
    }
    rows
}

/// A job's token with these claims changed; `null` takes one away.
pub(super) fn job(changes: &[(&str, Value)]) -> String {
    let mut claims = claims("ci");
    let good = json!({
        "sub": "repo:corp/app:environment:prod", "repository": "corp/app", "ref": "refs/heads/main", "environment": "prod",
        "ref_protected": true, "run_attempt": 1, "run_id": "4711", "sha": "0123456789abcdef"
    });
    claims.as_object_mut().unwrap().extend(good.as_object().unwrap().clone());
    for (name, value) in changes {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
            value => claims[*name] = value.clone(),
        }
    }
    es256(&claims)
}

pub(super) fn workloads() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, value) in [
        ("repository", json!("evil/app")),
        ("repository", json!("corp/app/more")),
        ("repository", json!("corp/")),
        ("repository", json!("evil/corp/app")),
        ("repository", json!("Corp/app")),
        ("repository", json!(["corp/app"])),
        ("repository", json!(null)),
        ("ref", json!("refs/heads/main2")),
        ("ref", json!("refs/tags/refs/heads/main")),
        ("ref", json!("refs/pull/7/merge")),
        ("environment", json!("staging")),
        ("environment", json!("prod ")),
        ("environment", json!({"prod": true})),
        ("ref_protected", json!(false)),
        ("ref_protected", json!("true")),
        ("ref_protected", json!(1)),
        ("run_attempt", json!(2)),
        ("run_attempt", json!("1")),
        ("run_attempt", json!(1.5)),
    ] {
        rows.push(row(format!("a job with {name} {value}"), job(&[(name, value)]), Reason::NoTrustRule));
    }
    rows.push(row(
        "a job whose name no policy has",
        job(&[("repository", json!("corp/a\u{202e}b"))]),
        Reason::SubjectName,
    ));
    rows.push(row("a job without sub", job(&[("sub", json!(null))]), Reason::SubjectMissing));
    rows.push(row("a person's token of an issuer of jobs", es256(&claims("ci")), Reason::NoTrustRule));
    rows
}
