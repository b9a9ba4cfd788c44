//! The journal: opening, appending, closing.
//!
//! An append is: encode into a buffer of the thread's own, take the lock, one write(2), release. It is synchronous and short,
//! so whoever is cancelled has either appended or not. Handing records to a writer thread was measured to cost
//! several times as much (docs/adr/0005-journal.md); what several requests of one thread append together is in `group.rs`.
//! What happens under the lock is in `head.rs`, syncing in `sync.rs`.

use super::{
    AuditError, Record, Repair,
    head::{Head, Lines},
    lock::WriterLock,
    segment::MAX_LINE,
    sync::{Bell, start_syncer},
};
use jiff::Timestamp;
use std::{
    cell::RefCell,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How a journal is kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A segment that would grow beyond this many bytes is followed by a new one. Default 64 MiB.
    pub segment_size: u64,
    /// A record's fdatasync begins within this time of its write. Default 100 ms.
    pub sync_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_size: 64 << 20, sync_within: Duration::from_millis(100) }
    }
}

/// What a journal has done since it was opened; read it for metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records appended, the journal's own acts included.
    pub records: AtomicU64,
    /// Bytes appended.
    pub bytes: AtomicU64,
    /// Records that could not be appended: as many requests failed with 503.
    pub failures: AtomicU64,
    /// Syncs that succeeded.
    pub syncs: AtomicU64,
    /// Syncs that failed.
    pub sync_failures: AtomicU64,
    /// The number of the segment that is appended to.
    pub segment: AtomicU64,
}

/// The one writer of a journal directory. Share it by `Arc`.
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    syncer: Mutex<Option<JoinHandle<()>>>,
    _lock: WriterLock,
}

/// What the journal and its sync thread share.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    /// The appends' lock: held for one write(2) and never during a sync.
    head: Mutex<Head>,
    /// Whether something was appended since the last sync began, so that only the first append of many rings.
    pub(super) dirty: AtomicBool,
    /// Whether the last append failed for want of room, or of a file.
    failing: AtomicBool,
    pub(super) bell: Bell,
    /// One sync at a time. Never taken by an append.
    pub(super) syncing: Mutex<()>,
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A thread's buffer that grew beyond this for one record is given back.
pub(super) const KEPT_CAPACITY: usize = 64 << 10;

impl Journal {
    /// Opens the journal in `dir`, which is created (0700) if need be, for writing.
    ///
    /// A torn tail is cut and kept, see [`Repair`]; each repair is returned and recorded as an act at `now`.
    ///
    /// # Errors
    ///
    /// Another process has it; a file cannot be opened, read or cut; the disk takes no record.
    pub fn open(dir: &Path, settings: Settings, now: Timestamp) -> Result<(Self, Vec<Repair>), AuditError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(AuditError::file("create", dir))?;
        let lock = WriterLock::take(dir)?;
        let (head, repairs) = Head::open(dir, settings.segment_size)?;
        let shared = Arc::new(Shared {
            dir: dir.into(),
            settings,
            counters: Counters { segment: head.number().into(), ..Counters::default() },
            head: Mutex::new(head),
            dirty: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            bell: Bell::default(),
            syncing: Mutex::new(()),
        });
        for repair in &repairs {
            shared.append(&Record::act(now, repair.act(), repair.to_string().as_bytes()))?;
        }
        let syncer = start_syncer(&shared).map_err(AuditError::file("start a sync thread for", dir))?;
        Ok((Self { shared, syncer: Mutex::new(Some(syncer)), _lock: lock }, repairs))
    }

    /// Appends a record: when this returns `Ok` the whole line outlives the process; when it returns `Err` nothing of it
    /// stays, and nothing may be asked or served on its account.
    ///
    /// Takes microseconds, blocks on no lock that is held during a sync, and may be called from any thread.
    pub fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.shared.append(record)
    }

    /// Brings to the disk what was appended before the call. The journal does so by itself; this is for those who wait.
    pub fn sync(&self) -> Result<(), AuditError> {
        self.shared.sync()
    }

    /// Ends the journal: later appends are refused, earlier ones are on the disk when this returns `Ok`.
    pub fn close(&self) -> Result<(), AuditError> {
        self.shared.head().closed = true;
        self.shared.bell.stop();
        let syncer = self.syncer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(syncer) = syncer
            && syncer.join().is_err()
        {
            tracing::error!("the journal's sync thread panicked");
        }
        self.shared.sync()
    }

    /// Keeps an administrative act. Nobody waits for it, so one that cannot be kept is logged.
    pub fn act(&self, now: Timestamp, name: &str, detail: &str) {
        if let Err(error) = self.append(&Record::act(now, name, detail.as_bytes())) {
            tracing::error!(%error, act = name, "an act could not be recorded");
        }
    }

    /// Whether the last append failed, so that the next one may fail too. A record that was too long does not count.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// What it has done so far.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = &error as &dyn std::error::Error, "the journal's end is not synced");
        }
    }
}

impl Shared {
    fn append(&self, record: &Record<'_>) -> Result<(), AuditError> {
        LINE.with_borrow_mut(|line| {
            line.clear();
            let appended = self.encode(record, line).and_then(|()| {
                let (_, error) = self.append_lines(Lines { bytes: line, count: 1, time: record.time });
                error.map_or(Ok(()), Err)
            });
            line.shrink_to(KEPT_CAPACITY);
            appended
        })
    }

    /// Encodes a record behind what `lines` holds; nothing of one that is too long.
    pub(super) fn encode(&self, record: &Record<'_>, lines: &mut Vec<u8>) -> Result<(), AuditError> {
        let before = lines.len();
        record.encode(lines);
        let length = lines.len() - before;
        if length > MAX_LINE {
            lines.truncate(before);
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
            return Err(AuditError::TooLong(length));
        }
        Ok(())
    }

    /// Appends lines by one write(2): how many of them are kept, counted from the first, and why not the others.
    pub(super) fn append_lines(&self, lines: Lines<'_>) -> (usize, Option<AuditError>) {
        let appended = {
            let mut head = self.head();
            let appended = head.append(lines, &self.dir);
            // Under the lock, so that a sync counts no byte that it does not see.
            self.counters.bytes.fetch_add(appended.bytes, Ordering::Relaxed);
            self.counters.records.fetch_add(appended.records, Ordering::Relaxed);
            self.counters.segment.store(head.number(), Ordering::Relaxed);
            appended
        };
        // Read first: a line that all threads write to is dear.
        let failing = appended.error.is_some();
        if self.failing.load(Ordering::Relaxed) != failing {
            self.failing.store(failing, Ordering::Relaxed);
        }
        if appended.kept > 0 && !self.dirty.swap(true, Ordering::AcqRel) {
            self.bell.ring();
        }
        if failing {
            self.counters.failures.fetch_add((lines.count - appended.kept) as u64, Ordering::Relaxed);
        }
        (appended.kept, appended.error)
    }

    pub(super) fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(|poisoned| {
            self.head.clear_poison();
            let mut head = poisoned.into_inner();
            head.seal("a thread panicked while it appended".into());
            head
        })
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
pub(super) mod tests;
