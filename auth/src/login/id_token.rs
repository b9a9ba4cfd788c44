//! An ID token: whether it is of this login, and whom it names.
//!
//! The protocol library verifies the signature by the issuer's keys, and `iss`, `aud`, `exp` and `nonce`
//! (OpenID Connect Core 1.0 §3.1.3.7). What it leaves open is checked here with what judges JWTs: the header is read
//! strictly (no `crit`, no keys of its own), no member is named twice, times have the issuer's leeway, and `azp` names us.
//! Names come by the same claim paths and under the same rules.

use super::fault::{Fault, LoginError};
use super::provider::{Found, Provider};
use crate::jwt::{Algorithm, read_id_token};
use crate::principal::{Method, Principal};
use jiff::Timestamp;
use openidconnect::core::{CoreIdToken, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, Nonce};
use serde_json::Value;
use subtle::ConstantTimeEq;

/// Who logged in; without a nonce, who the issuer says this still is (§12.2: a renewed ID token need not have one).
pub(super) fn principal(
    provider: &Provider,
    found: &Found,
    token: &CoreIdToken,
    nonce: Option<&str>,
    now: Timestamp,
) -> Result<Principal, LoginError> {
    let algorithms = provider.issuer.algorithms.iter().filter_map(|algorithm| signed_by(*algorithm));
    let verifier = found.client.id_token_verifier().set_allowed_algs(algorithms);
    let expected = |found: Option<&Nonce>| match (nonce, found) {
        (None, _) => Ok(()),
        (Some(nonce), Some(found)) if bool::from(found.secret().as_bytes().ct_eq(nonce.as_bytes())) => Ok(()),
        (Some(_), _) => Err("it is missing, or of another login".to_owned()),
    };
    token.claims(&verifier, expected).map_err(|error| {
        let fault = match &error {
            ClaimsVerificationError::SignatureVerification(_) => Fault::Signature,
            ClaimsVerificationError::InvalidNonce(_) => Fault::Nonce,
            ClaimsVerificationError::Unsupported(_) | ClaimsVerificationError::Other(_) => Fault::Form,
            _ => Fault::Claims,
        };
        fault.because(error)
    })?;
    let us = provider.login.client_id.as_str();
    let read = read_id_token(&token.to_string(), &provider.issuer, us, now);
    let (claims, principal) = read.map_err(|refusal| Fault::Claims.because(refusal))?;
    check_party(&claims, us)?;
    let principal = principal.map_err(|refusal| Fault::Names.because(refusal))?;
    Ok(Principal { method: Method::Session, token_id: None, ..principal })
}

/// §3.1.3.7, 4 and 5: where there are several audiences `azp` says which of them asked, and it must be us.
fn check_party(claims: &serde_json::Map<String, Value>, us: &str) -> Result<(), LoginError> {
    let several = matches!(claims.get("aud"), Some(Value::Array(audiences)) if audiences.len() > 1);
    match claims.get("azp") {
        Some(Value::String(party)) if party == us => Ok(()),
        None if !several => Ok(()),
        None => Err(Fault::Claims.because("it is for several, and has no `azp`")),
        Some(_) => Err(Fault::Claims.because("its `azp` is not us")),
    }
}

/// The algorithm as the protocol library calls it; `None`: by a shared secret, which proves nothing here.
fn signed_by(algorithm: Algorithm) -> Option<CoreJwsSigningAlgorithm> {
    match algorithm {
        Algorithm::Rs256 => Some(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        Algorithm::Ps256 => Some(CoreJwsSigningAlgorithm::RsaSsaPssSha256),
        Algorithm::Es256 => Some(CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        Algorithm::EdDsa => Some(CoreJwsSigningAlgorithm::EdDsa),
        Algorithm::Hs256 => None,
    }
}
