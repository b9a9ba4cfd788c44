//! Finding and reading entries.

use super::{Meta, Shelf, ShelfError, meta};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// How often a reader looks again when an entry was replaced under its eyes.
const ATTEMPTS: usize = 4;

/// What the shelf has under a key.
#[derive(Debug)]
pub enum Shelved {
    /// Nothing.
    Nothing,
    /// Known bytes, not held: only they may take the key.
    Known(Meta),
    /// A body of which nothing is known; someone else put it there.
    Strange(File),
    /// An entry. The bytes have not been compared with the record.
    Held(File, Meta),
}

/// What tells that a file has not been changed since it was looked at: device, inode, size and time of modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Takes the stamp of an open file (one fstat).
    pub fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        Ok(Self { device: meta.dev(), inode: meta.ino(), size: meta.size(), modified })
    }

    /// The file's length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Shelf {
    /// What is under the key; opens the body, reads the side record, compares nothing.
    pub fn find(&self, key: &str) -> Result<Shelved, ShelfError> {
        // The body first: an immutable entry gets its record before its body, so a body without record is a stranger.
        let body = self.root.body(key)?;
        let file = present(File::open(&body)).map_err(ShelfError::io(format!("open `{key}`")))?;
        Ok(match (file, self.record(key)?) {
            (None, None) => Shelved::Nothing,
            (None, Some(meta)) => Shelved::Known(meta),
            (Some(file), None) => Shelved::Strange(file),
            (Some(file), Some(meta)) => Shelved::Held(file, meta),
        })
    }

    /// An entry's open body and its record, for bodies too large to be read at once. The bytes have not been compared.
    pub fn file(&self, key: &str) -> Result<Option<(File, Meta)>, ShelfError> {
        Ok(match self.find(key)? {
            Shelved::Held(file, meta) => Some((file, meta)),
            _ => None,
        })
    }

    /// A small entry's bytes, compared with its record; [`ShelfError::Changed`] when they are not those.
    ///
    /// After a crash in the middle of a replacement this is the old entry, `fetched` at the beginning of time.
    pub fn read(&self, key: &str) -> Result<Option<(Bytes, Meta)>, ShelfError> {
        let path = self.root.body(key)?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let Some(meta) = self.record(key)? else {
                return Ok(None);
            };
            let Some(bytes) = present(fs::read(&path)).map_err(ShelfError::io(format!("read `{key}`")))? else {
                return Ok(None);
            };
            let sha256 = meta::sha256(&bytes);
            if sha256 == meta.sha256 {
                return Ok(Some((bytes.into(), meta)));
            }
            if Some(sha256) == meta.replaces {
                let size = bytes.len() as u64;
                let old = Meta { size, sha256, replaces: None, fetched: Timestamp::UNIX_EPOCH, ..meta };
                return Ok(Some((bytes.into(), old)));
            }
            // The record was renamed between the two reads: look again. Twice the same record: the body is wrong.
            if last.replace(meta.sha256) == Some(meta.sha256) {
                let (recorded, found) = (meta::hex(&meta.sha256), meta::hex(&sha256));
                return Err(ShelfError::Changed { key: key.into(), recorded, found });
            }
        }
        Ok(None)
    }

    /// The side record of a key; none when there is none that can be read.
    pub fn record(&self, key: &str) -> Result<Option<Meta>, ShelfError> {
        let bytes =
            present(fs::read(self.root.meta(key)?)).map_err(ShelfError::io(format!("read the record of `{key}`")))?;
        Ok(bytes.and_then(|bytes| Meta::decode(&bytes)))
    }
}

/// A missing file is no error, nor is a path through something that is no directory.
pub(super) fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a path is a regular file.
pub(super) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file())
}
