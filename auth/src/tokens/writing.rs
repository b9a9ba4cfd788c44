//! The server as a writer of the ledger: what people and pipelines get themselves, and what they give back.
//!
//! `modgate token` writes the same file from another process; SQLite keeps the two apart, and each write here is one
//! transaction. All of this blocks on the disk and takes the desk's lock, which no request's judging ever does.
//!
//! INVARIANT: when a write returns, the view says the same as the ledger. So a token that was revoked here is refused from
//! that moment on, and one that was issued is good before anybody has seen it. What is written here is no
//! [`Change`](super::Change): whoever writes records it, with who asked for it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Desk, Entry, Tokens, Usage};
use crate::family::Family;
use crate::issued::{Grant, Issued, Purpose, Validity};
use crate::ledger::{IssueError, Ledger, LedgerError, Lifetimes, Rotated, RotationError};
use crate::subject::{Group, Subject};
use crate::token::{RANDOM_BYTES, Token, TokenDigest, TokenId, TokenText};

impl Tokens {
    /// Issues tokens of one owner, all or none, unless the owner would then have more than `most` live ones.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn issue(
        &self,
        grants: &[(Grant, &[u8; RANDOM_BYTES])],
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<(TokenText, Issued)>, IssueError> {
        self.write(|ledger| {
            let written = ledger.issue_within(grants, most, now)?;
            let news = written.iter().map(|(token, issued)| (issued.clone(), Some(token.digest()))).collect();
            Ok((written, news))
        })
    }

