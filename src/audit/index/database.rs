//! The file: opening it for feeding and for asking, and its tables.
//!
//! INVARIANT: a file is trusted only where it was made, which it knows by its own inode: a copy that was taken while the
//! original was written may be half of one state and half of another, and nothing in it would show.
//!
//! For asking, a file without a `-wal` beside it is opened as immutable: nobody has it open for writing, and so nothing
//! is created beside it, and an account that may only read can ask. If it changes all the same, [`Sight`] tells.

use super::{super::AuditError, IndexError, mark::Look};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::{OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The schema; a file with another one is made anew.
pub(super) const SCHEMA: i64 = 1;

const TABLES: &str = "
    CREATE TABLE state (generation INTEGER NOT NULL, terms INTEGER NOT NULL, inode INTEGER NOT NULL) STRICT;
    CREATE TABLE segment (
        number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, records INTEGER NOT NULL, checksum INTEGER NOT NULL,
        length INTEGER, modified INTEGER
    ) STRICT;
    CREATE TABLE stretch (
        segment INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, records INTEGER NOT NULL,
        earliest INTEGER, latest INTEGER, PRIMARY KEY (segment, start)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE term (key BLOB PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE posting (
        segment INTEGER NOT NULL, bucket INTEGER NOT NULL, term INTEGER NOT NULL, place INTEGER NOT NULL,
        PRIMARY KEY (segment, bucket, term, place)
    ) STRICT, WITHOUT ROWID;
";

/// Where the index of a journal is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("index.sqlite")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens it for feeding, after making it if there is none.
pub(super) fn open_to_feed(path: &Path) -> Result<Connection, IndexError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let tightened = file.and_then(|file| file.set_permissions(Permissions::from_mode(0o600)));
    tightened.map_err(AuditError::file("open", path))?;
    let fault = IndexError::database(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&fault)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(&fault)?;
    // It can be made again, so a loss of power may cost its newest rows; but not its order, which NORMAL keeps.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000;
             PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY;",
        )
        .map_err(&fault)?;
    if schema(&connection).map_err(&fault)? == 0 && is_blank(&connection).map_err(&fault)? {
        let inode = inode(path)?;
        let state = format!("INSERT INTO state VALUES (0, 0, {inode}); PRAGMA user_version = {SCHEMA};");
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} {state} COMMIT;")).map_err(&fault)?;
    }
    check(&connection, path)?;
    Ok(connection)
}

/// Removes the file and what SQLite keeps beside it. The caller holds the lock of the index.
pub(super) fn remove(path: &Path) -> Result<(), IndexError> {
    // The log goes first: it must never be replayed over another file.
    for path in [beside(path, "-wal"), beside(path, "-shm"), path.into()] {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(AuditError::file("remove", path)(error).into()),
        }
    }
    Ok(())
}

/// A file as it was opened for asking.
pub(super) struct Sight {
    path: PathBuf,
    /// None: SQLite looks after it.
    immutable: Option<Look>,
}

impl Sight {
    /// Whether what was read from the connection can be trusted.
    pub(super) fn holds(&self) -> bool {
        self.immutable.is_none_or(|then| std::fs::metadata(&self.path).is_ok_and(|now| Look::of(&now) == then))
    }
}

/// Opens it for asking; none if there is none.
pub(super) fn open_to_ask(path: &Path) -> Result<Option<(Connection, Sight)>, IndexError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuditError::file("open", path)(error).into()),
    };
    let fault = IndexError::database(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let is_written = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let connection = match is_written {
        true => Connection::open_with_flags(path, flags),
        false => Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI),
    };
    let connection = connection.map_err(&fault)?;
    connection.busy_timeout(Duration::from_secs(1)).map_err(&fault)?;
    check(&connection, path)?;
    Ok(Some((connection, Sight { path: path.into(), immutable: (!is_written).then(|| Look::of(&metadata)) })))
}

/// The URI that opens a file as one that nobody changes.
fn immutable(path: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            // Writing to a String cannot fail.
            byte => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

fn schema(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", (), |row| row.get(0))
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}

fn inode(path: &Path) -> Result<i64, IndexError> {
    let metadata = std::fs::metadata(path).map_err(AuditError::file("read", path))?;
    Ok(metadata.ino().cast_signed())
}

/// Whether it has our schema and lies where it was made.
fn check(connection: &Connection, path: &Path) -> Result<(), IndexError> {
    let fault = IndexError::database(path);
    let found = schema(connection).map_err(&fault)?;
    if found != SCHEMA {
        return Err(IndexError::Schema { path: path.into(), found });
    }
    let made: i64 = connection.query_row("SELECT inode FROM state", (), |row| row.get(0)).map_err(&fault)?;
    if made == inode(path)? { Ok(()) } else { Err(IndexError::Copied { path: path.into() }) }
}
