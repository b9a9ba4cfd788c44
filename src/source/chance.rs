//! Chance, for pauses that must not fall together with those of others. Not for secrets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A SplitMix64 generator; the same seed gives the same numbers.
pub(super) struct Chance(AtomicU64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number from 0 to below 1.
    pub(super) fn draw(&self) -> f64 {
        let state = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The 53 bits that a float holds exactly.
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_over_the_unit_interval() {
        let chance = Chance::new(1);
        let draws: Vec<_> = (0..1000).map(|_| chance.draw()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let low = draws.iter().filter(|draw| **draw < 0.5).count();
        assert!((400..600).contains(&low), "{low}");
    }
}
