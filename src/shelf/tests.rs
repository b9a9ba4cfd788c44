//! The shelf, broken at every step of a commit: failing without effect, and stopping as a crash would.

use super::*;
use jiff::Timestamp;
use std::{fs, path::Path};

const ZIP: &str = "x.test/m/@v/v1.0.0.zip";
const LIST: &str = "x.test/m/@v/list";

fn open(root: &Path) -> (Shelf, Swept) {
    Shelf::open(root).unwrap()
}

fn meta(bytes: &[u8]) -> Meta {
    Meta::of(bytes, Standing::Unverified, "test", Timestamp::from_second(1_700_000_000).unwrap())
}

fn put(shelf: &Shelf, key: &str, bytes: &[u8]) -> Result<Outcome, ShelfError> {
    shelf.put(key, bytes, meta(bytes)).map(|committed| committed.outcome)
}

fn read(shelf: &Shelf, key: &str) -> Option<Vec<u8>> {
    shelf.read(key).unwrap().map(|(bytes, _)| bytes.to_vec())
}

fn staged(root: &Path) -> usize {
    fs::read_dir(root.join(".tmp")).unwrap().count()
}

#[test]
fn what_is_put_is_read_and_lies_where_a_file_proxy_has_it() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, swept) = open(root.path());
    assert_eq!(swept, Swept::default());
    let committed = shelf.put(ZIP, b"abc", meta(b"abc").with_h1(Some("h1:x".into()))).unwrap();
    committed.ticket.wait_blocking().unwrap();
    assert_eq!(fs::read(root.path().join(ZIP)).unwrap(), b"abc");
    let (bytes, record) = shelf.read(ZIP).unwrap().unwrap();
    assert_eq!((&bytes[..], record.h1.as_deref(), record.size), (&b"abc"[..], Some("h1:x"), 3));
    assert!(matches!(shelf.find(ZIP).unwrap(), Shelved::Held(..)));
    assert_eq!(shelf.keys().collect::<Vec<_>>(), [ZIP]);
    assert_eq!(staged(root.path()), 0);
}

#[test]
fn an_immutable_entry_stands_and_another_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    for (key, second, left) in [(ZIP, Outcome::Stands, "one"), (LIST, Outcome::Stored, "two")] {
        assert_eq!(put(&shelf, key, b"one").unwrap(), Outcome::Stored);
        assert_eq!(put(&shelf, key, b"two").unwrap(), second);
        assert_eq!(read(&shelf, key).unwrap(), left.as_bytes());
    }
    assert_eq!(staged(root.path()), 0);
}

#[test]
fn a_second_process_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    assert!(matches!(Shelf::open(root.path()), Err(ShelfError::InUse(_))));
    drop(shelf);
    open(root.path());
}

#[test]
fn a_full_disk_leaves_nothing_and_says_so() {
    use Point::*;
    for point in [Stage, Write, SyncBody, SyncRecord, RenameRecord] {
        let root = tempfile::tempdir().unwrap();
        let (shelf, _) = open(root.path());
        shelf.inject(Some((point, Fault::Full)));
        assert!(put(&shelf, ZIP, b"abc").unwrap_err().is_full(), "{point:?}");
        assert!(matches!(shelf.find(ZIP).unwrap(), Shelved::Nothing), "{point:?}");
        assert_eq!(staged(root.path()), 0, "{point:?}");
        shelf.inject(None);
        assert_eq!(put(&shelf, ZIP, b"abc").unwrap(), Outcome::Stored, "{point:?}");
    }
}

#[test]
fn a_crash_at_any_step_leaves_the_old_or_the_new_and_no_litter() {
    use Point::*;
    for point in [Write, SyncBody, SyncRecord, RenameRecord, RenameBody, Renamed] {
        for (key, old, whole) in [
            (ZIP, None, &[None, Some("new")][..]),
            (LIST, None, &[None, Some("new")]),
            (LIST, Some("old"), &[Some("old"), Some("new")]),
        ] {
            let root = tempfile::tempdir().unwrap();
            let (shelf, _) = open(root.path());
            if let Some(old) = old {
                put(&shelf, key, old.as_bytes()).unwrap();
            }
            shelf.inject(Some((point, Fault::Crash)));
            put(&shelf, key, b"new").unwrap_err();
            drop(shelf);
            let (shelf, swept) = open(root.path());
            assert_eq!(swept.files > 0, !matches!(point, Renamed), "{point:?} {key}");
            assert_eq!(staged(root.path()), 0, "{point:?} {key}");
            let left = read(&shelf, key).map(|bytes| String::from_utf8(bytes).unwrap());
            assert!(whole.contains(&left.as_deref()), "{point:?} {key}: {left:?}");
            // It heals by the ordinary way.
            put(&shelf, key, b"new").unwrap();
            assert_eq!(read(&shelf, key).unwrap(), b"new", "{point:?} {key}");
        }
    }
}

