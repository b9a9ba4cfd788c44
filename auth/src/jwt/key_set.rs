//! The keys of one issuer, and which of them a token means.
//!
//! A token with a `kid` means the key of that name and no other. Keys without a name (a PEM file has no place for one) are
//! meant by any token that names none of the others; there are few of them, and each is tried. A token without a
//! `kid` cannot choose between several named keys, and is refused. No `kid` is ever a path, a URL or a query.

use super::algorithm::Algorithm;
use super::key::Key;
use super::refusal::{Quoted, Reason, Refusal};
use std::sync::atomic::{AtomicU64, Ordering};

/// The keys of one issuer as they were read at one time. Immutable; replaced as a whole.
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// No other set of this process has the same, so what was verified with this one is known by it.
    edition: u64,
    /// SHA-256 of what it was read from.
    digest: [u8; 32],
}

static EDITIONS: AtomicU64 = AtomicU64::new(0);

impl KeySet {
    /// A new edition.
    pub(super) fn new(keys: Vec<Key>, digest: [u8; 32]) -> Self {
        Self { keys, edition: EDITIONS.fetch_add(1, Ordering::Relaxed), digest }
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition
    }

    /// Whether both were read from the same bytes.
    pub(super) fn has_digest_of(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that may have signed a token with this header.
    fn meant(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Vec<&Key>, Refusal> {
        if let Some(kid) = kid
            && let Some(named) = self.keys.iter().find(|key| key.id.as_deref() == Some(kid))
        {
            return match named.fits(algorithm) {
                true => Ok(vec![named]),
                false => Err(misfit(algorithm, format_args!("the key {}", Quoted(kid)))),
            };
        }
        let nameless: Vec<_> = self.keys.iter().filter(|key| key.id.is_none()).collect();
        let candidates = match (nameless.is_empty(), kid, self.keys.as_slice()) {
            (false, ..) => nameless,
            (true, None, [only]) => vec![only],
            (true, None, several) => {
                let detail = format!("it has no `kid`, and the issuer has {} keys", several.len());
                return Err(Refusal::new(Reason::KidMissing, detail));
            }
            (true, Some(kid), _) => {
                return Err(Refusal::new(Reason::KidUnknown, format_args!("no key has its `kid` {}", Quoted(kid))));
            }
        };
        let fitting: Vec<_> = candidates.into_iter().filter(|key| key.fits(algorithm)).collect();
        if fitting.is_empty() { Err(misfit(algorithm, "what the issuer has")) } else { Ok(fitting) }
    }

    /// Whether one of the keys that a token means has signed it.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        match self.meant(algorithm, kid)?.iter().any(|key| key.verify(algorithm, signed, signature)) {
            true => Ok(()),
            false => {
                Err(Refusal::new(Reason::Signature, format_args!("its {algorithm} signature is not the issuer's")))
            }
        }
    }
}

fn misfit(algorithm: Algorithm, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::KeyType, format_args!("it is signed by {algorithm}, and {what} does not fit"))
}
