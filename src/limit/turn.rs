//! A turn: the place of a request that waits until its units are there.

use super::account::Account;
use std::{sync::Arc, time::Duration};

/// A request's turn, booked and still to come. Dropping it, because the client went away, gives back the waiting place and
/// what was booked.
#[derive(Debug)]
#[must_use = "dropping it gives the turn up"]
pub struct Turn {
    account: Arc<Account>,
    delay: Duration,
    /// What is given back.
    worth: u64,
}

impl Turn {
    /// A turn after `delay`; `None`, and the booking taken back, if all `places` are taken.
    pub(super) fn book(account: &Arc<Account>, delay: Duration, worth: u64, places: u32) -> Option<Self> {
        if account.enter(places) {
            return Some(Self { account: Arc::clone(account), delay, worth });
        }
        account.refund(worth);
        None
    }

    /// How long it takes until then.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Waits for it.
    pub async fn come(self) {
        tokio::time::sleep(self.delay).await;
        self.take();
    }

    /// Takes it: it has come, and nothing is given back.
    pub(super) fn take(mut self) {
        self.worth = 0;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.account.refund(self.worth);
        self.account.leave();
    }
}
