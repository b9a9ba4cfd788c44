//! All issuers, and judging a token by them.

use super::claims;
use super::compact::Compact;
use super::identity;
use super::issuer::{Alias, Issuer, Reread};
use super::publication::Publication;
use super::refusal::{Quoted, Reason, Refusal, Unproved};
use super::trust;
use crate::memory::{MEMORY_KEY_BYTES, Memory, Remembered};
use crate::principal::{Method, Principal};
use jiff::Timestamp;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

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
        let files = self.issuers.iter().filter_map(|issuer| issuer.settings().keys.file());
        files.map(|file| file.path().to_owned()).collect()
    }

    /// Whose token is this? On the hit path: what is remembered costs one HMAC and one look into a map.
    ///
    /// # Errors
    /// Why it is not accepted, or that somebody has to be asked first.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Arc<Principal>, Unproved> {
        self.verify_or_wait(text, now).map_err(|verdict| match verdict {
            Verdict::Refused(refusal) => Unproved::Refused(refusal),
            Verdict::Waits(wait) => match (self.publication(wait.by), &wait.kid) {
                (Some(publication), Some(kid)) if publication.is_absent(kid, now) => Unproved::Refused(wait.refusal),
                (Some(_), _) => Unproved::Open,
                (None, _) => Unproved::Refused(wait.refusal),
            },
        })
    }

    /// The same, after the issuer was asked for its keys. To be called on the runtime that [`Issuers::follow`] was given.
    ///
    /// # Errors
    /// Never [`Unproved::Open`].
    pub async fn inquire(&self, text: &str, now: Timestamp) -> Result<Arc<Principal>, Unproved> {
        let arrived = Instant::now();
        let moment = || now.checked_add(arrived.elapsed()).unwrap_or(now);
        let wait = match self.verify_or_wait(text, now) {
            Ok(principal) => return Ok(principal),
            Err(Verdict::Refused(refusal)) => return Err(Unproved::Refused(refusal)),
            Err(Verdict::Waits(wait)) => wait,
        };
        let Some(publication) = self.publication(wait.by) else { return Err(Unproved::Refused(wait.refusal)) };
        let round = publication.next();
        // What is under way began before this token came, and may be all that it takes.
        publication.under_way(round).await;
        match self.verify_or_wait(text, moment()) {
            Ok(principal) => return Ok(principal),
            Err(Verdict::Refused(refusal)) => return Err(Unproved::Refused(refusal)),
            Err(Verdict::Waits(_)) => {}
        }
        let unavailable = |why: &dyn fmt::Display| {
            let alias = self.issuers.get(wait.by).map_or("", |issuer| issuer.settings().alias.as_str());
            Unproved::Unavailable(format!("the issuer `{alias}`: {why}"))
        };
        publication.awaited(round).await.map_err(|why| unavailable(&why))?;
        match self.verify_or_wait(text, moment()) {
            Ok(principal) => Ok(principal),
            Err(Verdict::Refused(refusal)) => Err(Unproved::Refused(refusal)),
            Err(Verdict::Waits(Wait { kid: Some(kid), refusal, .. })) => {
                publication.found_absent(&kid, moment());
                Err(Unproved::Refused(refusal))
            }
            Err(Verdict::Waits(_)) => Err(unavailable(&"it has no keys that count")),
        }
    }

    /// Whose token this is, if that was found out a while ago. No signature is checked.
    pub fn recall(&self, text: &str, now: Timestamp) -> Option<Arc<Principal>> {
        self.memory.recall(&self.memory.digest(text), now, |by, edition| self.has(by, edition, now))
    }

    /// How long a token may live that a workload's own is exchanged for, by the rule that it was accepted by; `None` where
    /// the rule does not say, and for whoever was not accepted by a rule.
    pub fn exchange_lifetime(&self, principal: &Principal) -> Option<Duration> {
        let (alias, _) = principal.subject.strip_prefix("ci:")?.split_once('/')?;
        let named = principal.claims.iter().find(|claim| &*claim.name == trust::RULE)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.settings().alias.as_str() == alias)?;
        let rule = issuer.settings().trust.iter().find(|rule| rule.name.as_str() == &*named.value)?;
        rule.lifetime.filter(|_| principal.method == Method::Jwt)
    }

    /// Reads all key files again. Blocks. One result for each issuer that has one, in order.
    pub fn reread(&self, now: Timestamp) -> Vec<(&Alias, Reread)> {
        // The lock guards no data: a panic while it was held left the old keys in force.
        let _one_at_a_time = self.rereading.lock().unwrap_or_else(PoisonError::into_inner);
        let rereads = self.issuers.iter().filter_map(|issuer| {
            let file = issuer.settings().keys.file()?;
            Some((&issuer.settings().alias, issuer.reread(file)))
        });
        let results = rereads.collect();
        self.forget(now);
        results
    }

    /// Forgets what was verified with keys that are no longer in force.
    pub(super) fn forget(&self, now: Timestamp) {
        self.memory.forget(|by, edition| self.has(by, edition, now));
    }

    pub(super) fn get(&self, by: usize) -> Option<&Issuer> {
        self.issuers.get(by)
    }

    fn publication(&self, by: usize) -> Option<&Publication> {
        self.issuers.get(by).and_then(Issuer::publication)
    }

    fn has(&self, by: usize, edition: u64, now: Timestamp) -> bool {
        self.issuers.get(by).is_some_and(|issuer| issuer.has(edition, now))
    }

    fn verify_or_wait(&self, text: &str, now: Timestamp) -> Result<Arc<Principal>, Verdict> {
        let digest = self.memory.digest(text);
        if let Some(principal) = self.memory.recall(&digest, now, |by, edition| self.has(by, edition, now)) {
            return Ok(principal);
        }
        let remembered = self.judge(text, now)?;
        let principal = Arc::clone(&remembered.principal);
        self.memory.remember(digest, remembered);
        Ok(principal)
    }

    /// The checks in their order: form, issuer, type, algorithm, signature, and only then what the claims say.
    fn judge(&self, text: &str, now: Timestamp) -> Result<Remembered, Verdict> {
        let token = Compact::parse(text)?;
        let named = claims::issuer(&token.claims)?;
        let chosen = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.settings().issuer == named);
        let (by, issuer) = chosen.ok_or_else(|| {
            Refusal::new(Reason::IssuerUnknown, format_args!("its `iss` {} is not configured", Quoted(named)))
        })?;
        judge_by(issuer, by, &token, now).map_err(|verdict| verdict.of(issuer.settings().alias.as_str()))
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.memory.count()
    }
}

