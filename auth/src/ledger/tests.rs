//! The ledger on a real disk: creation, rights, concurrency, damage.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::*;
use crate::issued::Purpose;

#[path = "tests/migration.rs"]
mod migration;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn grant(name: &str) -> Grant {
    by_hand(Kind::User, name)
}

fn by_hand(kind: Kind, name: &str) -> Grant {
    let groups = ["dev", "ops", "dev"].map(|group| group.parse().unwrap());
    Grant {
        scope: Some("read corp.example/*".parse().unwrap()),
        expires: Some(at(2000)),
        ..Grant::by_hand(kind, &name.parse().unwrap(), &groups).unwrap()
    }
}

fn random(seed: u8) -> [u8; RANDOM_BYTES] {
    std::array::from_fn(|place| seed.wrapping_mul(31).wrapping_add(place as u8))
}

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The error of an opening that must fail.
fn refusal(path: &Path) -> LedgerError {
    Ledger::open(path).err().unwrap()
}

#[test]
fn what_is_issued_is_read_back() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let (token, issued) = ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    assert_eq!(issued.groups.len(), 2, "the repeated group counts once");
    assert_eq!(issued.subject(), "user:token/alice");

    let again = Ledger::open(&path).unwrap();
    let rows = again.with_digests().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].0, issued);
    assert!(rows[0].1.matches(&token.digest()));
}

#[test]
fn examining_leaves_no_trace_and_finds_what_opening_finds() {
    let (directory, path) = fresh();
    assert!(matches!(Ledger::examine(&path), Err(LedgerError::Missing { .. })));
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    drop(ledger);
    let odd = directory.path().join("50% #1?.db");
    fs::rename(&path, &odd).unwrap();
    fs::set_permissions(&odd, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(Ledger::examine(&odd).unwrap(), 1);
    assert_eq!(mode(&odd), 0o640);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no companions");
    fs::write(&odd, "x".repeat(4096)).unwrap();
    assert!(matches!(Ledger::examine(&odd), Err(LedgerError::Corrupt { .. })));
    fs::write(&odd, "").unwrap();
    assert_eq!(Ledger::examine(&odd).unwrap(), 0, "it would be filled");
}

#[test]
fn the_secret_is_nowhere_in_the_files() {
    let (directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let (token, _) = ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    let secret = &token.expose().as_bytes()[16..59];
    let mut files = 0;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log is among them");
}

#[test]
fn the_files_are_for_their_owner_alone() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    for companion in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{companion}", path.display()));
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(ledger);
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    Ledger::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

/// As root the directory is another's; as anybody else it is our own, and so is the file.
#[test]
fn a_new_file_belongs_to_whom_its_directory_belongs() {
    let (directory, path) = fresh();
    let _ = chown(directory.path(), Some(4242), Some(4242));
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    let owner = fs::metadata(directory.path()).unwrap().uid();
    for entry in fs::read_dir(directory.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().uid(), owner);
    }
}

#[test]
fn opening_does_not_create() {
    let (directory, path) = fresh();
    assert!(matches!(refusal(&path), LedgerError::Missing { .. }));
    assert!(!path.exists());
    let nowhere = directory.path().join("no/such/tokens.db");
    let error = Ledger::open_or_create(&nowhere).err().unwrap();
    assert!(matches!(error, LedgerError::File { .. }), "{error}");
    assert!(error.to_string().contains("no/such/tokens.db"));
}

/// A plain copy of the one file, taken while it is in use, has everything that was reported as done.
#[test]
fn the_file_alone_is_the_whole_ledger() {
    let (directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let (token, _) = ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    ledger.revoke(token.id(), at(1100)).unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(Ledger::open(&copy).unwrap().all().unwrap(), ledger.all().unwrap());
}

/// SQLite finds the log by the path: the last connection to a file that was replaced must not delete the new one's.
#[test]
fn leaving_a_replaced_file_does_not_touch_the_new_one() {
    let (directory, path) = fresh();
    let old = Ledger::open_or_create(&path).unwrap();
    old.all().unwrap();
    let restored = directory.path().join("restored.db");
    drop(Ledger::open_or_create(&restored).unwrap());
    fs::rename(&restored, &path).unwrap();
    let mut new = Ledger::open(&path).unwrap();
    new.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    drop(old);
    new.issue(&grant("bob"), at(1001), &random(2)).unwrap();
    assert_eq!(Ledger::open(&path).unwrap().all().unwrap().len(), 2);
    assert!(directory.path().join("tokens.db-wal").exists());
}

#[test]
fn revocation_keeps_its_first_date() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let (token, _) = ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    for now in [1100, 1200] {
        let revoked = ledger.revoke(token.id(), at(now)).unwrap().unwrap();
        assert_eq!(revoked.validity.revoked, Some(at(1100)));
    }
    let unknown = "000000000000".parse().unwrap();
    assert_eq!(ledger.revoke(unknown, at(1300)).unwrap(), None);
}

#[test]
fn a_name_is_revoked_with_all_its_tokens_and_no_others() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let ci = by_hand(Kind::Ci, "alice");
    ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    ledger.issue(&ci, at(1001), &random(2)).unwrap();
    ledger.issue(&grant("alice2"), at(1002), &random(3)).unwrap();
    let name = "alice".parse().unwrap();
    let revoked = ledger.revoke_name(&name, at(1100)).unwrap();
    let subjects: Vec<_> = revoked.iter().map(Issued::subject).collect();
    assert_eq!(subjects, ["user:token/alice", "ci:token/alice"]);
    let standing: Vec<_> = ledger.all().unwrap().iter().map(|issued| issued.validity.revoked.is_some()).collect();
    assert_eq!(standing, [true, true, false]);
}

