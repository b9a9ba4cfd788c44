//! An account: what somebody has used, in one number, and how many of their requests wait.
//!
//! governor keeps its state in a store, by key. Here the key *is* the state: whoever charges an account has found it already,
//! and keeps hold of it for the request's second charge and for taking a booking back.

use super::RECORDED;
use governor::{nanos::Nanos, state::StateStore};
use std::{
    hash::{Hash, Hasher},
    num::NonZeroU64,
    ptr,
    sync::{
        Arc,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
};

/// What somebody has used.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// GCRA's theoretical arrival time, in nanoseconds of [`super::Ticks`]: when all that was used will have flowed back.
    /// 0: nothing was used yet.
    level: AtomicU64,
    /// Requests that wait for their turn.
    waiting: AtomicU32,
    /// Refusals since the last [`Account::take_untold`].
    refused: AtomicU32,
}

impl Account {
    /// A place among those that wait, of which there are `places`.
    pub(super) fn enter(&self, places: u32) -> bool {
        let entered = |waiting: u32| (waiting < places).then_some(waiting + 1);
        self.waiting.fetch_update(AcqRel, Acquire, entered).is_ok()
    }

    /// Gives the place back.
    pub(super) fn leave(&self) {
        self.waiting.fetch_sub(1, AcqRel);
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Acquire)
    }

    /// Takes a booking back.
    pub(super) fn refund(&self, worth: u64) {
        // The closure always has a value.
        let _ = self.level.fetch_update(AcqRel, Acquire, |level| Some(level.saturating_sub(worth)));
    }

    pub(super) fn level(&self) -> u64 {
        self.level.load(Acquire)
    }

    /// Counts a refusal; whether it has a record of its own.
    pub(super) fn tell(&self) -> bool {
        self.refused.fetch_add(1, Relaxed) < RECORDED
    }

    /// The refusals that had no record of their own, and begins to count anew.
    pub(super) fn take_untold(&self) -> u32 {
        match self.refused.load(Relaxed) {
            0 => 0,
            _ => self.refused.swap(0, Relaxed).saturating_sub(RECORDED),
        }
    }

    /// Whether nothing would change if it were forgotten.
    pub(super) fn is_as_new(&self, now: u64) -> bool {
        self.level() <= now && self.waiting() == 0 && self.refused.load(Relaxed) == 0
    }
}

/// governor's store of states that are in the accounts themselves.
#[derive(Debug)]
pub(super) struct InAccounts;

impl StateStore for InAccounts {
    type Key = Arc<Account>;

    fn measure_and_replace<T, F, E>(&self, account: &Arc<Account>, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut level = account.level.load(Acquire);
        loop {
            let (outcome, next) = decide(NonZeroU64::new(level).map(|level| level.get().into()))?;
            match account.level.compare_exchange_weak(level, next.into(), AcqRel, Acquire) {
                Ok(_) => return Ok(outcome),
                Err(current) => level = current,
            }
        }
    }
}

// governor wants its keys hashable; two accounts are the same if they are one.

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Eq for Account {}

impl Hash for Account {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::from_ref(self).hash(state);
    }
}
