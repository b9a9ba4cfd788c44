//! The issued tokens as requests are judged by them: a view of the ledger in memory.
//!
//! [`Tokens::verify`] is on the hit path. It takes no lock and does no I/O: a checksum and a SHA-256 of the text, one
//! look into an immutable map behind an [`ArcSwap`], one comparison in constant time. Everything else is called by
//! the server in the background and may block on the disk:
//!
//! * [`Tokens::refresh`], twice a second and before an unknown token is rejected, asks SQLite in one
//!   pragma whether another connection has written, and only then reads the ledger anew. So a token that another
//!   process creates or revokes is seen within a second.
//! * [`Tokens::take_changes`] says what the refreshes found, whoever called for them.
//! * [`Tokens::flush`], every few seconds, writes the times of last use: at most once a minute, all in one transaction.
//!
//! INVARIANT: the last good view stays. A ledger that is damaged, gone or locked changes nothing for the tokens that are
//! known (expiry still works, it needs no ledger); the failure is returned and logged once, and every further
//! refresh tries to open the file anew. A refresh never creates a ledger: an empty one would lock everybody out.

mod change;
mod writing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::family::Family;
use crate::issued::{Issued, Purpose, Standing, Validity};
use crate::ledger::{Ledger, LedgerError};
use crate::principal::Principal;
use crate::rejection::Rejection;
use crate::token::{Token, TokenDigest, TokenId};
pub use change::{Change, ChangeKind};
pub use writing::Known;

/// Times of last use are written this often at most, in seconds.
const FLUSH_EVERY: i64 = 60;

/// The issued tokens. Shared by all threads.
pub struct Tokens {
    view: ArcSwap<View>,
    desk: Mutex<Desk>,
}

type View = HashMap<TokenId, Entry>;

/// One token, ready to be judged.
#[derive(Clone)]
struct Entry {
    digest: TokenDigest,
    purpose: Purpose,
    family: Option<Family>,
    validity: Validity,
    principal: Arc<Principal>,
    /// Outlives the view, so that a refresh forgets no use.
    usage: Arc<Usage>,
}

/// When a token was last used, in seconds since 1970; `i64::MIN`: never.
struct Usage {
    seen: AtomicI64,
    written: AtomicI64,
}

/// What refreshing and flushing need; never touched by a request.
struct Desk {
    path: PathBuf,
    /// `None` after a failure: opened anew by the next refresh.
    ledger: Option<Ledger>,
    /// The `data_version` that the view was read at; `None`: read anew whatever it is.
    version: Option<i64>,
    /// When times of last use were last written, in seconds.
    flushed: i64,
    failing: bool,
    /// What refreshes found since somebody asked.
    changes: Vec<Change>,
}

/// What a refresh found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refreshed {
    /// Nobody has written.
    Unchanged,
    /// A new view is in force.
    Reloaded {
        /// How many tokens it holds, expired and revoked ones too.
        tokens: usize,
    },
}

