//! Latencies as they are counted: how many answers, how long each took, and when the last one ended.

use crate::failure::Failure;
use hdrhistogram::Histogram;
use std::time::Instant;

/// Latencies from 100 ns to a minute, to three digits. Longer ones count as a minute.
pub(crate) struct Tally {
    nanoseconds: Histogram<u64>,
    /// When the last answer ended; until there is one, when counting began.
    pub(crate) ended: Instant,
}

impl Tally {
    /// None yet.
    pub(crate) fn begin() -> Result<Self, Failure> {
        Ok(Self { nanoseconds: Histogram::new_with_bounds(100, 60_000_000_000, 3)?, ended: Instant::now() })
    }

    /// Counts an answer.
    pub(crate) fn record(&mut self, asked: Instant, answered: Instant) {
        let latency = answered.duration_since(asked).as_nanos();
        self.nanoseconds.saturating_record(u64::try_from(latency).unwrap_or(u64::MAX));
        self.ended = self.ended.max(answered);
    }

    /// Counts another tally's answers, too.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.nanoseconds.add(&other.nanoseconds);
        self.ended = self.ended.max(other.ended);
    }

    /// Answers so far.
    pub(crate) fn requests(&self) -> u64 {
        self.nanoseconds.len()
    }

    /// The latency that this part of the answers does not exceed, in microseconds; 1 gives the longest.
    pub(crate) fn microseconds(&self, quantile: f64) -> f64 {
        self.nanoseconds.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn tallies_add_up() {
        let (mut one, mut other) = (Tally::begin().unwrap(), Tally::begin().unwrap());
        let asked = Instant::now();
        (1..=99).for_each(|_| one.record(asked, asked + Duration::from_micros(100)));
        other.record(asked, asked + Duration::from_millis(40));
        other.record(asked, asked + Duration::from_secs(3_600));
        one.merge(&other);
        assert_eq!(one.requests(), 101);
        assert!((99.0..102.0).contains(&one.microseconds(0.5)));
        assert!((39_900.0..40_100.0).contains(&one.microseconds(0.99)));
        assert!(one.microseconds(1.0) > 59e6);
        assert_eq!(one.ended, asked + Duration::from_secs(3_600));
    }
}
