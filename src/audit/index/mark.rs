//! Marks: how far a segment is indexed, and whether it is still the segment that was indexed.
//!
//! INVARIANT: a mark counts for a file only if the file has the length and time of change that were noted, or else if the
//! CRC-32 of its first `bytes` bytes is the one that was noted. So a segment that was cut, replaced or edited is noticed,
//! and one that was copied or has grown costs one reading.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

/// What the file system says of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Look {
    /// Its length in bytes.
    pub(super) length: u64,
    /// When its content changed, in nanoseconds since the epoch.
    pub(super) modified: i64,
}

impl Look {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { length: metadata.len(), modified }
    }
}

/// How far a segment is indexed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    /// The cursor: lines before it are indexed.
    pub(super) bytes: u64,
    /// How many of them are records.
    pub(super) records: u64,
    /// Their CRC-32.
    pub(super) checksum: u32,
    /// The file when all whole lines of it had been indexed; none: there were more.
    pub(super) look: Option<Look>,
}

impl Mark {
    /// Whether nothing has changed since all of it was indexed.
    pub(super) fn is_level_with(&self, look: Look) -> bool {
        self.look == Some(look)
    }

    /// Whether the indexed bytes are those of this file.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        let look = Look::of(&file.metadata()?);
        if self.is_level_with(look) {
            return Ok(true);
        }
        if look.length < self.bytes {
            return Ok(false);
        }
        match checksum(file, 0, self.bytes, 0) {
            Ok(checksum) => Ok(checksum == self.checksum),
            // Cut just now.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The CRC-32 of a file's bytes from `from` to `to`, going on from that of the bytes before.
pub(super) fn checksum(file: &File, from: u64, to: u64, before: u32) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    let mut block = vec![0; 256 << 10];
    let mut at = from;
    while at < to {
        let size = usize::try_from(to - at).map_or(block.len(), |left| left.min(block.len()));
        let space = block.get_mut(..size).unwrap_or_default();
        file.read_exact_at(space, at)?;
        hasher.update(space);
        at += size as u64;
    }
    Ok(hasher.finalize())
}
