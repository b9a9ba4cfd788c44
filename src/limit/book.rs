//! A book of accounts: found by key, bounded in number, forgotten when they are as good as new.
//!
//! In shards, each under a lock of its own that is held for a look-up. INVARIANT: at most `most` keys have an account of their
//! own, whoever comes from however many addresses; the others share one.

use super::account::Account;
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// A power of two, well above the number of workers.
const SHARDS: usize = 64;

type Shard<K> = RwLock<HashMap<K, Arc<Account>, RandomState>>;

/// A book.
pub(super) struct Book<K> {
    shards: Box<[Shard<K>]>,
    hasher: RandomState,
    len: AtomicUsize,
    most: usize,
    /// Of all for whom there is no room.
    shared: Arc<Account>,
}

impl<K: Hash + Eq + Clone> Book<K> {
    pub(super) fn new(most: usize) -> Self {
        let hasher = RandomState::default();
        let shards = (0..SHARDS).map(|_| RwLock::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { shards, hasher, len: AtomicUsize::new(0), most, shared: Arc::default() }
    }

    /// The account of a key, which is opened if need be.
    pub(super) fn account(&self, key: &K) -> Arc<Account> {
        let Some(shard) = self.shard(key) else { return Arc::clone(&self.shared) };
        if let Some(account) = shard.read().get(key) {
            return Arc::clone(account);
        }
        let mut accounts = shard.write();
        if let Some(account) = accounts.get(key) {
            return Arc::clone(account);
        }
        let more = |len: usize| (len < self.most).then_some(len + 1);
        if self.len.fetch_update(Relaxed, Relaxed, more).is_err() {
            return Arc::clone(&self.shared);
        }
        Arc::clone(accounts.entry(key.clone()).or_default())
    }

    /// The account that a key has, or would share.
    pub(super) fn known(&self, key: &K) -> Option<Arc<Account>> {
        let own = self.shard(key)?.read().get(key).cloned();
        own.or_else(|| (self.len() >= self.most).then(|| Arc::clone(&self.shared)))
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests of all accounts that wait.
    pub(super) fn waiting(&self) -> usize {
        let waiting = |account: &Arc<Account>| account.waiting() as usize;
        let of_shard = |shard: &Shard<K>| shard.read().values().map(waiting).sum::<usize>();
        self.shards.iter().map(of_shard).sum::<usize>() + waiting(&self.shared)
    }

    /// Hands the refusals without a record to `tell` (no key: those of the shared account), and forgets accounts that are as
    /// good as new and in nobody's hands.
    pub(super) fn tidy(&self, now: u64, mut tell: impl FnMut(Option<&K>, u32)) {
        for shard in &self.shards {
            let mut forgotten = 0;
            shard.write().retain(|key, account| {
                match account.take_untold() {
                    0 => {}
                    untold => tell(Some(key), untold),
                }
                // Under the lock nobody can get hold of it.
                let keep = Arc::strong_count(account) > 1 || !account.is_as_new(now);
                forgotten += usize::from(!keep);
                keep
            });
            self.len.fetch_sub(forgotten, Relaxed);
        }
        match self.shared.take_untold() {
            0 => {}
            untold => tell(None, untold),
        }
    }

    fn shard(&self, key: &K) -> Option<&Shard<K>> {
        // The high bits: the map in the shard uses the others.
        let place = self.hasher.hash_one(key) >> (u64::BITS - SHARDS.trailing_zeros());
        self.shards.get(place as usize)
    }
}