fn judge_by(issuer: &Issuer, by: usize, token: &Compact<'_>, now: Timestamp) -> Result<Remembered, Verdict> {
    let (settings, header) = (issuer.settings(), &token.header);
    let typ = header.typ.as_deref().unwrap_or(DEFAULT_TYPE);
    if !settings.types.iter().any(|accepted| accepted == typ) {
        let detail = format_args!("its `typ` {} is not accepted", Quoted(typ));
        return Err(Refusal::new(Reason::Type, detail).into());
    }
    if !settings.algorithms.contains(&header.algorithm) {
        let detail = format!("{} is not an algorithm of this issuer", header.algorithm);
        return Err(Refusal::new(Reason::AlgorithmNotAllowed, detail).into());
    }
    let wait = |kid: Option<&str>, refusal: Refusal| match claims::check(&token.claims, settings, now) {
        // Nobody is asked about a token that would not be accepted whoever signed it.
        Err(refusal) => Verdict::Refused(refusal),
        Ok(_) => Verdict::Waits(Wait { by, kid: kid.map(str::to_owned), refusal }),
    };
    // Loaded once: what is remembered below is of the very keys that verified it.
    let Some(keys) = issuer.keys(now) else {
        return Err(wait(None, Refusal::new(Reason::KidUnknown, "its issuer has no keys")));
    };
    let kid = header.kid.as_deref();
    let verified = keys.verify(header.algorithm, kid, token.signed.as_bytes(), &token.signature);
    let edition = match verified {
        Ok(edition) => edition,
        Err(refusal) if refusal.reason() == Reason::KidUnknown && issuer.publication().is_some() => {
            return Err(wait(kid, refusal));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let window = claims::check(&token.claims, settings, now)?;
    let principal = identity::principal(&token.claims, settings)?;
    let until = window.until.min(now.as_second().saturating_add(REMEMBERED_FOR));
    Ok(Remembered { principal: Arc::new(principal), by, edition, from: window.from, until })
}

/// Why a token is not accepted now.
enum Verdict {
    Refused(Refusal),
    Waits(Wait),
}

/// What a token waits for.
struct Wait {
    by: usize,
    /// The key that it names; `None`: the issuer has no keys.
    kid: Option<String>,
    /// What it comes to if nothing changes.
    refusal: Refusal,
}

impl Verdict {
    fn of(self, alias: &str) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.of(alias)),
            Self::Waits(wait) => Self::Waits(Wait { refusal: wait.refusal.of(alias), ..wait }),
        }
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.issuers).finish()
    }
}
