//! What can go wrong with an index. None of it touches the journal.

use super::super::AuditError;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// Why an index was not opened, fed or asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite's error: the file is damaged, locked, without room, or not to be written.
    #[error("the index `{}`: {source}", path.display())]
    Database {
        /// The index.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file has another schema.
    #[error("the index `{}` has schema {found}, not {}", path.display(), super::database::SCHEMA)]
    Schema {
        /// The index.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
    },
    /// The file is a copy, which may have been taken while the original was written.
    #[error("the index `{}` is a copy, which may not be a good one", path.display())]
    Copied {
        /// The index.
        path: PathBuf,
    },
    /// Another process keeps this index.
    #[error("the index is kept by {0}")]
    Held(String),
    /// The disk has so little room left that it is the journal's.
    #[error("{free} bytes are free on the journal's disk, which are left to the journal")]
    NoRoom {
        /// What is free for this account.
        free: u64,
    },
    /// A file of the journal, or the index's own, cannot be opened, read or removed.
    #[error(transparent)]
    File(#[from] AuditError),
}

impl IndexError {
    /// For `map_err`.
    pub(super) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Database { path: path.into(), source }
    }

    /// Whether only a new file can help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Schema { .. } | Self::Copied { .. } => true,
            Self::Database { source, .. } => match source {
                rusqlite::Error::SqliteFailure(error, _) => {
                    matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
                }
                // A table or column that is missing, or holds what was never written.
                rusqlite::Error::SqlInputError { .. }
                | rusqlite::Error::QueryReturnedNoRows
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => true,
                _ => false,
            },
            Self::Held(_) | Self::NoRoom { .. } | Self::File(_) => false,
        }
    }
}
