//! The ledger of issued tokens: one SQLite file, written by `modgate token` and by the running server.
//!
//! One row a token. Rows of tokens that somebody made are never deleted, so that the id in an old audit record can always be
//! resolved; those of logins and exchanges, which come by the thousand and whose making is in the journal, go a while after
//! their end. A revocation is written once and never taken back. The secret is not in here, only its SHA-256.
//!
//! * The file is created with mode 0600 and its mode is tightened when it was loosened; SQLite gives its `-wal` and
//!   `-shm` companions the same mode. It must lie on a local disk (WAL needs shared memory).
//! * `application_id` says that it is ours, `user_version` which schema it has. A newer schema is refused, so that an
//!   older program never writes what it does not understand. A file of the first schema is brought to this one when it is
//!   opened, and a copy of it stays beside it.
//! * WAL with `synchronous = FULL`: a revocation that was reported survives a loss of power.
//! * After every write the log is emptied into the file. So the one file is the whole ledger (a plain copy is a
//!   backup), and no log is left that SQLite would replay over a file put in its place.
//! * Whatever is read is validated again ([`LedgerError::Row`]): the file may have been edited by hand.
//!
//! The view that requests are judged by is [`crate::Tokens`].

mod error;
mod file;
mod people;
mod rotation;
mod row;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, ToSql, TransactionBehavior, params};

pub use self::error::{IssueError, LedgerError};
use self::file::{Blank, FileIdentity};
pub use self::rotation::{Lifetimes, REFRESH_GRACE, Rotated, RotationError};
use crate::family::Family;
use crate::issued::{Grant, Issued, Kind, Validity};
use crate::name::Name;
use crate::subject::{Group, Subject};
use crate::token::{RANDOM_BYTES, TokenDigest, TokenId, TokenText};

/// An open ledger: one connection.
pub struct Ledger {
    path: PathBuf,
    file: FileIdentity,
    connection: Connection,
}

