//! What the ledger knows of the people whose tokens it holds: their groups, and what their issuer is asked with.
//!
//! What an issuer gave us is sealed before it comes here ([`crate::Seal`]).

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Ledger, LedgerError, lines, without_repeats};
use crate::issued::Issued;
use crate::subject::{Group, Subject};

impl Ledger {
    /// The people (no machines, no tokens made by hand) who have tokens that are good at `now`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn people(&self, now: Timestamp) -> Result<Vec<Subject>, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT DISTINCT subject FROM token
                 WHERE subject GLOB 'user:*' AND subject NOT GLOB 'user:token/*'
                   AND revoked IS NULL AND coalesce(expires, ?1 + 1) > ?1 ORDER BY subject",
            )
            .map_err(|error| self.error(error))?;
        let people = statement.query_map(params![now.as_second()], |row| row.get::<_, String>(0));
        let people = people.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| self.error(error))?;
        Ok(people.iter().filter_map(|subject| subject.parse().ok()).collect())
    }

    /// Gives all live tokens of somebody these groups; returns those that had others.
    ///
    /// # Errors
    /// When the rows cannot be written; nothing then has changed.
    pub fn set_groups(
        &mut self,
        owner: &Subject,
        groups: &[Group],
        now: Timestamp,
    ) -> Result<Vec<Issued>, LedgerError> {
        let groups = without_repeats(groups);
        let written = lines(groups.iter().map(Group::as_str));
        let others: Vec<_> = self
            .owned(owner)?
            .into_iter()
            .filter(|issued| issued.validity.revoked.is_none() && issued.groups != groups)
            .filter(|issued| issued.validity.expires.is_none_or(|at| at > now))
            .collect();
        if others.is_empty() {
            return Ok(others);
        }
        self.connection
            .execute(
                "UPDATE token SET member_of = ?2
                 WHERE subject = ?1 AND revoked IS NULL AND coalesce(expires, ?3 + 1) > ?3",
                params![owner.as_str(), written, now.as_second()],
            )
            .map_err(|error| self.error(error))?;
        self.settle();
        Ok(others.into_iter().map(|issued| Issued { groups: groups.clone(), ..issued }).collect())
    }

    /// Keeps what an issuer is asked about somebody with, sealed, in place of what was kept before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_login(&mut self, owner: &Subject, sealed: &[u8], now: Timestamp) -> Result<(), LedgerError> {
        self.connection
            .execute(
                "INSERT INTO login (subject, sealed, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (subject) DO UPDATE SET sealed = ?2, since = ?3",
                params![owner.as_str(), sealed, now.as_second()],
            )
            .map_err(|error| self.error(error))?;
        self.settle();
        Ok(())
    }

    /// What was kept, sealed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn login(&self, owner: &Subject) -> Result<Option<Vec<u8>>, LedgerError> {
        let query = "SELECT sealed FROM login WHERE subject = ?1";
        let sealed = self.connection.query_row(query, params![owner.as_str()], |row| row.get(0));
        sealed.optional().map_err(|error| self.error(error))
    }

    /// Forgets what was kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_login(&mut self, owner: &Subject) -> Result<(), LedgerError> {
        let deleted = self.connection.execute("DELETE FROM login WHERE subject = ?1", params![owner.as_str()]);
        deleted.map_err(|error| self.error(error))?;
        self.settle();
        Ok(())
    }
}
