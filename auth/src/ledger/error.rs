//! Why the ledger cannot be used: every text names the file and, where there is one, the way out.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::file::VERSION;

/// Why the ledger cannot be used. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No file there.
    #[error("there is no token ledger at `{path}`; `modgate token create` makes one", path = .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be opened or created.
    #[error("cannot open the token ledger `{path}`: {cause}", path = .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A SQLite file with something else in it, or an older format that never was.
    #[error("`{path}` is a database, but not a token ledger of modgate", path = .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("the token ledger `{path}` has schema {found}, this program knows {VERSION}: use the newer modgate", path = .path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i32,
    },
    /// Not a SQLite file, or a damaged one.
    #[error("the token ledger `{path}` is damaged ({cause}): restore it from a backup, or move it away and issue new tokens", path = .path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        cause: String,
    },
    /// A row that no modgate wrote.
    #[error("the token ledger `{path}` holds a token `{id}` whose `{problem}` makes no sense", path = .path.display())]
    Row {
        /// Which file.
        path: PathBuf,
        /// Which row.
        id: String,
        /// Which column.
        problem: &'static str,
    },
    /// Write-ahead logging is not to be had, as on a network file system.
    #[error("the token ledger `{path}` must lie on a local disk (SQLite's WAL mode is not possible there)", path = .path.display())]
    NoWal {
        /// Which file.
        path: PathBuf,
    },
    /// Another program held the lock for more than five seconds.
    #[error("the token ledger `{path}` is locked by another program", path = .path.display())]
    Busy {
        /// Which file.
        path: PathBuf,
    },
    /// Anything else that SQLite reports: no rights, no room on the disk.
    #[error("cannot use the token ledger `{path}`: {cause}", path = .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
    },
}

/// Why a token is not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Its owner has as many as there may be.
    #[error("{most} live tokens are the most for one owner: revoke some, or wait until they expire")]
    Full {
        /// How many there may be.
        most: usize,
    },
    /// It cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl LedgerError {
    pub(super) fn file(path: &Path, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::NotFound if path.parent().is_none_or(Path::is_dir) => Self::Missing { path },
            _ => Self::File { path, cause },
        }
    }

    pub(super) fn corrupt(path: &Path, cause: String) -> Self {
        let path = path.to_owned();
        Self::Corrupt { path, cause }
    }

    pub(super) fn sqlite(path: &Path, cause: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt { path, cause: cause.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Sqlite { path, cause },
        }
    }
}
