//! The hostile tokens, each with the reason for which it is refused. Signed with the keys of [`mint`](super::mint), at the time
//! of `super::now`, for these issuers, each of them `https://ALIAS.example` and for the audience `modgate`:
//!
//! | alias | keys | algorithms | besides |
//! |---|---|---|---|
//! | `corp` | ours, a JWKS | all but HS256 | |
//! | `solo` | ours, RSA alone as PEM | RS256 | |
//! | `hook` | our secret | HS256 | |
//! | `other` | theirs, a JWKS | all but HS256 | |
//! | `access` | ours, a JWKS | all but HS256 | only `at+jwt`, only for the party `go-client` |
//! | `ci` | ours, a JWKS | all but HS256 | one rule, `deploy`: see `workload` |

mod claim;
mod key;
mod text;
mod workload;

use super::mint::{Mint, header};
use super::{Algorithm, Reason, now};
use serde_json::{Value, json};

/// What it is, the token, and why it is refused.
pub(super) type Row = (String, String, Reason);

fn row(what: impl Into<String>, token: impl Into<String>, reason: Reason) -> Row {
    (what.into(), token.into(), reason)
}

pub(super) fn es256(claims: &Value) -> String {
    Mint::ours().token(Algorithm::Es256, claims)
}

/// A well-signed token of `corp` with another header.
pub(super) fn headed(header: &Value) -> String {
    headed_by(&header.to_string())
}

fn headed_by(header: &str) -> String {
    Mint::ours().sign(Algorithm::Es256, header, &claims("corp").to_string())
}

/// The header of a good token with one member changed.
fn member(name: &str, value: impl Into<Value>) -> Value {
    let mut header = header(Algorithm::Es256);
    header[name] = value.into();
    header
}

/// All of them.
pub(super) fn corpus() -> Vec<Row> {
    [
        key::algorithms(),
        key::confusions(),
        key::kids(),
        key::headers(),
        claim::issuers_and_audiences(),
        claim::times(),
        claim::names(),
        text::texts(),
        workload::purposes(),
        workload::parties(),
        workload::workloads(),
    ]
    .concat()
}

/// Good claims of an issuer.
pub(super) fn claims(alias: &str) -> Value {
    json!({
        "iss": format!("https://{alias}.example"), "aud": "modgate", "sub": "alice", "jti": "id-1",
        "exp": now() + 600, "nbf": now(), "iat": now(), "groups": ["dev", "/eng/platform"]
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

/// A good token of `access` or `ci`.
pub(super) fn good(alias: &str) -> String {
    match alias {
        "access" => workload::access(&workload::of_party("azp", "go-client")),
        _ => workload::job(&[]),
    }
}
