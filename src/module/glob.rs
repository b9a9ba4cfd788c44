//! GOPRIVATE's glob rules.
//!
//! A pattern with N elements is matched against the first N elements of a path (`module.MatchPrefixPatterns`), each
//! element by the rules of Go's `path.Match`:
//!
//! ```text
//! *            any run of characters, also none
//! ?            one character
//! [a-z_] [^a]  one character of a class, or not of it; `-`, `]` and `\` in it only escaped
//! \c           the character c
//! ```
//!
//! None of them matches a slash, so `corp.example/*` covers `corp.example/a/b` but not `corp.example`. Go ignores
//! malformed patterns; here they are errors, for a pattern that protects nothing must not pass for one that does.

use std::iter::zip;

/// One GOPRIVATE pattern (`module.MatchPrefixPatterns` with a single pattern): `path.Match` on each element of a
/// prefix of the path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Glob {
    text: Box<str>,
    elements: Box<[Element]>,
}

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern `{pattern}`: {reason}")]
pub struct GlobError {
    /// The offending text.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What one element of a pattern is made of, in order.
type Element = Box<[Part]>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Part {
    Star,
    Any,
    Char(char),
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Exact,
    Ignored,
}

impl Glob {
    /// Reads a pattern; a comma, an empty element or what `path.ErrBadPattern` covers is an error. One trailing slash
    /// is ignored, as Go does.
    pub fn parse(pattern: &str) -> Result<Self, GlobError> {
        let fault = |reason: &str| GlobError { pattern: pattern.into(), reason: reason.into() };
        if pattern.contains(',') {
            return Err(fault("a comma separates patterns and cannot be part of one"));
        }
        let trimmed = pattern.strip_suffix('/').unwrap_or(pattern);
        let elements =
            trimmed.split('/').map(|element| parse_element(element).map_err(fault)).collect::<Result<_, _>>()?;
        Ok(Self { text: pattern.into(), elements })
    }

    /// Whether a prefix of `path` (whole elements) matches.
    pub fn matches(&self, path: &str) -> bool {
        self.matches_prefix(path, Case::Exact)
    }

    /// As [`Glob::matches`], letter case ignored on both sides: true whenever some way to write the path matches.
    pub fn matches_ignoring_case(&self, path: &str) -> bool {
        self.matches_prefix(path, Case::Ignored)
    }

    /// Whether `path` has fewer elements than the pattern and they match its leading elements, case ignored.
    pub fn matches_parent(&self, path: &str) -> bool {
        let fewer = path.split('/').nth(self.elements.len() - 1).is_none();
        fewer && zip(&self.elements, path.split('/')).all(|(parts, element)| matches(parts, element, Case::Ignored))
    }

    /// The pattern's elements, as written.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.text.strip_suffix('/').unwrap_or(&self.text).split('/')
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn matches_prefix(&self, path: &str, case: Case) -> bool {
        let mut names = path.split('/');
        self.elements.iter().all(|parts| names.next().is_some_and(|name| matches(parts, name, case)))
    }
}

fn parse_element(element: &str) -> Result<Element, &'static str> {
    if element.is_empty() {
        return Err("empty element");
    }
    let mut parts = Vec::new();
    let mut chars = element.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                if parts.last() != Some(&Part::Star) {
                    parts.push(Part::Star);
                }
            }
            '?' => parts.push(Part::Any),
            '[' => {
                let (class, rest) = parse_class(chars.as_str())?;
                parts.push(class);
                chars = rest.chars();
            }
            '\\' => parts.push(Part::Char(chars.next().ok_or("a backslash at the end of an element")?)),
            c => parts.push(Part::Char(c)),
        }
    }
    Ok(parts.into())
}

