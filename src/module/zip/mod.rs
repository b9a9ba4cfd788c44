//! Whether a file is a module zip, and its h1.
//!
//! ```text
//! PATH@VERSION/go.mod        every name begins with PATH@VERSION/
//! PATH@VERSION/a/b.go        files only; entries for directories (ending in a slash) may be there
//! ```
//!
//! The verdict is that of the `go` command, which downloads a zip, hashes all of it (`dirhash.HashZip`), checks its
//! names and sizes (`CheckZip` in `golang.org/x/mod/zip`) and unpacks it, all over Go's `archive/zip`. Being stricter
//! would lose real modules and being laxer would store what no client can use, so the oddities of those packages are
//! kept: how the central directory is found, that it ends where no header follows, that a CRC of zero
//! is not compared. So are their tolerances: modes are not looked at (a symbolic link is unpacked as a file that holds
//! its target), and files under `vendor/` pass, for rules about them belong to whoever makes a zip.
//!
//! | file | question |
//! |---|---|
//! | `end` | where is the central directory? |
//! | `directory` | which entries does it name? |
//! | `names` | are their names and sizes allowed? |
//! | `contents` | do the contents fit what was declared, and what is their hash? |
//!
//! Memory is bounded: names are kept once (64 MiB at most), contents are streamed. The two limits that `x/mod` does not
//! have are far beyond any known module: [`MAX_NAMES`] and the 64 MiB.

mod contents;
mod directory;
mod end;
mod names;
mod section;

use super::{H1, ModulePath, Version};
use directory::Directory;
use std::{io, sync::Arc};

pub use section::ReadAt;

/// The largest zip, and the largest sum of its unpacked files, in bytes.
pub const MAX_ZIP: u64 = 500 << 20;

/// The largest go.mod or LICENSE at the root of a zip, in bytes.
pub const MAX_ROOT_FILE: u64 = 16 << 20;

/// How many files and directories a zip may have, those included that are only part of a name.
pub const MAX_NAMES: usize = 1_000_000;

/// What a good module zip was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The hash of all its files.
    pub h1: H1,
    /// The hash of its go.mod, if it has one. The go.mod that is served by itself may differ, and for a zip without one it is made up.
    pub gomod: Option<H1>,
    /// How many files it has.
    pub files: usize,
    /// Their unpacked size in bytes.
    pub unpacked: u64,
}

/// Why a file is no module zip.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ZipError {
    /// Larger than [`MAX_ZIP`], packed or unpacked, or than a limit on names.
    #[error("module zip too large: {0}")]
    TooLarge(&'static str),
    /// Not a zip file, or a truncated or damaged one.
    #[error("not a valid zip file: {0}")]
    Format(&'static str),
    /// An entry that a module zip must not have.
    #[error("zip entry `{name}`: {reason}")]
    Entry {
        /// The entry's name, escaped and cut to 200 bytes.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The version cannot belong to the path.
    #[error("version `{0}` does not match the major version of the module path")]
    Major(Version),
    /// The file could not be read: nothing is known about the zip.
    #[error("cannot read the zip file")]
    Read(#[source] Arc<io::Error>),
}

impl ZipError {
    fn entry(name: &[u8], reason: impl Into<String>) -> Self {
        let shown = name.get(..200).unwrap_or(name);
        Self::Entry { name: shown.escape_ascii().to_string(), reason: reason.into() }
    }
}

impl From<io::Error> for ZipError {
    fn from(error: io::Error) -> Self {
        Self::Read(Arc::new(error))
    }
}

/// Checks a whole zip file of `size` bytes and hashes what it holds. Reads every byte; blocks.
pub fn check<R: ReadAt + ?Sized>(
    file: &R,
    size: u64,
    path: &ModulePath,
    version: &Version,
) -> Result<Checked, ZipError> {
    if !path.admits(version) {
        return Err(ZipError::Major(version.clone()));
    }
    if size > MAX_ZIP {
        return Err(ZipError::TooLarge("more than 500 MiB"));
    }
    // At most MAX_ZIP, so it fits whatever sign or width is wanted.
    let size = size as i64;
    let directory = Directory::read(file, size)?;
    let prefix = format!("{path}@{version}/");
    let names = names::check(&directory, &prefix)?;
    contents::hash(file, &directory, &names)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ZIP, ZipError, check};
    use crate::module::{ModulePath, Version};
    use proptest::prelude::*;

    /// A zip without entries: nothing but its end.
    const EMPTY: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    fn judge(bytes: &[u8], size: u64, version: &str) -> Result<String, ZipError> {
        let path = ModulePath::parse("a.b/c").unwrap();
        let checked = check(bytes, size, &path, &Version::parse(version).unwrap())?;
        Ok(checked.h1.to_string())
    }

    #[test]
    fn an_empty_zip_has_the_hash_of_nothing() {
        let h1 = judge(EMPTY, 22, "v1.0.0").unwrap();
        assert_eq!(h1, "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn judged_before_it_is_read() {
        assert!(matches!(judge(EMPTY, 22, "v2.0.0"), Err(ZipError::Major(_))));
        assert!(matches!(judge(EMPTY, MAX_ZIP + 1, "v1.0.0"), Err(ZipError::TooLarge(_))));
        assert!(matches!(judge(&EMPTY[1..], 21, "v1.0.0"), Err(ZipError::Format(_))));
    }

    proptest! {
        /// Whatever the numbers in the end and in a header say, reading them does not panic.
        #[test]
        fn any_numbers(header in proptest::collection::vec(any::<u8>(), 42..80), end in proptest::collection::vec(any::<u8>(), 12)) {
            let bytes = [b"PK\x01\x02", header.as_slice(), b"PK\x05\x06\0\0\0\0", &end, &[0, 0]].concat();
            let _ = judge(&bytes, bytes.len() as u64, "v1.0.0");
        }
    }
}
