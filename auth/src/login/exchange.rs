//! The code for an ID token, at the issuer's token endpoint.

use super::fault::{Fault, LoginError, Quoted};
use super::provider::{Answer, Client, Failure, Found, Owned, Provider};
use openidconnect::core::{CoreErrorResponseType, CoreIdToken, CoreTokenResponse};
use openidconnect::{
    AuthorizationCode, ConfigurationError, HttpRequest, OAuth2TokenResponse, PkceCodeVerifier, RequestTokenError,
    StandardErrorResponse, TokenResponse,
};
use zeroize::Zeroizing;

/// What a code stands for. The access token that comes with it is not wanted, and dropped.
pub(super) struct Exchanged {
    pub(super) id_token: CoreIdToken,
    /// By which the issuer can be asked about the person later, if it gives that (`offline_access`).
    pub(super) refresh_token: Option<Zeroizing<String>>,
}

/// Exchanges a code.
pub(super) async fn exchanged(
    provider: &Provider,
    found: &Found,
    code: &str,
    verifier: &str,
) -> Result<Exchanged, LoginError> {
    let unavailable = |text: String| LoginError::Unavailable(text.into());
    let answer = exchange(found.client.clone(), code.to_owned(), verifier.to_owned(), provider.asker()).await;
    let answer = answer.map_err(|error| unavailable(error.to_string()))?.map_err(|error| match error {
        RequestTokenError::ServerResponse(said) if *said.error() == CoreErrorResponseType::InvalidGrant => {
            Fault::Code.because("the issuer does not take the code")
        }
        // Anything else is between us and the issuer: our secret, for instance.
        RequestTokenError::ServerResponse(said) => {
            unavailable(format!("its token endpoint says {}", Quoted(said.error().as_ref())))
        }
        RequestTokenError::Request(failure) => unavailable(failure.to_string()),
        RequestTokenError::Parse(error, _) => unavailable(format!("its token endpoint answers nonsense: {error}")),
        RequestTokenError::Other(text) => unavailable(text),
    })?;
    let id_token = answer.id_token().cloned();
    let id_token = id_token.ok_or_else(|| Fault::Form.because("the issuer sent no ID token"))?;
    let refresh_token = answer.refresh_token().map(|token| Zeroizing::new(token.secret().clone()));
    Ok(Exchanged { id_token, refresh_token })
}

type Answered = Result<CoreTokenResponse, RequestTokenError<Failure, StandardErrorResponse<CoreErrorResponseType>>>;

fn exchange(
    client: Client,
    code: String,
    verifier: String,
    ask: impl Fn(HttpRequest) -> Answer + Send + Sync + 'static,
) -> Owned<Result<Answered, ConfigurationError>> {
    Box::pin(async move {
        let request = client.exchange_code(AuthorizationCode::new(code))?;
        Ok(request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&ask).await)
    })
}
