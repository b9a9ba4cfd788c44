//! One key of a JWKS (RFC 7517): from its JSON to a key, or why it is none.
//!
//! What an issuer publishes has keys for other uses and of other kinds in it; those are left out and named. What is wrong
//! rather than foreign (a private key, a small modulus, a damaged point) spoils the whole set.

use super::algorithm::Algorithm;
use super::key::{Key, KeyError};
use super::refusal::Quoted;
use super::strict_json::Members;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The longest `kid`.
const LONGEST_KID: usize = 256;

/// What a member of `keys` comes to.
pub(super) enum Jwk {
    /// A key that may have signed tokens.
    Key(Key),
    /// None of ours, and why.
    Foreign(String),
}

/// Reads one.
///
/// # Errors
/// What is wrong with it, to be said after its number.
pub(super) fn read(members: &Members) -> Result<Jwk, String> {
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("its `{name}` is no text")),
    };
    let kty = text("kty")?.ok_or("it has no `kty`")?;
    if kty == "oct" || members.contains_key("k") {
        return Err("it is a secret (`oct`), which does not belong in a JWKS: put it into a `secret_file`".to_owned());
    }
    if members.contains_key("d") {
        return Err(
            "it is a private key: only the issuer may have that, take out everything but the public part".into()
        );
    }
    let foreign = |why: String| Ok(Jwk::Foreign(why));
    if let Some(usage) = text("use")?.filter(|usage| *usage != "sig") {
        return foreign(format!("its use is {}", Quoted(usage)));
    }
    if !verifies(members.get("key_ops"))? {
        return foreign("its `key_ops` have no `verify`".to_owned());
    }
    let only = match text("alg")?.map(|name| (name, name.parse::<Algorithm>())) {
        None => None,
        Some((_, Ok(algorithm))) => Some(algorithm),
        Some((name, Err(_))) => return foreign(format!("its algorithm is {}", Quoted(name))),
    };
    let Some(mut key) = material(kty, &text)? else {
        let curve = text("crv")?.map(|curve| format!(" on the curve {}", Quoted(curve))).unwrap_or_default();
        return foreign(format!("it is of the kind {}{curve}", Quoted(kty)));
    };
    key.id = text("kid")?.map(str::to_owned);
    if key.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > LONGEST_KID) {
        return Err(format!("its `kid` has not between 1 and {LONGEST_KID} bytes"));
    }
    if only.is_some_and(|only| !key.fits(only)) {
        return Err(format!("its `alg` is not one for a key of the kind {}", Quoted(kty)));
    }
    key.only = only;
    Ok(Jwk::Key(key))
}

fn verifies(operations: Option<&Value>) -> Result<bool, String> {
    match operations {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|one| one == "verify")),
        Some(_) => Err("its `key_ops` are no list".to_owned()),
    }
}

fn material<'m>(kty: &str, text: &impl Fn(&str) -> Result<Option<&'m str>, String>) -> Result<Option<Key>, String> {
    let bytes = |name: &str| {
        let encoded = text(name)?.ok_or_else(|| format!("it has no `{name}`"))?;
        URL_SAFE_NO_PAD.decode(encoded).map_err(|_| format!("its `{name}` is not base64url"))
    };
    let key = match (kty, text("crv")?) {
        ("RSA", _) => Key::rsa_numbers(&bytes("n")?, &bytes("e")?),
        ("EC", Some("P-256")) => Key::p256(&bytes("x")?, &bytes("y")?),
        ("OKP", Some("Ed25519")) => Key::ed25519(&bytes("x")?),
        _ => return Ok(None),
    };
    key.map(Some).map_err(|error: KeyError| format!("it is {error}"))
}
