//! What all grants have in common: who is issued what, and the record of it.
//!
//! INVARIANT: what is issued is never wider than what its maker has. The scope is what is asked for *and* the maker's own scope;
//! subject and groups are the maker's; and only a login (a session, a JWT or a password of a person, or a token that a
//! login gave) is extended in time. Any other token makes only tokens that end no later than itself.
//!
//! INVARIANT (record before effect): no token is handed out whose act is not in the journal. One that cannot be recorded is
//! revoked again.

use super::refusal::{Code, OauthRefusal};
use crate::{
    audit::{Journal, Record},
    config,
    console::{Refused, Visitor},
    error::{Kind, RequestError},
    limit::{Excess, Failure, Limits},
    policy::{self, Scope},
    randomness::NoRandomness,
};
use auth::{
    Authenticator, Codes, Devices, Effort, Grant, IssueError, Issued, Issuers, Line, Method, Outcome, Presented,
    Principal, RANDOM_BYTES, TokenId, TokenText, Tokens,
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

/// Where random bytes come from: fills a buffer, or says that there are none.
pub type Random = Arc<dyn Fn(&mut [u8]) -> Result<(), NoRandomness> + Send + Sync>;

/// The parts that grants need.
pub struct Grants {
    /// The ledger and the view of it.
    pub tokens: Arc<Tokens>,
    /// Logins of devices that wait.
    pub devices: Devices,
    /// Codes for a browser on the same machine.
    pub codes: Codes,
    /// Judges what a pipeline shows.
    pub authenticator: Arc<Authenticator>,
    /// Says how long what pipelines exchange may live.
    pub issuers: Arc<Issuers>,
    /// Failures are charged here.
    pub limits: Arc<Limits>,
    /// Acts are kept here.
    pub journal: Arc<Journal>,
    /// The policy in force.
    pub policy: Arc<policy::Live>,
    /// `[tokens]`
    pub settings: config::Tokens,
    /// `public_url` without a trailing slash.
    pub public_url: String,
    /// Where what waits for others runs.
    pub background: Handle,
    /// Random bytes.
    pub random: Random,
}

/// An act about a token, with whoever did it.
pub(in crate::console) struct Deed<'a> {
    pub(in crate::console) name: &'a str,
    pub(in crate::console) detail: String,
    /// In whose name.
    pub(in crate::console) principal: &'a Principal,
    pub(in crate::console) visitor: &'a Visitor,
}

