//! Shaping: who is over their limit waits, and is refused only if the wait would be too long.
//!
//! Between authorize and record: the roles are known, which may have limits of their own, and nothing has had an effect. What
//! the policy refuses is charged as well, because a refusal costs us a record. Where asking a source costs more is in
//! `serve.rs` and `sumdb.rs`; what counts as a failure is in `authenticate.rs` and here.
//!
//! Not charged is the repeat that `go` makes of every 4xx (PROTOCOL.md, "Wire behaviour").
//!
//! INVARIANT (record before effect): a refusal for a limit is recorded like any other, with the decision of the policy, except
//! where an account has so many that they could fill the journal. Those are counted and recorded together, as the act
//! `limit.flood`; nothing of a target was served, and no source was asked, on their account.

use super::{Gateway, Trail, trail::Ruling};
use crate::{
    audit::{self, Record},
    error::{Kind, RequestError},
    limit::{Excess, Failure, Flood, Payer, Tab, Turn},
    telemetry::{REQUEST_ID, label::Limit},
};
use auth::{Effort, Malformed, Method, Outcome};
use axum::http::StatusCode;
use std::net::IpAddr;

/// What the limits have to do with a request.
#[derive(Clone, Debug, Default)]
pub(super) enum Toll {
    /// Nothing was charged.
    #[default]
    None,
    /// Charged to whoever is allowed so much.
    Charged(Tab),
    /// Charged to the address, as a failure.
    Failed,
    /// The repeat of a request that was charged.
    Repeat,
}

impl Gateway {
    /// Charges a request on which the policy has decided, whatever it said, and delays it if need be.
    pub(super) async fn shape(&self, trail: &mut Trail) -> Result<(), RequestError> {
        if trail.ruling.decision == audit::Decision::Unauthenticated {
            return self.charge_failure(trail).map(drop);
        }
        if self.is_repeat(trail) {
            trail.toll = Toll::Repeat;
            return Ok(());
        }
        trail.toll = Toll::None;
        let Some(mut tab) = self.limits.open(payer(trail), &trail.ruling.roles) else { return Ok(()) };
        let charged = self.limits.charge(&mut tab);
        trail.toll = Toll::Charged(tab);
        self.wait(charged, trail).await
    }

    /// Charges what asking a source costs more. To be awaited before the record of it is kept.
    pub(super) async fn charge_fetch(&self, trail: &mut Trail) -> Result<(), RequestError> {
        let Toll::Charged(tab) = &mut trail.toll else { return Ok(()) };
        let charged = self.limits.charge_fetch(tab);
        self.wait(charged, trail).await
    }

    /// How much may be done about this caller's credential: a signature is not checked for an address that fails too often.
    pub(super) fn effort(&self, trail: &Trail) -> Effort {
        match client(trail) {
            Some(client) if self.limits.is_shut(client) => Effort::Recall,
            _ => Effort::Full,
        }
    }

    /// Charges the address if the credential is not good, before anybody is asked about it.
    pub(super) fn charge_if_failed(
        &self,
        outcome: &Result<Outcome, &Malformed>,
        trail: &mut Trail,
    ) -> Result<Failure, RequestError> {
        match outcome {
            Ok(Outcome::Authenticated(_) | Outcome::Unavailable(_)) => Ok(Failure::default()),
            // Asking whoever is elsewhere is paid for beforehand, too.
            Ok(Outcome::Rejected(_) | Outcome::Open) | Err(_) => {
                trail.ruling = Ruling::unauthenticated();
                self.charge_failure(trail)
            }
        }
    }

    fn charge_failure(&self, trail: &mut Trail) -> Result<Failure, RequestError> {
        let Some(client) = client(trail) else { return Ok(Failure::default()) };
        if self.is_repeat(trail) {
            trail.toll = Toll::Repeat;
            return Ok(Failure::default());
        }
        trail.toll = Toll::Failed;
        self.limits.failed(client).map_err(|excess| self.over_limit(&excess, trail))
    }

