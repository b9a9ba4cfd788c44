//! What was learnt a moment ago and is soon forgotten: that a thing does not exist, that a fetch failed.
//!
//! INVARIANT: the two are never mixed. Only certain absence is remembered as absence; an outage is not.

use super::item::Item;
use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

/// Bounded, whatever is asked for.
const CAPACITY: usize = 10_000;

pub(super) struct Recent<T> {
    entries: Cache<Item, (Timestamp, T)>,
    lasting: SignedDuration,
}

impl<T: Clone> Recent<T> {
    pub(super) fn new(lasting: SignedDuration) -> Self {
        Self { entries: Cache::new(CAPACITY), lasting }
    }

    pub(super) fn get(&self, item: &Item, now: Timestamp) -> Option<T> {
        let (since, what) = self.entries.get(item)?;
        // A clock that was set back must not make it last.
        let age = now.duration_since(since);
        let recent = age < self.lasting && age >= -self.lasting;
        recent.then_some(what)
    }

    pub(super) fn put(&self, item: &Item, what: T, now: Timestamp) {
        self.entries.insert(item.clone(), (now, what));
    }

    pub(super) fn forget(&self, item: &Item) {
        self.entries.remove(item);
    }
}