impl Grants {
    /// Random bytes, wiped when they are dropped.
    pub(in crate::console) fn random<const LENGTH: usize>(&self) -> Result<Zeroizing<[u8; LENGTH]>, OauthRefusal> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        (self.random)(&mut *bytes).map_err(|error| unavailable(&error))?;
        Ok(bytes)
    }

    /// Who approves a login in their own name: a person who logged in, not a token and not a machine. A token that could
    /// would be a way to make a short token a long one.
    pub(in crate::console) fn may_approve(principal: &Principal) -> bool {
        let logged_in = matches!(principal.method, Method::Session | Method::Jwt | Method::Ldap | Method::Certificate);
        logged_in && principal.subject.starts_with("user:")
    }

    /// The visitor, if they [may approve](Self::may_approve).
    pub(in crate::console) fn approver(visitor: &Visitor) -> Result<&Arc<Principal>, Refused> {
        let principal = visitor.somebody()?;
        if Self::may_approve(principal) {
            return Ok(principal);
        }
        let text = "a login is approved by a person who logged in, not by a token or a machine";
        Err(RequestError::new(Kind::Denied, text).into())
    }

    /// Issues tokens and records them; all of one owner.
    pub(in crate::console) async fn issue(
        self: &Arc<Self>,
        grants: Vec<Grant>,
        act: &'static str,
        visitor: &Visitor,
    ) -> Result<Vec<(TokenText, Issued)>, OauthRefusal> {
        let random = grants.iter().map(|_| self.random::<RANDOM_BYTES>()).collect::<Result<Vec<_>, _>>()?;
        let (tokens, most, now) = (Arc::clone(&self.tokens), self.settings.max_per_owner, visitor.now);
        let issued = blocking(move || {
            let grants = grants.into_iter().zip(&random).map(|(grant, random)| (grant, &**random)).collect::<Vec<_>>();
            tokens.issue(&grants, most, now)
        });
        let issued = issued.await?.map_err(|error| match error {
            IssueError::Full { .. } => OauthRefusal::new(Code::AccessDenied, error.to_string()),
            IssueError::Ledger(error) => unavailable(&error),
        })?;
        for (_, issued) in &issued {
            self.record_issued(act, issued, visitor).await?;
        }
        Ok(issued)
    }

    /// Records one new token; revokes it where that is not possible.
    pub(in crate::console) async fn record_issued(
        self: &Arc<Self>,
        act: &'static str,
        issued: &Issued,
        visitor: &Visitor,
    ) -> Result<(), OauthRefusal> {
        let owner = Principal {
            subject: Arc::clone(issued.owner.shared()),
            claims: Arc::clone(&issued.claims),
            method: Method::Token,
            ..Principal::anonymous()
        };
        // Who asked, if they proved it; else it was a refreshing, and the owner's refresh token proved it.
        let principal = if visitor.principal.method == Method::Anonymous { &owner } else { &*visitor.principal };
        let until = issued.validity.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {at}"));
        let family = issued.family.map_or_else(String::new, |family| format!(", login {family}"));
        let scope = issued.scope.as_ref().map_or_else(String::new, |scope| format!(", scope {scope}"));
        let (id, purpose) = (issued.id, issued.purpose.as_str());
        let detail = format!("{id} of {}: {purpose}, {until}{family}{scope}", issued.owner);
        if self.record(&Deed { name: act, detail, principal, visitor }) {
            return Ok(());
        }
        let (tokens, now) = (Arc::clone(&self.tokens), visitor.now);
        // Nobody knows it, so nothing is lost if this fails too.
        let _ = blocking(move || tokens.revoke(id, now)).await;
        Err(OauthRefusal::new(Code::Unavailable, "the record of this token could not be kept, so it is not issued"))
    }

    /// Keeps an act; whether that was possible.
    pub(in crate::console) fn record(&self, deed: &Deed<'_>) -> bool {
        let Deed { name, detail, principal, visitor } = deed;
        let claims: Vec<_> = principal.claims.iter().map(|claim| (&*claim.name, &*claim.value)).collect();
        let record = Record {
            request: &visitor.request,
            subject: &principal.subject,
            groups: &principal.groups,
            method: principal.method.as_str(),
            token: principal.token_id.as_deref(),
            claims: &claims,
            client: visitor.client,
            ..Record::act(visitor.now, name, detail.as_bytes())
        };
        match self.journal.append(&record) {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, act = name, "an act could not be recorded");
                false
            }
        }
    }

    /// Records tokens that are good no longer.
    pub(in crate::console) fn record_revoked(
        &self,
        revoked: &[Issued],
        why: &str,
        principal: &Principal,
        visitor: &Visitor,
    ) {
        for issued in revoked {
            let detail = format!("{} of {}: {why}", issued.id, issued.owner);
            self.record(&Deed { name: "token.revoked", detail, principal, visitor });
        }
    }

    /// Charges a failed attempt to the client's address.
    pub(in crate::console) fn charge(&self, visitor: &Visitor) -> Result<(), OauthRefusal> {
        let Some(client) = visitor.client else { return Ok(()) };
        self.limits.failed(client).map(drop).map_err(|excess| OauthRefusal::over_limit(&excess))
    }

    /// Judges a credential that came in a form, as at any other door: whoever is not good pays, whoever asks the directory pays before that
    /// and has it back if it was good after all, and an address that fails too often has only those accepted that are known to be
    /// good.
    pub(in crate::console) async fn judge(&self, shown: &Presented<'_>, visitor: &Visitor) -> Result<Outcome, Excess> {
        let Some(client) = visitor.client else { return Ok(Outcome::Unavailable("from nowhere".to_owned())) };
        let effort = if self.limits.is_shut(client) { Effort::Recall } else { Effort::Full };
        let outcome = self.authenticator.authenticate(shown, effort, visitor.now);
        let failure = match (&outcome, shown) {
            (Outcome::Rejected(_), _) | (Outcome::Open, Presented::Password { .. }) => self.limits.failed(client)?,
            _ => Failure::default(),
        };
        if outcome != Outcome::Open {
            return Ok(outcome);
        }
        let outcome = self.authenticator.inquire(shown, client, visitor.now, &self.background).await;
        match (&outcome, shown) {
            (Outcome::Rejected(_), Presented::Password { .. }) => {}
            // An issuer's new key is fetched once for all who wait for it, so they pay afterwards.
            (Outcome::Rejected(_), _) => drop(self.limits.failed(client)?),
            _ => failure.take_back(),
        }
        Ok(outcome)
    }

    /// Refuses whoever failed too often, before anything is looked up: for what can be guessed.
    pub(in crate::console) fn let_in(&self, visitor: &Visitor) -> Result<(), OauthRefusal> {
        match visitor.client.filter(|client| self.limits.is_shut(*client)) {
            None => Ok(()),
            Some(_) => {
                let text = "too many failed attempts from this address";
                Err(OauthRefusal::new(Code::TooMany, text).wait(Duration::from_secs(10)))
            }
        }
    }

    /// Until when a token is good that this principal makes for so long: a token that is no login's ends its children with
    /// itself.
    pub(in crate::console) fn no_later(
        &self,
        principal: &Principal,
        now: Timestamp,
        wanted: Timestamp,
    ) -> Option<Timestamp> {
        match principal.method {
            Method::Token => {
                let id: TokenId = principal.token_id.as_deref()?.parse().ok()?;
                let known = self.tokens.known(id)?;
                Some(match (known.family, known.validity.expires) {
                    (Some(_), _) | (_, None) => wanted,
                    (None, Some(end)) => wanted.min(end),
                })
            }
            // A pipeline's JWT is for this run; it gets what an exchange gives.
            Method::Jwt if principal.subject.starts_with("ci:") => {
                Some(wanted.min(later(now, self.settings.exchange_lifetime)))
            }
            Method::Jwt | Method::Ldap | Method::Certificate | Method::Session => Some(wanted),
            Method::Anonymous => None,
        }
    }
}

