//! Looking whether another process has just issued a token that is not known here.
//!
//! Somebody creates a token and runs `go` at once, which asks a dozen paths in the same instant: each of them has to wait
//! for a look that began after it came, not only the first. One look serves all who wait for it, and looks are at least
//! [`EVERY`] apart, so a flood of made-up tokens costs one small query of the ledger in that time, and itself some delay.

use auth::Authenticator;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Time from one look to the next.
const EVERY: Duration = Duration::from_millis(50);

/// When the last look began. Whoever holds the lock looks, everybody else waits for that look or the next.
#[derive(Debug, Default)]
pub(super) struct Lookout(Mutex<Option<Instant>>);

impl Lookout {
    /// Returns when a look that began after `arrived` is over. Cancelling it leaves the look to the next in line.
    pub(super) async fn look(&self, authenticator: &Arc<Authenticator>, arrived: Instant) {
        let mut last = self.0.lock().await;
        if let Some(began) = *last {
            if began > arrived {
                return;
            }
            sleep_until(began + EVERY).await;
        }
        let began = Instant::now();
        let authenticator = Arc::clone(authenticator);
        // A panic in it was logged; the credential is then judged by what is known.
        let _ = tokio::task::spawn_blocking(move || authenticator.look_again()).await;
        *last = Some(began);
    }
}
