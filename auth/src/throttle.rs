//! Failed attempts at an account, and how long the next one has to wait.
//!
//! The first few failures are free. Then each doubles the wait, up to five minutes; an hour without any, and they are
//! forgotten. An attempt counts as failed from its beginning, so that many at once are not as good as one, and is taken back when it
//! turns out good or could not be judged.
//!
//! INVARIANT: nobody's failures lock out the owner who comes from an address where the account was proved lately. Such a pair of account and
//! address has a count of its own, which failures from elsewhere do not reach. (What is remembered as good is not
//! asked about at all.)
//!
//! Memory is bounded: of the accounts, and of the pairs, those that nobody asks about give way. Neither logins nor addresses
//! are kept, only keyed hashes of them.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use parking_lot::Mutex;
use quick_cache::unsync::Cache;
use std::net::IpAddr;
use std::time::Duration;

use crate::memory::{Digest, MEMORY_KEY_BYTES, keyed_hash};

/// Failures that cost no time.
const FREE: u32 = 5;
/// The first wait, in milliseconds.
const FIRST: i64 = 1000;
/// The longest, in milliseconds.
const LONGEST: i64 = 5 * 60_000;
/// Without a failure for so long, they are forgotten; in milliseconds.
const FORGOTTEN: i64 = 60 * 60_000;
/// For so long an address where the account was proved is known; in milliseconds.
const KNOWN: i64 = 30 * 24 * 60 * 60_000;
/// The most accounts and the most pairs that are kept.
const MOST: usize = 65_536;

/// The counts of all accounts.
pub(crate) struct Throttle {
    key: hmac::Key,
    books: Mutex<Books>,
}

struct Books {
    counts: Cache<Digest, Count>,
    /// When an account was last proved at an address.
    known: Cache<Digest, i64>,
}

#[derive(Clone, Copy)]
struct Count {
    failures: u32,
    /// Unix time in milliseconds.
    last: i64,
}

/// An attempt under way. Dropping it takes it back.
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    counted: Digest,
    pair: Digest,
    failed: bool,
}

impl Throttle {
    /// Without any failures; `random` keys what is kept.
    pub(crate) fn new(random: &[u8; MEMORY_KEY_BYTES]) -> Self {
        let books = Books { counts: Cache::new(MOST), known: Cache::new(MOST) };
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, random), books: Mutex::new(books) }
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// How long to wait first.
    pub(crate) fn attempt(&self, account: &str, client: IpAddr, now: Timestamp) -> Result<Attempt<'_>, Duration> {
        let now = now.as_millisecond();
        let pair = self.pair(account, client);
        let mut books = self.books.lock();
        let known = books.knows(&pair, now);
        let counted = if known { pair } else { keyed_hash(&self.key, &[b"account", account.as_bytes()]) };
        let count = books.counts.get(&counted).copied().filter(|count| now.saturating_sub(count.last) < FORGOTTEN);
        let count = count.unwrap_or(Count { failures: 0, last: 0 });
        let left = count.last.saturating_add(wait_after(count.failures)).saturating_sub(now);
        if count.failures >= FREE && left > 0 {
            return Err(Duration::from_millis(left.unsigned_abs()));
        }
        books.counts.insert(counted, Count { failures: count.failures.saturating_add(1), last: now });
        Ok(Attempt { throttle: self, counted, pair, failed: false })
    }

    /// Whether the account was proved at this address lately.
    pub(crate) fn is_known(&self, account: &str, client: IpAddr, now: Timestamp) -> bool {
        let pair = self.pair(account, client);
        self.books.lock().knows(&pair, now.as_millisecond())
    }

    /// Whoever has an IPv6 address has the 2^64 beside it too.
    fn pair(&self, account: &str, client: IpAddr) -> Digest {
        let network = match client.to_canonical() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        };
        keyed_hash(&self.key, &[b"pair", account.as_bytes(), &network.to_be_bytes()])
    }
}

impl Books {
    fn knows(&mut self, pair: &Digest, now: i64) -> bool {
        self.known.get(pair).is_some_and(|proved| now.saturating_sub(*proved) < KNOWN)
    }
}

impl Attempt<'_> {
    /// It was wrong.
    pub(crate) fn failed(mut self) {
        self.failed = true;
    }

    /// It was right: from now on the address is known for this account.
    pub(crate) fn good(self, now: Timestamp) {
        self.throttle.books.lock().known.insert(self.pair, now.as_millisecond());
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.failed {
            return;
        }
        let mut books = self.throttle.books.lock();
        let Some(count) = books.counts.get(&self.counted).copied() else { return };
        match count.failures.checked_sub(1) {
            None | Some(0) => drop(books.counts.remove(&self.counted)),
            Some(failures) => books.counts.insert(self.counted, Count { failures, ..count }),
        }
    }
}

/// How long after so many failures the next attempt is looked at.
fn wait_after(failures: u32) -> i64 {
    let doubled = failures.saturating_sub(FREE).min(16);
    (FIRST << doubled).min(LONGEST)
}

#[cfg(test)]
#[path = "throttle/tests.rs"]
mod tests;
