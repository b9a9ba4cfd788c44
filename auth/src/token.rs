//! The text of an issued token.
//!
//! ```text
//! mg_xkEgOGusQGwp_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz3StiJJ
//! └┬┘└─────┬────┘ └────────────────────┬────────────────────┘└─┬──┘
//! prefix   id, 12                secret, 43             checksum, 6
//! ```
//!
//! 65 characters; all but the two underscores and the prefix are base62 (`0-9A-Za-z`, in this order of value).
//! The *id* names the token in lists, records and logs and is no secret. The *secret* is 256 random bits, most
//! significant digit first. The *checksum* is the CRC-32 (IEEE) of the 59 characters before it: it tells a mistyped
//! or cut token from an unknown one without asking the ledger, and lets secret scanners verify a finding offline.
//! A CRC-32 finds every change within 32 neighbouring bits, hence every change of one character.
//!
//! The ledger keeps the SHA-256 of the whole text. A plain hash is enough (no salt, no stretching) because the
//! secret has 256 bits: there is nothing to guess.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How many random bytes [`TokenText::mint`] turns into a token: 16 for the id, 32 for the secret.
pub const RANDOM_BYTES: usize = 48;

const PREFIX: &str = "mg_";
const ID: usize = 12;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + ID + 1 + SECRET + CHECKSUM;

/// A token that somebody presents: well formed, with a right checksum; nothing is known yet about its standing.
///
/// No `Debug`, no `Display`: it borrows the secret.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    id: TokenId,
    text: &'a str,
}

impl<'a> Token<'a> {
    /// Whether a text is a token by its shape, well formed or not: it begins with `mg_`, in any letter case, after
    /// whatever quotes and blanks a configuration file may have left around it. Such a text is never a password.
    pub fn resembles(text: &str) -> bool {
        unwrapped(text).get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
    }

    /// Takes a token apart.
    ///
    /// # Errors
    /// Says in what way it was mistyped; this depends on the text alone, not on what was ever issued.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if unwrapped(text).len() != text.len() {
            return Err(TokenError::Wrapped);
        }
        if text.len() != LENGTH {
            let found = text.chars().count();
            return Err(TokenError::Length { found });
        }
        if let Some(position) = text.bytes().enumerate().position(|(place, byte)| !fits(place, byte)) {
            return Err(TokenError::Character { position: position + 1 });
        }
        let (head, sum) = text.as_bytes().split_last_chunk::<CHECKSUM>().ok_or(TokenError::Checksum)?;
        if checksum(head) != *sum {
            return Err(TokenError::Checksum);
        }
        let id = head.get(PREFIX.len()..).and_then(<[u8]>::first_chunk::<ID>).ok_or(TokenError::Checksum)?;
        Ok(Self { id: TokenId(*id), text })
    }

    /// The public part.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// What the ledger keeps of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.text)
    }
}

/// The text without the quotes and blanks around it.
fn unwrapped(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>'))
}

/// Whether a byte may stand at this place of a token.
fn fits(place: usize, byte: u8) -> bool {
    match PREFIX.as_bytes().get(place) {
        Some(prefix) => byte == *prefix,
        None if place == PREFIX.len() + ID => byte == b'_',
        None => byte.is_ascii_alphanumeric(),
    }
}

/// In what way a text that begins with `mg_` is no token. The texts never repeat what was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Quotes, brackets or blanks around it.
    #[error("the token is mistyped: quotes or blanks stand around it, and .netrc takes quotes literally")]
    Wrapped,
    /// Too short or too long.
    #[error("the token is mistyped or cut: it has {found} characters instead of {LENGTH}")]
    Length {
        /// How many characters there are.
        found: usize,
    },
    /// A character that cannot stand where it stands.
    #[error("the token is mistyped: character {position} cannot stand in a token")]
    Character {
        /// Its place, from 1.
        position: usize,
    },
    /// Right in form, but the checksum is of another text.
    #[error("the token is mistyped or cut: its checksum does not match")]
    Checksum,
}

/// The public part of a token, 12 base62 characters: safe to show, log and record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; ID]);

