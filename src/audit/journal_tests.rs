//! Each step of an append is made to fail, without effect and after taking effect; then the whole journal is read.
use super::*;
use crate::audit::{
    Entry, Kind,
    segment::{Medium, Standing, name},
};
use std::{
    collections::{BTreeSet, VecDeque},
    fs, io,
};

const NOW: &str = "2026-11-22T12:00:00Z";

pub(in crate::audit) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(in crate::audit) fn open(dir: &Path) -> Journal {
    open_with(dir, Settings::default()).0
}

pub(in crate::audit) fn open_with(dir: &Path, settings: Settings) -> (Journal, Vec<Repair>) {
    Journal::open(dir, settings, now()).unwrap()
}

fn append(journal: &Journal, request: &str) -> Result<(), AuditError> {
    journal.append(&Record { request, ..Record::new(now(), Kind::Answered, "user:token/alice") })
}

/// Every line of every segment; panics at one that is no record.
fn entries(dir: &Path) -> Vec<Entry> {
    let segments = crate::audit::segment::numbers(dir).unwrap();
    let content: String = segments.into_iter().map(|n| fs::read_to_string(dir.join(name(n))).unwrap()).collect();
    assert!(content.is_empty() || content.ends_with('\n'));
    content.lines().map(|line| Entry::parse(line.as_bytes()).unwrap()).collect()
}

/// What an auditor sees: the requests, and the acts by name.
pub(in crate::audit) fn told(dir: &Path) -> Vec<String> {
    entries(dir).into_iter().map(|entry| if entry.act.is_empty() { entry.request } else { entry.act }).collect()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A medium whose next calls fail as told.
struct Faulty {
    real: Arc<dyn Medium>,
    /// One for each next write; a fault: how many bytes still get through, and whether the call then says so or fails.
    writes: Mutex<VecDeque<Option<(usize, bool)>>>,
    truncate: bool,
    sync: bool,
}

impl Medium for Faulty {
    fn write(&self, line: &[u8]) -> io::Result<usize> {
        let Some((through, says_so)) = self.writes.lock().unwrap().pop_front().flatten() else {
            return self.real.write(line);
        };
        let through = through.min(line.len());
        let written = if through > 0 { self.real.write(&line[..through])? } else { 0 };
        if says_so { Ok(written) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        if self.truncate { Err(io::Error::other("no cutting today")) } else { self.real.truncate(length) }
    }
    fn sync(&self) -> io::Result<()> {
        if self.sync { Err(io::Error::other("no syncing today")) } else { self.real.sync() }
    }
    fn standing(&self) -> io::Result<Standing> {
        self.real.standing()
    }
}

pub(in crate::audit) fn break_medium(journal: &Journal, writes: &[Option<(usize, bool)>], truncate: bool, sync: bool) {
    let faulty = |real| -> Arc<dyn Medium> {
        Arc::new(Faulty { real, writes: Mutex::new(writes.iter().copied().collect()), truncate, sync })
    };
    journal.shared.head().replace_medium(faulty);
}

#[test]
fn directory_and_files_are_the_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/journal");
    let journal = open(&dir);
    append(&journal, "r1").unwrap();
    assert_eq!((mode(&dir), mode(&dir.join(name(1))), mode(&dir.join("journal.lock"))), (0o700, 0o600, 0o600));
}

#[test]
fn a_second_writer_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let second = Journal::open(dir.path(), Settings::default(), now());
    assert!(matches!(second.err().unwrap(), AuditError::Locked { .. }));
    append(&journal, "r1").unwrap();
    drop(journal);
    append(&open(dir.path()), "r2").unwrap();
    assert_eq!(told(dir.path()), ["r1", "r2"]);
}

#[test]
fn a_torn_tail_of_any_length_is_cut_recorded_and_followed_by_good_records() {
    let whole = {
        let dir = tempfile::tempdir().unwrap();
        append(&open(dir.path()), "r1").unwrap();
        fs::read(dir.path().join(name(1))).unwrap()
    };
    for cut in 1..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name(1)), [&whole[..], &whole[..cut]].concat()).unwrap();
        let (journal, repairs) = open_with(dir.path(), Settings::default());
        append(&journal, "r2").unwrap();
        assert_eq!(repairs.len(), 1, "cut at {cut}");
        assert_eq!(told(dir.path()), ["r1", "journal.tail_cut", "r2"], "cut at {cut}");
        let act = &entries(dir.path())[1];
        assert_eq!((act.time, act.detail.clone()), (now(), repairs[0].to_string()));
    }
}