impl Ledger {
    /// Opens a ledger that exists.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] if there is none; never makes one, lest a mistyped path become an empty ledger.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::open_file(path, Blank::Refuse)
    }

    /// Opens a ledger, after making it (mode 0600) if there is none. Its directory must exist.
    ///
    /// # Errors
    /// As [`Ledger::open`], and when the file cannot be created.
    pub fn open_or_create(path: &Path) -> Result<Self, LedgerError> {
        file::create(path)?;
        Self::open_file(path, Blank::Fill)
    }

    /// Whether the ledger at `path` could be opened and read, without locking, creating or changing anything: how many
    /// tokens it holds, none if it is empty and [`Ledger::open_or_create`] would fill it. What a running server writes
    /// meanwhile may be missed.
    ///
    /// # Errors
    /// As [`Ledger::open`] and [`Ledger::all`].
    pub fn examine(path: &Path) -> Result<usize, LedgerError> {
        match file::look(path)? {
            Some((connection, version)) => Ok(row::all(&connection, path, version)?.len()),
            None => Ok(0),
        }
    }

    fn open_file(path: &Path, blank: Blank) -> Result<Self, LedgerError> {
        let file = FileIdentity::of(path)?;
        let connection = file::connect(path, blank)?;
        Ok(Self { path: path.to_owned(), file, connection })
    }

    /// Mints a token and keeps its digest. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the row cannot be written; the token is then worth nothing.
    pub fn issue(
        &mut self,
        grant: &Grant,
        now: Timestamp,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<(TokenText, Issued), LedgerError> {
        let written = write(&self.connection, grant, now, random).map_err(|error| self.error(error))?;
        self.settle();
        Ok(written)
    }

    /// As [`Ledger::issue`], several at once, unless their owner would then have more than `most` live tokens. All are of one
    /// owner.
    ///
    /// # Errors
    /// [`IssueError::Full`], or as [`Ledger::issue`]; then none was issued.
    pub fn issue_within(
        &mut self,
        grants: &[(Grant, &[u8; RANDOM_BYTES])],
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<(TokenText, Issued)>, IssueError> {
        let path = &self.path;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        if let Some((first, _)) = grants.first() {
            let live: i64 = transaction
                .query_row(
                    "SELECT count(*) FROM token
                     WHERE subject = ?1 AND revoked IS NULL AND coalesce(expires, ?2 + 1) > ?2",
                    params![first.owner.as_str(), now.as_second()],
                    |row| row.get(0),
                )
                .map_err(sqlite)?;
            if usize::try_from(live).unwrap_or(usize::MAX).saturating_add(grants.len()) > most {
                return Err(IssueError::Full { most });
            }
        }
        let written = grants.iter().map(|(grant, random)| write(&transaction, grant, now, random));
        let written = written.collect::<Result<_, _>>().map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        self.settle();
        Ok(written)
    }

    /// Revokes one token; `None` if there is none with this id. One that is revoked already keeps its first date.
    ///
    /// # Errors
    /// When the row cannot be written; the token then still stands.
    pub fn revoke(&mut self, id: TokenId, now: Timestamp) -> Result<Option<Issued>, LedgerError> {
        let mut revoked = self.revoke_where("id = ?2", params![now.as_second(), id.as_str()])?;
        Ok(revoked.pop())
    }

    /// Revokes every token of a name, a person's and a machine's, and returns them all, also those that were revoked
    /// before.
    ///
    /// # Errors
    /// When the rows cannot be written; all of them then still stand.
    pub fn revoke_name(&mut self, name: &Name, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        let [user, ci] = [Kind::User, Kind::Ci].map(|kind| kind.subject(name).ok());
        let [user, ci] = [&user, &ci].map(|subject| subject.as_ref().map_or("", Subject::as_str));
        self.revoke_where("subject IN (?2, ?3)", params![now.as_second(), user, ci])
    }

    /// Revokes every token of a subject, as [`Ledger::revoke_name`].
    ///
    /// # Errors
    /// When the rows cannot be written; all of them then still stand.
    pub fn revoke_owner(&mut self, owner: &Subject, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoke_where("subject = ?2", params![now.as_second(), owner.as_str()])
    }

    /// Revokes the tokens of one login, and returns them all, also those that were revoked before.
    ///
    /// # Errors
    /// When the rows cannot be written; all of them then still stand.
    pub fn revoke_family(&mut self, family: Family, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoke_where("family = ?2", params![now.as_second(), family.as_str()])
    }

    /// As [`Ledger::revoke_family`], with all that was made with the help of these tokens: for a login that came into other
    /// hands.
    ///
    /// # Errors
    /// When the rows cannot be written; all of them then still stand.
    pub fn revoke_stolen(&mut self, family: Family, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        self.revoke_where(rotation::STOLEN, params![now.as_second(), family.as_str()])
    }

    /// One token.
    ///
    /// # Errors
    /// When the file cannot be read, or the row makes no sense.
    pub fn find(&self, id: TokenId) -> Result<Option<Issued>, LedgerError> {
        let mut rows = row::select(&self.connection, &self.path, "id = ?1", params![id.as_str()])?;
        Ok(rows.pop().map(|(issued, _)| issued))
    }

    /// Every token of a subject, the oldest first.
    ///
    /// # Errors
    /// As [`Ledger::all`].
    pub fn owned(&self, owner: &Subject) -> Result<Vec<Issued>, LedgerError> {
        let rows = row::select(&self.connection, &self.path, "subject = ?1", params![owner.as_str()])?;
        Ok(rows.into_iter().map(|(issued, _)| issued).collect())
    }

    /// Deletes what logins and exchanges gave and what ended before a moment; returns which.
    ///
    /// # Errors
    /// When it cannot be deleted; nothing then was.
    pub fn prune(&mut self, before: Timestamp) -> Result<Vec<TokenId>, LedgerError> {
        let path = &self.path;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let ended = "(family IS NOT NULL OR rule IS NOT NULL) AND min(coalesce(revoked, expires), coalesce(expires, revoked)) < ?1";
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let rows = row::select(&transaction, path, ended, params![before.as_second()])?;
        transaction
            .execute(&format!("DELETE FROM token WHERE {ended}"), params![before.as_second()])
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        self.settle();
        Ok(rows.into_iter().map(|(issued, _)| issued.id).collect())
    }

    /// The first argument is the moment; the condition is about the others.
    fn revoke_where(&mut self, condition: &str, arguments: &[&dyn ToSql]) -> Result<Vec<Issued>, LedgerError> {
        let path = &self.path;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let update = format!("UPDATE token SET revoked = ?1 WHERE {condition} AND revoked IS NULL");
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        transaction.execute(&update, arguments).map_err(sqlite)?;
        let revoked = row::select(&transaction, path, condition, arguments)?;
        transaction.commit().map_err(sqlite)?;
        self.settle();
        Ok(revoked.into_iter().map(|(issued, _)| issued).collect())
    }

    /// Every token that was ever issued, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read, or one row of it makes no sense.
    pub fn all(&self) -> Result<Vec<Issued>, LedgerError> {
        let rows = self.with_digests()?;
        Ok(rows.into_iter().map(|(issued, _)| issued).collect())
    }

    /// As [`Ledger::all`], with the digests: one consistent snapshot.
    pub(crate) fn with_digests(&self) -> Result<Vec<(Issued, TokenDigest)>, LedgerError> {
        row::select(&self.connection, &self.path, "true", params![])
    }

    /// Writes when tokens were last used, in one transaction. An older time than the one known is ignored.
    ///
    /// # Errors
    /// When they cannot be written, or another file lies in place of the one that was opened.
    pub(crate) fn mark_used(&mut self, uses: &[(TokenId, i64)]) -> Result<(), LedgerError> {
        if FileIdentity::of(&self.path)? != self.file {
            // The log is found by the path: writing would leave a log that is replayed over the new file.
            return Err(LedgerError::Missing { path: self.path.clone() });
        }
        let path = &self.path;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        for (id, second) in uses {
            transaction
                .prepare_cached("UPDATE token SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, ?2 - 1) < ?2")
                .and_then(|mut update| update.execute(params![id.as_str(), second]))
                .map_err(sqlite)?;
        }
        transaction.commit().map_err(sqlite)?;
        self.settle();
        Ok(())
    }

    /// Empties the log into the file. What was committed is durable either way: if another connection is reading just
    /// now, the next write does it.
    fn settle(&self) {
        let settled =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>("busy"));
        if !matches!(settled, Ok(false)) {
            let path = self.path.display();
            tracing::debug!(%path, ?settled, "token ledger's log stays for now");
        }
    }

    /// A number that changes whenever another connection, of this or another process, has written.
    pub(crate) fn data_version(&self) -> Result<i64, LedgerError> {
        file::pragma(&self.connection, "data_version").map_err(|error| self.error(error))
    }

    /// Itself if the path still leads to the file that was opened; closes it if another lies there.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] when the path leads nowhere.
    pub(crate) fn if_in_place(self) -> Result<Option<Self>, LedgerError> {
        let now = FileIdentity::of(&self.path)?;
        Ok((now == self.file).then_some(self))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, error: rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }
}

