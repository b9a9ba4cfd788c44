//! The keys of one issuer that are in force, and until when.
//!
//! INVARIANT: a set replaces the one before it as a whole; whoever loaded the old one goes on with it. Published keys
//! count until a time that each good fetch moves on; from then on there are none, and nothing that they have verified
//! is recalled. What is in force is read without a lock.

use super::key_file::Usable;
use super::key_set::KeySet;
use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Keys in force.
pub(super) struct Keyring {
    keys: ArcSwapOption<KeySet>,
    /// Unix time; before this second they count.
    until: AtomicI64,
}

/// What taking keys came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// They are what they were.
    Same,
    /// Others are in force: how many, and what was left out of them.
    Others(usize, Vec<String>),
}

impl Keyring {
    /// None yet.
    pub(super) fn empty() -> Self {
        Self { keys: ArcSwapOption::empty(), until: AtomicI64::new(i64::MAX) }
    }

    /// Puts keys in force; `until` is Unix time.
    pub(super) fn take(&self, read: Usable, until: i64) -> Taken {
        let before = self.keys.load_full();
        let taken = if before.as_ref().is_some_and(|before| before.is_of(&read.digest)) {
            Taken::Same
        } else {
            let (count, notes) = (read.keys.len(), read.notes.clone());
            self.keys.store(Some(Arc::new(KeySet::after(before.as_deref(), read))));
            Taken::Others(count, notes)
        };
        self.until.store(until, Ordering::Release);
        taken
    }

    /// Takes them out of force if their time is over; whether it did.
    pub(super) fn drop_outdated(&self, now: Timestamp) -> bool {
        self.is_outdated(now) && self.keys.swap(None).is_some()
    }

    /// Those that count at this moment.
    pub(super) fn in_force(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        if self.is_outdated(now) { None } else { self.keys.load_full() }
    }

    /// Whether the key of this edition counts at this moment. On the hit path.
    pub(super) fn has(&self, edition: u64, now: Timestamp) -> bool {
        !self.is_outdated(now) && self.keys.load().as_ref().is_some_and(|keys| keys.has(edition))
    }

    fn is_outdated(&self, now: Timestamp) -> bool {
        now.as_second() >= self.until.load(Ordering::Acquire)
    }
}
