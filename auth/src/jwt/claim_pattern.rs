//! What a claim's value must be for a rule to trust a workload: a text or a pattern of texts, a truth, or a whole number.
//!
//! ```text
//! *     one or more characters other than `/`      corp/*            corp/app, not corp/, not corp/a/b
//! **    one or more characters                     refs/heads/**     refs/heads/a and refs/heads/a/b
//! ```
//!
//! INVARIANT: a pattern is about the whole value, letter by letter; neither sign stands for nothing. A value that is a list or
//! an object is never what is expected: which of its parts counts would be anyone's guess.

use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// The longest pattern, in bytes.
const LONGEST: usize = 512;

/// What a claim must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimPattern {
    /// A text like this.
    Text(TextPattern),
    /// This truth, as JSON has it; some issuers write it as a text.
    Boolean(bool),
    /// This number.
    Integer(i64),
}

impl ClaimPattern {
    /// Whether a value is so.
    pub(super) fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(pattern), Value::String(text)) => pattern.fits(text),
            (Self::Boolean(expected), Value::Bool(found)) => expected == found,
            (Self::Integer(expected), Value::Number(found)) => found.as_i64() == Some(*expected),
            _ => false,
        }
    }

    /// Whether there is anything that every value which fits must have.
    pub fn is_particular(&self) -> bool {
        match self {
            Self::Text(pattern) => pattern.pieces.iter().any(|piece| matches!(piece, Piece::Literal(_))),
            Self::Boolean(_) | Self::Integer(_) => true,
        }
    }
}

/// A text with `*` and `**` in it, or without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(String),
    /// `*`
    Within,
    /// `**`
    Across,
}

/// Why a text is no [`TextPattern`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TextPatternError {
    /// Nothing, or too much.
    #[error("a pattern has between 1 and {LONGEST} bytes")]
    Length,
    /// `***`, or two signs side by side.
    #[error("`*` is one sign and `**` another, and no two of them stand side by side")]
    Signs,
}

impl TextPattern {
    fn fits(&self, text: &str) -> bool {
        fits(&self.pieces, text)
    }
}

/// In time proportional to the text and the number of pieces, whatever the pattern.
fn fits(pieces: &[Piece], text: &str) -> bool {
    // What can be left of the text after the pieces so far, by where it begins.
    let mut left = vec![false; text.len() + 1];
    if let Some(all) = left.first_mut() {
        *all = true;
    }
    for piece in pieces {
        left = match piece {
            Piece::Literal(literal) => advance_by(literal, text, &left),
            Piece::Within => advance(text, &left, |byte| byte != b'/'),
            Piece::Across => advance(text, &left, |_| true),
        };
    }
    left.last().copied().unwrap_or_default()
}

fn advance_by(literal: &str, text: &str, left: &[bool]) -> Vec<bool> {
    let mut next = vec![false; left.len()];
    for (at, _) in left.iter().enumerate().filter(|(_, reached)| **reached) {
        if text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(literal.as_bytes()))
            && let Some(after) = next.get_mut(at + literal.len())
        {
            *after = true;
        }
    }
    next
}

/// One or more bytes that are allowed. Signs take whole characters all the same: what follows one is a literal, which begins
/// with a whole character, or the end.
fn advance(text: &str, left: &[bool], allowed: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut next = vec![false; left.len()];
    let mut running = false;
    for ((at, byte), reached) in text.bytes().enumerate().zip(left) {
        running = (running || *reached) && allowed(byte);
        if let Some(after) = next.get_mut(at + 1) {
            *after = running;
        }
    }
    next
}

impl FromStr for TextPattern {
    type Err = TextPatternError;

