//! The keys of one issuer, and which of them a token means.
//!
//! A token with a `kid` means the key of that name and no other. Keys without a name (a PEM file has no place for one) are
//! meant by any token that names none of the others; there are few of them, and each is tried. A token without a
//! `kid` cannot choose between several named keys, and is refused. No `kid` is ever a path, a URL or a query.

use super::algorithm::Algorithm;
use super::key::Key;
use super::key_file::Usable;
use super::refusal::{Quoted, Reason, Refusal};
use std::sync::atomic::{AtomicU64, Ordering};

/// The keys of one issuer as they were read at one time. Immutable; replaced as a whole.
///
/// Each key has an *edition*, by which what it has verified is known. No other key of this process has the same, except the
/// very same key of the set after: so a rotation takes nothing from those whose key stays.
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// One for each key.
    editions: Vec<u64>,
    /// SHA-256 of what it was read from.
    digest: [u8; 32],
}

static EDITIONS: AtomicU64 = AtomicU64::new(0);

impl KeySet {
    /// What was read, after what was in force before.
    pub(super) fn after(before: Option<&Self>, Usable { keys, digest, .. }: Usable) -> Self {
        let edition = |key: &Key| {
            let same = before.and_then(|before| before.with_editions().find(|(old, _)| old.is_same_as(key)));
            same.map_or_else(|| EDITIONS.fetch_add(1, Ordering::Relaxed), |(_, edition)| edition)
        };
        Self { editions: keys.iter().map(edition).collect(), keys, digest }
    }

    fn with_editions(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.keys.iter().zip(self.editions.iter().copied())
    }

    /// Whether the key of this edition is one of them.
    pub(super) fn has(&self, edition: u64) -> bool {
        self.editions.contains(&edition)
    }

    /// Whether it was read from the bytes with this digest.
    pub(super) fn is_of(&self, digest: &[u8; 32]) -> bool {
        self.digest == *digest
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that may have signed a token with this header.
    fn meant(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Vec<(&Key, u64)>, Refusal> {
        if let Some(kid) = kid
            && let Some(named) = self.with_editions().find(|(key, _)| key.id.as_deref() == Some(kid))
        {
            return match named.0.fits(algorithm) {
                true => Ok(vec![named]),
                false => Err(misfit(algorithm, format_args!("the key {}", Quoted(kid)))),
            };
        }
        let nameless: Vec<_> = self.with_editions().filter(|(key, _)| key.id.is_none()).collect();
        let candidates = match (nameless.is_empty(), kid, self.keys.len()) {
            (false, ..) => nameless,
            (true, None, 1) => self.with_editions().collect(),
            (true, None, several) => {
                let detail = format!("it has no `kid`, and the issuer has {several} keys");
                return Err(Refusal::new(Reason::KidMissing, detail));
            }
            (true, Some(kid), _) => {
                return Err(Refusal::new(Reason::KidUnknown, format_args!("no key has its `kid` {}", Quoted(kid))));
            }
        };
        let fitting: Vec<_> = candidates.into_iter().filter(|(key, _)| key.fits(algorithm)).collect();
        if fitting.is_empty() { Err(misfit(algorithm, "what the issuer has")) } else { Ok(fitting) }
    }

    /// The edition of the key that has signed a token; one of those that the token means.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<u64, Refusal> {
        let mut meant = self.meant(algorithm, kid)?.into_iter();
        let signer = meant.find(|(key, _)| key.verify(algorithm, signed, signature));
        signer.map(|(_, edition)| edition).ok_or_else(|| {
            Refusal::new(Reason::Signature, format_args!("its {algorithm} signature is not the issuer's"))
        })
    }
}

fn misfit(algorithm: Algorithm, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::KeyType, format_args!("it is signed by {algorithm}, and {what} does not fit"))
}
