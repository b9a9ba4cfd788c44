//! The module path and its escaped form.

use super::element::{Kind, check_path};
use super::escape::{escape, unescape};
use super::version::Version;
use std::{fmt, sync::Arc};

/// The longest module path in bytes. `x/mod` sets no limit; none of the paths in the public index comes near this one.
const MAX_LENGTH: usize = 1024;

/// A module path as `golang.org/x/mod/module.CheckPath` accepts it, unescaped: `github.com/BurntSushi/toml`.
///
/// At most 1,024 bytes of ASCII. Cheap to clone. Two paths that differ by letter case are two paths.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ModulePath(Arc<str>);

/// Why a text is not a module path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed module path `{path}`: {reason}")]
pub struct PathError {
    /// The offending text, as given.
    pub path: String,
    /// What is wrong with it, in the words of `x/mod`.
    pub reason: String,
}

impl ModulePath {
    /// Checks an unescaped module path (`module.CheckPath`).
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match check(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(reason) => Err(PathError { path: text.into(), reason }),
        }
    }

    /// Reads the escaped form (`module.UnescapePath`): `!` and a lower-case letter stand for the upper-case letter.
    pub fn unescape(escaped: &str) -> Result<Self, PathError> {
        match unescape(escaped) {
            Some(text) => Self::parse(&text),
            None => Err(PathError { path: escaped.into(), reason: "invalid escaping of upper-case letters".into() }),
        }
    }

    /// The inverse of [`ModulePath::unescape`] (`module.EscapePath`).
    pub fn escaped(&self) -> String {
        escape(&self.0)
    }

    /// The path, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a version may belong to this path: `…/v2` has the versions `v2.*`, a path without a major suffix has
    /// `v0.*`, `v1.*` and all `+incompatible` ones (`module.Check`).
    ///
    /// The `go` command does not insist that an answer about a version that may not belong names that version: a
    /// proxy answers `v2.0.0` with `v2.0.0+incompatible`.
    pub fn admits(&self, version: &Version) -> bool {
        match major_suffix(&self.0).unwrap_or_default() {
            "" => matches!(version.major(), "v0" | "v1") || version.is_incompatible(),
            // What gopkg.in once answered for a repository without tags.
            ".v1" | ".v1-unstable" if version.as_str().starts_with("v0.0.0-") => true,
            suffix if suffix.starts_with('/') => suffix.strip_prefix('/') == Some(version.major()),
            suffix => suffix.strip_suffix("-unstable").unwrap_or(suffix).strip_prefix('.') == Some(version.major()),
        }
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(path: &str) -> Result<(), String> {
    if path.len() > MAX_LENGTH {
        return Err(format!("longer than {MAX_LENGTH} bytes"));
    }
    check_path(path, Kind::Module)?;
    let host = path.split('/').next().unwrap_or_default();
    if !host.contains('.') {
        return Err("missing dot in first path element".into());
    }
    if let Some(c) = host.chars().find(|c| !matches!(c, '-' | '.' | '0'..='9' | 'a'..='z')) {
        return Err(format!("invalid char {c:?} in first path element"));
    }
    major_suffix(path).map(|_| ()).ok_or_else(|| "invalid version".into())
}

/// The major version at the end of a path with its separator, `/v2` or, for gopkg.in, `.v2`; empty if there is none,
/// `None` if what is there cannot be one (`module.SplitPathVersion`).
fn major_suffix(path: &str) -> Option<&str> {
    if path.starts_with("gopkg.in/") {
        return gopkg_suffix(path);
    }
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let Some(prefix) = stem.strip_suffix("/v") else {
        return Some("");
    };
    let suffix = path.strip_prefix(prefix)?;
    let number = suffix.strip_prefix("/v")?;
    if number.is_empty() {
        return Some("");
    }
    let refused = number.contains('.') || number.starts_with('0') || number == "1";
    (!refused).then_some(suffix)
}

/// As [`major_suffix`] for gopkg.in, where every path ends in `.vN`, N from 0, perhaps with `-unstable` after it.
fn gopkg_suffix(path: &str) -> Option<&str> {
    let stable = path.strip_suffix("-unstable").unwrap_or(path);
    let stem = stable.trim_end_matches(|c: char| c.is_ascii_digit());
    let suffix = path.strip_prefix(stem.strip_suffix(".v")?)?;
    let number = suffix.strip_prefix(".v")?;
    let refused = number.is_empty() || number.starts_with('0') && number != "0";
    (!refused).then_some(suffix)
}

#[cfg(test)]
mod tests {
    use super::{ModulePath, Version};

    #[test]
    fn paths() {
        for good in ["example.com", "github.com/BurntSushi/toml", "x.y/v2", "a.b/v", "gopkg.in/yaml.v3", "a.b/c.v2"] {
            assert_eq!(ModulePath::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "example", "Example.com/a", "a.b/v1", "a.b/v02", "a.b/v2.1", "gopkg.in/yaml", "-a.b", "a.b/.c"]
        {
            assert!(ModulePath::parse(bad).is_err(), "{bad}");
        }
        let long = format!("a.b/{}", "x".repeat(1020));
        assert!(ModulePath::parse(&long).is_ok() && ModulePath::parse(&format!("{long}x")).is_err());
    }

    #[test]
    fn escaping_has_an_inverse() {
        let path = ModulePath::parse("github.com/BurntSushi/toml").unwrap();
        assert_eq!(path.escaped(), "github.com/!burnt!sushi/toml");
        assert_eq!(ModulePath::unescape(&path.escaped()).unwrap(), path);
        assert!(ModulePath::unescape("github.com/BurntSushi/toml").is_err());
    }

    #[test]
    fn majors() {
        let admits =
            |path: &str, version: &str| ModulePath::parse(path).unwrap().admits(&Version::parse(version).unwrap());
        assert!(admits("a.b/c", "v1.0.0") && admits("a.b/c", "v2.0.0+incompatible") && admits("a.b/c/v2", "v2.0.0"));
        assert!(!admits("a.b/c", "v2.0.0") && !admits("a.b/c/v2", "v3.0.0") && !admits("a.b/c/v2", "v1.0.0"));
        assert!(admits("gopkg.in/check.v1", "v0.0.0-20161208181325-20d25e280405"));
        assert!(admits("gopkg.in/a.v2-unstable", "v2.0.0") && !admits("gopkg.in/a.v2", "v0.0.0-20161208181325-2"));
    }
}
