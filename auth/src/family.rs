//! A family: the tokens of one login.
//!
//! A device or code grant gives an access and a refresh token, and each refreshing gives two more; they all bear the family
//! of the first two. Logging out, a refresh token that is used twice and a code that is used twice revoke all of it at once.

use std::fmt;
use std::str::FromStr;

use crate::token::{TokenId, TokenIdError};

/// How many random bytes make a family.
pub const FAMILY_BYTES: usize = 16;

/// The name of a family, 12 base62 characters: no secret, safe to record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Family(TokenId);

impl Family {
    /// A new family. The same bytes give the same one.
    pub fn mint(random: &[u8; FAMILY_BYTES]) -> Self {
        Self(TokenId::mint(random))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Family {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_read_back() {
        let family = Family::mint(&[7; FAMILY_BYTES]);
        assert_eq!(family.to_string().parse(), Ok(family));
        assert_ne!(family, Family::mint(&[8; FAMILY_BYTES]));
        assert!("too short".parse::<Family>().is_err());
    }
}
