//! The user code: what a person reads in a terminal and types into a page.
//!
//! Eight of twenty letters, without vowels (so that no words come out) and without look-alikes of digits: 34.6 bits
//! (RFC 8628 §6.1).

use std::fmt;

/// How many random bytes make a user code.
pub(super) const BYTES: usize = 16;

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: u32 = 8;
/// How many codes there are: 20^8.
const CODES: u64 = 20u64.pow(LENGTH);

/// A user code; shown as `BCDF-GHJK`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserCode(u64);

impl UserCode {
    /// A code of random bytes. 128 bits modulo 20^8: off from uniform by 2^-93.
    pub(super) fn mint(random: &[u8; BYTES]) -> Self {
        Self(u64::try_from(u128::from_be_bytes(*random) % u128::from(CODES)).unwrap_or_default())
    }

    /// Another code, for when this one is taken.
    pub(super) fn next(self) -> Self {
        Self((self.0 + 1) % CODES)
    }

    /// A code as a person types it: letter case, dashes and blanks do not count.
    pub fn read(typed: &str) -> Option<Self> {
        // Whatever is longer is no code with a few blanks.
        if typed.len() > 32 {
            return None;
        }
        let (mut code, mut length) = (0u64, 0);
        for byte in typed.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            let digit = LETTERS.iter().position(|letter| *letter == byte.to_ascii_uppercase())?;
            length += 1;
            if length > LENGTH {
                return None;
            }
            code = code * 20 + u64::try_from(digit).ok()?;
        }
        (length == LENGTH).then_some(Self(code))
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(9);
        for place in (0..LENGTH).rev() {
            let digit = usize::try_from(self.0 / 20u64.pow(place) % 20).unwrap_or_default();
            text.extend(LETTERS.get(digit).copied().map(char::from));
            if place == LENGTH / 2 {
                text.push('-');
            }
        }
        out.pad(&text)
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "UserCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = UserCode::read("BCDF-GHJK").unwrap();
        for typed in ["bcdfghjk", "BCDFGHJK", " bcdf - ghjk ", "b-c-d-f-g-h-j-k"] {
            assert_eq!(UserCode::read(typed), Some(code), "{typed}");
        }
        for typed in
            ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF_GHJK", "BCDF\u{2010}GHJK", "ßCDFGHJK", &"-".repeat(99)]
        {
            assert_eq!(UserCode::read(typed), None, "{typed}");
        }
        assert_eq!(UserCode(CODES - 1).to_string(), "ZZZZ-ZZZZ");
        assert_eq!(UserCode(CODES - 1).next().to_string(), "BBBB-BBBB");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(random: [u8; BYTES]) {
            let code = UserCode::mint(&random);
            let shown = code.to_string();
            prop_assert_eq!(shown.len(), 9);
            prop_assert_eq!(UserCode::read(&shown), Some(code));
            prop_assert_eq!(UserCode::read(&shown.to_lowercase().replace('-', "")), Some(code));
        }

        #[test]
        fn nothing_typed_makes_it_panic(typed in ".{0,40}") {
            let _ = UserCode::read(&typed);
        }
    }
}
