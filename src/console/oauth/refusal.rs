//! Refusals of the OAuth endpoints: JSON, as programs expect them there (RFC 6749 §5.2, RFC 8628 §3.5).

use crate::limit::Excess;
use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};

/// The word by which a program tells refusals apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::console) enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnsupportedGrantType,
    UnsupportedTokenType,
    AuthorizationPending,
    SlowDown,
    AccessDenied,
    ExpiredToken,
    /// 429
    TooMany,
    /// 503
    Unavailable,
}

impl Code {
    fn told(self) -> (StatusCode, &'static str) {
        let word = match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => return (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::TooMany => return (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Self::Unavailable => return (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        };
        (StatusCode::BAD_REQUEST, word)
    }
}

/// Why an OAuth endpoint gives nothing. The text never repeats what was sent.
#[derive(Clone, Debug)]
pub(in crate::console) struct OauthRefusal {
    pub(in crate::console) code: Code,
    text: Cow<'static, str>,
    /// When to come back, or how long to wait between polls.
    wait: Option<Duration>,
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'static str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
}

impl OauthRefusal {
    pub(in crate::console) fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        let mut text = text.into();
        // §5.2: printable ASCII without quotes and backslashes.
        if !text.bytes().all(plain) {
            text =
                text.chars().map(|c| if c.is_ascii() && plain(c as u8) { c } else { '\'' }).collect::<String>().into();
        }
        Self { code, text, wait: None }
    }

    /// Whoever failed too often.
    pub(in crate::console) fn over_limit(excess: &Excess) -> Self {
        Self::new(Code::TooMany, "too many failed attempts from this address").wait(excess.retry_after)
    }

    pub(in crate::console) fn wait(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }
}

fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

impl IntoResponse for OauthRefusal {
    fn into_response(self) -> Response<Body> {
        let (status, error) = self.code.told();
        let seconds = self.wait.map(|wait| wait.as_secs().max(1));
        let interval = seconds.filter(|_| self.code == Code::SlowDown);
        let mut response = Json(Told { error, error_description: &self.text, interval }).into_response();
        *response.status_mut() = status;
        if let Some(seconds) = seconds.filter(|_| self.code != Code::SlowDown) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        unstored(response)
    }
}

/// INVARIANT: nothing that holds a token, or tells about one, is kept by whoever passes it on (§5.1).
pub(in crate::console) fn unstored(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_plain_ascii() {
        let refusal = OauthRefusal::new(Code::InvalidScope, "malformed `\"é\\\n`");
        assert_eq!(refusal.text, "malformed `''''`");
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
}
