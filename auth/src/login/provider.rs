//! An issuer as a provider of logins: its metadata and keys, found by discovery and kept for a while.
//!
//! Found when the first person wants to log in, not at the start: a gateway starts without its issuers. Kept for an hour;
//! when they are due and the issuer does not answer, what was found goes on for a day, since a login fails anyway
//! where the issuer itself is needed. One fetch at a time; after one that failed the next is five seconds later.

use super::fault::{Fault, LoginError, Quoted};
use super::settings::LoginSettings;
use crate::fetch::{FetchError, Fetcher};
use crate::jwt::{Alias, IssuerSettings};
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::http::{Method, Response};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, CsrfToken, DiscoveryError, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, Scope,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

/// How long what was found is good.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// How long it is used while the issuer does not answer.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// How long an issuer that did not answer is not asked again.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// What an issuer says of itself beyond what every one does (RFC 9207 §3).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Beyond {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Beyond {}

type Metadata = ProviderMetadata<
    Beyond,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Us as a client of an issuer, with its endpoints.
pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An issuer that people can log in at.
pub(super) struct Provider {
    pub(super) issuer: IssuerSettings,
    pub(super) login: LoginSettings,
    fetcher: Fetcher,
    callback: Url,
    last: Mutex<Last>,
    /// One fetch at a time.
    asking: AsyncMutex<()>,
}

/// What came of asking, last.
#[derive(Default)]
struct Last {
    found: Option<Arc<Found>>,
    failed: Option<(Timestamp, Box<str>)>,
}

/// What an issuer says of itself, with its keys.
pub(super) struct Found {
    pub(super) client: Client,
    sends_iss: bool,
    at: Timestamp,
}

impl Provider {
    /// `None` where people cannot log in.
    pub(super) fn new(issuer: IssuerSettings, fetcher: Fetcher, callback: Url) -> Option<Self> {
        let login = *issuer.login.clone()?;
        let (last, asking) = Default::default();
        Some(Self { issuer, login, fetcher, callback, last, asking })
    }

    pub(super) fn alias(&self) -> &Alias {
        &self.issuer.alias
    }

    pub(super) fn title(&self) -> &str {
        self.login.title.as_deref().unwrap_or(self.issuer.alias.as_str())
    }

    /// What the issuer says of itself; `outdated` is what it must not be.
    pub(super) async fn found(&self, now: Timestamp, outdated: Option<&Arc<Found>>) -> Result<Arc<Found>, LoginError> {
        if let Some(known) = self.known(now, outdated) {
            return known;
        }
        let _one_at_a_time = self.asking.lock().await;
        // Whoever was before us may have found it.
        if let Some(known) = self.known(now, outdated) {
            return known;
        }
        match self.discover(now).await {
            Ok(found) => {
                let found = Arc::new(found);
                *self.last.lock() = Last { found: Some(Arc::clone(&found)), failed: None };
                Ok(found)
            }
            Err(error) => {
                tracing::warn!(
                    issuer = self.alias().as_str(),
                    error = &*error,
                    "an issuer's metadata cannot be fetched"
                );
                self.last.lock().failed = Some((now, error));
                let unavailable = || Err(LoginError::Unavailable("it does not answer".into()));
                self.known(now, outdated).unwrap_or_else(unavailable)
            }
        }
    }

    /// What is known without asking; `None`: the issuer is to be asked.
    fn known(&self, now: Timestamp, outdated: Option<&Arc<Found>>) -> Option<Result<Arc<Found>, LoginError>> {
        let last = self.last.lock();
        let other = last.found.as_ref().filter(|found| outdated.is_none_or(|outdated| !Arc::ptr_eq(found, outdated)));
        let younger = |than: SignedDuration| other.filter(|found| now.duration_since(found.at) < than);
        if let Some(found) = younger(FRESH) {
            return Some(Ok(Arc::clone(found)));
        }
        let (at, error) = last.failed.as_ref()?;
        if now.duration_since(*at) >= PAUSE {
            return None;
        }
        let stale = younger(STALE).map(Arc::clone);
        Some(stale.ok_or_else(|| LoginError::Unavailable(error.clone())))
    }

