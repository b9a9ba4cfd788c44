//! Opening the ledger's file: its rights, its format, and whether it is still the one at its path.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::LedgerError;

/// `mgTk`, in `PRAGMA application_id`.
const APPLICATION: i32 = 0x6d67_546b;
/// In `PRAGMA user_version`.
pub(super) const VERSION: i32 = 2;
/// The schema before tokens had owners of other issuers, purposes and families.
pub(super) const FIRST: i32 = 1;
/// How long another writer is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Between two attempts where SQLite does not wait itself.
const PAUSE: Duration = Duration::from_millis(10);

/// Times are seconds since 1970. `member_of` holds full group names one a line, `claims` one `name=value` a line. `login` holds
/// what an issuer gave us to ask it about a person again, sealed.
const SCHEMA: &str = "
CREATE TABLE token (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 12),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    subject   TEXT    NOT NULL,
    member_of TEXT    NOT NULL,
    scope     TEXT,
    note      TEXT,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER,
    revoked   INTEGER
) STRICT, WITHOUT ROWID;";

/// From [`FIRST`] to [`VERSION`]; a new file takes both steps, so that there is one schema and not two that must agree.
const SECOND: &str = "
ALTER TABLE token ADD COLUMN purpose TEXT NOT NULL DEFAULT 'access';
ALTER TABLE token ADD COLUMN family TEXT;
ALTER TABLE token ADD COLUMN maker TEXT;
ALTER TABLE token ADD COLUMN rule TEXT;
ALTER TABLE token ADD COLUMN claims TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN spent INTEGER;
UPDATE token SET member_of = replace(member_of, ' ', char(10));
CREATE INDEX token_of_subject ON token (subject);
CREATE INDEX token_of_family ON token (family) WHERE family IS NOT NULL;
CREATE INDEX token_of_maker ON token (maker) WHERE maker IS NOT NULL;
CREATE TABLE login (
    subject TEXT    NOT NULL PRIMARY KEY,
    sealed  BLOB    NOT NULL,
    since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;";

/// Which file a path led to (device and inode), to notice that another was put in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity(u64, u64);

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, LedgerError> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LedgerError::Missing { path: path.to_owned() },
            _ => LedgerError::file(path, error),
        })?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

/// Takes the file away from others, as when a volume was mounted with a group's rights on everything in it.
fn tighten(path: &Path) {
    let Ok(mode) = fs::metadata(path).map(|metadata| metadata.mode() & 0o777) else {
        return;
    };
    if mode & 0o077 == 0 {
        return;
    }
    let tightened = fs::set_permissions(path, Permissions::from_mode(mode & 0o700));
    let (path, was) = (path.display(), format_args!("{mode:o}"));
    match tightened {
        Ok(()) => tracing::warn!(%path, %was, "token ledger was open to others, mode tightened"),
        Err(error) => tracing::warn!(%path, %was, %error, "token ledger is open to others"),
    }
}

/// What to do with a file that has nothing in it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blank {
    /// Make it a ledger.
    Fill,
    /// Report it as damaged: an empty ledger would lock everybody out.
    Refuse,
}

/// Creates an empty file for its owner alone, unless there is a file.
pub(super) fn create(path: &Path) -> Result<(), LedgerError> {
    // Only ever opened when it is new: closing any other handle of a database file drops SQLite's locks on it.
    let mut new = OpenOptions::new();
    match new.write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            hand_over(&file, path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(LedgerError::file(path, error)),
    }
}

