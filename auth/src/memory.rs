//! Credentials that were verified a moment ago, remembered by a keyed hash of their text.
//!
//! INVARIANT: neither a credential nor anything that it could be guessed from is kept. The hash is HMAC-SHA-256 under a key
//! that the process draws at its start and never shows, so a dump of these hashes tells nobody even whether a guess is right;
//! and what cannot be predicted cannot be looked up by its timing.
//!
//! What is remembered has a first and a last second, which every look compares with the time, and an *edition*: what it was
//! verified with. Whoever asks says which edition is in force, and what is of another is not found. The memory is bounded
//! by the bytes of the principals in it. A look takes a shared lock of one shard for the length of a map look-up, and
//! does no I/O.

use aws_lc_rs::hmac;
use jiff::Timestamp;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

use crate::principal::Principal;

/// How many random bytes the key is made of.
pub const MEMORY_KEY_BYTES: usize = 32;
/// The most bytes of remembered principals, about.
const CAPACITY: u64 = 16 << 20;
/// How many are expected.
const EXPECTED: usize = 4096;

/// The keyed hash of a credential.
pub(crate) type Digest = [u8; 32];

/// Verified credentials.
pub(crate) struct Memory {
    key: hmac::Key,
    cache: Cache<Digest, Remembered, Weight>,
}

/// Who a credential proved, and for how long.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) principal: Arc<Principal>,
    /// Which of several verified it.
    pub(crate) by: usize,
    /// What it was verified with.
    pub(crate) edition: u64,
    /// From this second on; Unix time.
    pub(crate) from: i64,
    /// Until before this second; Unix time.
    pub(crate) until: i64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Digest, Remembered> for Weight {
    fn weight(&self, _: &Digest, remembered: &Remembered) -> u64 {
        let Principal { subject, groups, token_id, scope, .. } = &*remembered.principal;
        let texts = [Some(subject), token_id.as_ref(), scope.as_ref()].into_iter().flatten().chain(groups.iter());
        // A text costs its bytes, its counters and its pointer.
        256 + texts.map(|text| text.len() as u64 + 32).sum::<u64>()
    }
}

impl Memory {
    /// An empty one.
    pub(crate) fn new(random: &[u8; MEMORY_KEY_BYTES]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, random);
        Self { key, cache: Cache::with_weighter(EXPECTED, CAPACITY, Weight) }
    }

    /// What a credential is remembered under.
    pub(crate) fn digest(&self, credential: &str) -> Digest {
        let tag = hmac::sign(&self.key, credential.as_bytes());
        let mut digest = Digest::default();
        for (to, from) in digest.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        digest
    }

    /// What is remembered and good at this moment. `edition` says what is in force with whoever verified it.
    pub(crate) fn recall(
        &self,
        digest: &Digest,
        now: Timestamp,
        edition: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<Arc<Principal>> {
        let remembered = self.cache.get(digest)?;
        let now = now.as_second();
        let good =
            edition(remembered.by) == Some(remembered.edition) && (remembered.from..remembered.until).contains(&now);
        good.then_some(remembered.principal)
    }

    /// Remembers; replaces what was there.
    pub(crate) fn remember(&self, digest: Digest, remembered: Remembered) {
        self.cache.insert(digest, remembered);
    }

    /// Forgets whatever was verified with something that is no longer in force.
    pub(crate) fn forget(&self, edition: impl Fn(usize) -> Option<u64>) {
        self.cache.retain(|_, remembered| edition(remembered.by) == Some(remembered.edition));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.cache.len()
    }
}
