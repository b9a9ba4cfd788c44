//! Asks the one authenticator that a credential's shape has chosen.
//!
//! INVARIANT: no answer leads to another authenticator. A rejected credential is rejected (401); one whose judge cannot
//! be reached is unavailable (503, never 401: a client that is told 401 throws its credential away). Directory passwords
//! have their seat here; until a directory can be configured they are rejected, with a text that says so, as are JWTs
//! where no issuer is configured.

use std::sync::Arc;

use jiff::Timestamp;

use crate::credential::Presented;
use crate::jwt::Issuers;
use crate::principal::Principal;
use crate::rejection::Rejection;
use crate::tokens::Tokens;

/// What became of a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This is who asks; anonymous if nothing was presented.
    Authenticated(Arc<Principal>),
    /// 401, with [`Rejection::outside`] as the text.
    Rejected(Rejection),
    /// 503: whoever would have to judge cannot be asked. The text is for the log.
    Unavailable(String),
}

/// How much may be done to judge a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// What it takes.
    Full,
    /// No more than a look into memory: for callers who failed too often. What is known to be good stays good for them,
    /// so that nobody's failures lock out their neighbours.
    Recall,
}

/// Judges credentials. Shared by all threads; judging one does no I/O and waits for nobody.
pub struct Authenticator {
    anonymous: Arc<Principal>,
    tokens: Arc<Tokens>,
    issuers: Arc<Issuers>,
}

impl Authenticator {
    /// An authenticator of issued tokens and of the issuers' JWTs.
    pub fn new(tokens: Arc<Tokens>, issuers: Arc<Issuers>) -> Self {
        Self { anonymous: Arc::new(Principal::anonymous()), tokens, issuers }
    }

    /// Who presented this, at this moment?
    pub fn authenticate(&self, presented: &Presented<'_>, effort: Effort, now: Timestamp) -> Outcome {
        let judged = match presented {
            Presented::Nothing => Ok(Arc::clone(&self.anonymous)),
            Presented::Token(text) => self.tokens.verify(text, now),
            Presented::Jwt(_) if self.issuers.is_empty() => Err(Rejection::NoIssuer),
            Presented::Jwt(text) if effort == Effort::Recall => {
                self.issuers.recall(text, now).ok_or(Rejection::NotJudged)
            }
            Presented::Jwt(text) => self.issuers.verify(text, now).map_err(Rejection::Jwt),
            Presented::Password { .. } => Err(Rejection::NoDirectory),
        };
        match judged {
            Ok(principal) => Outcome::Authenticated(principal),
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    /// Who it is while nothing was presented.
    pub fn nobody(&self) -> &Arc<Principal> {
        &self.anonymous
    }

    /// Reads what other processes changed, after a rejection that [may be news](Rejection::may_be_news). Blocks. A failure is logged there, and the last good view stays.
    pub fn look_again(&self) {
        let _ = self.tokens.refresh();
    }
}
