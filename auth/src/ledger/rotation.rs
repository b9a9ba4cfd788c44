//! Refresh tokens: each is exchanged for a new pair once (RFC 9700 §4.14.2).
//!
//! ```text
//! R0 ──► A1 R1 ──► A2 R2 ──► …          one family
//! R0 again, within REFRESH_GRACE of its use: A1 R1 are taken back, A1' R1' are given; the answer was lost
//! R0 again, later, or after R1's use:    the whole family is revoked; somebody has a copy
//! ```
//!
//! INVARIANT: of one login at most one refresh token is good at any time. So a thief and an owner cannot both go on: whoever
//! comes second revokes it for both. The grace does not weaken this, for what it gives replaces what was given before.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{Ledger, LedgerError, row, write};
use crate::family::Family;
use crate::issued::{Grant, Issued, Purpose, Standing};
use crate::token::{RANDOM_BYTES, Token, TokenId, TokenText};

/// How long after its use a refresh token may come again because the answer was lost. Who refreshes has to give up
/// and ask again well within it.
pub const REFRESH_GRACE: SignedDuration = SignedDuration::from_secs(10);

/// The condition for all tokens of a family (`?2`) and all that was made with their help.
pub(super) const STOLEN: &str = "id IN (
    WITH RECURSIVE stolen (id) AS (
        SELECT id FROM token WHERE family = ?2
        UNION
        SELECT token.id FROM token JOIN stolen ON token.maker = stolen.id
    ) SELECT id FROM stolen)";

/// How long the tokens of a new pair are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Of the access token.
    pub access: SignedDuration,
    /// Of the refresh token.
    pub refresh: SignedDuration,
}

/// A new pair.
pub struct Rotated {
    /// The new credential.
    pub access: (TokenText, Issued),
    /// What it is renewed with.
    pub refresh: (TokenText, Issued),
    /// What is good no longer: the token that was shown, or an answer that was lost.
    pub ended: Vec<Issued>,
}

/// Why there is no new pair. All but the last are `invalid_grant` outside.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Never issued, or a wrong secret.
    #[error("no such refresh token")]
    Unknown,
    /// Not for this.
    #[error("token `{0}` is no refresh token")]
    Purpose(TokenId),
    /// Too late.
    #[error("refresh token `{0}` has expired")]
    Expired(TokenId),
    /// It was taken back, and with it the whole login.
    #[error("refresh token `{0}` was revoked")]
    Revoked(TokenId),
    /// It was used before: the login was revoked just now.
    #[error("refresh token `{id}` was used again, its login is revoked")]
    Reused {
        /// Which token.
        id: TokenId,
        /// What was revoked with it.
        revoked: Vec<Issued>,
    },
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Exchanges a refresh token for a new pair, in one transaction.
    ///
    /// # Errors
    /// See [`RotationError`]. Only [`RotationError::Reused`] has changed anything.
    pub fn rotate(
        &mut self,
        shown: &Token<'_>,
        lifetimes: Lifetimes,
        now: Timestamp,
        random: [&[u8; RANDOM_BYTES]; 2],
    ) -> Result<Rotated, RotationError> {
        let path = self.path.clone();
        let sqlite = |error| LedgerError::sqlite(&path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let mut rows = row::select(&transaction, &path, "id = ?1", params![shown.id().as_str()])?;
        let known = rows.pop().filter(|(_, digest)| shown.digest().matches(digest)).map(|(issued, _)| issued);
        let issued = known.ok_or(RotationError::Unknown)?;
        let (Purpose::Refresh, Some(family)) = (issued.purpose, issued.family) else {
            return Err(RotationError::Purpose(issued.id));
        };
        let ended = match issued.validity.standing(now) {
            Standing::Expired(_) => return Err(RotationError::Expired(issued.id)),
            Standing::Live => spend(&transaction, &issued, now).map_err(sqlite)?,
            Standing::Revoked(_) => match again(&transaction, &path, &issued, family, now)? {
                Again::Lost(ended) => ended,
                Again::Over => return Err(RotationError::Revoked(issued.id)),
                Again::Reused => {
                    drop(transaction);
                    let revoked = self.revoke_stolen(family, now)?;
                    return Err(RotationError::Reused { id: issued.id, revoked });
                }
            },
        };
        let [for_access, for_refresh] = random;
        let made = |purpose, lifetime, random| {
            let expires = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
            let next = Grant { purpose, expires: Some(expires), ..like(&issued) };
            write(&transaction, &next, now, random).map_err(sqlite)
        };
        let access = made(Purpose::Access, lifetimes.access, for_access)?;
        let refresh = made(Purpose::Refresh, lifetimes.refresh, for_refresh)?;
        transaction.commit().map_err(sqlite)?;
        self.settle();
        Ok(Rotated { access, refresh, ended })
    }
}

