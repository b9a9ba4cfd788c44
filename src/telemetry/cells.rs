//! What counts: atomics side by side, found by their place; for what every request counts, a set of them for each thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;

/// A `T` for each thread that counts, added up when it is read: threads that count in one place take its cache line from each
/// other, which costs as much as the counting of ten requests. Threads beyond the number of cores share.
pub(super) struct PerThread<T>(Box<[Apart<T>]>);

/// On cache lines of its own; processors fetch two at a time.
#[repr(align(128))]
struct Apart<T>(T);

impl<T> PerThread<T> {
    pub(super) fn new(make: impl Fn() -> T) -> Self {
        let threads = available_parallelism().map_or(1, usize::from);
        Self((0..threads).map(|_| Apart(make())).collect())
    }

    /// The calling thread's.
    pub(super) fn own(&self) -> Option<&T> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
        }
        let number = NUMBER.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Relaxed);
            NUMBER.set(Some(number));
            number
        });
        self.0.get(number.checked_rem(self.0.len())?).map(|apart| &apart.0)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|apart| &apart.0)
    }
}

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

    /// Sum in seconds, count, and the count of each bucket with its upper bound, of all these together.
    pub(super) fn read<'a>(all: impl Iterator<Item = &'a Self>) -> (f64, u64, Vec<(f64, u64)>) {
        let mut buckets = BOUNDS.map(|bound| (bound, 0));
        let mut micros = 0;
        for histogram in all {
            micros += histogram.micros.load(Relaxed);
            for ((_, count), counter) in buckets.iter_mut().zip(&histogram.buckets) {
                *count += counter.load(Relaxed);
            }
        }
        let total = buckets.iter().map(|(_, count)| count).sum();
        (Duration::from_micros(micros).as_secs_f64(), total, buckets.to_vec())
    }
}