/// A character class, the opening bracket already read, and what follows it.
fn parse_class(text: &str) -> Result<(Part, &str), &'static str> {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(after), false) = (rest.strip_prefix(']'), ranges.is_empty()) {
            return Ok((Part::Class { negated, ranges: ranges.into() }, after));
        }
        let (low, after) = class_char(rest)?;
        let (high, after) = match after.strip_prefix('-') {
            Some(after) => class_char(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

/// One character of a class, perhaps escaped (`getEsc` in Go's `path`).
fn class_char(text: &str) -> Result<(char, &str), &'static str> {
    const UNCLOSED: &str = "a character class that is not closed";
    let mut chars = text.chars();
    let c = match chars.next().ok_or(UNCLOSED)? {
        '-' | ']' => return Err("`-` or `]` in a character class must be escaped"),
        '\\' => chars.next().ok_or(UNCLOSED)?,
        c => c,
    };
    if chars.as_str().is_empty() { Err(UNCLOSED) } else { Ok((c, chars.as_str())) }
}

/// Matches a whole element. On a mismatch the last star takes one more character; earlier stars need not be tried
/// again, so the time is at most the product of both lengths.
fn matches(parts: &[Part], name: &str, case: Case) -> bool {
    let (mut parts, mut chars) = (parts, name.chars());
    let mut retry: Option<(&[Part], std::str::Chars<'_>)> = None;
    loop {
        match parts.split_first() {
            Some((Part::Star, rest)) => {
                retry = Some((rest, chars.clone()));
                parts = rest;
                continue;
            }
            Some((part, rest)) if chars.next().is_some_and(|c| part.takes(c, case)) => {
                parts = rest;
                continue;
            }
            None if chars.as_str().is_empty() => return true,
            _ => {}
        }
        let Some((after_star, from)) = &mut retry else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (parts, chars) = (*after_star, from.clone());
    }
}

impl Part {
    /// Whether this part, no star, matches the character.
    fn takes(&self, c: char, case: Case) -> bool {
        match (self, case) {
            (Self::Star | Self::Any, _) => true,
            (Self::Char(own), Case::Exact) => *own == c,
            (Self::Char(own), Case::Ignored) => own.eq_ignore_ascii_case(&c),
            (Self::Class { negated, ranges }, Case::Exact) => in_class(ranges, c) != *negated,
            // INVARIANT: whatever matches exactly matches here too, negated classes included.
            (Self::Class { negated, ranges }, Case::Ignored) => {
                let either = [c.to_ascii_lowercase(), c.to_ascii_uppercase()];
                either.iter().any(|&c| in_class(ranges, c) != *negated)
            }
        }
    }
}

fn in_class(ranges: &[(char, char)], c: char) -> bool {
    ranges.iter().any(|&(low, high)| low <= c && c <= high)
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn glob(pattern: &str) -> Glob {
        Glob::parse(pattern).unwrap()
    }

    #[test]
    fn prefixes_of_whole_elements() {
        let private = glob("github.com/corp/*");
        assert!(private.matches("github.com/corp/a") && private.matches("github.com/corp/a/b/v2"));
        assert!(!private.matches("github.com/corp") && !private.matches("github.com/corpus/a"));
        assert!(
            glob("*.corp.example").matches("git.corp.example/x") && !glob("*.corp.example").matches("corp.example")
        );
        assert!(glob("a.b/").matches("a.b/c") && glob("a.b/").matches("a.b"));
    }

    #[test]
    fn stars_retry_where_they_must() {
        for (pattern, name, expected) in [
            ("*a*b", "xaxbxb", true),
            ("*a*b", "ba", false),
            ("a**c", "abc", true),
            ("*", "", true),
            ("?", "", false),
            ("[a-c]?", "bz", true),
            ("[^a-c]x", "bx", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("[b-a]", "a", false),
            ("a[*]", "a*", true),
        ] {
            assert_eq!(glob(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn malformed() {
        for bad in [
            "", "/", "a//b", "/a", "a,b", "[", "[]", "[]a]", "[^]", "[-a]", "[a-]", "[a", "[a-b", "\\", "a\\", "[\\",
            "a[/]b",
        ] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn case_is_ignored_where_asked() {
        let pattern = glob("github.com/Corp/[^X]*");
        assert!(pattern.matches_ignoring_case("github.com/cORP/abc") && !pattern.matches("github.com/corp/abc"));
        assert!(pattern.matches("github.com/Corp/x") && pattern.matches_ignoring_case("github.com/Corp/x"));
        assert!(glob("[A-Z].b").matches_ignoring_case("q.b"));
    }

    #[test]
    fn parents_of_a_private_name() {
        let pattern = glob("corp.example/team/*");
        assert!(pattern.matches_parent("corp.example") && pattern.matches_parent("Corp.example/TEAM"));
        assert!(!pattern.matches_parent("corp.example/team/a") && !pattern.matches_parent("corp.example/other"));
        assert!(!glob("corp.example").matches_parent("corp.example"));
    }
}
