//! Why the store has no answer.

use crate::{checksum::ChecksumError, shelf::ShelfError, source::SourceError};
use std::{io, sync::Arc};

/// Why an ask failed, or a transfer broke. Cloned for all who waited on one flight.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The source did not give it. The only variant that can mean absence: see [`StoreError::is_absent`].
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source gave something that is not what was asked for: a bad zip, a go.mod that is none, HTML.
    #[error("`{key}` from {source_name} is not valid: {reason}")]
    Invalid {
        /// The entry.
        key: String,
        /// Who sent it.
        source_name: Arc<str>,
        /// Which rule it breaks.
        reason: String,
    },
    /// The source sent fewer bytes than it announced, or more.
    #[error("`{key}` from {source_name}: {announced} bytes announced, {received} received")]
    Length {
        /// The entry.
        key: String,
        /// Who sent it.
        source_name: Arc<str>,
        /// Bytes announced.
        announced: u64,
        /// Bytes received.
        received: u64,
    },
    /// The bytes are not those of the checksum database's signed record.
    #[error("SECURITY: `{key}` from {source_name} has {offered}, but {database} has {recorded}")]
    Mismatch {
        /// The entry.
        key: String,
        /// Who sent it.
        source_name: Arc<str>,
        /// The database's name.
        database: String,
        /// h1 by the database.
        recorded: String,
        /// h1 of what was sent.
        offered: String,
    },
    /// The bytes are not those that were seen first under this version.
    #[error("SECURITY: `{key}` from {source_name} has {offered}, but {recorded} was stored before")]
    OtherBytes {
        /// The entry.
        key: String,
        /// Who sent it.
        source_name: Arc<str>,
        /// h1 that is recorded.
        recorded: String,
        /// h1 of what was sent.
        offered: String,
    },
    /// The checksum database gives answers that do not fit together. Nothing that it should vouch for is served.
    #[error("SECURITY: the checksum database misbehaves: {0}")]
    Checksum(ChecksumError),
    /// A byte of the entry changed on disk; found while it was read. The entry was set aside.
    #[error("`{key}` has changed on disk and was set aside")]
    Changed {
        /// The entry.
        key: String,
    },
    /// Neither the store's disk, memory nor the temporary directory has room for the transfer.
    #[error("no room to receive `{key}`: {cause}")]
    NoRoom {
        /// The entry.
        key: String,
        /// The last thing that was tried.
        cause: Arc<str>,
    },
    /// The flight ended without an answer: a defect, or the process is stopping.
    #[error("the request was given up: {0}")]
    Aborted(&'static str),
    /// The shelf.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// Reading an entry while it was sent.
    #[error("read `{key}`: {cause}")]
    Read {
        /// The entry.
        key: String,
        /// The error.
        cause: Arc<io::Error>,
    },
}

impl StoreError {
    /// Whether absence is certain (404 or 410 by every source that may be asked).
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_absent())
    }

    /// What the caller may read: no internals; both sums where sums differ.
    pub fn outside(&self) -> String {
        match self {
            Self::Source(error) => error.outside(),
            Self::Invalid { key, reason, .. } => format!("the source's `{key}` is not valid: {reason}"),
            Self::Length { key, .. } => format!("the source's `{key}` was cut short"),
            Self::Mismatch { key, database, recorded, offered, .. } => {
                format!("SECURITY: checksum mismatch for {key}\n\tdownloaded: {offered}\n\t{database}: {recorded}")
            }
            Self::OtherBytes { key, recorded, offered, .. } => {
                format!("SECURITY: {key} has changed at its source\n\tdownloaded: {offered}\n\tfirst seen: {recorded}")
            }
            Self::Checksum(_) => "SECURITY: the checksum database misbehaves".into(),
            Self::Changed { .. } | Self::Shelf(_) | Self::Read { .. } => "the store failed: try again".into(),
            Self::NoRoom { .. } => "the store has no room: try again later".into(),
            Self::Aborted(_) => "the request was given up: try again".into(),
        }
    }
}
