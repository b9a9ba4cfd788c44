//! The canonical version, and what is known from its form alone.
//!
//! A pseudo-version names a commit without a tag. Its forms (`x/mod/module`, pseudo.go):
//!
//! ```text
//! vX.0.0-yyyymmddhhmmss-abcdef123456            no tag before the commit
//! vX.Y.(Z+1)-0.yyyymmddhhmmss-abcdef123456      after the tag vX.Y.Z
//! vX.Y.Z-pre.0.yyyymmddhhmmss-abcdef123456      after the tag vX.Y.Z-pre
//! ```
//!
//! each perhaps with `+incompatible`.

use super::escape::{escape, unescape};
use super::semver::Semver;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use std::{cmp::Ordering, fmt, sync::Arc};

/// The longest version in bytes. `x/mod` sets no limit, but a file is named for the version.
const MAX_LENGTH: usize = 255;

/// A canonical version: `v1.2.3`, `v1.2.3-pre`, a pseudo-version, or any of them with `+incompatible`.
///
/// At most 255 bytes of ASCII. Ordered as `golang.org/x/mod/semver.Compare` orders (build metadata ignored), ties by
/// text.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Version(Arc<str>);

/// Why a text is not a version or query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid version `{version}`: {reason}")]
pub struct VersionError {
    /// The offending text.
    pub version: String,
    /// What is wrong with it.
    pub reason: String,
}

impl VersionError {
    pub(super) fn new(version: &str, reason: impl Into<String>) -> Self {
        Self { version: version.into(), reason: reason.into() }
    }
}

impl Version {
    /// Reads a canonical version (`module.CanonicalVersion(v) == v`).
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_LENGTH {
            return Err(VersionError::new(text, format!("longer than {MAX_LENGTH} bytes")));
        }
        match Semver::parse(text) {
            None => Err(VersionError::new(text, "not a semantic version")),
            Some(parts) if parts.short => Err(VersionError::new(text, "not canonical: minor or patch is missing")),
            Some(parts) if !matches!(parts.build, "" | "incompatible") => {
                Err(VersionError::new(text, "not canonical: has build metadata"))
            }
            Some(_) => Ok(Self(text.into())),
        }
    }

    /// Reads the escaped form (`module.UnescapeVersion`).
    pub fn unescape(escaped: &str) -> Result<Self, VersionError> {
        match unescape(escaped) {
            Some(text) => Self::parse(&text),
            None => Err(VersionError::new(escaped, "invalid escaping of upper-case letters")),
        }
    }

    /// The escaped form (`module.EscapeVersion`).
    pub fn escaped(&self) -> String {
        escape(&self.0)
    }

    /// The version as written in go.mod.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The major version with its `v`: `v2` (`semver.Major`).
    pub fn major(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// Whether it ends in `+incompatible`: a major version from 2 on of a repository without a go.mod.
    pub fn is_incompatible(&self) -> bool {
        self.0.ends_with("+incompatible")
    }

    /// Whether it has the form of a pseudo-version (`module.IsPseudoVersion`).
    pub fn is_pseudo(&self) -> bool {
        self.pseudo_time_digits().is_some()
    }

    /// Whether it has a pre-release part (pseudo-versions have one too).
    pub fn is_prerelease(&self) -> bool {
        !self.parts().prerelease.is_empty()
    }

    /// When the commit of a pseudo-version was made, in UTC to the second (`module.PseudoVersionTime`); `None` for
    /// any other version, and if the digits are no time.
    pub fn pseudo_time(&self) -> Option<Timestamp> {
        let digits = self.pseudo_time_digits()?;
        let field = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
        let year = digits.get(..4)?.parse::<i16>().ok()?;
        // A 60th second would be taken for a leap second's; Go takes it for no time.
        let second = field(12, 14).filter(|&second| second < 60)?;
        let civil = DateTime::new(year, field(4, 6)?, field(6, 8)?, field(8, 10)?, field(10, 12)?, second, 0).ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    fn parts(&self) -> Semver<'_> {
        // INVARIANT: the text was parsed once, so the default is never taken.
        Semver::parse(&self.0).unwrap_or_default()
    }

    fn pseudo_time_digits(&self) -> Option<&str> {
        let parts = self.parts();
        let (head, revision) = parts.prerelease.rsplit_once('-')?;
        if revision.is_empty() || !revision.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (base, digits) = head.split_at_checked(head.len().checked_sub(14)?)?;
        let fits = match base {
            "" => parts.minor == "0" && parts.patch == "0",
            base => base == "0." || base.ends_with(".0."),
        };
        (fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().precedence(&other.parts()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn canonical_only() {
        for bad in ["v1", "v1.2", "v1.2.3+meta", "v1.2.3+incompatible.1", "1.2.3", "main", "", "v1.2.3+Incompatible"] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
        for good in ["v1.2.3", "v2.0.0+incompatible", "v0.0.1-go1.25.1.linux-amd64", "v1.0.0-RC1"] {
            assert_eq!(version(good).as_str(), good);
        }
    }

    #[test]
    fn upper_case_is_escaped() {
        assert_eq!(version("v1.0.0-RC1").escaped(), "v1.0.0-!r!c1");
        assert_eq!(Version::unescape("v1.0.0-!r!c1").unwrap(), version("v1.0.0-RC1"));
        assert!(Version::unescape("v1.0.0-RC1").is_err());
    }

    #[test]
    fn pseudo_versions() {
        for pseudo in [
            "v0.0.0-20191109021931-daa7c04131f5",
            "v1.2.4-0.20191109021931-daa7c04131f5",
            "v1.2.3-pre.0.20191109021931-daa7c04131f5",
            "v2.0.1-0.20191109021931-daa7c04131f5+incompatible",
        ] {
            assert!(version(pseudo).is_pseudo(), "{pseudo}");
            assert_eq!(version(pseudo).pseudo_time().unwrap().to_string(), "2019-11-09T02:19:31Z");
        }
        for other in [
            "v0.0.1-20191109021931-daa7c04131f5",
            "v1.2.3-20191109021931-daa7c04131f5",
            "v1.2.3-pre0.20191109021931-daa7c04131f5",
            "v0.0.0-2019110902193-daa7c04131f5",
            "v0.0.1-go1.25.1.linux-amd64",
        ] {
            assert!(!version(other).is_pseudo(), "{other}");
        }
        assert!(version("v0.0.0-99999999999999-abc").is_pseudo());
        assert_eq!(version("v0.0.0-99999999999999-abc").pseudo_time(), None);
    }

    #[test]
    fn order_ignores_metadata_but_is_total() {
        let (plain, incompatible) = (version("v2.0.0"), version("v2.0.0+incompatible"));
        assert!(plain < incompatible && incompatible < version("v2.0.1-0"));
        assert!(version("v1.10.0") > version("v1.9.0"));
    }
}