impl TokenId {
    /// An id of random bytes. The same bytes give the same one.
    pub(crate) fn mint(random: &[u8; 16]) -> Self {
        // 128 bits modulo 62^12: off from uniform by 2^-56, which an identifier can bear.
        Self(base62::<ID>(&mut { *random }))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // INVARIANT: every constructor has checked or made base62, so this is always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        let id: [u8; ID] = text.as_bytes().try_into().map_err(|_| TokenIdError)?;
        if !id.iter().all(u8::is_ascii_alphanumeric) {
            return Err(TokenIdError);
        }
        Ok(Self(id))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenId({})", self.as_str())
    }
}

/// A text that is no [`TokenId`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token's id is {ID} letters and digits: the part between `mg_` and the second `_`")]
pub struct TokenIdError;

/// The SHA-256 of a token's whole text.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// A digest that no token is known to have; compared against where there is nothing else to compare.
    pub(crate) const NONE: Self = Self([0; 32]);

    fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// From the ledger.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the ledger.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A freshly minted token: shown to its owner once, then gone. Wiped on drop; no `Debug`, no `Display`.
pub struct TokenText {
    id: TokenId,
    text: Zeroizing<String>,
}

impl TokenText {
    /// Makes a token of random bytes, which the caller wipes. The same bytes give the same token.
    pub fn mint(random: &[u8; RANDOM_BYTES]) -> Self {
        let mut bytes = Zeroizing::new(*random);
        let (for_id, for_secret) = bytes.split_at_mut(16);
        // 128 bits modulo 62^12: off from uniform by 2^-56, which an identifier can bear.
        let id = TokenId(base62::<ID>(for_id));
        let secret = Zeroizing::new(base62::<SECRET>(for_secret));

        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        text.push_str(id.as_str());
        text.push('_');
        text.extend(secret.iter().copied().map(char::from));
        let sum = checksum(text.as_bytes());
        text.extend(sum.into_iter().map(char::from));
        Self { id, text }
    }

    /// The public part.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// What the ledger keeps of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.text)
    }

    /// The secret text, for the one place that hands it to its owner.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

fn checksum(head: &[u8]) -> [u8; CHECKSUM] {
    base62(&mut crc32fast::hash(head).to_be_bytes())
}

