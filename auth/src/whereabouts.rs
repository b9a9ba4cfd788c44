//! People who left: what became of those whose tokens we hold is asked again, where they proved who they are.
//!
//! ```text
//! RollCall::call ─ for everybody with live tokens ─► Whereabouts::look_up ─► Here: groups brought up to date
//!                                                                            Gone: all their tokens revoked
//!                                                                            Unknown: nothing
//! ```
//!
//! INVARIANT: a judge that cannot be reached changes nothing. Only a clear answer revokes, and not even that where nearly
//! everybody would be gone at once: that is a mistake in a filter far more often than an empty company.
//!
//! What is deliberately elsewhere: the schedule, and the records of what happened (the server).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::issued::Issued;
use crate::ledger::LedgerError;
use crate::subject::{Group, Subject};
use crate::tokens::Tokens;

/// More than so many people gone at once, of whom one judge was asked, and more than half of all: nobody is revoked.
const BRAKE: usize = 10;

/// What became of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presence {
    /// They are there.
    Here {
        /// The groups that they are in by now (`group:ALIAS/NAME`); `None`: that was not told.
        groups: Option<Arc<[Arc<str>]>>,
    },
    /// They are not there any more, and that is certain.
    Gone,
    /// Nobody can tell now; the text is for the log.
    Unknown(String),
}

/// An answer that is waited for.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Presence> + Send + 'a>>;

/// Whoever knows what became of people.
pub trait Whereabouts: Send + Sync {
    /// Whether it can be asked about this subject at all.
    fn knows(&self, subject: &Subject) -> bool;

    /// What became of somebody.
    fn look_up<'a>(&'a self, subject: &'a Subject, now: Timestamp) -> Answer<'a>;
}

/// What a roll call found about somebody. Those who are as they were are not told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// Other groups; of how many tokens.
    Regrouped(usize),
    /// Gone; these tokens were revoked.
    Left(Vec<Issued>),
    /// It is not known.
    Unknown(String),
    /// Gone, but so are too many others: nothing was revoked.
    Suspicious,
}

/// Asks about everybody.
pub struct RollCall {
    tokens: Arc<Tokens>,
    judges: Vec<Arc<dyn Whereabouts>>,
}

impl RollCall {
    /// A roll call of everybody with tokens, by these judges; of several that know somebody the first is asked.
    pub fn new(tokens: Arc<Tokens>, judges: Vec<Arc<dyn Whereabouts>>) -> Self {
        Self { tokens, judges }
    }

    /// Whether anybody can be asked at all.
    pub fn is_empty(&self) -> bool {
        self.judges.is_empty()
    }

    /// Asks about everybody, one after the other. Reads and writes the ledger, for which it blocks a moment.
    ///
    /// # Errors
    /// When the ledger cannot be read or written. What was written before stays.
    pub async fn call(&self, now: Timestamp) -> Result<Vec<(Subject, Found)>, LedgerError> {
        let people = self.blocking(move |tokens| tokens.with_ledger(|ledger| ledger.people(now))).await?;
        let mut found = Vec::new();
        for judge in &self.judges {
            let first = |subject: &&Subject| {
                self.judges.iter().find(|judge| judge.knows(subject)).is_some_and(|first| Arc::ptr_eq(first, judge))
            };
            let (mut asked, mut gone) = (0, Vec::new());
            for subject in people.iter().filter(first) {
                asked += 1;
                match judge.look_up(subject, now).await {
                    Presence::Here { groups } => found.extend(self.regroup(subject, groups, now).await?),
                    Presence::Gone => gone.push(subject),
                    Presence::Unknown(why) => found.push((subject.clone(), Found::Unknown(why))),
                }
            }
            let suspicious = gone.len() > BRAKE && gone.len() * 2 > asked;
            for subject in gone {
                found.push((
                    subject.clone(),
                    if suspicious { Found::Suspicious } else { Found::Left(self.leave(subject, now).await?) },
                ));
            }
        }
        Ok(found)
    }

    async fn regroup(
        &self,
        subject: &Subject,
        groups: Option<Arc<[Arc<str>]>>,
        now: Timestamp,
    ) -> Result<Option<(Subject, Found)>, LedgerError> {
        let Some(groups) = groups else { return Ok(None) };
        let Ok(groups) = groups.iter().map(|group| group.parse()).collect::<Result<Vec<Group>, _>>() else {
            return Ok(Some((subject.clone(), Found::Unknown("a group has no name that can be kept".to_owned()))));
        };
        let owner = subject.clone();
        let changed = self.blocking(move |tokens| tokens.set_groups(&owner, &groups, now)).await?;
        Ok((changed > 0).then(|| (subject.clone(), Found::Regrouped(changed))))
    }

    async fn leave(&self, subject: &Subject, now: Timestamp) -> Result<Vec<Issued>, LedgerError> {
        let owner = subject.clone();
        self.blocking(move |tokens| {
            let revoked = tokens.revoke_owner(&owner, now)?;
            tokens.with_ledger(|ledger| ledger.forget_login(&owner))?;
            Ok(revoked)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tokens) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let tokens = Arc::clone(&self.tokens);
        let path = tokens.path();
        let done = tokio::task::spawn_blocking(move || work(&tokens)).await;
        // It panicked, which was logged; the ledger is opened anew by the next.
        done.unwrap_or(Err(LedgerError::Missing { path }))
    }
}

#[cfg(test)]
mod tests;
