//! What people type about a token: its owner's name, group names, and free lines (scope, note).
//!
//! All of it ends up in policy files, audit records and terminals, so it is checked once, here, when it is typed
//! and again when it is read back: no control, format or direction characters anywhere. A [`Name`] is moreover one
//! word of a policy file (no blank, comma or double quote) and never contains the `/` that ends the issuer.

use std::fmt;
use std::str::FromStr;

/// One word, 1 to 64 characters: the NAME in `user:token/NAME` and `group:token/NAME`. Letter case counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

/// One line of printable text, 1 to 256 characters, not blank at either end: a token's scope or note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line(String);

/// Why a text is no [`Name`] or no [`Line`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing was typed.
    #[error("it is empty")]
    Empty,
    /// More characters than allowed.
    #[error("it has {found} characters where {most} are the most")]
    Long {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A character that is not allowed here, shown escaped.
    #[error("`{}` at character {position} is not allowed{hint}", .character.escape_default(), hint = hint(*.character))]
    Character {
        /// The character.
        character: char,
        /// Where it stands, from 1.
        position: usize,
    },
    /// A line that begins or ends with a blank.
    #[error("it begins or ends with a blank")]
    Edge,
}

fn hint(character: char) -> &'static str {
    match character {
        '/' => " (the issuer stands before it)",
        ',' | '"' => " (it would have to be quoted in a policy file)",
        ' ' => " (a name is one word)",
        _ => "",
    }
}

impl Name {
    /// The most characters of a name.
    pub const MOST: usize = 64;

    /// The name as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Line {
    /// The most characters of a line.
    pub const MOST: usize = 256;

    /// The line as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, Self::MOST, |c| graphic(c) && !matches!(c, '/' | ',' | '"'))?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Line {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, Self::MOST, |c| graphic(c) || c == ' ')?;
        if text.starts_with(' ') || text.ends_with(' ') {
            return Err(NameError::Edge);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The most characters of a name that a claim gives.
const MOST_CLAIMED: usize = 256;

/// Checks what a claim puts behind an issuer: `SUBJECT` in `user:ISSUER/SUBJECT`, `NAME` in `group:ISSUER/NAME`. Unlike a
/// [`Name`], which people choose here, it is as an issuer spells it, so `/`, `,` and blanks inside may be in it;
/// nothing that hides, breaks a line or could not be written in a policy.
pub(crate) fn check_claimed(text: &str) -> Result<(), NameError> {
    check(text, MOST_CLAIMED, |c| (graphic(c) && c != '"') || c == ' ')?;
    match text {
        // A policy has no patterns for names, and must not seem to.
        "*" => Err(NameError::Character { character: '*', position: 1 }),
        text if text.starts_with(' ') || text.ends_with(' ') => Err(NameError::Edge),
        _ => Ok(()),
    }
}

fn check(text: &str, most: usize, allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let found = text.chars().count();
    if found > most {
        return Err(NameError::Long { found, most });
    }
    match text.chars().zip(1..).find(|(c, _)| !allowed(*c)) {
        Some((character, position)) => Err(NameError::Character { character, position }),
        None => Ok(()),
    }
}

/// Printable and not blank. The ranges are Unicode's format characters (category Cf) that can hide or turn text
/// round, the private-use planes and the non-characters are left to the terminal.
fn graphic(character: char) -> bool {
    !character.is_control()
        && !character.is_whitespace()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_printable_word() {
        for good in ["a", "alice", "build-7@corp", "jürgen", "x.y_z+1"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        assert_eq!("é".repeat(64).parse::<Name>().unwrap().0.len(), 128);
    }

    #[test]
    fn bad_names_are_refused_with_their_place() {
        let refused = |text: &str| text.parse::<Name>().unwrap_err();
        assert_eq!(refused(""), NameError::Empty);
        assert_eq!(refused(&"a".repeat(65)), NameError::Long { found: 65, most: 64 });
        for (text, position) in [("a/b", 2), ("a b", 2), ("a,", 2), ("\"a", 1), ("ab\n", 3), ("a\u{202e}b", 2)] {
            assert!(matches!(refused(text), NameError::Character { position: p, .. } if p == position), "{text:?}");
        }
        assert_eq!(refused("a/b").to_string(), "`/` at character 2 is not allowed (the issuer stands before it)");
        assert_eq!(refused("a\u{1b}").to_string(), "`\\u{1b}` at character 2 is not allowed");
    }

    #[test]
    fn claimed_names_are_what_a_policy_can_say() {
        for good in
            ["alice@corp.example", "auth0|12", "eng/platform", "Domain Users, EMEA", "repo:a/b:ref:refs/heads/x"]
        {
            assert_eq!(check_claimed(good), Ok(()), "{good}");
        }
        assert_eq!(check_claimed(&"é".repeat(256)), Ok(()));
        for bad in ["", " a", "a ", "*", "a\"b", "a\nb", "a\u{202e}b", "a\u{a0}b", "a\0", &"a".repeat(257)] {
            assert!(check_claimed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lines_may_hold_blanks_inside() {
        assert!("read corp.example/*, \"x\"".parse::<Line>().is_ok());
        assert!("a".repeat(256).parse::<Line>().is_ok());
        assert!("a".repeat(257).parse::<Line>().is_err());
        assert_eq!(" a".parse::<Line>(), Err(NameError::Edge));
        assert!("a\tb".parse::<Line>().is_err());
    }
}