#[test]
fn the_last_use_never_goes_back() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    let (token, _) = ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    for (written, kept) in [(1100, 1100), (1050, 1100), (1200, 1200)] {
        ledger.mark_used(&[(token.id(), written)]).unwrap();
        assert_eq!(ledger.all().unwrap()[0].last_used, Some(at(kept)));
    }
}

#[test]
fn the_same_id_is_not_issued_twice() {
    let (_directory, path) = fresh();
    let mut ledger = Ledger::open_or_create(&path).unwrap();
    ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
    assert!(ledger.issue(&grant("mallory"), at(1001), &random(1)).is_err());
    assert_eq!(ledger.all().unwrap()[0].subject(), "user:token/alice");
}

/// Eight programs find no ledger and make one, all at once.
#[test]
fn many_may_create_it_at_once() {
    for _ in 0..5 {
        let (_directory, path) = fresh();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut ledger = Ledger::open_or_create(path).unwrap();
                    ledger.issue(&grant("alice"), at(1000), &random(seed)).unwrap();
                });
            }
        });
        assert_eq!(Ledger::open(&path).unwrap().all().unwrap().len(), 8);
    }
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_alone() {
    let (_directory, path) = fresh();
    let text = "not a database at all, but long enough to have a header of one hundred bytes, which SQLite wants to read first\n";
    fs::write(&path, text).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("tokens.db") && error.to_string().contains("backup"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn an_empty_file_is_no_ledger_unless_one_is_to_be_made() {
    let (_directory, path) = fresh();
    fs::write(&path, "").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    assert_eq!(Ledger::open_or_create(&path).unwrap().all().unwrap(), []);
}

#[test]
fn a_damaged_page_is_found_when_opening() {
    let (_directory, path) = fresh();
    {
        let mut ledger = Ledger::open_or_create(&path).unwrap();
        for seed in 0..100 {
            ledger.issue(&grant("alice"), at(1000), &random(seed)).unwrap();
        }
    }
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 3 * 4096);
    bytes[2 * 4096..2 * 4096 + 64].fill(0xaa);
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
}

#[test]
fn foreign_and_newer_databases_are_refused() {
    let (directory, path) = fresh();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(matches!(refusal(&path), LedgerError::Foreign { .. }));

    let path = directory.path().join("newer.db");
    Ledger::open_or_create(&path).unwrap().connection.pragma_update(None, "user_version", 3).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, LedgerError::Newer { found: 3, .. }), "{error}");
}

#[test]
fn a_row_edited_by_hand_is_refused_with_its_column() {
    for (edit, column) in [
        ("subject = 'role:admin'", "subject"),
        ("subject = 'user:token/a/b'", "subject"),
        ("member_of = 'role:admin'", "member_of"),
        ("purpose = 'any'", "purpose"),
        ("family = 'x'", "family"),
        ("claims = 'run_id'", "claims"),
        ("expires = 9223372036854775807", "expires"),
        ("scope = char(27)", "scope"),
        ("id = '0123456789_!'", "id"),
    ] {
        let (_directory, path) = fresh();
        let mut ledger = Ledger::open_or_create(&path).unwrap();
        ledger.issue(&grant("alice"), at(1000), &random(1)).unwrap();
        ledger.connection.execute(&format!("UPDATE token SET {edit}"), []).unwrap();
        let error = ledger.all().unwrap_err();
        assert!(matches!(error, LedgerError::Row { problem, .. } if problem == column), "{edit}: {error}");
    }
}