    /// Exchanges a refresh token, as presented, for a new pair.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub fn rotate(
        &self,
        shown: &str,
        lifetimes: Lifetimes,
        now: Timestamp,
        random: [&[u8; RANDOM_BYTES]; 2],
    ) -> Result<Rotated, RotationError> {
        let shown = Token::parse(shown).map_err(|_| RotationError::Unknown)?;
        let rotated = self.write(|ledger| match ledger.rotate(&shown, lifetimes, now, random) {
            Ok(rotated) => {
                let mut news = known(&rotated.ended);
                for (token, issued) in [&rotated.access, &rotated.refresh] {
                    news.push((issued.clone(), Some(token.digest())));
                }
                Ok((Ok(rotated), news))
            }
            Err(RotationError::Reused { id, revoked }) => {
                let news = known(&revoked);
                Ok((Err(RotationError::Reused { id, revoked }), news))
            }
            Err(error) => Err(error),
        });
        rotated?
    }

    /// Revokes one token; empty if there is none with this id, or it was revoked before.
    ///
    /// # Errors
    /// When it cannot be written; it then still stands.
    pub fn revoke(&self, id: TokenId, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoking(now, |ledger| ledger.revoke(id, now).map(|issued| issued.into_iter().collect()))
    }

    /// Revokes the tokens of a login; returns those that were not revoked before.
    ///
    /// # Errors
    /// As [`Tokens::revoke`].
    pub fn revoke_family(&self, family: Family, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoking(now, |ledger| ledger.revoke_family(family, now))
    }

    /// As [`Tokens::revoke_family`], with all that was made with the help of these tokens.
    ///
    /// # Errors
    /// As [`Tokens::revoke`].
    pub fn revoke_stolen(&self, family: Family, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoking(now, |ledger| ledger.revoke_stolen(family, now))
    }

    /// Revokes all that somebody has; returns those that were not revoked before.
    ///
    /// # Errors
    /// As [`Tokens::revoke`].
    pub fn revoke_owner(&self, owner: &Subject, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoking(now, |ledger| ledger.revoke_owner(owner, now))
    }

    fn revoking(
        &self,
        now: Timestamp,
        revoke: impl FnOnce(&mut Ledger) -> Result<Vec<Issued>, LedgerError>,
    ) -> Result<Vec<Issued>, LedgerError> {
        self.write(|ledger| {
            let all = revoke(ledger)?;
            let news = known(&all);
            let fresh = |issued: &Issued| issued.validity.revoked.is_some_and(|at| at.as_second() == now.as_second());
            Ok((all.into_iter().filter(fresh).collect(), news))
        })
    }

    /// Gives all live tokens of somebody these groups; returns how many had others.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_groups(&self, owner: &Subject, groups: &[Group], now: Timestamp) -> Result<usize, LedgerError> {
        self.write(|ledger| {
            let changed = ledger.set_groups(owner, groups, now)?;
            Ok((changed.len(), known(&changed)))
        })
    }

    /// Deletes what logins and exchanges gave and what ended before a moment; returns how many.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prune(&self, before: Timestamp) -> Result<usize, LedgerError> {
        let mut desk = self.desk();
        self.refreshed(&mut desk)?;
        let gone = in_place(&mut desk)?.prune(before)?;
        if !gone.is_empty() {
            let mut view = super::View::clone(&self.view.load());
            view.retain(|id, _| !gone.contains(id));
            self.view.store(Arc::new(view));
        }
        Ok(gone.len())
    }

    /// Reads from, or writes to, what the ledger keeps beside tokens.
    ///
    /// # Errors
    /// Whatever `with` says, and when the ledger cannot be opened.
    pub fn with_ledger<T>(&self, with: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut desk = self.desk();
        self.refreshed(&mut desk)?;
        with(in_place(&mut desk)?)
    }

    /// Where the ledger lies.
    pub fn path(&self) -> std::path::PathBuf {
        self.desk().path.clone()
    }

    /// What is known of a token, from memory: what it is for, and until when it stands.
    pub fn known(&self, id: TokenId) -> Option<Known> {
        let view = self.view.load();
        let entry = view.get(&id)?;
        Some(Known { purpose: entry.purpose, family: entry.family, validity: entry.validity })
    }

    /// Which token this is, of whatever standing and purpose; `None` for whoever does not hold its secret.
    pub fn held(&self, text: &str) -> Option<(TokenId, Purpose, Option<Family>)> {
        let token = Token::parse(text).ok()?;
        let view = self.view.load();
        let entry = view.get(&token.id()).filter(|entry| token.digest().matches(&entry.digest))?;
        Some((token.id(), entry.purpose, entry.family))
    }

    /// Writes, and brings the view up to date.
    fn write<T, E: From<LedgerError>>(&self, write: impl FnOnce(&mut Ledger) -> Result<(T, News), E>) -> Result<T, E> {
        let mut desk = self.desk();
        self.refreshed(&mut desk)?;
        let (written, news) = write(in_place(&mut desk)?)?;
        if news.is_empty() {
            return Ok(written);
        }
        let mut view = super::View::clone(&self.view.load());
        for (issued, digest) in news {
            let known = view.get(&issued.id);
            let usage =
                known.map_or_else(|| Arc::new(Usage::since(issued.last_used)), |entry| Arc::clone(&entry.usage));
            if let Some(digest) = digest.or(known.map(|entry| entry.digest)) {
                view.insert(issued.id, Entry::of(&issued, digest, usage));
            }
        }
        self.view.store(Arc::new(view));
        Ok(written)
    }
}

/// What is known of a token from memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// What it is for.
    pub purpose: Purpose,
    /// The login that it comes from.
    pub family: Option<Family>,
    /// Until when it stands.
    pub validity: Validity,
}

/// Tokens that are not as the view has them; with their digests where they are new.
type News = Vec<(Issued, Option<TokenDigest>)>;

fn known(issued: &[Issued]) -> News {
    issued.iter().map(|issued| (issued.clone(), None)).collect()
}

/// The ledger, which [`Tokens::refreshed`] has opened.
fn in_place(desk: &mut Desk) -> Result<&mut Ledger, LedgerError> {
    let path = &desk.path;
    desk.ledger.as_mut().ok_or_else(|| LedgerError::Missing { path: path.clone() })
}
