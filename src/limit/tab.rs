//! Who pays for a request, and what is charged to them while it lasts.

use super::account::Account;
use crate::telemetry::label::Limit;
use std::{net::IpAddr, sync::Arc, time::Duration};

/// Who pays for a request.
#[derive(Clone, Copy, Hash, Debug)]
pub enum Payer<'a> {
    /// A principal, by subject.
    Subject(&'a Arc<str>),
    /// Nobody in particular, at an address.
    Address(IpAddr),
}

/// The tab of one request.
#[derive(Clone, Debug)]
pub struct Tab {
    pub(super) limit: Limit,
    /// The place of the role whose rate applies.
    pub(super) role: Option<usize>,
    pub(super) account: Arc<Account>,
    /// How long the request was delayed so far.
    pub(super) waited: Duration,
}

impl Tab {
    pub(super) fn new(limit: Limit, role: Option<usize>, account: Arc<Account>) -> Self {
        Self { limit, role, account, waited: Duration::ZERO }
    }

    /// Which limit it is.
    pub fn limit(&self) -> Limit {
        self.limit
    }
}

/// A failed attempt that was charged to an address.
#[derive(Debug, Default)]
#[must_use = "a credential that turns out good takes it back"]
pub struct Failure(Option<(Arc<Account>, u64)>);

impl Failure {
    pub(super) fn of(account: Arc<Account>, worth: u64) -> Self {
        Self(Some((account, worth)))
    }

    /// The credential is good after all.
    pub fn take_back(self) {
        if let Some((account, worth)) = self.0 {
            account.refund(worth);
        }
    }
}
