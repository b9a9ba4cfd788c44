//! Asking an issuer about people who logged in there: with the refresh token that it gave us at their login.
//!
//! The issuer's answer to it is the issuer's word: a new ID token has the groups of now; `invalid_grant` says that the
//! login is over: the account was closed, or an administrator ended it. Everything else, and no answer, says nothing.
//!
//! What an issuer rotates is kept before anything else is done with its answer, because the old one is worth nothing by then.

use crate::fetch::{Fetched, Fetcher};
use crate::ledger::LedgerError;
use crate::login::ClientSecret;
use crate::principal::Principal;
use crate::seal::{SEALING_BYTES, Seal, SealError};
use crate::subject::Subject;
use crate::tokens::Tokens;
use crate::whereabouts::{Answer, Presence, Whereabouts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// What is waited for; the text of an error is for the log.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// An issuer as people log in at it.
pub trait LoginIssuer: Send + Sync {
    /// Where its tokens are given.
    fn token_endpoint(&self, now: Timestamp) -> Told<'_, Url>;

    /// Whom it speaks of in an ID token that it gave for a refresh token: verified as at a login, but for the nonce.
    fn read<'a>(&'a self, id_token: &'a str, now: Timestamp) -> Told<'a, Arc<Principal>>;
}

/// Random bytes for one sealing, or none to be had.
pub type SealingBytes = Arc<dyn Fn() -> Option<[u8; SEALING_BYTES]> + Send + Sync>;

/// An issuer at which people logged in, as it is asked about them.
pub struct Renewal {
    /// What it is called here.
    pub alias: String,
    /// The issuer itself.
    pub issuer: Arc<dyn LoginIssuer>,
    /// Who we are there.
    pub client_id: String,
    /// And our secret, where there is one.
    pub client_secret: Option<ClientSecret>,
    /// What is asked with.
    pub fetcher: Fetcher,
    /// Where refresh tokens are kept.
    pub tokens: Arc<Tokens>,
    /// And with what they are sealed.
    pub seal: Arc<Seal>,
    /// For sealing.
    pub random: SealingBytes,
}

/// RFC 6749 §5.1 and §5.2, as far as it matters.
#[derive(Deserialize)]
struct Answered {
    refresh_token: Option<Zeroizing<String>>,
    id_token: Option<Zeroizing<String>>,
    error: Option<String>,
}

/// Why a refresh token of an issuer is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system has no randomness to give.
    #[error("the system gives no random bytes")]
    Random,
}

impl Renewal {
    /// Keeps what the issuer gave at a login, in place of what it gave before. Blocks.
    ///
    /// # Errors
    /// See [`KeepError`]; the person is then asked about no more, and keeps their tokens until these expire.
    pub fn keep(&self, owner: &Subject, refresh_token: &str, now: Timestamp) -> Result<(), KeepError> {
        let random = (self.random)().ok_or(KeepError::Random)?;
        let sealed = self.seal.seal(owner, refresh_token, &random)?;
        Ok(self.tokens.with_ledger(|ledger| ledger.keep_login(owner, &sealed, now))?)
    }

    async fn ask(&self, subject: &Subject, now: Timestamp) -> Result<Presence, String> {
        let Some(kept) = self.kept(subject).await? else {
            return Ok(Presence::Here { groups: None });
        };
        let endpoint = self.issuer.token_endpoint(now).await?;
        let answer = self.fetcher.post(&endpoint, self.headers()?, self.form(&kept)).await;
        let Fetched { status, body, .. } = answer.map_err(|error| error.to_string())?;
        let told: Answered = serde_json::from_slice(&body).map_err(|_| format!("status {status} without sense"))?;
        match (status, told.error.as_deref()) {
            (400 | 401, Some("invalid_grant")) => return Ok(Presence::Gone),
            (200, None) => {}
            (_, error) => return Err(format!("status {status}, error {}", error.unwrap_or("none"))),
        }
        if let Some(next) = told.refresh_token {
            self.keep(subject, &next, now).map_err(|error| error.to_string())?;
        }
        let Some(id_token) = told.id_token else { return Ok(Presence::Here { groups: None }) };
        let Principal { subject: whose, groups, .. } = &*self.issuer.read(&id_token, now).await?;
        if **whose != *subject.as_str() {
            return Err("the answer is about somebody else".to_owned());
        }
        Ok(Presence::Here { groups: Some(Arc::clone(groups)) })
    }

    async fn kept(&self, subject: &Subject) -> Result<Option<Zeroizing<String>>, String> {
        let (tokens, owner) = (Arc::clone(&self.tokens), subject.clone());
        let read = tokio::task::spawn_blocking(move || tokens.with_ledger(|ledger| ledger.login(&owner)));
        let sealed = read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        sealed.map(|sealed| self.seal.open(subject, &sealed).map_err(|error| error.to_string())).transpose()
    }

    /// RFC 6749 §2.3.1: the secret in a header, never in a form; a client without one names itself in the form.
    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = &self.client_secret {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = Zeroizing::new(format!("{}:{}", encoded(&self.client_id), encoded(secret.expose())));
            let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            let mut value = HeaderValue::from_str(&basic).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn form(&self, refresh_token: &str) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", refresh_token);
        if self.client_secret.is_none() {
            form.append_pair("client_id", &self.client_id);
        }
        form.finish().into_bytes()
    }
}

impl Whereabouts for Renewal {
    fn knows(&self, subject: &Subject) -> bool {
        subject.alias() == self.alias && !subject.is_machine()
    }

    fn look_up<'a>(&'a self, subject: &'a Subject, now: Timestamp) -> Answer<'a> {
        Box::pin(async move { self.ask(subject, now).await.unwrap_or_else(Presence::Unknown) })
    }
}

#[cfg(test)]
mod tests;
