//! What answers come from: a store of our own, or in forward mode a store behind. The seam between the two modes.
//!
//! The walk looks, records, asks; with nothing held there is nothing to find or to refresh, and every question is asked.

use crate::{
    forward::{Forward, Question},
    goproxy::Target,
    store::{Content, Look, Store, StoreError},
};
use jiff::Timestamp;

/// Where a permitted target is got from.
pub enum Holding {
    /// Held, or fetched and then held.
    Store(Store),
    /// Handed on.
    Forward(Forward),
}

impl Holding {
    /// The store of our own, if there is one.
    pub fn store(&self) -> Option<&Store> {
        match self {
            Self::Store(store) => Some(store),
            Self::Forward(_) => None,
        }
    }

    /// As [`Store::look`]; asks nobody.
    pub(super) async fn look(&self, target: &Target, private: bool, now: Timestamp) -> Look {
        match self {
            Self::Store(store) => store.look(target, private, now).await,
            Self::Forward(_) => Look::Ask,
        }
    }

    /// Asks a source; the caller has recorded that it will.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Content, StoreError> {
        match self {
            Self::Store(store) => store.ask(question.target, question.private, question.now).await,
            Self::Forward(forward) => forward.ask(question).await,
        }
    }

    /// As [`Store::refreshed`].
    pub(super) async fn refreshed(&self, target: &Target, private: bool) -> Option<Content> {
        self.store()?.refreshed(target, private).await
    }
}
