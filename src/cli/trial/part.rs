//! What became of one file of a version, or of one list, over all requests for it.

use crate::audit::{Cache, Decision, Entry, Kind};
use serde::Serialize;
use std::collections::BTreeSet;

/// What came of something that was asked for, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The policy does not let them have it, or nobody knows who they are.
    Refused,
    /// It could not be had, or not all of it arrived, or what vouches for it does not know it.
    Failed,
    /// It was answered.
    Fetched,
    /// It does not exist, or its name was kept private.
    NotFound,
}

/// A file (`info`, `mod`, `zip`), a `list`, `latest`, a `query`, or the `lookup` of its sums.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Part {
    /// Which; a query with what was asked for, as in `query main`.
    pub(super) name: String,
    /// What came of it, by the last answer.
    pub(super) outcome: Outcome,
    /// The last answer's status.
    pub(super) status: u16,
    /// How often it was asked for. Over HTTPS the go command asks twice whenever it is refused.
    pub(super) requests: u64,
    /// The size of what was stored, in bytes.
    pub(super) bytes: Option<u64>,
    /// Where the answers came from: `miss`, `hit`, …
    pub(super) cache: BTreeSet<&'static str>,
    /// Who gave it.
    pub(super) source: String,
    /// The request that the last answer was for: to know what a broken transfer belongs to.
    #[serde(skip)]
    request: String,
}

impl Part {
    /// The part that a record is about.
    pub(super) fn name_of(entry: &Entry) -> String {
        if entry.query.is_empty() { entry.target.clone() } else { format!("{} {}", entry.target, entry.query) }
    }

    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            outcome: Outcome::NotFound,
            status: 0,
            requests: 0,
            bytes: None,
            cache: BTreeSet::new(),
            source: String::new(),
            request: String::new(),
        }
    }

    /// Takes in a record about it.
    pub(super) fn take(&mut self, entry: &Entry, bytes: Option<u64>) {
        match entry.kind {
            Kind::Answered => {
                self.requests += 1;
                self.status = entry.status.unwrap_or_default();
                self.outcome = Outcome::of(entry);
                self.request.clone_from(&entry.request);
                if self.outcome == Outcome::Fetched {
                    self.bytes = bytes.or(self.bytes);
                    self.source.clone_from(&entry.source);
                }
                if entry.cache != Cache::None {
                    self.cache.insert(entry.cache.as_str());
                }
            }
            Kind::Broken if entry.request == self.request => self.outcome = Outcome::Failed,
            Kind::Broken | Kind::Asked | Kind::Act => {}
        }
    }

    /// A version's file that was asked for, as the go command orders them: info, mod, zip, then the rest.
    pub(super) fn rank(&self) -> usize {
        let order = ["info", "mod", "zip", "lookup", "list", "latest"];
        order.iter().position(|name| *name == self.name).unwrap_or(order.len())
    }
}

impl Outcome {
    pub(super) fn of(entry: &Entry) -> Self {
        match (entry.status.unwrap_or_default(), entry.decision) {
            (401 | 403, _) | (_, Decision::Deny | Decision::Unauthenticated) => Self::Refused,
            (200..=399, _) => Self::Fetched,
            // The go command does without a list, but not without sums.
            (404 | 410, _) if entry.target != "lookup" => Self::NotFound,
            _ => Self::Failed,
        }
    }
}
