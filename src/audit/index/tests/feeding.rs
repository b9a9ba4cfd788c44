//! Who feeds, how often, and what is left.
use super::*;
use crate::audit::AuditError;
use std::{os::unix::fs::PermissionsExt, path::PathBuf};

#[test]
fn only_the_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    append(&journal(dir.path()), "r");
    fs::write(dir.path().join("index.sqlite"), "").unwrap();
    let index = level(dir.path());
    for file in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.lock"] {
        let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    drop(index);
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["index.lock", "index.sqlite", "journal-00000001.jsonl", "journal.lock"]);
    // Asking makes nothing.
    agree(dir.path(), &of_request("r"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn one_keeps_it_and_others_may_feed_it() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = journal(dir.path());
        (0..100).for_each(|n| append(&journal, &format!("r{n}")));
    }
    let (mut keeper, _) = Index::open(dir.path()).unwrap();
    assert!(matches!(Index::open(dir.path()), Err(IndexError::Held(_))));
    keeper.step(30).unwrap();
    let mut other = Index::anew(dir.path()).unwrap();
    assert!(!other.is_kept());
    assert_eq!(other.extent().unwrap(), (0, 0));
    for limit in [7, 20, 3, 40, 50] {
        keeper.step(limit).unwrap();
        other.step(limit).unwrap();
        agree(dir.path(), &of_request("r99"));
    }
    assert_eq!(keeper.extent().unwrap().1, 100);
    assert_eq!(keeper.step(BATCH).unwrap(), Step::Level);
}

#[test]
fn a_batch_is_written_once_however_many_read_it() {
    let dir = tempfile::tempdir().unwrap();
    append(&journal(dir.path()), "r");
    let (mut index, _) = Index::open(dir.path()).unwrap();
    let path = dir.path().join(name(1));
    let batch = batch::Batch::read(1, &path, mark::Mark::default(), BATCH).unwrap();
    assert!(index.commit(&batch).unwrap());
    assert!(!index.commit(&batch).unwrap());
    assert_eq!(index.extent().unwrap().1, 1);
}

#[test]
fn a_rebuild_reports_how_far_it_is_and_what_it_made() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(rebuild(&dir.path().join("none"), &mut |_| {}), Err(IndexError::File(AuditError::File { .. }))));
    {
        let journal = journal(dir.path());
        (0..50).for_each(|n| append(&journal, &format!("r{n}")));
    }
    let mut last = None;
    let rebuilt = rebuild(dir.path(), &mut |progress| last = Some(progress)).unwrap();
    let length = fs::metadata(dir.path().join(name(1))).unwrap().len();
    assert_eq!((rebuilt.records, rebuilt.bytes, rebuilt.shared), (50, length, false));
    assert!(rebuilt.size > 0);
    assert_eq!(last.map(|progress| progress.done), Some(length));
    assert_eq!(agree(dir.path(), &of_request("r7")).read, 0);
}

#[test]
fn a_feeder_catches_up_goes_on_when_its_file_is_removed_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, "r");
    let feeder = Feeder::start(dir.path(), std::time::Duration::from_millis(1), || Timestamp::UNIX_EPOCH).unwrap();
    let indexed = |records: u64| {
        while feeder.counters().indexed.load(std::sync::atomic::Ordering::Relaxed) < records {
            std::thread::yield_now();
        }
    };
    indexed(1);
    append(&journal, "s");
    indexed(2);
    let path: PathBuf = dir.path().join("index.sqlite");
    fs::remove_file(&path).unwrap();
    // Both are indexed again.
    indexed(4);
    feeder.stop();
    assert_eq!(agree(dir.path(), &of_request("s")).read, 0);
    assert!(!dir.path().join("index.sqlite-wal").exists());
    assert_eq!(feeder.counters().lag(Timestamp::UNIX_EPOCH), 0.0);
}
