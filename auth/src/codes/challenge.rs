//! The code challenge of RFC 7636, method S256 and no other: a SHA-256 in base64url.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// A challenge: the hash of a verifier that only the program which began knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge([u8; 32]);

/// A text that is no challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`code_challenge` must be a SHA-256 in base64url, 43 characters (S256)")]
pub struct ChallengeError;

impl FromStr for Challenge {
    type Err = ChallengeError;

    fn from_str(text: &str) -> Result<Self, ChallengeError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ChallengeError)?;
        bytes.try_into().map(Self).map_err(|_| ChallengeError)
    }
}

impl Challenge {
    /// Whether this is the verifier: 43 to 128 unreserved characters (§4.1) with this hash. Compares in constant time.
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && bool::from(digest(&SHA256, verifier.as_bytes()).as_ref().ct_eq(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc() {
        let challenge: Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().unwrap();
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        for wrong in ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"]
        {
            assert!(!challenge.is_met_by(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_hash_is_no_challenge() {
        for bad in
            ["", "short", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"]
        {
            assert_eq!(bad.parse::<Challenge>(), Err(ChallengeError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn only_its_verifier_meets_a_challenge(verifier in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
            let text = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            let challenge: Challenge = text.parse().unwrap();
            prop_assert!(challenge.is_met_by(&verifier));
            prop_assert_eq!(challenge.is_met_by(&other), verifier == other);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = text.parse::<Challenge>();
        }
    }
}
