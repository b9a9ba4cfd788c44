//! What can go wrong with a journal.

use super::segment::MAX_LINE;
use std::{io, path::PathBuf};

/// Why a record was not kept, or a journal not opened or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Another process writes this journal.
    #[error("journal `{}` is being written by {holder}; one journal has one writer", dir.display())]
    Locked {
        /// The journal's directory.
        dir: PathBuf,
        /// `process 1234`, or that it is not known.
        holder: String,
    },
    /// A file or directory of the journal could not be opened, created, read or cut.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried: `open`, `create`, …
        action: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The record could not be appended; nothing of it stays. Later records may succeed.
    #[error("cannot append to segment `{}`", path.display())]
    Append {
        /// The segment.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The segment can take no more records and a new one could not be begun. Tried again with each record.
    #[error("segment `{}` is closed ({reason}) and no new one can be begun", path.display())]
    Sealed {
        /// The segment that takes no more.
        path: PathBuf,
        /// Why it does not.
        reason: String,
        /// Why there is no new one.
        source: io::Error,
    },
    /// The encoded record is longer than a line may be.
    #[error("a record of {0} bytes is too long: a line has at most {MAX_LINE}")]
    TooLong(usize),
    /// The data could not be brought to the disk.
    #[error("cannot sync the journal in `{}`", dir.display())]
    Sync {
        /// The journal's directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// [`super::Journal::close`] was called before.
    #[error("the journal is closed")]
    Closed,
}

impl AuditError {
    /// For `map_err`: a failed action on a file.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
