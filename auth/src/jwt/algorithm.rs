//! The signature algorithms that an issuer may be configured with, by their names of RFC 7518 and RFC 8037.

use std::fmt;
use std::str::FromStr;

/// One of the five. There is no `none`, and nothing with SHA-1 or a choice of curves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can verify can also sign.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// A name that is none of the five.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the algorithms are HS256, RS256, PS256, ES256 and EdDSA")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Hs256, Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// Its name, which is also how it must be spelled.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether it needs a secret rather than a public key.
    pub fn is_symmetric(self) -> bool {
        self == Self::Hs256
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_letter_by_letter() {
        for one in Algorithm::ALL {
            assert_eq!(one.as_str().parse(), Ok(one));
            assert_eq!(one.as_str().to_lowercase().parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
        for text in ["", "none", "HS512", "RS256 ", "ES256K", "EdDSA\0"] {
            assert_eq!(text.parse::<Algorithm>(), Err(UnknownAlgorithm), "{text}");
        }
    }
}
