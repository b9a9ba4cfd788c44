//! Asks the one authenticator that a credential's shape has chosen.
//!
//! INVARIANT: no answer leads to another authenticator. A rejected credential is rejected (401); one whose judge cannot
//! be reached is unavailable (503, never 401: a client that is told 401 throws its credential away). Where no directory is
//! configured, passwords are rejected with a text that says so, as are JWTs where no issuer is.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::credential::Presented;
use crate::directory::Directory;
use crate::jwt::{Issuers, Unproved};
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
    /// Whoever must judge is somewhere else: [`Authenticator::inquire`] asks them.
    Open,
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

/// Judges credentials. Shared by all threads; [`Authenticator::authenticate`] does no I/O and waits for nobody.
pub struct Authenticator {
    anonymous: Arc<Principal>,
    tokens: Arc<Tokens>,
    issuers: Arc<Issuers>,
    directory: Option<Arc<Directory>>,
}

impl Authenticator {
    /// An authenticator of issued tokens, of the issuers' JWTs, and of the directory's passwords.
    pub fn new(tokens: Arc<Tokens>, issuers: Arc<Issuers>, directory: Option<Arc<Directory>>) -> Self {
        Self { anonymous: Arc::new(Principal::anonymous()), tokens, issuers, directory }
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
            Presented::Jwt(text) => return outcome(self.issuers.verify(text, now)),
            Presented::Password { login, password } => match &self.directory {
                None => Err(Rejection::NoDirectory),
                Some(directory) => match directory.recall(login, password, now) {
                    Some(principal) => Ok(principal),
                    None if effort == Effort::Recall => Err(Rejection::NotJudged),
                    None => return Outcome::Open,
                },
            },
        };
        match judged {
            Ok(principal) => Outcome::Authenticated(principal),
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }

    /// Whether there are passwords that could be good.
    pub fn has_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Asks whoever is elsewhere about a credential that [`Authenticator::authenticate`] left open. The asking is done
    /// on `background`, whose connections outlive the caller.
    pub async fn inquire(
        &self,
        presented: &Presented<'_>,
        client: IpAddr,
        now: Timestamp,
        background: &Handle,
    ) -> Outcome {
        match (presented, &self.directory) {
            (Presented::Password { login, password }, Some(directory)) => {
                let (directory, login) = (Arc::clone(directory), (*login).to_owned());
                let password = Zeroizing::new((*password).to_owned());
                let asked = background.spawn(async move { directory.verify(&login, &password, client, now).await });
                asked.await.unwrap_or_else(|_| Outcome::Unavailable("asking the directory panicked".to_owned()))
            }
            (Presented::Jwt(text), _) => {
                let (issuers, text) = (Arc::clone(&self.issuers), Zeroizing::new((*text).to_owned()));
                let asked = background.spawn(async move { outcome(issuers.inquire(&text, now).await) });
                asked.await.unwrap_or_else(|_| Outcome::Unavailable("asking the issuer panicked".to_owned()))
            }
            _ => self.authenticate(presented, Effort::Full, now),
        }
    }

    /// Whether a credential that is [open](Outcome::Open) is being asked about already, on behalf of another request.
    pub fn is_inquiring(&self, presented: &Presented<'_>, client: IpAddr, now: Timestamp) -> bool {
        match (presented, &self.directory) {
            (Presented::Password { login, password }, Some(directory)) => {
                directory.is_asking(login, password, client, now)
            }
            _ => false,
        }
    }

    /// A keyed hash of the login of a directory password, for the record of one that was not accepted.
    pub fn login_hash(&self, presented: &Presented<'_>) -> Option<String> {
        match (presented, &self.directory) {
            (Presented::Password { login, .. }, Some(directory)) => Some(directory.login_hash(login)),
            _ => None,
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

fn outcome(judged: Result<Arc<Principal>, Unproved>) -> Outcome {
    match judged {
        Ok(principal) => Outcome::Authenticated(principal),
        Err(Unproved::Refused(refusal)) => Outcome::Rejected(Rejection::Jwt(refusal)),
        Err(Unproved::Open) => Outcome::Open,
        Err(Unproved::Unavailable(why)) => Outcome::Unavailable(why),
    }
}