/// The last `DIGITS` base62 digits of a big-endian number, which is used up (left as the quotient).
fn base62<const DIGITS: usize>(number: &mut [u8]) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in number.iter_mut() {
            let value = rest << 8 | u16::from(*byte);
            // Below 62 * 256 / 62 = 256.
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = match rest as u8 {
            rest @ 0..=9 => b'0' + rest,
            rest @ 10..=35 => b'A' + rest - 10,
            rest => b'a' + rest - 36,
        };
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minted() -> TokenText {
        TokenText::mint(&std::array::from_fn(|place| place as u8))
    }

    fn problem(text: &str) -> TokenError {
        Token::parse(text).err().unwrap()
    }

    /// The format is for ever. The expected texts were computed apart from this code, with Python's big integers and zlib.
    #[test]
    fn the_format_is_fixed() {
        assert_eq!(
            TokenText::mint(&[0; RANDOM_BYTES]).expose(),
            "mg_000000000000_00000000000000000000000000000000000000000004OBD6d"
        );
        assert_eq!(minted().expose(), "mg_xkEgOGusQGwp_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz3StiJJ");
        // 2^256 - 1 has 43 base62 digits: no bit of the secret is lost.
        assert_eq!(
            TokenText::mint(&[0xff; RANDOM_BYTES]).expose(),
            "mg_lk9n8mt7Fhc7_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12nAX6G"
        );
    }

    #[test]
    fn base62_counts() {
        assert_eq!(&base62::<2>(&mut [61]), b"0z");
        assert_eq!(&base62::<2>(&mut [62]), b"10");
        assert_eq!(&base62::<3>(&mut [0xff, 0xff]), b"H31"); // 65535 = 17*62^2 + 3*62 + 1
    }

    #[test]
    fn a_mistyped_token_says_how() {
        let token = minted();
        let text = token.expose();
        assert_eq!(problem(text.get(..64).unwrap()), TokenError::Length { found: 64 });
        assert_eq!(problem(&format!("{text}x")), TokenError::Length { found: 66 });
        assert_eq!(problem("mg_"), TokenError::Length { found: 3 });
        assert_eq!(problem(&text.replace("mg_", "MG_")), TokenError::Character { position: 1 });
        assert_eq!(problem(&text.replace("mg_", "mg-")), TokenError::Character { position: 3 });
        for wrapped in [format!("\"{text}\""), format!(" {text}"), format!("<{text}>"), format!("{text}\n")] {
            assert_eq!(problem(&wrapped), TokenError::Wrapped, "{wrapped:?}");
        }
        let (head, last) = text.split_at(64);
        let other = if last == "0" { "1" } else { "0" };
        assert_eq!(problem(&format!("{head}{other}")), TokenError::Checksum);
        assert!(TokenError::Checksum.to_string().contains("mistyped or cut"));
    }

    #[test]
    fn shape_is_the_prefix_whatever_is_around() {
        for yes in ["mg_", "mg_x", "MG_x", "\"mg_x\"", " mg_x", "mg_é"] {
            assert!(Token::resembles(yes), "{yes:?}");
        }
        for no in ["", "mg", "m_g", "xmg_", "é", "mgé"] {
            assert!(!Token::resembles(no), "{no:?}");
        }
    }

    #[test]
    fn ids_are_twelve_letters_and_digits() {
        assert_eq!("0123456789aZ".parse::<TokenId>().unwrap().as_str(), "0123456789aZ");
        for bad in ["", "0123456789a", "0123456789aZx", "0123456789a_", "0123456789é"] {
            assert_eq!(bad.parse::<TokenId>(), Err(TokenIdError), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC*|mg_.{62}|mg_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}") {
            let _ = Token::parse(&text);
            let _ = Token::resembles(&text);
        }

        #[test]
        fn what_is_minted_parses(random in any::<[u8; 32]>(), more in any::<[u8; 16]>()) {
            let mut bytes = [0; RANDOM_BYTES];
            bytes[..32].copy_from_slice(&random);
            bytes[32..].copy_from_slice(&more);
            let minted = TokenText::mint(&bytes);
            let token = Token::parse(minted.expose()).unwrap();
            prop_assert_eq!(token.id(), minted.id());
            prop_assert!(token.digest().matches(&minted.digest()));
        }

        #[test]
        fn one_changed_character_is_always_found(random in any::<[u8; 32]>(), place in 0..LENGTH, other in "[0-9A-Za-z_]") {
            let mut bytes = [7; RANDOM_BYTES];
            bytes[8..40].copy_from_slice(&random);
            let minted = TokenText::mint(&bytes);
            let mut text = minted.expose().to_owned();
            text.replace_range(place..=place, &other);
            prop_assume!(text != minted.expose());
            prop_assert!(Token::parse(&text).is_err());
        }

        #[test]
        fn two_neighbours_swapped_are_always_found(random in any::<[u8; 32]>(), place in 0..LENGTH - 1) {
            let mut bytes = [7; RANDOM_BYTES];
            bytes[8..40].copy_from_slice(&random);
            let minted = TokenText::mint(&bytes);
            let mut text = minted.expose().as_bytes().to_vec();
            text.swap(place, place + 1);
            prop_assume!(text != minted.expose().as_bytes());
            prop_assert!(Token::parse(&String::from_utf8(text).unwrap()).is_err());
        }

        #[test]
        fn different_randomness_gives_different_digests(one in any::<[u8; 32]>(), two in any::<[u8; 32]>()) {
            prop_assume!(one != two);
            let mint = |random: [u8; 32]| {
                let mut bytes = [0; RANDOM_BYTES];
                bytes[16..].copy_from_slice(&random);
                TokenText::mint(&bytes)
            };
            prop_assert!(!mint(one).digest().matches(&mint(two).digest()));
        }
    }
}
