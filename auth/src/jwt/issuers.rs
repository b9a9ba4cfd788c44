//! All issuers, and judging a token by them.

use super::claims;
use super::compact::Compact;
use super::identity;
use super::issuer::{Alias, Issuer, Reread};
use super::refusal::{Quoted, Reason, Refusal};
use crate::memory::{MEMORY_KEY_BYTES, Memory, Remembered};
use crate::principal::Principal;
use jiff::Timestamp;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a verified token is remembered at most, in seconds.
const REMEMBERED_FOR: i64 = 5 * 60;
/// The type of a token that does not say it.
const DEFAULT_TYPE: &str = "jwt";

/// The issuers of JWTs. Shared by all threads.
pub struct Issuers {
    issuers: Vec<Issuer>,
    memory: Memory,
    /// One at a time, so that an older reading never replaces a newer one.
    rereading: Mutex<()>,
}

impl Issuers {
    /// These, each with another alias and another `iss`; of two with the same `iss` only the first would be asked.
    /// `random` keys what is remembered.
    pub fn new(issuers: Vec<Issuer>, random: &[u8; MEMORY_KEY_BYTES]) -> Self {
        Self { issuers, memory: Memory::new(random), rereading: Mutex::new(()) }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.iter()
    }

    /// The files to watch.
    pub fn key_files(&self) -> Vec<PathBuf> {
        self.issuers.iter().map(|issuer| issuer.settings().keys.path().to_owned()).collect()
    }

    /// Whose token is this? On the hit path: what is remembered costs one HMAC and one look into a map.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let digest = self.memory.digest(text);
        if let Some(principal) = self.memory.recall(&digest, now, |by| self.edition(by)) {
            return Ok(principal);
        }
        let remembered = self.judge(text, now)?;
        let principal = Arc::clone(&remembered.principal);
        self.memory.remember(digest, remembered);
        Ok(principal)
    }

    /// Whose token this is, if that was found out a while ago. No signature is checked.
    pub fn recall(&self, text: &str, now: Timestamp) -> Option<Arc<Principal>> {
        self.memory.recall(&self.memory.digest(text), now, |by| self.edition(by))
    }

    /// Reads all key files again. Blocks. One result for each issuer, in order.
    pub fn reread(&self) -> Vec<(&Alias, Reread)> {
        // The lock guards no data: a panic while it was held left the old keys in force.
        let _one_at_a_time = self.rereading.lock().unwrap_or_else(PoisonError::into_inner);
        let results = self.issuers.iter().map(|issuer| (&issuer.settings().alias, issuer.reread())).collect();
        self.memory.forget(|by| self.edition(by));
        results
    }

    fn edition(&self, by: usize) -> Option<u64> {
        self.issuers.get(by).map(|issuer| issuer.keys().edition())
    }

    /// The checks in their order: form, issuer, type, algorithm, signature, and only then what the claims say.
    fn judge(&self, text: &str, now: Timestamp) -> Result<Remembered, Refusal> {
        let token = Compact::parse(text)?;
        let named = claims::issuer(&token.claims)?;
        let chosen = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.settings().issuer == named);
        let (by, issuer) = chosen.ok_or_else(|| {
            Refusal::new(Reason::IssuerUnknown, format_args!("its `iss` {} is not configured", Quoted(named)))
        })?;
        judge_by(issuer, by, &token, now).map_err(|refusal| refusal.of(issuer.settings().alias.as_str()))
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.memory.count()
    }
}

fn judge_by(issuer: &Issuer, by: usize, token: &Compact<'_>, now: Timestamp) -> Result<Remembered, Refusal> {
    let (settings, header) = (issuer.settings(), &token.header);
    let typ = header.typ.as_deref().unwrap_or(DEFAULT_TYPE);
    if !settings.types.iter().any(|accepted| accepted == typ) {
        return Err(Refusal::new(Reason::Type, format_args!("its `typ` {} is not accepted", Quoted(typ))));
    }
    if !settings.algorithms.contains(&header.algorithm) {
        let detail = format!("{} is not an algorithm of this issuer", header.algorithm);
        return Err(Refusal::new(Reason::AlgorithmNotAllowed, detail));
    }
    // Loaded once: what is remembered below is of the very keys that verified it.
    let keys = issuer.keys();
    keys.verify(header.algorithm, header.kid.as_deref(), token.signed.as_bytes(), &token.signature)?;
    let window = claims::check(&token.claims, settings, now)?;
    let principal = identity::principal(&token.claims, settings)?;
    let until = window.until.min(now.as_second().saturating_add(REMEMBERED_FOR));
    Ok(Remembered { principal: Arc::new(principal), by, edition: keys.edition(), from: window.from, until })
}

impl fmt::Debug for Issuers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.issuers).finish()
    }
}