/// Gives a new file to the owner of its directory: root may create the first token of a service that is not root. SQLite
/// does the same for `-wal` and `-shm`. For anybody else but root it changes nothing.
fn hand_over(file: &File, path: &Path) {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Ok(owner) = fs::metadata(directory.unwrap_or(Path::new("."))) {
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Opens a connection and checks what it is connected to.
pub(super) fn connect(path: &Path, blank: Blank) -> Result<Connection, LedgerError> {
    tighten(path);
    let sqlite = |error| LedgerError::sqlite(path, error);
    // Neither SQLITE_OPEN_CREATE nor SQLITE_OPEN_URI: the path is a path, and only `create` creates.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    match recognise(&connection, path)? {
        Some(FIRST) => migrate(&mut connection, path)?,
        Some(_) => {}
        None => fill(&mut connection, path, blank)?,
    }
    if write_ahead(&connection).map_err(sqlite)? != "wal" {
        return Err(LedgerError::NoWal { path: path.to_owned() });
    }
    connection.pragma_update(None, "synchronous", "full").map_err(sqlite)?;
    sound(connection, path)
}

/// Opens a connection that takes no locks and leaves no files (`immutable`), and checks what it is connected to. `None`: the
/// file is empty.
pub(super) fn look(path: &Path) -> Result<Option<(Connection, i32)>, LedgerError> {
    // For the system's own words where there is no file, or none that may be read.
    File::open(path).map_err(|error| LedgerError::file(path, error))?;
    let sqlite = |error| LedgerError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(immutable(path), flags).map_err(sqlite)?;
    match recognise(&connection, path)? {
        Some(version) => sound(connection, path).map(|connection| Some((connection, version))),
        None => Ok(None),
    }
}

/// The file as a URI of SQLite.
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            plain => uri.push(plain),
        }
    }
    uri + "?immutable=1"
}

/// The connection, if the pages of its file hold together.
fn sound(connection: Connection, path: &Path) -> Result<Connection, LedgerError> {
    let check: String = pragma(&connection, "quick_check").map_err(|error| LedgerError::sqlite(path, error))?;
    if check == "ok" { Ok(connection) } else { Err(LedgerError::corrupt(path, check)) }
}

/// Switches to write-ahead logging, once in a file's life, and returns the mode then in force. SQLite does not wait for
/// other connections in this (it reports them at once), so it is tried again here.
fn write_ahead(connection: &Connection) -> rusqlite::Result<String> {
    let mut waited = Duration::ZERO;
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        match mode.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
            Err(Some(ErrorCode::DatabaseBusy)) if waited < BUSY => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            _ => return mode,
        }
    }
}

fn fill(connection: &mut Connection, path: &Path, blank: Blank) -> Result<(), LedgerError> {
    if blank == Blank::Refuse {
        return Err(LedgerError::corrupt(path, "it is empty".to_owned()));
    }
    let sqlite = |error| LedgerError::sqlite(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    // Asked again under the writer's lock: of two programs that find the file empty only one fills it.
    if recognise(&transaction, path)?.is_some() {
        return Ok(());
    }
    transaction.execute_batch(SCHEMA).map_err(sqlite)?;
    transaction.execute_batch(SECOND).map_err(sqlite)?;
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

/// Brings a ledger of the first schema to the one in use, after putting a copy of it beside it (`NAME.v1`, mode 0600).
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let kept = beside(path, ".v1");
    let copy = beside(path, ".v1.new");
    let file = |cause| LedgerError::file(&copy, cause);
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
        _ => create(&copy)?,
    }
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(sqlite)?;
    File::open(&copy).and_then(|copy| copy.sync_all()).map_err(file)?;
    fs::rename(&copy, &kept).map_err(file)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    // Asked again under the writer's lock: of two programs that find the old schema only one changes it.
    if recognise(&transaction, path)? != Some(FIRST) {
        return Ok(());
    }
    transaction.execute_batch(SECOND).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)?;
    tracing::info!(path = %path.display(), kept = %kept.display(), "token ledger brought to schema {VERSION}");
    Ok(())
}

/// `tokens.sqlite.v1` for `tokens.sqlite`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The schema of a ledger that we know, none for an empty file, an error for anything else.
fn recognise(connection: &Connection, path: &Path) -> Result<Option<i32>, LedgerError> {
    let query = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
                 FROM pragma_application_id, pragma_user_version";
    let found: (i32, i32, i64) =
        connection.query_row(query, [], |row| row.try_into()).map_err(|error| LedgerError::sqlite(path, error))?;
    match found {
        (APPLICATION, found @ (FIRST | VERSION), _) => Ok(Some(found)),
        (APPLICATION, found, _) if found > VERSION => Err(LedgerError::Newer { path: path.to_owned(), found }),
        (0, 0, 0) => Ok(None),
        _ => Err(LedgerError::Foreign { path: path.to_owned() }),
    }
}

/// The value of a pragma that has one.
pub(super) fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