/// Why a scope is not granted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(in crate::console) enum ScopeRefusal {
    #[error("{0}")]
    Malformed(policy::ScopeError),
    #[error("nothing of that scope is within the scope of the token that asks for it")]
    Nothing,
    #[error("that scope and the scope of the token that asks for it are too long together")]
    Long,
}

/// The scope of what somebody with scope `own` makes when `asked` is asked for: both of them.
pub(in crate::console) fn narrowed(own: Option<&str>, asked: Option<&str>) -> Result<Option<Line>, ScopeRefusal> {
    let read = |text: &str| Scope::parse(text).map_err(ScopeRefusal::Malformed);
    let both = match (own, asked) {
        (None, None) => return Ok(None),
        (Some(one), None) | (None, Some(one)) => read(one)?,
        (Some(own), Some(asked)) => read(own)?.and(&read(asked)?),
    };
    if !both.covers_anything() {
        return Err(ScopeRefusal::Nothing);
    }
    both.to_string().parse().map(Some).map_err(|_| ScopeRefusal::Long)
}

impl From<ScopeRefusal> for OauthRefusal {
    fn from(refusal: ScopeRefusal) -> Self {
        Self::new(Code::InvalidScope, refusal.to_string())
    }
}

/// A moment that is so much later.
pub(in crate::console) fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Does what waits for the disk.
pub(in crate::console) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OauthRefusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(&error))
}

/// For the log, and a refusal that does not show it.
pub(in crate::console) fn unavailable(error: &dyn std::error::Error) -> OauthRefusal {
    tracing::error!(%error, "tokens cannot be issued now");
    OauthRefusal::new(Code::Unavailable, "tokens cannot be issued now; try again")
}