    async fn discover(&self, now: Timestamp) -> Result<Found, Box<str>> {
        let issuer = IssuerUrl::new(self.issuer.issuer.clone()).map_err(|error| error.to_string())?;
        let metadata = metadata(issuer, self.asker()).await.map_err(|error| match error {
            DiscoveryError::Request(failure) => failure.to_string(),
            other => other.to_string(),
        })?;
        let sends_iss = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let offers = |method| methods.is_some_and(|methods| methods.contains(&method));
        // OpenID Connect Discovery §3: `client_secret_basic` where nothing is said.
        let by_form =
            offers(CoreClientAuthMethod::ClientSecretPost) && !offers(CoreClientAuthMethod::ClientSecretBasic);
        let secret = self.login.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(self.login.client_id.clone()), secret);
        let client = client.set_redirect_uri(RedirectUrl::from_url(self.callback.clone()));
        let client = if by_form { client.set_auth_type(AuthType::RequestBody) } else { client };
        Ok(Found { client, sends_iss, at: now })
    }

    /// What sends the requests of the protocol library.
    pub(super) fn asker(&self) -> impl Fn(HttpRequest) -> Answer + Send + Sync + use<> {
        let fetcher = self.fetcher.clone();
        move |request| Box::pin(ask(fetcher.clone(), request))
    }
}

/// An answer on its way.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send>>;

/// A future that borrows nothing: the library's own are not known to be `Send` for every lifetime.
pub(super) type Owned<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn metadata(
    issuer: IssuerUrl,
    ask: impl Fn(HttpRequest) -> Answer + Send + Sync + 'static,
) -> Owned<Result<Metadata, DiscoveryError<Failure>>> {
    Box::pin(async move { Metadata::discover_async(issuer, &ask).await })
}

async fn ask(fetcher: Fetcher, request: HttpRequest) -> Result<HttpResponse, Failure> {
    let (head, body) = request.into_parts();
    let url = head.uri.to_string().parse::<Url>().map_err(|_| Failure::Address)?;
    let fetched = match head.method {
        Method::POST => fetcher.post(&url, head.headers, body).await,
        _ => fetcher.get(&url).await,
    };
    let fetched = fetched.map_err(Failure::Fetch)?;
    if fetched.status >= 500 {
        return Err(Failure::Status(fetched.status));
    }
    let mut response = Response::new(fetched.body);
    *response.status_mut() = fetched.status.try_into().map_err(|_| Failure::Status(fetched.status))?;
    *response.headers_mut() = fetched.headers;
    Ok(response)
}

/// Why an issuer did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("its address is no URL")]
    Address,
    #[error(transparent)]
    Fetch(FetchError),
    #[error("it answered {0}")]
    Status(u16),
}

impl Found {
    /// Where a browser is sent.
    pub(super) fn authorization(
        &self,
        provider: &Provider,
        state: &str,
        nonce: &str,
        verifier: &str,
    ) -> Result<Url, LoginError> {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.to_owned()));
        let (state, nonce) = (CsrfToken::new(state.to_owned()), Nonce::new(nonce.to_owned()));
        let scopes = provider.login.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let request = self.client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce);
        let request = request.add_scopes(scopes).set_pkce_challenge(challenge);
        // OpenID Connect Core 1.0 §11: else an issuer may leave `offline_access` out.
        let request = match provider.login.scopes.iter().any(|scope| scope == "offline_access") {
            true => request.add_prompt(CoreAuthPrompt::Consent),
            false => request,
        };
        let (url, ..) = request.url();
        match crate::fetch::is_confidential(&url) {
            true => Ok(url),
            false => Err(LoginError::Unavailable("its authorization endpoint is not https".into())),
        }
    }

    /// RFC 9207 §2.4: an issuer that says it names itself must, and whoever names themselves must be the issuer.
    pub(super) fn check_sender(&self, provider: &Provider, iss: Option<&str>) -> Result<(), LoginError> {
        match iss {
            Some(iss) if iss == provider.issuer.issuer => Ok(()),
            Some(other) => Err(Fault::Sender.because(format_args!("`iss` is {}", Quoted(other)))),
            None if self.sends_iss => Err(Fault::Sender.because("`iss` is missing, and this issuer sends it")),
            None => Ok(()),
        }
    }
}