/// What a token that was used before amounts to.
enum Again {
    /// The answer to its use was lost, or so it seems; that answer is taken back.
    Lost(Vec<Issued>),
    /// Nothing of its login is left to be revoked.
    Over,
    /// Somebody has a copy.
    Reused,
}

fn again(
    transaction: &Transaction<'_>,
    path: &std::path::Path,
    issued: &Issued,
    family: Family,
    now: Timestamp,
) -> Result<Again, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let left = "family = ?2 AND revoked IS NULL AND coalesce(expires, ?1 + 1) > ?1";
    let left = row::select(transaction, path, left, params![now.as_second(), family.as_str()])?;
    let next: Vec<_> = left.iter().filter(|next| issued.spent.is_some_and(|spent| next.0.created >= spent)).collect();
    let has_refresh = next.iter().any(|(next, _)| next.purpose == Purpose::Refresh);
    match issued.spent {
        Some(spent) if has_refresh && now.duration_since(spent) < REFRESH_GRACE => {
            // Only the answer to this very token can be of this moment and still hold a refresh token: had that been
            // used, its successor would be here instead, with the used one revoked beside it.
            let used: bool = transaction
                .query_row(
                    "SELECT count(*) > 0 FROM token WHERE family = ?1 AND spent >= ?2 AND id <> ?3",
                    params![family.as_str(), spent.as_second(), issued.id.as_str()],
                    |row| row.get(0),
                )
                .map_err(sqlite)?;
            if used {
                return Ok(Again::Reused);
            }
            for (next, _) in &next {
                transaction
                    .execute("UPDATE token SET revoked = ?1 WHERE id = ?2", params![now.as_second(), next.id.as_str()])
                    .map_err(sqlite)?;
            }
            Ok(Again::Lost(next.into_iter().map(|(next, _)| revoked(next, now)).collect()))
        }
        _ if left.is_empty() => Ok(Again::Over),
        _ => Ok(Again::Reused),
    }
}

fn spend(transaction: &Transaction<'_>, issued: &Issued, now: Timestamp) -> rusqlite::Result<Vec<Issued>> {
    transaction.execute(
        "UPDATE token SET revoked = ?1, spent = ?1, last_used = ?1 WHERE id = ?2",
        params![now.as_second(), issued.id.as_str()],
    )?;
    Ok(vec![revoked(issued, now)])
}

fn revoked(issued: &Issued, now: Timestamp) -> Issued {
    let mut issued = issued.clone();
    issued.validity.revoked = Some(now);
    issued
}

/// The grant that a token came from, for its successors.
fn like(issued: &Issued) -> Grant {
    Grant {
        owner: issued.owner.clone(),
        groups: issued.groups.clone(),
        scope: issued.scope.clone(),
        expires: None,
        note: issued.note.clone(),
        purpose: issued.purpose,
        family: issued.family,
        maker: None,
        rule: issued.rule.clone(),
        claims: issued.claims.clone(),
    }
}

#[cfg(test)]
mod tests;
