//! Bringing appended records to the disk, behind the appends.
//!
//! One thread sleeps until the first append after a sync rings, lets more come for half the allowed time, and syncs. It
//! holds the appends' lock only to see which files there are.
//!
//! INVARIANT: no lock that an append takes is held during fdatasync.

use super::{AuditError, journal::Shared, segment::Medium};
use crate::durability::sync_directory;
use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

/// What has to be synced, as the head of the journal sees it.
pub(super) struct Due {
    /// The segment that is appended to, and its number and length.
    pub(super) current: Arc<dyn Medium>,
    pub(super) number: u64,
    pub(super) length: u64,
    /// Former segments.
    pub(super) retired: Vec<Arc<dyn Medium>>,
    /// Whether a segment was begun whose name may not be on the disk yet.
    pub(super) name: bool,
}

impl Due {
    /// Syncs all of it, whatever fails; the first error counts.
    fn sync(&self, dir: &Path) -> io::Result<()> {
        let retired: Vec<_> = self.retired.iter().map(|medium| medium.sync()).collect();
        let named = if self.name { sync_directory(dir) } else { Ok(()) };
        let current = self.current.sync();
        retired.into_iter().chain([named, current]).collect()
    }

    /// Why the current segment's file can no longer be what auditors will find.
    fn distrust(&self) -> Option<&'static str> {
        match self.current.standing() {
            Ok(standing) if !standing.named => Some("its file was removed"),
            Ok(standing) if standing.length < self.length => Some("its file was cut by somebody else"),
            _ => None,
        }
    }
}

/// Starts the thread that syncs until the bell stops it.
pub(super) fn start_syncer(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    // Half the time for gathering leaves half for waking up and for a sync that is under way.
    let gather = shared.settings.sync_within / 2;
    let work = move || {
        while shared.bell.wait(gather) {
            if let Err(error) = shared.sync() {
                tracing::error!(error = &error as &dyn std::error::Error, "the journal could not be synced");
            }
        }
    };
    std::thread::Builder::new().name("journal-sync".into()).spawn(work)
}

impl Shared {
    /// Syncs what was appended before the call.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        let _one = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        // Before looking: what is appended from now on rings again.
        self.dirty.store(false, Ordering::Release);
        let (due, bytes) = {
            let mut head = self.head();
            (head.due(), self.counters.bytes.load(Ordering::Relaxed))
        };
        let synced = due.sync(&self.dir);
        if let Some(reason) = due.distrust() {
            self.head().distrust(due.number, reason);
        }
        match synced {
            Ok(()) => {
                self.head().sync_succeeded();
                self.counters.syncs.fetch_add(1, Ordering::Relaxed);
                self.bell.synced(bytes);
                Ok(())
            }
            Err(source) => {
                self.head().sync_failed(due.number, &source);
                self.counters.sync_failures.fetch_add(1, Ordering::Relaxed);
                Err(AuditError::Sync { dir: self.dir.clone(), source })
            }
        }
    }
}

/// Wakes the sync thread, and whoever waits for it.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    stopped: bool,
    synced: u64,
}

impl Bell {
    /// There is something to sync.
    pub(super) fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    /// No more will come: the thread syncs once more and ends.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to sync and more of it had time to come. False: this is the last time.
    pub(super) fn wait(&self, gather: Duration) -> bool {
        let idle = |state: &mut State| !state.rung && !state.stopped;
        let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        let running = |state: &mut State| !state.stopped;
        let waited = self.changed.wait_timeout_while(state, gather, running);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// The first `bytes` bytes of this process's records are on the disk.
    pub(super) fn synced(&self, bytes: u64) {
        let mut state = self.lock();
        state.synced = state.synced.max(bytes);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until that many bytes are on the disk. False: not within the time.
    #[cfg(test)]
    pub(super) fn wait_synced(&self, bytes: u64, longest: Duration) -> bool {
        let behind = |state: &mut State| state.synced < bytes;
        let waited = self.changed.wait_timeout_while(self.lock(), longest, behind);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    // Plain flags and numbers: what a panicking holder leaves is still true.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
