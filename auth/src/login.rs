//! Logging in with a browser at an issuer: code + PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207).
//!
//! ```text
//! begin:  metadata of the issuer (discovery) ── state, nonce, verifier ── kept for this browser ── where to send it
//! finish: state, once, of this browser ── `iss` ── code for an ID token ── signature, claims, nonce ── names
//! ```
//!
//! Who comes out is named by the issuer's alias and its claim paths, as a JWT of it would be: `user:ISSUER/NAME`.
//!
//! INVARIANT: what comes back is believed only from the browser that was sent, once, within ten minutes, and only for
//! the issuer it was sent to. An ID token proves who logged in here and nothing else: it is for our client, for this
//! login's nonce, and it is no credential afterwards.
//!
//! INVARIANT: nothing fails open. An issuer that cannot be asked makes the login [`LoginError::Unavailable`].
//!
//! What is deliberately elsewhere: cookies and pages (the console), the session that follows ([`crate::Sessions`]), bearer
//! tokens of the same issuer ([`crate::Issuers`]).

mod exchange;
mod fault;
mod id_token;
mod pending;
mod provider;
mod settings;

pub use fault::{Fault, LoginError};
pub use settings::{ClientSecret, LoginSettings};

use crate::fetch::Fetcher;
use crate::jwt::IssuerSettings;
use crate::principal::Principal;
use crate::renewal::{LoginIssuer, Told};
use exchange::Exchanged;
use jiff::Timestamp;
use pending::{Pending, Waiting};
use provider::Provider;
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// How many random bytes a login takes: state, nonce and verifier, 32 each.
pub const LOGIN_BYTES: usize = 96;

/// The issuers that people can log in at. Shared by all threads.
pub struct Logins {
    providers: Vec<Provider>,
    pending: Pending,
}

/// What an issuer sent a browser back with: the parameters of the redirect.
#[derive(Clone, Default, Debug)]
pub struct Callback {
    /// `state`
    pub state: Option<String>,
    /// `code`
    pub code: Option<String>,
    /// `iss` (RFC 9207)
    pub iss: Option<String>,
    /// `error`
    pub error: Option<String>,
}

/// Somebody who logged in.
#[derive(Clone)]
pub struct LoggedIn {
    /// Who; its method is [`crate::Method::Session`].
    pub principal: Arc<Principal>,
    /// Where the person wanted to go, as it was given to [`Logins::begin`].
    pub back: String,
    /// By which the issuer can be asked about them later, where `offline_access` is among the scopes and it gives one.
    pub refresh_token: Option<Zeroizing<String>>,
}

impl Logins {
    /// Those of the issuers that have a login. Beside each is what it is asked with, and where it sends people back to.
    pub fn new<'i>(issuers: impl IntoIterator<Item = (&'i IssuerSettings, Fetcher, Url)>) -> Self {
        let providers =
            issuers.into_iter().filter_map(|(issuer, fetcher, back)| Provider::new(issuer.clone(), fetcher, back));
        Self { providers: providers.collect(), pending: Pending::default() }
    }

    /// The issuers to choose from: alias, and what people know it as.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().map(|provider| (provider.alias().as_str(), provider.title()))
    }

    /// Begins a login: where to send the browser. `browser` is a secret that the browser keeps until it comes back.
    ///
    /// # Errors
    /// When there is no such issuer, or it cannot be asked.
    pub async fn begin(
        &self,
        alias: &str,
        browser: &str,
        back: &str,
        now: Timestamp,
        random: &[u8; LOGIN_BYTES],
    ) -> Result<Url, LoginError> {
        let provider = self.provider(alias)?;
        let found = provider.found(now, None).await?;
        let waiting = Waiting::new(alias, browser, back, now, random);
        let url = found.authorization(provider, &waiting.state, &waiting.nonce, &waiting.verifier)?;
        self.pending.keep(waiting, now);
        Ok(url)
    }

    /// Ends a login.
    ///
    /// # Errors
    /// Why nobody is logged in. Whatever it is, this login is over.
    pub async fn finish(
        &self,
        alias: &str,
        browser: Option<&str>,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginError> {
        let provider = self.provider(alias)?;
        let state = callback.state.as_deref().ok_or_else(|| Fault::State.because("no `state` came back"))?;
        let waiting = self.pending.take(state, browser, alias, now)?;
        let found = provider.found(now, None).await?;
        found.check_sender(provider, callback.iss.as_deref())?;
        if let Some(error) = &callback.error {
            return Err(Fault::Denied.because(format_args!("the issuer says {}", fault::Quoted(error))));
        }
        let code = callback.code.as_deref().ok_or_else(|| Fault::Code.because("no `code` came back"))?;
        let Exchanged { id_token: token, refresh_token } =
            exchange::exchanged(provider, &found, code, &waiting.verifier).await?;
        let nonce = Some(waiting.nonce.as_str());
        let principal = match id_token::principal(provider, &found, &token, nonce, now) {
            // The keys may have been replaced since they were fetched.
            Err(LoginError::Refused { fault: Fault::Signature, .. }) => {
                let newer = provider.found(now, Some(&found)).await?;
                id_token::principal(provider, &newer, &token, nonce, now)?
            }
            judged => judged?,
        };
        Ok(LoggedIn { principal: Arc::new(principal), back: waiting.back, refresh_token })
    }

    /// One of them, as it is asked about people later.
    pub fn issuer(self: &Arc<Self>, alias: &str) -> Arc<dyn LoginIssuer> {
        Arc::new(OneOf { logins: Arc::clone(self), alias: alias.into() })
    }

    /// Where an issuer gives tokens.
    async fn token_endpoint(&self, alias: &str, now: Timestamp) -> Result<Url, LoginError> {
        let found = self.provider(alias)?.found(now, None).await?;
        let endpoint = found.client.token_uri().map(|endpoint| endpoint.url().clone());
        endpoint.ok_or_else(|| LoginError::Unavailable("it has no token endpoint".into()))
    }

    /// Of whom an issuer speaks in an ID token that it gave for a refresh token.
    async fn still_is(&self, alias: &str, id_token: &str, now: Timestamp) -> Result<Principal, LoginError> {
        let provider = self.provider(alias)?;
        let token = id_token.parse().map_err(|_| Fault::Form.because("the ID token is malformed"))?;
        let found = provider.found(now, None).await?;
        match id_token::principal(provider, &found, &token, None, now) {
            Err(LoginError::Refused { fault: Fault::Signature, .. }) => {
                let newer = provider.found(now, Some(&found)).await?;
                id_token::principal(provider, &newer, &token, None, now)
            }
            judged => judged,
        }
    }

    fn provider(&self, alias: &str) -> Result<&Provider, LoginError> {
        self.providers.iter().find(|one| one.alias().as_str() == alias).ok_or(LoginError::Unknown)
    }
}

/// One of the issuers.
struct OneOf {
    logins: Arc<Logins>,
    alias: Box<str>,
}

impl LoginIssuer for OneOf {
    fn token_endpoint(&self, now: Timestamp) -> Told<'_, Url> {
        Box::pin(async move { self.logins.token_endpoint(&self.alias, now).await.map_err(|error| error.to_string()) })
    }

    fn read<'a>(&'a self, id_token: &'a str, now: Timestamp) -> Told<'a, Arc<Principal>> {
        Box::pin(async move {
            let principal = self.logins.still_is(&self.alias, id_token, now).await;
            principal.map(Arc::new).map_err(|error| error.to_string())
        })
    }
}
