//! How long a source took of late to begin its small answers.

use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// How many are remembered.
const KEPT: usize = 64;
/// How many there must be before anything is said of them.
const ENOUGH: usize = 20;

/// The last few latencies. Writers may overwrite each other's; it is an estimate.
pub(super) struct Latencies {
    /// In microseconds.
    recent: [AtomicU32; KEPT],
    noted: AtomicUsize,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { recent: [const { AtomicU32::new(0) }; KEPT], noted: AtomicUsize::new(0) }
    }

    pub(super) fn note(&self, took: Duration) {
        let place = self.noted.fetch_add(1, Relaxed) % KEPT;
        if let Some(one) = self.recent.get(place) {
            one.store(u32::try_from(took.as_micros()).unwrap_or(u32::MAX), Relaxed);
        }
    }

    /// What 19 of 20 stayed below; none as long as there are too few to tell.
    pub(super) fn high(&self) -> Option<Duration> {
        let known = self.noted.load(Relaxed).min(KEPT);
        if known < ENOUGH {
            return None;
        }
        let mut sorted: Vec<u32> = self.recent.iter().take(known).map(|one| one.load(Relaxed)).collect();
        sorted.sort_unstable();
        sorted.get(known * 19 / 20).map(|micros| Duration::from_micros(u64::from(*micros)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_one_is_of_the_recent_ones() {
        let latencies = Latencies::new();
        (0..19).for_each(|_| latencies.note(Duration::from_secs(9)));
        assert_eq!(latencies.high(), None);
        (0..200).for_each(|n| latencies.note(Duration::from_millis(1 + n % 100)));
        let high = latencies.high().unwrap();
        assert!((90..=100).contains(&high.as_millis()), "{high:?}");
        latencies.note(Duration::from_secs(1 << 40));
        assert!(latencies.high().unwrap() < Duration::from_secs(1));
    }
}