#[test]
fn a_damaged_segment_is_left_as_it_is_and_reported_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name(1)), "{}\nrubbish\n{}\n").unwrap();
    let (journal, repairs) = open_with(dir.path(), Settings::default());
    assert!(matches!(repairs[..], [Repair::Damaged { line: 2, lines: 1, .. }]));
    append(&journal, "r1").unwrap();
    drop(journal);
    assert_eq!(open_with(dir.path(), Settings::default()).1, []);
    assert_eq!(fs::read_to_string(dir.path().join(name(1))).unwrap(), "{}\nrubbish\n{}\n");
    assert_eq!(fs::read_to_string(dir.path().join(name(2))).unwrap().lines().count(), 2);
}

#[test]
fn segments_follow_one_another_by_size_and_number() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_size: 300, ..Settings::default() };
    let (journal, _) = open_with(dir.path(), settings);
    // Somebody's file is where the third segment belongs: it is not touched.
    fs::write(dir.path().join(name(3)), "").unwrap();
    let requests: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    for request in &requests {
        append(&journal, request).unwrap();
    }
    assert_eq!(told(dir.path()), requests);
    let lengths: Vec<u64> = crate::audit::segment::numbers(dir.path())
        .unwrap()
        .iter()
        .map(|n| fs::metadata(dir.path().join(name(*n))).unwrap().len())
        .collect();
    assert!(lengths.iter().all(|length| *length <= 300), "{lengths:?}");
    assert_eq!(lengths[2], 0);
    let segment = journal.counters().segment.load(Ordering::Relaxed);
    drop(journal);
    let (journal, _) = open_with(dir.path(), settings);
    assert_eq!(journal.counters().segment.load(Ordering::Relaxed), segment);
}

#[test]
fn a_failed_write_leaves_nothing_wherever_it_stopped() {
    for says_so in [true, false] {
        for through in [0, 1, 60, 107] {
            let dir = tempfile::tempdir().unwrap();
            let journal = open(dir.path());
            append(&journal, "r1").unwrap();
            let before = fs::read(dir.path().join(name(1))).unwrap();
            break_medium(&journal, &[Some((through, says_so))], false, false);
            assert!(matches!(append(&journal, "lost").unwrap_err(), AuditError::Append { .. }));
            assert_eq!(fs::read(dir.path().join(name(1))).unwrap(), before, "{through} bytes got through");
            append(&journal, "r2").unwrap();
            append(&journal, "r3").unwrap();
            assert_eq!(told(dir.path()), ["r1", "r2", "journal.resumed", "r3"]);
            assert!(
                entries(dir.path())[2].detail.starts_with("1 records could not be kept since 2026-11-22T12:00:00Z")
            );
            let counters = journal.counters();
            assert_eq!(counters.failures.load(Ordering::Relaxed), 1);
            assert_eq!(counters.records.load(Ordering::Relaxed), 4);
            assert_eq!(counters.bytes.load(Ordering::Relaxed), fs::metadata(dir.path().join(name(1))).unwrap().len());
        }
    }
}

#[test]
fn an_act_that_does_not_fit_behind_a_record_is_told_later() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    break_medium(&journal, &[Some((9, false)), None, Some((9, true))], false, false);
    assert!(append(&journal, "lost").is_err());
    for request in ["r1", "r2", "r3"] {
        append(&journal, request).unwrap();
    }
    assert_eq!(told(dir.path()), ["r1", "r2", "journal.resumed", "r3"]);
    assert_eq!(journal.counters().records.load(Ordering::Relaxed), 4);
}

#[test]
fn a_write_that_cannot_be_undone_ends_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, "r1").unwrap();
    break_medium(&journal, &[Some((40, false))], true, false);
    assert!(append(&journal, "lost").is_err());
    append(&journal, "r2").unwrap();
    let first = fs::read_to_string(dir.path().join(name(1))).unwrap();
    assert_eq!(first.lines().count(), 2, "the torn line is the last one: nothing was appended behind it");
    fs::remove_file(dir.path().join(name(1))).unwrap();
    assert_eq!(told(dir.path()), ["r2", "journal.segment_sealed", "journal.resumed"]);
}

#[test]
fn while_no_segment_can_be_begun_all_is_refused_and_then_it_goes_on() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, away) = (parent.path().join("journal"), parent.path().join("away"));
    let journal = open(&dir);
    append(&journal, "r1").unwrap();
    break_medium(&journal, &[Some((40, false))], true, false);
    assert!(append(&journal, "lost").is_err());
    fs::rename(&dir, &away).unwrap();
    for _ in 0..3 {
        assert!(matches!(append(&journal, "lost").unwrap_err(), AuditError::Sealed { .. }));
    }
    fs::rename(&away, &dir).unwrap();
    append(&journal, "r2").unwrap();
    fs::remove_file(dir.join(name(1))).unwrap();
    assert_eq!(told(&dir), ["r2", "journal.segment_sealed", "journal.resumed"]);
    assert!(entries(&dir)[2].detail.starts_with("4 records"), "{}", entries(&dir)[2].detail);
    assert_eq!(journal.counters().failures.load(Ordering::Relaxed), 4);
}