    fn from_str(text: &str) -> Result<Self, TextPatternError> {
        if !(1..=LONGEST).contains(&text.len()) {
            return Err(TextPatternError::Length);
        }
        if text.contains("***") {
            return Err(TextPatternError::Signs);
        }
        let mut pieces = Vec::new();
        for (number, part) in text.split("**").enumerate() {
            if number > 0 {
                pieces.push(Piece::Across);
            }
            for (number, literal) in part.split('*').enumerate() {
                if number > 0 {
                    pieces.push(Piece::Within);
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(literal.to_owned()));
                }
            }
        }
        Ok(Self { pieces })
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| {
            out.write_str(match piece {
                Piece::Literal(literal) => literal,
                Piece::Within => "*",
                Piece::Across => "**",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn signs_stop_at_a_slash_or_not() {
        for (pattern, good, bad) in [
            (
                "corp/*",
                vec!["corp/app", "corp/a.b", "corp/é"],
                vec!["corp/", "corp", "corp/a/b", "evil/corp/a", "Corp/a", "corpx/a"],
            ),
            ("refs/heads/**", vec!["refs/heads/a", "refs/heads/a/b"], vec!["refs/heads/", "refs/tags/a"]),
            (
                "refs/heads/main",
                vec!["refs/heads/main"],
                vec!["refs/heads/main2", "refs/heads/mai", " refs/heads/main", ""],
            ),
            ("*/app", vec!["corp/app"], vec!["/app", "a/b/app", "corp/app/"]),
            ("v*.*", vec!["v1.2", "v1.2.3"], vec!["v.", "v1.", "v1/2.3"]),
            ("**", vec!["a", "a/b"], vec![""]),
            ("a*a", vec!["aaa", "aba"], vec!["aa", "a"]),
        ] {
            let parsed: TextPattern = pattern.parse().unwrap();
            assert!(good.iter().all(|text| parsed.fits(text)), "{pattern}");
            assert!(!bad.iter().any(|text| parsed.fits(text)), "{pattern}");
        }
        assert_eq!("".parse::<TextPattern>(), Err(TextPatternError::Length));
        assert_eq!("a***".parse::<TextPattern>(), Err(TextPatternError::Signs));
    }

    #[test]
    fn only_the_same_kind_of_value_fits() {
        let text = ClaimPattern::Text("true".parse().unwrap());
        assert!(text.fits(&json!("true")) && !text.fits(&json!(true)) && !text.fits(&json!(["true"])));
        assert!(ClaimPattern::Boolean(true).fits(&json!(true)));
        for other in [json!("true"), json!(1), json!(false), json!(null), json!([true])] {
            assert!(!ClaimPattern::Boolean(true).fits(&other), "{other}");
        }
        assert!(ClaimPattern::Integer(7).fits(&json!(7)));
        for other in [json!("7"), json!(7.5), json!(8), json!({"a": 7})] {
            assert!(!ClaimPattern::Integer(7).fits(&other), "{other}");
        }
        assert!(!ClaimPattern::Text("**".parse().unwrap()).is_particular());
        assert!(ClaimPattern::Text("a*".parse().unwrap()).is_particular());
    }

    proptest! {
        /// A text without signs is itself and nothing else.
        #[test]
        fn a_literal_is_exact(pattern in "[a-c/é]{1,8}", text in "[a-c/é]{0,8}") {
            let parsed: TextPattern = pattern.parse().unwrap();
            prop_assert!(parsed.fits(&pattern));
            prop_assert_eq!(parsed.fits(&text), pattern == text);
        }

        #[test]
        fn what_is_shown_is_read_back(pattern in "[a/*]{1,10}", text in "[a/]{0,12}") {
            if let Ok(parsed) = pattern.parse::<TextPattern>() {
                prop_assert_eq!(parsed.to_string(), pattern);
                let _ = parsed.fits(&text);
            }
        }

        /// `*` never reaches over a slash.
        #[test]
        fn one_sign_stays_in_its_element(head in "[ab]{1,3}", tail in "[ab/]{1,6}") {
            let parsed: TextPattern = format!("{head}/*").parse().unwrap();
            prop_assert_eq!(parsed.fits(&format!("{head}/{tail}")), !tail.contains('/'));
        }
    }
}
