//! Who is asking: from the Authorization header to a principal, or a 401 that says what to do.

use super::{
    CertifiedResult, Gateway, StandIn,
    trail::{Ruling, Trail},
};
use crate::{
    error::{Kind, RequestError},
    limit::Failure,
};
use auth::{Outcome, Presented, Principal, Rejection, Scratch, presented};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// Why nobody could be asked, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unavailable(String);

impl Gateway {
    /// Nobody is anonymous, which the policy may or may not let in; a credential that is not accepted is refused even
    /// where the anonymous would be let in, so that a mistyped token is noticed.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        certified: Option<&CertifiedResult>,
        trail: &mut Trail,
    ) -> Result<Arc<Principal>, RequestError> {
        let values = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes());
        let (mut scratch, arrived) = (Scratch::new(), Instant::now());
        let shown = presented(values, &mut scratch);
        let effort = self.effort(trail);
        let mut outcome = match (&shown, certified) {
            // A credential that was sent says more than a certificate that a client always shows.
            (Ok(Presented::Nothing), Some(certified)) => Ok(by_certificate(certified, trail.received)),
            _ => shown.as_ref().map(|shown| self.authenticator.authenticate(shown, effort, trail.received)),
        };
        if let (Ok(shown), Ok(Outcome::Open | Outcome::Rejected(_))) = (&shown, &outcome) {
            trail.login = self.authenticator.login_hash(shown);
        }
        // Whoever fails pays before anybody is asked about it, and what was good after all is taken back. Two pay afterwards:
        // who only joins others that ask about the same credential, since `go` sends one many times at once; and who waits
        // for an issuer's new key, which is fetched once for all, and for which a whole office may wait after a rotation.
        let afterwards = match (&shown, &outcome, trail.caller) {
            (Ok(Presented::Jwt(_)), Ok(Outcome::Open), _) => true,
            (Ok(shown), Ok(Outcome::Open), Some(caller)) => {
                self.authenticator.is_inquiring(shown, caller.client, trail.received)
            }
            _ => false,
        };
        let mut failure = if afterwards { Failure::default() } else { self.charge_if_failed(&outcome, trail)? };
        if let (Ok(shown), Ok(Outcome::Rejected(rejection))) = (&shown, &outcome)
            && rejection.may_be_news()
        {
            Box::pin(self.lookout.look(&self.authenticator, arrived)).await;
            outcome = Ok(self.authenticator.authenticate(shown, effort, trail.received));
        }
        if let (Ok(shown), Ok(Outcome::Open), Some(caller)) = (&shown, &outcome, trail.caller) {
            let inquired = self.authenticator.inquire(shown, caller.client, trail.received, &self.background);
            outcome = Ok(Box::pin(inquired).await);
            if afterwards {
                failure = self.charge_if_failed(&outcome, trail)?;
            }
        }
        let error = match outcome {
            Ok(Outcome::Authenticated(principal)) => {
                failure.take_back();
                trail.login = None;
                return Ok(StandIn::of(self.stand_in.as_ref(), principal));
            }
            Ok(Outcome::Rejected(rejection)) => {
                trail.rejected = Some(rejection.code());
                trail.token = rejection.token_id().map(|id| id.to_string());
                RequestError::new(Kind::Unauthenticated, rejection.outside()).because(rejection)
            }
            Ok(Outcome::Unavailable(text)) => {
                failure.take_back();
                let outside = "whoever could verify this credential cannot be reached; try again";
                RequestError::new(Kind::AuthenticatorDown, outside).because(Unavailable(text))
            }
            // Nobody who could be asked is left.
            Ok(Outcome::Open) => {
                RequestError::new(Kind::AuthenticatorDown, "this credential cannot be judged now; try again")
            }
            Err(malformed) => {
                trail.rejected = Some(malformed.code());
                RequestError::new(Kind::Unauthenticated, malformed.to_string())
            }
        };
        trail.ruling = Ruling::unauthenticated();
        Err(error)
    }

    /// What someone without a credential has to write, and where.
    pub(super) fn credential_wanted(&self) -> RequestError {
        let machine = self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, rest)| rest);
        let login = match self.console.desk().has_logins() {
            true => format!("log in with: modgate login {}\nor ", self.public_url),
            false => String::new(),
        };
        let text = format!(
            "modgate: a credential is needed\n{login}write into ~/.netrc: machine {machine} login modgate password TOKEN\n{}",
            self.contact.as_deref().map(|contact| format!("for a token ask {contact}")).unwrap_or_default()
        );
        RequestError::new(Kind::Unauthenticated, text)
    }
}

/// Who the client is by its certificate, while that lasts.
fn by_certificate(certified: &CertifiedResult, now: Timestamp) -> Outcome {
    match certified.as_ref().map_err(Clone::clone).and_then(|certified| certified.at(now)) {
        Ok(principal) => Outcome::Authenticated(Arc::clone(principal)),
        Err(error) => Outcome::Rejected(Rejection::Certificate(error)),
    }
}
