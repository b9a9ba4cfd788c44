//! The roll call on its schedule: people whose tokens we hold are asked about again, and those who left lose their tokens.
//!
//! Asking is [`RollCall`]'s; here is when, and what is recorded of it. The pause is not always the same, so that replicas do not ask
//! an issuer in the same second. A call that fails is logged and made again the next time; it never stops the gateway, and no
//! token is revoked because nobody answered.

use super::Gateway;
use crate::randomness::draw;
use auth::{Found, Issued, RollCall, Subject, Tokens, Whereabouts};
use jiff::SignedDuration;
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// Between two looks for tokens that ended long ago.
const PRUNE_EVERY: Duration = Duration::from_hours(1);
/// How long what logins and exchanges gave is kept in the ledger after its end.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Calls the roll from now on; never where there is nobody to ask or `every` is zero.
pub(super) fn call(
    background: &Handle,
    judges: Vec<Arc<dyn Whereabouts>>,
    tokens: Arc<Tokens>,
    gateway: Arc<Gateway>,
    every: Duration,
) {
    let roll = RollCall::new(tokens, judges);
    if roll.is_empty() || every.is_zero() {
        return;
    }
    background.spawn(async move {
        loop {
            tokio::time::sleep(jittered(every)).await;
            match roll.call((gateway.clock)()).await {
                Ok(found) => found.iter().for_each(|(subject, found)| tell(&gateway, subject, found)),
                Err(error) => {
                    tracing::warn!(%error, "what became of people is not known, the token ledger cannot be used")
                }
            }
        }
    });
}

/// Deletes what ended long ago, once an hour.
pub(super) fn prune(background: &Handle, tokens: Arc<Tokens>, gateway: Arc<Gateway>) {
    background.spawn(async move {
        loop {
            tokio::time::sleep(PRUNE_EVERY).await;
            let before = (gateway.clock)().saturating_sub(KEPT).unwrap_or(jiff::Timestamp::MIN);
            let tokens = Arc::clone(&tokens);
            match tokio::task::spawn_blocking(move || tokens.prune(before)).await {
                Ok(Ok(pruned)) => tracing::debug!(pruned, "tokens that ended long ago were deleted"),
                Ok(Err(error)) => tracing::warn!(%error, "tokens that ended long ago could not be deleted"),
                Err(_) => return,
            }
        }
    });
}

/// Between three and five quarters of a pause. Without randomness it is the pause itself.
fn jittered(every: Duration) -> Duration {
    let share = draw::<1>().map_or(0.5, |[byte]| f64::from(byte) / 255.0);
    every.mul_f64(0.75 + share / 2.0)
}

fn tell(gateway: &Gateway, subject: &Subject, found: &Found) {
    match found {
        Found::Regrouped(tokens) => {
            tracing::info!(%subject, tokens, "groups brought up to date");
            let detail = format!("{subject} is in other groups by now; {tokens} tokens follow");
            gateway.journal.act((gateway.clock)(), "groups.refreshed", &detail);
        }
        Found::Left(revoked) => {
            tracing::warn!(%subject, tokens = revoked.len(), "whose tokens these were is gone, they are revoked");
            for Issued { id, .. } in revoked {
                let detail = format!("{id} of {subject}: gone from where they proved who they are");
                gateway.journal.act((gateway.clock)(), "token.revoked", &detail);
            }
        }
        Found::Unknown(why) => tracing::warn!(%subject, why, "what became of them is not known, nothing changes"),
        Found::Suspicious => {
            tracing::error!(%subject, "gone, but so are too many others at once: nothing is revoked; is a filter wrong?");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_about_what_was_configured() {
        let hour = Duration::from_hours(1);
        let pauses: Vec<_> = (0..100).map(|_| jittered(hour)).collect();
        assert!(pauses.iter().all(|pause| (hour * 3 / 4..=hour * 5 / 4).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause != &pauses[0]), "not always the same");
    }
}
