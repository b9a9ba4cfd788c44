//! What counts: atomics side by side, found by their place.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the duration histogram, in seconds; hits lie in the first four.
const BOUNDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0, f64::INFINITY];

/// Counters side by side; a place outside is ignored, and cannot be computed from labels.
pub(super) struct Counters(Box<[AtomicU64]>);

impl Counters {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn add(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn get(&self, place: usize) -> u64 {
        self.0.get(place).map_or(0, |counter| counter.load(Relaxed))
    }
}

/// Counts per bucket (each for itself; they are added up when read), and the sum in microseconds.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    micros: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(counter) = bucket.and_then(|bucket| self.buckets.get(bucket)) {
            counter.fetch_add(1, Relaxed);
        }
        self.micros.fetch_add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let buckets: Vec<_> =
            BOUNDS.iter().zip(&self.buckets).map(|(bound, counter)| (*bound, counter.load(Relaxed))).collect();
        let total = buckets.iter().map(|(_, count)| count).sum();
        (Duration::from_micros(self.micros.load(Relaxed)).as_secs_f64(), total, buckets)
    }
}
