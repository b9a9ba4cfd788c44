//! The text of a token: `header.claims.signature`, each base64url, and what the header may say.
//!
//! ```text
//! text      at most 12 KiB: what a Basic credential of the largest header can hold
//! header    a JSON object; `alg` one of the five, `kid` a text of at most 256 bytes, `typ` a text
//! refused   `crit` and `b64` (no extension is understood), `jwk` `jku` `x5u` `x5c` (the key is our choice),
//!           `cty` (a token in a token), `enc` and `zip` (an encrypted one)
//! ```
//!
//! Nothing here is verified. Base64url is read strictly: no padding, no bits left over, so one token has one text and
//! cannot be remembered under two.

use super::algorithm::Algorithm;
use super::refusal::{Quoted, Reason, Refusal};
use super::strict_json::{self, JsonError, Members};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The largest token, in bytes.
pub(super) const LARGEST: usize = 12 * 1024;
/// The largest header, decoded.
const LARGEST_HEADER: usize = 2 * 1024;
/// The largest signature, decoded: RSA with 8192 bits.
const LARGEST_SIGNATURE: usize = 1024;
/// The longest `kid`.
const LONGEST_KID: usize = 256;

/// A token taken apart.
pub(super) struct Compact<'t> {
    pub(super) header: Header,
    pub(super) claims: Members,
    /// Header and claims as they stand in the text: what the signature is over.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
}

/// What the header says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// In lower case, without `application/`.
    pub(super) typ: Option<String>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    pub(super) fn parse(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > LARGEST {
            let detail = format!("it has {} bytes where {LARGEST} are the most", text.len());
            return Err(Refusal::new(Reason::Oversize, detail));
        }
        if text.matches('.').count() == 4 {
            return Err(Refusal::new(Reason::Encrypted, "it has five parts, as encrypted tokens (JWE) have"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(parts)?;
        let (header, claims) = signed.split_once('.').ok_or_else(parts)?;
        let header = Header::parse(&decode("header", header, LARGEST_HEADER)?)?;
        let claims = decode("claims", claims, LARGEST)?;
        let claims = strict_json::object(&claims).map_err(|error| json("claims", Reason::Claims, error))?;
        let signature = decode("signature", signature, LARGEST_SIGNATURE)?;
        Ok(Self { header, claims, signed, signature })
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let members = strict_json::object(bytes).map_err(|error| json("header", Reason::Header, error))?;
        refuse_members(&members)?;
        Ok(Self { algorithm: algorithm(&members)?, kid: kid(&members)?, typ: typ(&members)? })
    }
}

/// Members that no token accepted here has, whatever their value.
fn refuse_members(members: &Members) -> Result<(), Refusal> {
    let refused = [
        (Reason::Encrypted, ["enc", "zip"].as_slice(), "which only encrypted tokens (JWE) have"),
        (Reason::Critical, &["crit", "b64"], "and no extension is understood here"),
        (Reason::EmbeddedKey, &["jwk", "jku", "x5u", "x5c"], "and keys are taken from the configuration only"),
        (Reason::Nested, &["cty"], "so it is not the token itself but a wrapping of another"),
    ];
    for (reason, names, why) in refused {
        if let Some(name) = names.iter().find(|name| members.contains_key(**name)) {
            return Err(Refusal::new(reason, format_args!("its header has `{name}`, {why}")));
        }
    }
    Ok(())
}

fn algorithm(members: &Members) -> Result<Algorithm, Refusal> {
    let name = match members.get("alg") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(Refusal::new(Reason::Header, "its `alg` is no text")),
        None => return Err(Refusal::new(Reason::AlgorithmMissing, "its header has no `alg`")),
    };
    name.parse().map_err(|_| match name.trim().eq_ignore_ascii_case("none") || name.trim().is_empty() {
        true => Refusal::new(Reason::AlgorithmNone, "it is not signed (`alg` is none)"),
        false => Refusal::new(Reason::AlgorithmUnknown, format_args!("its `alg` is {}", Quoted(name))),
    })
}

fn kid(members: &Members) -> Result<Option<String>, Refusal> {
    let kid = match members.get("kid") {
        None => return Ok(None),
        Some(Value::String(kid)) => kid,
        Some(_) => return Err(Refusal::new(Reason::KidMalformed, "its `kid` is no text")),
    };
    match kid.len() {
        1..=LONGEST_KID => Ok(Some(kid.clone())),
        length => Err(Refusal::new(Reason::KidMalformed, format_args!("its `kid` has {length} bytes"))),
    }
}

fn typ(members: &Members) -> Result<Option<String>, Refusal> {
    match members.get("typ") {
        None => Ok(None),
        Some(Value::String(typ)) => Ok(Some(plain_type(typ))),
        Some(_) => Err(Refusal::new(Reason::Type, "its `typ` is no text")),
    }
}

/// A type as it is compared: in lower case, and `application/` may be left out (RFC 7515, 4.1.9).
pub(super) fn plain_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
}

fn decode(part: &str, text: &str, most: usize) -> Result<Vec<u8>, Refusal> {
    if text.len() / 4 * 3 > most {
        return Err(Refusal::new(Reason::Oversize, format_args!("its {part} has more than {most} bytes")));
    }
    let reason = |_| Refusal::new(Reason::Base64, format_args!("its {part} is not base64url in its canonical form"));
    URL_SAFE_NO_PAD.decode(text).map_err(reason)
}

fn json(part: &str, reason: Reason, error: JsonError) -> Refusal {
    let reason = if error == JsonError::Duplicate { Reason::Duplicate } else { reason };
    Refusal::new(reason, format_args!("its {part}: {error}"))
}

fn parts() -> Refusal {
    Refusal::new(Reason::Header, "it has not three parts")
}
