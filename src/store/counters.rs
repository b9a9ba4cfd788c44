//! What the store counts, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start. Plain atomics: whoever exports them reads them when asked.
#[derive(Debug, Default)]
pub struct StoreCounters {
    /// Looks that found a fresh entry.
    pub hits: Count,
    /// Looks that found an entry due for a refresh.
    pub stale: Count,
    /// Asks that started a flight.
    pub misses: Count,
    /// Asks that joined one.
    pub joined: Count,
    /// Looks and asks answered by a remembered absence.
    pub absent: Count,
    /// Asks refused at once because the source had failed a moment before.
    pub held_off: Count,
    /// Flights that failed, absence not counted.
    pub failed: Count,
    /// Background refreshes started.
    pub refreshed: Count,
    /// Entries that are durable.
    pub stored: Count,
    /// Entries stored while the checksum database had not vouched for them.
    pub provisional: Count,
    /// Verified answers that could not be kept.
    pub unkept: Count,
    /// Entries taken out of service.
    pub set_aside: Count,
    /// Entries that the scrub has read.
    pub scrubbed: Count,
}

/// One total.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The total.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
