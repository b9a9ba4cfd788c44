//! What other processes did to the ledger, told by comparing two views of it.

use super::{Entry, View};
use crate::token::TokenId;
use std::sync::Arc;

/// What happened to one token between two views. Nothing secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Which token.
    pub id: TokenId,
    /// Whose.
    pub subject: Arc<str>,
    /// What.
    pub kind: ChangeKind,
}

/// See [`Change`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChangeKind {
    /// It was issued.
    Created,
    /// It was taken back.
    Revoked,
    /// It was taken back and is good again: an older ledger was put in place.
    Reinstated,
    /// It is in the ledger no longer: another ledger was put in place.
    Removed,
}

/// All changes, by token and in the order in which they happen to one.
pub(super) fn between(last: &View, next: &View) -> Vec<Change> {
    let mut changes = Vec::new();
    for (id, entry) in next {
        let before = last.get(id);
        let was_revoked = before.is_some_and(Entry::is_revoked);
        let happened = [
            (before.is_none(), ChangeKind::Created),
            (entry.is_revoked() && !was_revoked, ChangeKind::Revoked),
            (was_revoked && !entry.is_revoked(), ChangeKind::Reinstated),
        ];
        changes.extend(happened.into_iter().filter(|(happened, _)| *happened).map(|(_, kind)| entry.change(*id, kind)));
    }
    let gone = last.iter().filter(|(id, _)| !next.contains_key(id));
    changes.extend(gone.map(|(id, entry)| entry.change(*id, ChangeKind::Removed)));
    changes.sort_by(|one, other| (one.id.as_str(), one.kind).cmp(&(other.id.as_str(), other.kind)));
    changes
}

impl Entry {
    fn is_revoked(&self) -> bool {
        self.validity.revoked.is_some()
    }

    fn change(&self, id: TokenId, kind: ChangeKind) -> Change {
        Change { id, subject: Arc::clone(&self.principal.subject), kind }
    }
}
