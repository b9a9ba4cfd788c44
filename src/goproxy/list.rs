//! The body of `@v/list`.
//!
//! One version a line, in any order; a second field, if there is one, is the version's time. The `go` command reads it
//! leniently (lines without a version are skipped), and so is it read here: what is passed on unfiltered is passed on
//! as it came.

use crate::module::Version;
use std::cmp::Reverse;

/// Why a body is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Starts like HTML, XML or JSON.
    #[error("not a version list but a web page or data")]
    Foreign,
    /// Not text.
    #[error("not a version list but binary data")]
    Binary,
}

/// Refuses what certainly is no list: a web page, JSON, binary data. An empty body is the list of a module without tags.
pub fn is_list(body: &[u8]) -> Result<(), ListError> {
    let text = std::str::from_utf8(body).map_err(|_| ListError::Binary)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(ListError::Binary);
    }
    if text.trim_start_matches('\u{feff}').trim_start().starts_with(['<', '{', '[']) {
        return Err(ListError::Foreign);
    }
    Ok(())
}

/// The canonical versions of a list, pseudo-versions included, in its order. Other lines are skipped.
pub fn versions(body: &[u8]) -> Vec<Version> {
    lines(body).map(|(_, version)| version).collect()
}

/// The lines whose version is kept, as they came, each with a newline at its end. Lines without a canonical version
/// are dropped, for `go` would take `v1.2` or `v1.2.3+meta` for a version that was never decided on.
pub fn filter(body: &[u8], mut keep: impl FnMut(&Version) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    for (line, version) in lines(body) {
        if keep(&version) {
            kept.extend_from_slice(line.trim_ascii_end());
            kept.push(b'\n');
        }
    }
    kept
}

/// The version that `@latest` means: the highest release, else the highest pre-release, else the newest pseudo-version.
pub fn highest(versions: &[Version]) -> Option<&Version> {
    /// Lower is better.
    fn class(version: &Version) -> u8 {
        match (version.is_pseudo(), version.is_prerelease()) {
            (false, false) => 0,
            (false, true) => 1,
            (true, _) => 2,
        }
    }
    // The time of anything but a pseudo-version is none, so it decides between pseudo-versions only.
    versions.iter().max_by_key(|version| (Reverse(class(version)), version.pseudo_time(), *version))
}

fn lines(body: &[u8]) -> impl Iterator<Item = (&[u8], Version)> {
    body.split(|&byte| byte == b'\n').filter_map(|line| {
        let field = line.trim_ascii_start().split(u8::is_ascii_whitespace).next()?;
        let version = Version::parse(std::str::from_utf8(field).ok()?).ok()?;
        Some((line, version))
    })
}

#[cfg(test)]
mod tests {
    use super::{ListError, filter, highest, is_list, versions};
    use crate::module::Version;

    const BODY: &[u8] = b"v1.0.0\nv1.1.0-rc.1 2020-01-01T00:00:00Z\r\n\n  v0.9.0\njunk\nv1.2\nv1.3.0+meta\n\
        v1.0.1-0.20200101000000-abcdefabcdef\nv2.0.0+incompatible";

    fn texts(versions: &[Version]) -> Vec<&str> {
        versions.iter().map(Version::as_str).collect()
    }

    fn latest(list: &str) -> Option<String> {
        highest(&versions(list.as_bytes())).map(|version| version.as_str().to_owned())
    }

    #[test]
    fn lines_without_a_canonical_version_are_skipped() {
        assert_eq!(
            texts(&versions(BODY)),
            ["v1.0.0", "v1.1.0-rc.1", "v0.9.0", "v1.0.1-0.20200101000000-abcdefabcdef", "v2.0.0+incompatible"]
        );
        assert!(versions(b"").is_empty() && versions(b"\xff\nv1.0.0\xff\n").is_empty());
    }

    #[test]
    fn a_filtered_list_holds_only_what_was_kept() {
        let kept = filter(BODY, |version| version.as_str() != "v1.0.0" && !version.is_pseudo());
        assert_eq!(kept, b"v1.1.0-rc.1 2020-01-01T00:00:00Z\n  v0.9.0\nv2.0.0+incompatible\n");
        assert!(filter(BODY, |_| false).is_empty());
    }

    #[test]
    fn latest_is_a_release_before_anything_else() {
        assert_eq!(latest("v1.0.0\nv1.10.0\nv1.9.0\nv2.0.0-rc").as_deref(), Some("v1.10.0"));
        assert_eq!(latest("v1.0.0-a\nv1.0.0-b\nv1.0.1-0.20200101000000-abcdefabcdef").as_deref(), Some("v1.0.0-b"));
        let (older, newer) = ("v2.0.1-0.20190101000000-abcdefabcdef", "v0.0.0-20200101000000-abcdefabcdef");
        assert_eq!(latest(&format!("{older}\n{newer}\n")).as_deref(), Some(newer));
        assert_eq!(latest(""), None);
    }

    #[test]
    fn pages_and_binaries_are_no_lists() {
        for good in [&b""[..], b"\n", b"v1.0.0\n", b"v1.0.0\r\nv1.1.0\t2020-01-01T00:00:00Z\n", b"nothing here"] {
            assert_eq!(is_list(good), Ok(()));
        }
        assert_eq!(is_list(b"\n <!DOCTYPE html>"), Err(ListError::Foreign));
        assert_eq!(is_list(b"{\"message\":\"v1.0.0\"}"), Err(ListError::Foreign));
        assert_eq!(is_list(b"v1.0.0\n\0"), Err(ListError::Binary));
        assert_eq!(is_list(b"PK\x03\x04"), Err(ListError::Binary));
        assert_eq!(is_list(b"\xff\xfe"), Err(ListError::Binary));
    }
}
