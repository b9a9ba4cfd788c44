//! Semantic versions as `golang.org/x/mod/semver` reads and orders them.
//!
//! `vMAJOR[.MINOR[.PATCH[-PRERELEASE][+BUILD]]]`: the `v` is required, and `v1` and `v1.2` are short for `v1.0.0` and
//! `v1.2.0`. Numbers are compared as text, so they have no upper limit.

use std::cmp::Ordering;

/// The parts of a valid semantic version, borrowed from its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Semver<'a> {
    pub(super) major: &'a str,
    pub(super) minor: &'a str,
    pub(super) patch: &'a str,
    /// Without the hyphen.
    pub(super) prerelease: &'a str,
    /// Without the plus sign.
    pub(super) build: &'a str,
    /// Whether minor or patch were left out.
    pub(super) short: bool,
}

impl<'a> Semver<'a> {
    /// Takes a version apart; `None` if it is no semantic version.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (major, rest) = number(text.strip_prefix('v')?)?;
        let mut parsed = Semver { major, minor: "0", patch: "0", short: true, ..Semver::default() };
        if rest.is_empty() {
            return Some(parsed);
        }
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        parsed.minor = minor;
        if rest.is_empty() {
            return Some(parsed);
        }
        let (patch, rest) = number(rest.strip_prefix('.')?)?;
        parsed.patch = patch;
        parsed.short = false;
        let rest = match rest.strip_prefix('-') {
            Some(tail) => {
                let end = tail.find('+').unwrap_or(tail.len());
                let (prerelease, rest) = tail.split_at_checked(end)?;
                parsed.prerelease = identifiers(prerelease, |id| !has_leading_zero(id))?;
                rest
            }
            None => rest,
        };
        if let Some(build) = rest.strip_prefix('+') {
            parsed.build = identifiers(build, |_| true)?;
        } else if !rest.is_empty() {
            return None;
        }
        Some(parsed)
    }

    /// The order of precedence; build metadata does not count.
    pub(super) fn precedence(&self, other: &Self) -> Ordering {
        compare_numbers(self.major, other.major)
            .then_with(|| compare_numbers(self.minor, other.minor))
            .then_with(|| compare_numbers(self.patch, other.patch))
            .then_with(|| compare_prereleases(self.prerelease, other.prerelease))
    }
}

/// A decimal number without leading zeros, and what follows it.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    (!number.is_empty() && !has_leading_zero(number)).then_some((number, rest))
}

/// Dot-separated identifiers, none of them empty.
fn identifiers(text: &str, allowed: impl Fn(&str) -> bool) -> Option<&str> {
    let well_formed = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.split('.').all(|id| well_formed(id) && allowed(id)).then_some(text)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && is_number(text)
}

/// Numbers without leading zeros: the longer is the larger.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// A release comes after its pre-releases; identifiers count from left to right, numbers before words.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (is_number(x), is_number(y)) {
                (true, true) => compare_numbers(x, y),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Semver;
    use std::cmp::Ordering;

    #[test]
    fn the_specification_s_own_example_is_ascending() {
        let versions = [
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-beta",
            "v1.0.0-beta.2",
            "v1.0.0-beta.11",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v1.0.1-0",
            "v10.0.0",
        ];
        for pair in versions.windows(2) {
            let (a, b) = (Semver::parse(pair[0]).unwrap(), Semver::parse(pair[1]).unwrap());
            assert_eq!(a.precedence(&b), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn refused() {
        for bad in ["", "1.0.0", "v", "v01.0.0", "v1.0.0-", "v1.0.0-01", "v1.0.0+", "v1.0.0-a..b", "v1.0-a", "v1.0.0 "]
        {
            assert_eq!(Semver::parse(bad), None, "{bad}");
        }
        assert!(Semver::parse("v1.0.0-0a.01b+01.-").is_some());
    }
}