#[test]
fn a_full_segment_goes_on_while_no_other_can_be_begun() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, away) = (parent.path().join("journal"), parent.path().join("away"));
    let (journal, _) = open_with(&dir, Settings { segment_size: 200, ..Settings::default() });
    fs::rename(&dir, &away).unwrap();
    for request in ["r1", "r2", "r3"] {
        append(&journal, request).unwrap();
    }
    fs::rename(&away, &dir).unwrap();
    append(&journal, "r4").unwrap();
    assert_eq!(told(&dir), ["r1", "r2", "r3", "r4"]);
    assert_eq!(journal.counters().segment.load(Ordering::Relaxed), 2);
}

#[test]
fn a_failed_sync_ends_the_segment_once() {
    let dir = tempfile::tempdir().unwrap();
    // The thread syncs too, but only after an append and not within this test.
    let (journal, _) =
        open_with(dir.path(), Settings { sync_within: Duration::from_secs(3600), ..Settings::default() });
    append(&journal, "r1").unwrap();
    break_medium(&journal, &[], false, true);
    assert!(matches!(journal.sync().unwrap_err(), AuditError::Sync { .. }));
    append(&journal, "r2").unwrap();
    break_medium(&journal, &[], false, true);
    // The former segment fails once more, and the new one too: not another one for that.
    assert!(journal.sync().is_err());
    append(&journal, "r3").unwrap();
    assert_eq!(told(dir.path()), ["r1", "r2", "journal.segment_sealed", "r3"]);
    assert_eq!(journal.counters().segment.load(Ordering::Relaxed), 2);
    assert_eq!(journal.counters().sync_failures.load(Ordering::Relaxed), 2);
}

#[test]
fn a_segment_that_was_removed_or_cut_is_noticed() {
    type Meddle = fn(&Path);
    let remove: Meddle = |path| fs::remove_file(path).unwrap();
    let cut: Meddle = |path| fs::write(path, "").unwrap();
    for meddle in [remove, cut] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path());
        append(&journal, "r1").unwrap();
        meddle(&dir.path().join(name(1)));
        journal.sync().unwrap();
        append(&journal, "r2").unwrap();
        assert_eq!(told(dir.path()), ["r2", "journal.segment_sealed"]);
    }
}

#[test]
fn the_thread_syncs_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open_with(dir.path(), Settings { sync_within: Duration::from_millis(2), ..Settings::default() });
    for round in 0..5 {
        append(&journal, "r").unwrap();
        let bytes = journal.counters().bytes.load(Ordering::Relaxed);
        assert!(journal.shared.bell.wait_synced(bytes, Duration::from_secs(20)), "round {round}");
    }
    assert!(journal.counters().syncs.load(Ordering::Relaxed) >= 5);
}

#[test]
fn after_close_nothing_is_taken_and_closing_twice_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, "r1").unwrap();
    journal.close().unwrap();
    assert!(matches!(append(&journal, "r2").unwrap_err(), AuditError::Closed));
    journal.close().unwrap();
    assert_eq!(told(dir.path()), ["r1"]);
}

#[test]
fn a_record_too_long_for_a_line_is_refused_and_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let long = "x".repeat(MAX_LINE);
    assert!(matches!(append(&journal, &long).unwrap_err(), AuditError::TooLong(_)));
    append(&journal, "r1").unwrap();
    assert_eq!(told(dir.path()), ["r1"]);
}

#[test]
fn eight_threads_append_whole_records_and_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open_with(dir.path(), Settings { segment_size: 64 << 10, ..Settings::default() });
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || (0..500).for_each(|n| append(journal, &format!("{thread}-{n}")).unwrap()));
        }
    });
    let told = told(dir.path());
    let expected: BTreeSet<String> = (0..8).flat_map(|t| (0..500).map(move |n| format!("{t}-{n}"))).collect();
    assert_eq!(told.len(), 4000);
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), expected);
    for thread in 0..8 {
        let prefix = format!("{thread}-");
        let own: Vec<&String> = told.iter().filter(|request| request.starts_with(&prefix)).collect();
        assert!(
            own.iter().enumerate().all(|(n, request)| **request == format!("{thread}-{n}")),
            "a thread's order is kept"
        );
    }
    assert!(journal.counters().segment.load(Ordering::Relaxed) > 4);
}

#[test]
fn a_thread_that_panics_in_the_middle_costs_the_segment_not_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, "r1").unwrap();
    let panicked = std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let _head = journal.shared.head();
            panic!("on purpose");
        });
        holder.join().is_err()
    });
    assert!(panicked);
    append(&journal, "r2").unwrap();
    append(&journal, "r3").unwrap();
    assert_eq!(told(dir.path()), ["r1", "r2", "journal.segment_sealed", "r3"]);
}
