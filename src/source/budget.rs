//! How much may be asked beyond what was to be asked: retries and hedges, each with a budget of its own.
//!
//! Every request puts a share of one into the budget, every extra takes one out, and the budget holds no more than
//! [`RESERVE`]. INVARIANT: of any n requests in a row at most `RESERVE + n × share` extras are made, so that a source that
//! is failing or slow is never asked much more for it.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Extras that are granted whatever was asked before; what a quiet source has to its credit.
pub(super) const RESERVE: u32 = 10;
/// One extra, in the unit of the credit.
const ONE: u32 = 100;

/// One budget.
pub(super) struct Budget {
    credit: AtomicU32,
    share: u32,
}

impl Budget {
    /// `share`: extras for a hundred requests.
    pub(super) fn new(share: u32) -> Self {
        Self { credit: AtomicU32::new(RESERVE * ONE), share }
    }

    /// A request is made.
    pub(super) fn earn(&self) {
        self.change(|credit| Some(credit.saturating_add(self.share).min(RESERVE * ONE)));
    }

    /// Whether one more may be made; it then counts as made.
    pub(super) fn spend(&self) -> bool {
        self.change(|credit| credit.checked_sub(ONE))
    }

    fn change(&self, to: impl FnMut(u32) -> Option<u32>) -> bool {
        self.credit.fetch_update(Relaxed, Relaxed, to).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quiet_source_has_a_reserve_and_earns_it_back() {
        let budget = Budget::new(20);
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 10);
        (0..4).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend() && !budget.spend());
    }

    proptest! {
        #[test]
        fn no_stretch_has_more_extras_than_its_share(
            share in 0_u32..100, steps in prop::collection::vec(any::<bool>(), 0..400), from in 0_usize..400,
        ) {
            let budget = Budget::new(share);
            let (mut requests, mut extras) = (0, 0);
            for (number, asks) in steps.into_iter().enumerate() {
                let extra = !asks && budget.spend();
                if asks {
                    budget.earn();
                }
                if number >= from {
                    requests += u32::from(asks);
                    extras += u32::from(extra);
                }
                prop_assert!(extras * ONE <= RESERVE * ONE + requests * share);
            }
        }
    }
}
