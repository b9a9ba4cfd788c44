//! The version column: `*`, or comparisons that must all hold.
//!
//! ```text
//! *                      every version, and requests that name none (list, @latest, branches)
//! v1.2.3                 this one
//! ">=v1.2.0 <v1.4.0"     a blank means and
//! ```
//!
//! Order is that of `golang.org/x/mod/semver.Compare`: a pre-release or pseudo-version comes before its release, so
//! `<v1.4.0` holds for `v1.4.0-rc.1`; what follows a `+` does not count, so `v2.0.0` holds for `v2.0.0+incompatible`.
use super::fault::Fault;
use crate::module::Version;
use std::cmp::Ordering;

/// The versions that a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionRange {
    text: Box<str>,
    /// Empty for `*`.
    bounds: Box<[Bound]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    comparison: Comparison,
    /// Without build metadata.
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// In the order in which they must be tried.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl VersionRange {
    /// Reads a version column.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let bounds = match text {
            "*" => Vec::new(),
            _ => text.split(' ').map(|term| Bound::parse(term, text)).collect::<Result<_, _>>()?,
        };
        let range = Self { text: text.into(), bounds: bounds.into() };
        range.refuse_contradiction()?;
        Ok(range)
    }

    /// Whether it is `*`, the only one that holds where no version is named.
    pub(super) fn is_any(&self) -> bool {
        self.bounds.is_empty()
    }

    /// Whether it holds for `version`; none is a request that names no version.
    pub(super) fn contains(&self, version: Option<&Version>) -> bool {
        match version {
            Some(version) => self.bounds.iter().all(|bound| bound.admits(version)),
            None => self.is_any(),
        }
    }

    /// The column as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The versions that it names: its borders are what is worth trying.
    pub(super) fn named(&self) -> impl Iterator<Item = &Version> {
        self.bounds.iter().map(|bound| &bound.version)
    }

    fn refuse_contradiction(&self) -> Result<(), Fault> {
        let clash = self.bounds.iter().any(|low| {
            let above = matches!(low.comparison, Comparison::Greater | Comparison::AtLeast | Comparison::Equal);
            above && self.bounds.iter().any(|high| high.excludes_all_from(low))
        });
        if clash {
            return Err(Fault::new(format!("no version is in the range `{}`", self.text))
                .hint("comparisons in one cell must all hold; alternatives are rows of their own"));
        }
        Ok(())
    }
}

impl Bound {
    fn parse(term: &str, range: &str) -> Result<Self, Fault> {
        let (comparison, text) = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| term.strip_prefix(sign).map(|text| (*comparison, text)))
            .unwrap_or((Comparison::Equal, term));
        let base = text.split_once('+').map_or(text, |(base, _)| base);
        match (Version::parse(text), Version::parse(base)) {
            (Ok(_), Ok(version)) => Ok(Self { comparison, version }),
            (Err(error), _) | (_, Err(error)) => {
                Err(Fault::new(format!("bad version range `{range}`: {error}")).hint(hint(text, range)))
            }
        }
    }

    fn admits(&self, version: &Version) -> bool {
        let order = compare(version, &self.version);
        match self.comparison {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
        }
    }

    /// Whether no version can satisfy both this upper bound and the lower bound `low`.
    fn excludes_all_from(&self, low: &Self) -> bool {
        let order = compare(&self.version, &low.version);
        let both_closed = matches!(low.comparison, Comparison::AtLeast | Comparison::Equal);
        match self.comparison {
            Comparison::Less => order != Ordering::Greater,
            Comparison::AtMost => order == Ordering::Less || (order == Ordering::Equal && !both_closed),
            Comparison::Equal if low.comparison == Comparison::Equal => order != Ordering::Equal,
            Comparison::Equal => order == Ordering::Less || (order == Ordering::Equal && !both_closed),
            Comparison::Greater | Comparison::AtLeast => false,
        }
    }
}

