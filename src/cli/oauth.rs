//! The gateway as an authorization server (RFC 6749), seen from the command line, which is the public client `modgate-cli`.

use super::gateway_client::{Answer, GatewayClient, GatewayError};
use crate::config::Secret;
use serde::Deserialize;
use std::time::Duration;

/// Who we are to the gateway. There is no secret in it: what proves anything is the person's approval.
pub(super) const CLIENT_ID: &str = "modgate-cli";
const TOKEN: &str = "oauth/token";
/// How long a token is taken to be good of which nothing is said, in seconds.
const UNSAID: u64 = 300;

/// How long the answer to a refresh is waited for: twice this is within the grace of the gateway, which counts in whole
/// seconds.
pub(super) const REFRESH_PATIENCE: Duration = Duration::from_secs(4);

/// What a grant gave.
pub(super) struct Granted {
    /// The short-lived token.
    pub(super) access: Secret,
    /// For how long it is good.
    pub(super) lifetime: Duration,
    /// What the next one is got with.
    pub(super) refresh: Option<Secret>,
}

/// The person has to be asked (RFC 8628, section 3.2).
#[derive(Deserialize)]
pub(super) struct DeviceGrant {
    device_code: String,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "five")]
    interval: u64,
}

fn five() -> u64 {
    5
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum GrantError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// An error of RFC 6749, section 5.2, or RFC 8628, section 3.5.
    #[error("{}", told(code, description.as_deref()))]
    Denied { code: String, description: Option<String> },
}

impl GrantError {
    /// Whether it is the code `code`.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Denied { code, .. } if code == wanted)
    }
}

fn told(code: &str, description: Option<&str>) -> String {
    let plain = match code {
        "access_denied" => "the request was denied in the browser",
        "expired_token" => "nobody approved the request in time",
        "invalid_grant" => "the gateway no longer accepts what it gave before",
        _ => return super::audit::printable(description.unwrap_or(code)),
    };
    plain.to_owned()
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Denial {
    error: String,
    error_description: Option<String>,
}

impl DeviceGrant {
    /// Asks for a device code.
    pub(super) async fn begin(gateway: &GatewayClient, scope: Option<&str>) -> Result<Self, GrantError> {
        let mut form = vec![("client_id", CLIENT_ID)];
        form.extend(scope.map(|scope| ("scope", scope)));
        let answer = gateway.post_form("oauth/device_authorization", &form).await?;
        Ok(granting(gateway, answer)?.json(gateway.base())?)
    }

    /// How long the person has.
    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.expires_in.clamp(1, 3600))
    }

    /// How long to wait between two questions.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.clamp(1, 60))
    }

    /// Asks whether the person has approved; `authorization_pending` and `slow_down` are errors for which one waits.
    pub(super) async fn poll(&self, gateway: &GatewayClient) -> Result<Granted, GrantError> {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = [("grant_type", grant), ("device_code", &self.device_code), ("client_id", CLIENT_ID)];
        token(gateway, &form).await
    }
}

/// Redeems an authorization code (RFC 7636).
pub(super) async fn redeem(
    gateway: &GatewayClient,
    code: &str,
    verifier: &Secret,
    redirect_uri: &str,
) -> Result<Granted, GrantError> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier.expose()),
        ("client_id", CLIENT_ID),
    ];
    token(gateway, &form).await
}

/// Turns a refresh token into new ones; the old one is worth nothing afterwards.
///
/// Where no answer came it may have been spent all the same, and the gateway takes it once more for a short while only
/// ([`auth::REFRESH_GRACE`]); after that it looks stolen and ends the login. So it is asked again at once, here, and the
/// client has to wait for no answer longer than [`REFRESH_PATIENCE`].
pub(super) async fn refresh(gateway: &GatewayClient, refresh: &Secret) -> Result<Granted, GrantError> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose()), ("client_id", CLIENT_ID)];
    match token(gateway, &form).await {
        Err(GrantError::Gateway(error)) if error.may_have_been_heard() => token(gateway, &form).await,
        answered => answered,
    }
}

/// Takes a token back (RFC 7009); one that is gone already is no error.
pub(super) async fn revoke(gateway: &GatewayClient, token: &Secret) -> Result<(), GatewayError> {
    let form = [("token", token.expose()), ("client_id", CLIENT_ID)];
    let answer = gateway.post_form("oauth/revoke", &form).await?;
    gateway.success(answer).map(|_| ())
}

async fn token(gateway: &GatewayClient, form: &[(&str, &str)]) -> Result<Granted, GrantError> {
    let answer = granting(gateway, gateway.post_form(TOKEN, form).await?)?;
    let token: Token = answer.json(gateway.base())?;
    let plain = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let whole = [Some(&token.access_token), token.refresh_token.as_ref()].into_iter().flatten().all(|text| plain(text));
    if !token.token_type.eq_ignore_ascii_case("bearer") || !whole {
        let what = "a token that is no Bearer token".to_owned();
        return Err(GatewayError::Foreign { base: gateway.base().to_string(), what }.into());
    }
    Ok(Granted {
        access: Secret::of(token.access_token),
        lifetime: Duration::from_secs(token.expires_in.unwrap_or(UNSAID).min(10 * 365 * 86_400)),
        refresh: token.refresh_token.map(Secret::of),
    })
}

/// The answer, unless it is an error as OAuth has them.
fn granting(gateway: &GatewayClient, answer: Answer) -> Result<Answer, GrantError> {
    if (400..500).contains(&answer.status)
        && let Ok(denial) = answer.json::<Denial>(gateway.base())
    {
        return Err(GrantError::Denied { code: denial.error, description: denial.error_description });
    }
    Ok(gateway.success(answer)?)
}