/// Writes one row, inside or outside a transaction.
fn write(
    connection: &Connection,
    grant: &Grant,
    now: Timestamp,
    random: &[u8; RANDOM_BYTES],
) -> rusqlite::Result<(TokenText, Issued)> {
    let token = TokenText::mint(random);
    let issued = Issued {
        id: token.id(),
        owner: grant.owner.clone(),
        groups: without_repeats(&grant.groups),
        scope: grant.scope.clone(),
        note: grant.note.clone(),
        purpose: grant.purpose,
        family: grant.family,
        maker: grant.maker,
        rule: grant.rule.clone(),
        claims: grant.claims.clone(),
        created: whole_second(now),
        last_used: None,
        spent: None,
        validity: Validity { expires: grant.expires.map(whole_second), revoked: None },
    };
    connection.execute(
        "INSERT INTO token (id, digest, subject, member_of, scope, note, created, expires,
                            purpose, family, maker, rule, claims)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            issued.id.as_str(),
            token.digest().as_bytes(),
            issued.subject(),
            lines(issued.group_names()),
            issued.scope.as_ref().map(|scope| scope.as_str()),
            issued.note.as_ref().map(|note| note.as_str()),
            issued.created.as_second(),
            issued.validity.expires.map(Timestamp::as_second),
            issued.purpose.as_str(),
            issued.family.as_ref().map(Family::as_str),
            issued.maker.as_ref().map(TokenId::as_str),
            issued.rule.as_ref().map(|rule| rule.as_str()),
            row::claims_column(&issued.claims),
        ],
    )?;
    Ok((token, issued))
}

/// One a line.
fn lines<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join("\n")
}

fn without_repeats(groups: &[Group]) -> Vec<Group> {
    let mut kept: Vec<Group> = Vec::with_capacity(groups.len());
    for group in groups {
        if !kept.contains(group) {
            kept.push(group.clone());
        }
    }
    kept
}

fn whole_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

#[cfg(test)]
#[path = "ledger/tests.rs"]
mod tests;