impl Tokens {
    /// Opens a ledger that exists and reads it.
    ///
    /// # Errors
    /// When it is missing or cannot be read: at the start there is no last good view.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::over(Ledger::open(path)?)
    }

    /// Reads an open ledger.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn over(ledger: Ledger) -> Result<Self, LedgerError> {
        let version = ledger.data_version()?;
        let view = read(&ledger, &View::new())?;
        Ok(Self {
            view: ArcSwap::from_pointee(view),
            desk: Mutex::new(Desk {
                path: ledger.path().to_owned(),
                ledger: Some(ledger),
                version: Some(version),
                flushed: i64::MIN,
                failing: false,
                changes: Vec::new(),
            }),
        })
    }

    /// How many tokens are known, expired and revoked ones too.
    pub fn count(&self) -> usize {
        self.view.load().len()
    }

    /// How many tokens are good at `now`.
    pub fn count_live(&self, now: Timestamp) -> usize {
        let view = self.view.load();
        view.values().filter(|entry| matches!(entry.validity.standing(now), Standing::Live)).count()
    }

    /// What refreshes found to have changed since this was last called, in order. What was there when the ledger was
    /// opened is no change.
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.desk().changes)
    }

    /// Whose token is this?
    ///
    /// # Errors
    /// Why it is not accepted. An unknown id and a wrong secret differ inside only, and both pay for a digest and a
    /// comparison.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Arc<Principal>, Rejection> {
        let token = Token::parse(text).map_err(Rejection::Mistyped)?;
        let id = token.id();
        let presented = token.digest();
        let view = self.view.load();
        let entry = view.get(&id);
        let known = entry.map_or(&TokenDigest::NONE, |entry| &entry.digest);
        // Compared also when there is nothing to compare with, so that an unknown id is not told by its being quicker.
        let matches = presented.matches(known);
        let Some(entry) = entry else {
            return Err(Rejection::UnknownId(id));
        };
        if !matches {
            return Err(Rejection::WrongSecret(id));
        }
        match entry.validity.standing(now) {
            // Told to the holder only, and only while it is good: it proves nothing but that it may be renewed.
            Standing::Live if entry.purpose == Purpose::Refresh => Err(Rejection::Purpose(id)),
            Standing::Live => {
                entry.usage.saw(now);
                Ok(Arc::clone(&entry.principal))
            }
            Standing::Expired(at) => Err(Rejection::Expired { id, at }),
            Standing::Revoked(at) => Err(Rejection::Revoked { id, at }),
        }
    }

    /// Brings the view up to date if another connection has written, or another file lies at the path. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read. The last good view stays in force.
    pub fn refresh(&self) -> Result<Refreshed, LedgerError> {
        let mut desk = self.desk();
        let outcome = self.refreshed(&mut desk);
        match &outcome {
            Err(error) if !desk.failing => {
                tracing::warn!(%error, tokens = self.count(), "token ledger cannot be read, the last good view stays in force");
            }
            Ok(_) if desk.failing => {
                tracing::info!(tokens = self.count(), "token ledger can be read again")
            }
            _ => {}
        }
        desk.failing = outcome.is_err();
        outcome
    }

    fn refreshed(&self, desk: &mut Desk) -> Result<Refreshed, LedgerError> {
        // Taken out, so that every way out by `?` closes it, and an old file is closed before a new one is opened.
        let last = desk.ledger.take();
        let ledger = match last.map(Ledger::if_in_place).transpose()?.flatten() {
            Some(ledger) => ledger,
            None => {
                desk.version = None;
                Ledger::open(&desk.path)?
            }
        };
        // Read before the rows: what is written in between is read twice rather than not at all.
        let version = ledger.data_version()?;
        let outcome = if desk.version == Some(version) {
            Refreshed::Unchanged
        } else {
            let last = self.view.load();
            let view = read(&ledger, &last)?;
            desk.changes.extend(change::between(&last, &view));
            let tokens = view.len();
            self.view.store(Arc::new(view));
            desk.version = Some(version);
            Refreshed::Reloaded { tokens }
        };
        desk.ledger = Some(ledger);
        Ok(outcome)
    }

    /// Writes the times of last use unless that was done less than a minute ago; returns how many changed. While the
    /// ledger is out of reach they are kept. Blocks.
    ///
    /// # Errors
    /// When they cannot be written; they are kept for the next time.
    pub fn flush(&self, now: Timestamp) -> Result<usize, LedgerError> {
        let mut desk = self.desk();
        let since = now.as_second().saturating_sub(desk.flushed).saturating_abs();
        if since < FLUSH_EVERY {
            return Ok(0);
        }
        desk.flushed = now.as_second();
        self.write_uses(&mut desk)
    }

    /// As [`Tokens::flush`], whenever it was last done: for the end of the process.
    ///
    /// # Errors
    /// When they cannot be written; those times are then lost.
    pub fn flush_all(&self) -> Result<usize, LedgerError> {
        self.write_uses(&mut self.desk())
    }

    fn write_uses(&self, desk: &mut Desk) -> Result<usize, LedgerError> {
        let view = self.view.load();
        let uses: Vec<_> = view.iter().filter_map(|(id, entry)| Some((*id, entry.usage.unwritten()?))).collect();
        if uses.is_empty() {
            return Ok(0);
        }
        let Some(ledger) = &mut desk.ledger else {
            return Ok(0);
        };
        ledger.mark_used(&uses)?;
        for (id, second) in &uses {
            if let Some(entry) = view.get(id) {
                entry.usage.written.store(*second, Ordering::Relaxed);
            }
        }
        Ok(uses.len())
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Whatever panicked while holding it, the desk is never half changed in a way that matters: at worst the
        // ledger is read once more.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn of(issued: &Issued, digest: TokenDigest, usage: Arc<Usage>) -> Self {
        let (purpose, family, validity) = (issued.purpose, issued.family, issued.validity);
        Self { digest, purpose, family, validity, principal: Arc::new(issued.principal()), usage }
    }
}

impl Usage {
    fn since(last_used: Option<Timestamp>) -> Self {
        let second = last_used.map_or(i64::MIN, Timestamp::as_second);
        Self { seen: AtomicI64::new(second), written: AtomicI64::new(second) }
    }

    /// At most one store a second and token, so that cores do not fight for the line.
    fn saw(&self, now: Timestamp) {
        let now = now.as_second();
        if self.seen.load(Ordering::Relaxed) < now {
            self.seen.store(now, Ordering::Relaxed);
        }
    }

    fn unwritten(&self) -> Option<i64> {
        let seen = self.seen.load(Ordering::Relaxed);
        (seen > self.written.load(Ordering::Relaxed)).then_some(seen)
    }
}

fn read(ledger: &Ledger, last: &View) -> Result<View, LedgerError> {
    let entry = |(issued, digest): (Issued, TokenDigest)| {
        let usage = last.get(&issued.id).map(|entry| Arc::clone(&entry.usage));
        let usage = usage.unwrap_or_else(|| Arc::new(Usage::since(issued.last_used)));
        (issued.id, Entry::of(&issued, digest, usage))
    };
    Ok(ledger.with_digests()?.into_iter().map(entry).collect())
}

#[cfg(test)]
#[path = "tokens/tests.rs"]
mod tests;