    async fn wait(&self, charged: Result<Option<Turn>, Excess>, trail: &mut Trail) -> Result<(), RequestError> {
        match charged {
            Ok(None) => Ok(()),
            Ok(Some(turn)) => {
                self.metrics.limit_delayed(limit(trail));
                let (id, delay) = (trail.id.as_str(), turn.delay());
                tracing::debug!(
                    { REQUEST_ID } = id,
                    subject = &*trail.principal.subject,
                    ?delay,
                    "over the limit, delayed"
                );
                Box::pin(turn.come()).await;
                Ok(())
            }
            Err(excess) => Err(self.over_limit(&excess, trail)),
        }
    }

    /// What a developer reads who is over a limit.
    fn over_limit(&self, excess: &Excess, trail: &mut Trail) -> RequestError {
        self.metrics.limit_refused(excess.limit);
        trail.recorded = excess.recorded;
        // Its repeat is charged: being refused must not be the way past the limit.
        trail.toll = Toll::None;
        let Excess { rate, retry_after, .. } = *excess;
        let address = client(trail).map_or_else(String::new, |client| format!(" from {client}"));
        let whose = match excess.limit {
            Limit::Principal => format!("{} is over the limit ({rate})", trail.principal.subject),
            Limit::Anonymous => format!("too many anonymous requests{address} ({rate})"),
            Limit::Failures => format!("too many requests without a good credential{address} ({rate})"),
        };
        let crowd = excess.crowd.map_or_else(String::new, |crowd| format!("\n{crowd} requests wait already"));
        let seconds = retry_after.as_secs_f64().ceil().max(1.0);
        let better = match excess.limit {
            Limit::Failures => "; a good credential is accepted at once",
            Limit::Principal | Limit::Anonymous => "",
        };
        let contact = self.contact.as_deref().map_or_else(String::new, |contact| format!("\ncontact: {contact}"));
        let text = format!("modgate: {whose}{crowd}\ncome back in {seconds} s{better}{contact}");
        RequestError::new(Kind::Limited, text).retry_after(retry_after)
    }

    /// Remembers what `go` will ask again at once.
    ///
    /// INVARIANT: a refusal for a limit and a repeat leave no note.
    pub(super) fn expect_repeat(&self, trail: &Trail, status: StatusCode) {
        let charged = matches!(trail.toll, Toll::Charged(_) | Toll::Failed);
        if charged && status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            self.limits.note_refusal(payer(trail), &trail.target, (self.clock)());
        }
    }

    fn is_repeat(&self, trail: &Trail) -> bool {
        self.limits.is_repeat(payer(trail), &trail.target, trail.received)
    }

    /// Once a minute and at the end: idle accounts are forgotten, and refusals without a record are told.
    pub(super) fn tidy_limits(&self) {
        for Flood { whom, client, limit, refusals } in self.limits.tidy() {
            let limit = match limit {
                Limit::Principal => "the limit of a principal",
                Limit::Anonymous => "the limit of the anonymous at an address",
                Limit::Failures => "the limit of requests without a good credential from an address",
            };
            let detail = format!("{whom}: {refusals} more requests were refused, over {limit}");
            tracing::warn!(whom, refusals, "{limit} was reached");
            let record = Record { client, ..Record::act((self.clock)(), "limit.flood", detail.as_bytes()) };
            if let Err(error) = self.journal.append(&record) {
                tracing::error!(%error, detail, "a flood could not be recorded");
            }
        }
    }
}

/// Who pays.
fn payer(trail: &Trail) -> Payer<'_> {
    match (trail.principal.method, client(trail)) {
        (Method::Anonymous, Some(client)) => Payer::Address(client),
        _ => Payer::Subject(&trail.principal.subject),
    }
}

fn client(trail: &Trail) -> Option<IpAddr> {
    trail.caller.map(|caller| caller.client)
}

fn limit(trail: &Trail) -> Limit {
    match &trail.toll {
        Toll::Charged(tab) => tab.limit(),
        Toll::None | Toll::Failed | Toll::Repeat => Limit::Failures,
    }
}
