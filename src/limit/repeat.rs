//! The repeat that `go` makes of every 4xx, at once (GOAUTH's re-invocation): it was paid for with the first.
//!
//! A table of fixed size, in which a refusal is found by a hash of who asked for what. A slot holds the rest of the hash and
//! when it was; a newer refusal takes the place of an older one, whose repeat is then charged. Nothing is locked.
//!
//! INVARIANT: each note frees one request, and who was freed leaves no note: else every refusal would be the repeat of the
//! one before. A 429 leaves none either, or being refused would be the way past the limit; both are the pipeline's to see to.

use jiff::Timestamp;
use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

/// Slots; 32 KiB.
const SLOTS: usize = 4096;
/// Bits of a slot that hold the time, in [`TICK`]s; they come round after 37 hours.
const TIME: u64 = (1 << 20) - 1;
/// Milliseconds in a tick.
const TICK: i64 = 128;
/// Ticks after which a repeat is none any more: two seconds.
const FRESH: u64 = 16;

/// Refusals that may be repeated.
pub(super) struct Repeats {
    slots: Box<[AtomicU64]>,
    hasher: foldhash::fast::RandomState,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(), hasher: <_>::default() }
    }
}

impl Repeats {
    /// Notes a refusal.
    pub(super) fn note(&self, what: impl Hash, now: Timestamp) {
        let (slot, tag) = self.find(what);
        if let Some(slot) = slot {
            slot.store(tag | ticks(now), Relaxed);
        }
    }

    /// Whether it was noted a moment ago; then it is noted no longer.
    pub(super) fn take(&self, what: impl Hash, now: Timestamp) -> bool {
        let (Some(slot), tag) = self.find(what) else { return false };
        let noted = slot.load(Relaxed);
        let age = ticks(now).wrapping_sub(noted) & TIME;
        noted != 0 && noted & !TIME == tag && age <= FRESH && slot.compare_exchange(noted, 0, AcqRel, Acquire).is_ok()
    }

    fn find(&self, what: impl Hash) -> (Option<&AtomicU64>, u64) {
        let hash = self.hasher.hash_one(what);
        // The low bits choose the slot, the high ones tell it from others there.
        (self.slots.get(hash as usize % SLOTS), hash & !TIME)
    }
}

impl fmt::Debug for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repeats")
    }
}

fn ticks(now: Timestamp) -> u64 {
    (now.as_millisecond() / TICK).cast_unsigned() & TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn each_refusal_frees_one_repeat_for_a_moment() {
        let repeats = Repeats::default();
        assert!(!repeats.take("a", at(0)));
        repeats.note("a", at(0));
        assert!(!repeats.take("b", at(1)));
        assert!(repeats.take("a", at(1000)));
        assert!(!repeats.take("a", at(1001)), "a second repeat");
        repeats.note("a", at(0));
        assert!(!repeats.take("a", at(2400)), "too late");
    }

    #[test]
    fn the_table_does_not_grow_and_the_newest_stay() {
        let repeats = Repeats::default();
        for n in 0..100_000 {
            repeats.note(n, at(0));
        }
        assert_eq!(repeats.slots.len(), SLOTS);
        assert!(repeats.take(99_999, at(1)));
        let freed = (0..99_999).filter(|n| repeats.take(n, at(1))).count();
        assert!(freed < SLOTS, "{freed}");
    }
}