#[test]
fn after_a_crash_between_the_renames_the_bytes_are_known_or_the_old_ones_are_old() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    put(&shelf, LIST, b"old").unwrap();
    shelf.inject(Some((Point::RenameBody, Fault::Crash)));
    put(&shelf, LIST, b"new").unwrap_err();
    put(&shelf, ZIP, b"zip").unwrap_err();
    drop(shelf);
    let (shelf, _) = open(root.path());
    let (bytes, record) = shelf.read(LIST).unwrap().unwrap();
    assert_eq!((&bytes[..], record.fetched, record.size), (&b"old"[..], Timestamp::UNIX_EPOCH, 3));
    assert!(matches!(shelf.find(ZIP).unwrap(), Shelved::Known(record) if record.sha256 == meta(b"zip").sha256));
}

#[test]
fn a_changed_byte_is_found_and_only_that_file_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    put(&shelf, ZIP, b"abc").unwrap();
    fs::write(root.path().join(ZIP), b"abd").unwrap();
    assert!(matches!(shelf.read(ZIP), Err(ShelfError::Changed { .. })));
    let (file, _) = shelf.file(ZIP).unwrap().unwrap();
    let bad = Stamp::of(&file).unwrap();
    assert!(shelf.set_aside(ZIP, "changed", Some(&bad), Record::Keep).unwrap());
    assert!(matches!(shelf.find(ZIP).unwrap(), Shelved::Known(_)));
    put(&shelf, ZIP, b"abc").unwrap();
    assert!(!shelf.set_aside(ZIP, "changed", Some(&bad), Record::Keep).unwrap(), "the new file is not that one");
    assert_eq!(read(&shelf, ZIP).unwrap(), b"abc");
    let incident = root.path().join(".aside/1");
    assert_eq!(fs::read(incident.join("body")).unwrap(), b"abd");
    assert_eq!(fs::read_to_string(incident.join("key")).unwrap(), ZIP);
    drop(shelf);
    let (shelf, _) = open(root.path());
    shelf.set_aside(ZIP, "not the database's", None, Record::Move).unwrap();
    assert!(matches!(shelf.find(ZIP).unwrap(), Shelved::Nothing));
    assert!(root.path().join(".aside/2/meta").exists());
}

#[test]
fn a_strangers_body_is_no_entry_until_it_is_adopted() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("x.test/m/@v")).unwrap();
    fs::write(root.path().join(ZIP), b"abc").unwrap();
    let (shelf, _) = open(root.path());
    assert_eq!(read(&shelf, ZIP), None);
    let Shelved::Strange(file) = shelf.find(ZIP).unwrap() else { panic!("not strange") };
    let stamp = Stamp::of(&file).unwrap();
    fs::write(root.path().join(ZIP), b"abcd").unwrap();
    assert!(!shelf.adopt(ZIP, &stamp, &meta(b"abc")).unwrap(), "changed since it was verified");
    let stamp = Stamp::of(&fs::File::open(root.path().join(ZIP)).unwrap()).unwrap();
    assert!(shelf.adopt(ZIP, &stamp, &meta(b"abcd")).unwrap());
    assert_eq!(read(&shelf, ZIP).unwrap(), b"abcd");
}

#[test]
fn verified_bytes_take_the_place_of_a_stranger() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("x.test/m/@v")).unwrap();
    fs::write(root.path().join(ZIP), b"strange").unwrap();
    let (shelf, _) = open(root.path());
    assert_eq!(put(&shelf, ZIP, b"abc").unwrap(), Outcome::Stored);
    assert_eq!(read(&shelf, ZIP).unwrap(), b"abc");
    assert_eq!(fs::read(root.path().join(".aside/1/body")).unwrap(), b"strange");
}

#[test]
fn a_record_is_amended_only_for_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    put(&shelf, ZIP, b"abc").unwrap();
    let by = Standing::Verified { by: "sum.test".into() };
    let verified = Meta { standing: by.clone(), ..meta(b"abc") };
    assert!(shelf.amend(ZIP, &verified).unwrap());
    assert_eq!(shelf.record(ZIP).unwrap().unwrap().standing, by);
    assert!(!shelf.amend(ZIP, &Meta { standing: by, ..meta(b"abd") }).unwrap());
}

#[test]
fn directories_are_synced_in_groups_and_every_ticket_is_honoured() {
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    let tickets: Vec<_> =
        (0..50).map(|n| shelf.put(&format!("x.test/m{n}/@v/list"), b"", meta(b"")).unwrap().ticket).collect();
    for ticket in tickets {
        ticket.wait_blocking().unwrap();
    }
    let last = shelf.put(ZIP, b"abc", meta(b"abc")).unwrap().ticket;
    drop(shelf);
    last.wait_blocking().expect("closing the shelf honours what is left");
}

#[test]
fn modes_keep_others_out() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let (shelf, _) = open(root.path());
    put(&shelf, ZIP, b"abc").unwrap();
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o027;
    for path in [ZIP, "x.test/m/@v", ".meta/x.test/m/@v/v1.0.0.zip", ".aside", ".lock"] {
        assert_eq!(mode(path), 0o000, "{path}");
    }
}