/// `semver.Compare(version, bound)` for a `bound` without build metadata.
///
/// [`Version`] orders ties by their text, which would set `v2.0.0+incompatible` above `v2.0.0`.
fn compare(version: &Version, bound: &Version) -> Ordering {
    let text = version.as_str();
    let base = text.split_once('+').map_or(text, |(base, _)| base);
    if base == bound.as_str() {
        return Ordering::Equal;
    }
    version.cmp(bound)
}

fn hint(term: &str, range: &str) -> String {
    if range.contains(['|', ',']) {
        return "alternatives are rows of their own; a blank between comparisons means and".into();
    }
    if range.contains(['^', '~']) || range.contains(".x") || range.contains("!=") {
        return "write the borders: \">=v1.2.0 <v2.0.0\"".into();
    }
    if term.is_empty() {
        return "no blank between the sign and the version, one between comparisons: \">=v1.2.0 <v1.4.0\"".into();
    }
    if term.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("versions begin with `v`: `v{term}`");
    }
    let dots = term.matches('.').count();
    if term.starts_with('v') && dots < 2 {
        return format!("all three numbers: `{term}{}`", ".0".repeat(2 - dots));
    }
    "as in go.mod: `v1.2.3`, `v1.2.3-rc.1`".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(range: &str, version: &str) -> bool {
        let version = Version::parse(version).expect(version);
        VersionRange::parse(range).expect(range).contains(Some(&version))
    }

    #[test]
    fn compares_as_semver_does() {
        assert!(holds("*", "v0.0.0"));
        assert!(holds("v1.2.3", "v1.2.3"));
        assert!(!holds("v1.2.3", "v1.2.4"));
        assert!(holds(">=v1.2.0 <v1.4.0", "v1.10.0") == holds("<v1.4.0", "v1.10.0"));
        assert!(!holds(">=v1.2.0 <v1.4.0", "v1.10.0"));
        assert!(holds(">=v1.2.0 <v1.4.0", "v1.2.0"));
        assert!(holds(">=v1.2.0 <v1.4.0", "v1.4.0-rc.1"));
        assert!(!holds(">=v1.2.0 <v1.4.0", "v1.4.0"));
        assert!(!holds(">v1.2.0", "v1.2.0"));
        assert!(holds("<=v1.2.0", "v1.2.0"));
        assert!(holds("=v1.2.0", "v1.2.0"));
    }

    #[test]
    fn build_metadata_does_not_count() {
        for range in ["v2.0.0", "<=v2.0.0", ">=v2.0.0", "v2.0.0+incompatible"] {
            assert!(holds(range, "v2.0.0+incompatible"), "{range}");
            assert!(holds(range, "v2.0.0"), "{range}");
        }
        assert!(!holds(">v2.0.0", "v2.0.0+incompatible"));
    }

    #[test]
    fn only_the_star_holds_where_no_version_is_named() {
        assert!(VersionRange::parse("*").expect("*").contains(None));
        assert!(!VersionRange::parse(">=v0.0.0").expect("range").contains(None));
    }

    #[test]
    fn refuses_what_would_match_nothing_or_something_else() {
        for range in [
            "1.2.3",
            "v1.2",
            ">= v1.2.0",
            ">=v1.2.0, <v1.4.0",
            "^v1.2.0",
            "~v1.2.0",
            "!=v1.2.0",
            "v1.x",
            "latest",
            ">=v1.2.0  <v1.4.0",
            "",
            "v1.2.3 || v1.2.4",
            "* v1.0.0",
            ">=v2.0.0 <v1.0.0",
            ">v1.0.0 <=v1.0.0",
            "v1.0.0 v1.1.0",
            "v1.0.0 <v1.0.0",
            "<v1.0.0 v1.0.0",
            "==v1.0.0",
        ] {
            assert!(VersionRange::parse(range).is_err(), "{range}");
        }
    }
}
