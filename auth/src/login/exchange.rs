//! The code for an ID token, at the issuer's token endpoint.

use super::fault::{Fault, LoginError, Quoted};
use super::provider::{Found, Provider};
use openidconnect::core::{CoreErrorResponseType, CoreIdToken};
use openidconnect::{AuthorizationCode, PkceCodeVerifier, RequestTokenError, TokenResponse};

/// The ID token that a code stands for. The access token that comes with it is not wanted, and dropped.
pub(super) async fn id_token(
    provider: &Provider,
    found: &Found,
    code: &str,
    verifier: &str,
) -> Result<CoreIdToken, LoginError> {
    let unavailable = |text: String| LoginError::Unavailable(text.into());
    let request = found.client.exchange_code(AuthorizationCode::new(code.to_owned()));
    let request = request.map_err(|error| unavailable(error.to_string()))?;
    let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
    let answer = request.request_async(&|request| provider.send(request)).await.map_err(|error| match error {
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
    answer.id_token().cloned().ok_or_else(|| Fault::Form.because("the issuer sent no ID token"))
}
