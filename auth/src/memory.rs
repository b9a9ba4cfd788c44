//! Credentials that were verified a moment ago, remembered by a keyed hash of their text.
//!
//! INVARIANT: neither a credential nor anything that it could be guessed from is kept. The hash is HMAC-SHA-256 under a key
//! that the process draws at its start and never shows, so a dump of these hashes tells nobody even whether a guess is right;
//! and what cannot be predicted cannot be looked up by its timing.
//!
//! What is remembered has a first and a last second, which every look compares with the time, and an *edition*: what it was
//! verified with. Whoever asks says which editions are in force, and what is of another is not found. The memory is bounded
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
        let Principal { subject, groups, token_id, scope, claims, .. } = &*remembered.principal;
        let texts = [Some(subject), token_id.as_ref(), scope.as_ref()].into_iter().flatten().chain(groups.iter());
        let texts = texts.chain(claims.iter().map(|claim| &claim.value));
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
        taken(&hmac::sign(&self.key, credential.as_bytes()))
    }

    /// What a credential of several parts is remembered under.
    pub(crate) fn digest_of(&self, parts: &[&[u8]]) -> Digest {
        keyed_hash(&self.key, parts)
    }

    /// What is remembered, whether good at this moment or not.
    pub(crate) fn look(&self, digest: &Digest) -> Option<Remembered> {
        self.cache.get(digest)
    }

    /// Forgets one credential.
    pub(crate) fn forget_one(&self, digest: &Digest) {
        self.cache.remove(digest);
    }

    /// What is remembered and good at this moment. `in_force` is told who verified it and with which edition.
    pub(crate) fn recall(
        &self,
        digest: &Digest,
        now: Timestamp,
        in_force: impl FnOnce(usize, u64) -> bool,
    ) -> Option<Arc<Principal>> {
        let remembered = self.cache.get(digest)?;
        let in_time = (remembered.from..remembered.until).contains(&now.as_second());
        (in_time && in_force(remembered.by, remembered.edition)).then_some(remembered.principal)
    }

    /// Remembers; replaces what was there.
    pub(crate) fn remember(&self, digest: Digest, remembered: Remembered) {
        self.cache.insert(digest, remembered);
    }

    /// Forgets whatever was verified with something that is no longer in force.
    pub(crate) fn forget(&self, in_force: impl Fn(usize, u64) -> bool) {
        self.cache.retain(|_, remembered| in_force(remembered.by, remembered.edition));
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.cache.len()
    }
}

/// The keyed hash of several parts, which no other parts have, however they are joined. Does not allocate.
pub(crate) fn keyed_hash(key: &hmac::Key, parts: &[&[u8]]) -> Digest {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    taken(&context.sign())
}

fn taken(tag: &hmac::Tag) -> Digest {
    let mut digest = Digest::default();
    for (to, from) in digest.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory_of(token: &str) -> (Memory, Digest) {
        let memory = Memory::new(&[1; MEMORY_KEY_BYTES]);
        let digest = memory.digest(token);
        let principal = Arc::new(Principal::anonymous());
        memory.remember(digest, Remembered { principal, by: 3, edition: 7, from: 100, until: 200 });
        (memory, digest)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// INVARIANT: what was verified with another edition is not found, also before it is forgotten.
    #[test]
    fn only_the_edition_in_force_is_found() {
        let (memory, digest) = memory_of("a");
        assert!(memory.recall(&digest, at(150), |by, edition| (by, edition) == (3, 7)).is_some());
        assert!(memory.recall(&digest, at(150), |_, edition| edition == 8).is_none());
        memory.forget(|_, edition| edition == 7);
        assert_eq!(memory.count(), 1);
        memory.forget(|_, edition| edition == 8);
        assert_eq!(memory.count(), 0);
    }

    #[test]
    fn times_are_compared_at_each_look() {
        let (memory, digest) = memory_of("a");
        for (second, found) in [(99, false), (100, true), (199, true), (200, false)] {
            assert_eq!(memory.recall(&digest, at(second), |_, _| true).is_some(), found, "{second}");
        }
    }

    /// INVARIANT: the hash is keyed, so nobody without the key can tell what it is of.
    #[test]
    fn another_key_makes_another_hash() {
        let digest = |key: u8, text: &str| Memory::new(&[key; MEMORY_KEY_BYTES]).digest(text);
        assert_eq!(digest(1, "a"), digest(1, "a"));
        assert_ne!(digest(1, "a"), digest(2, "a"));
        assert_ne!(digest(1, "a"), digest(1, "b"));
    }
}
