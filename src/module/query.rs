//! What may be asked for instead of a canonical version.

use super::element::{Kind, check_element};
use super::escape::{escape, unescape};
use super::version::VersionError;
use std::{fmt, sync::Arc};

/// The longest query in bytes, as for a version.
const MAX_LENGTH: usize = 255;

/// What may stand before `.info` without being a canonical version: a branch, a commit, `v1`.
///
/// Also a canonical version that does not belong to the path it is asked of: see [`ModulePath::admits`]. At most 255
/// bytes of ASCII that may be a file's name, without `!`.
///
/// [`ModulePath::admits`]: super::ModulePath::admits
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Query(Arc<str>);

impl Query {
    /// Reads the escaped form; refuses what `go` never sends (`latest`, `upgrade`, `patch`, `/`, `<`, `>`, `..`).
    pub fn unescape(escaped: &str) -> Result<Self, VersionError> {
        let Some(text) = unescape(escaped) else {
            return Err(VersionError::new(escaped, "invalid escaping of upper-case letters"));
        };
        if text.len() > MAX_LENGTH {
            return Err(VersionError::new(&text, format!("longer than {MAX_LENGTH} bytes")));
        }
        if matches!(&*text, "latest" | "upgrade" | "patch") {
            return Err(VersionError::new(&text, "the go command resolves this itself and asks for the list"));
        }
        match check_element(&text, Kind::File) {
            Ok(()) => Ok(Self(text.into())),
            Err(reason) => Err(VersionError::new(&text, reason)),
        }
    }

    /// The escaped form.
    pub fn escaped(&self) -> String {
        escape(&self.0)
    }

    /// The query, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn queries() {
        assert_eq!(Query::unescape("!h!e!a!d").unwrap().as_str(), "HEAD");
        assert_eq!(Query::unescape("a%b c").unwrap().as_str(), "a%b c");
        for bad in
            ["", "latest", "upgrade", "patch", "feature/x", "<v1.2", "..", "a..", "HEAD", "a!", "é", "nul", "a:b"]
        {
            assert!(Query::unescape(bad).is_err(), "{bad}");
        }
    }
}
