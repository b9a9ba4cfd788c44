//! The thread that feeds the index of a running server.
//!
//! It sleeps for a while, indexes what has come, at most [`BATCH`] lines at a time, and rests after each batch three times as
//! long as that took: so it never takes more than a quarter of a core, and it has the lowest priority besides. Under load the
//! batches get large and the index falls behind, which is told and costs nobody anything. Whatever goes wrong is logged,
//! counted and tried again; requests know nothing of it.

use super::{BATCH, Index, IndexError, Step};
use jiff::Timestamp;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Rest, in times of the work before it.
const REST: u32 = 3;
/// The journal's disk is left alone when less is free, or less than a sixteenth of a small one.
const LEFT_FREE: u64 = 256 << 20;

/// What a feeder has done; read it for metrics.
#[derive(Debug, Default)]
pub struct FeedCounters {
    /// Records indexed since the start.
    pub indexed: AtomicU64,
    /// Times that it could not go on.
    pub failures: AtomicU64,
    /// Bytes of the journal that were not indexed when it was last looked at.
    pub behind: AtomicU64,
    /// All that was recorded before this instant (microseconds since the epoch) is indexed.
    level_at: AtomicI64,
}

impl FeedCounters {
    /// How long ago the first record that may not be indexed was written, in seconds.
    pub fn lag(&self, now: Timestamp) -> f64 {
        let micros = now.as_microsecond().saturating_sub(self.level_at.load(Relaxed));
        micros.max(0) as f64 / 1e6
    }
}

/// A running feeder. Stop it before the process ends, so that the file is left in one piece.
pub struct Feeder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    dir: PathBuf,
    every: Duration,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    counters: FeedCounters,
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Feeder {
    /// Starts feeding the index of the journal in `dir`, looking for new records `every` so often.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        dir: &Path,
        every: Duration,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let counters = FeedCounters::default();
        counters.level_at.store(clock().as_microsecond(), Relaxed);
        let (stopped, changed) = Default::default();
        let shared = Arc::new(Shared { dir: dir.into(), every, clock: Box::new(clock), counters, stopped, changed });
        let work = Arc::clone(&shared);
        // Whoever measures finds the thread's time by this name.
        let thread = std::thread::Builder::new().name("audit-index".into()).spawn(move || work.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What it has done so far.
    pub fn counters(&self) -> &FeedCounters {
        &self.shared.counters
    }

    /// Has it index one more batch, and waits until it has ended.
    pub fn stop(&self) {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that feeds the audit index panicked");
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Feeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feeder").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl Shared {
    fn run(&self) {
        lower_priority();
        let mut feed = Feed { shared: self, index: None, anew: false, told: None };
        loop {
            let begun = Instant::now();
            let rest = if feed.turn() { begun.elapsed() * REST } else { self.every };
            if self.wait(rest) {
                break;
            }
        }
        feed.turn();
    }

    /// True: it is to end.
    fn wait(&self, longest: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, longest, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread's own.
struct Feed<'a> {
    shared: &'a Shared,
    index: Option<Index>,
    /// The file is damaged or gone: the next one is to be a new one.
    anew: bool,
    /// The last failure that was logged; the same one is not logged again.
    told: Option<String>,
}

impl Feed<'_> {
    /// One batch; whether more is to be done at once.
    fn turn(&mut self) -> bool {
        match self.try_turn() {
            Ok(more) => {
                if self.told.take().is_some() {
                    tracing::info!("the audit index is fed again");
                }
                more
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn try_turn(&mut self) -> Result<bool, IndexError> {
        let (dir, counters) = (&self.shared.dir, &self.shared.counters);
        let looked = (self.shared.clock)();
        leave_room(dir)?;
        if self.index.as_ref().is_some_and(|index| !index.is_in_place()) {
            tracing::warn!("the audit index was removed; it is made anew");
            (self.index, self.anew) = (None, true);
        }
        let index = match &mut self.index {
            Some(index) => index,
            none if self.anew => none.insert(Index::anew(dir)?),
            none => none.insert(open(dir)?),
        };
        self.anew = false;
        let step = index.step(BATCH)?;
        let backlog = index.backlog()?;
        counters.behind.store(backlog.bytes, Relaxed);
        counters.level_at.store(backlog.since.map_or(looked, |since| since.min(looked)).as_microsecond(), Relaxed);
        match step {
            Step::Level => Ok(false),
            Step::Overtaken => Ok(true),
            Step::Indexed { records, more } => {
                counters.indexed.fetch_add(records, Relaxed);
                Ok(more)
            }
            Step::Forgotten { segment, reason } => {
                tracing::warn!(segment, reason, "the audit index has forgotten a segment");
                Ok(true)
            }
        }
    }

    fn failed(&mut self, error: &IndexError) {
        self.shared.counters.failures.fetch_add(1, Relaxed);
        self.index = None;
        self.anew |= error.is_damage();
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            tracing::error!(error = error as &dyn std::error::Error, "the audit index is not fed; it is tried again");
            self.told = Some(text);
        }
    }
}

fn open(dir: &Path) -> Result<Index, IndexError> {
    let (index, replaced) = Index::open(dir)?;
    if let Some(reason) = replaced {
        tracing::warn!(%reason, "the audit index is made anew");
    }
    Ok(index)
}

/// The journal needs the disk more than its index does.
fn leave_room(dir: &Path) -> Result<(), IndexError> {
    // Where the system cannot say, a full disk is met when it comes.
    let Ok(disk) = rustix::fs::statvfs(dir) else {
        return Ok(());
    };
    let (free, size) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
    if free < LEFT_FREE.min(size / 16) { Err(IndexError::NoRoom { free }) } else { Ok(()) }
}

/// On Linux this is the thread's own; elsewhere it would be the whole process's.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(19) {
        tracing::debug!(%error, "the audit index is fed with ordinary priority");
    }
}
