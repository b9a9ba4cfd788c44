//! Talking to a gateway from a developer's machine.
//!
//! INVARIANT: a credential goes to the gateway whose URL was given, over https or to loopback ([`GatewayUrl`]), and no
//! redirect is followed. Answers are read to a limit, and everything has a time-out. Certificates are trusted as the go
//! command trusts them: by the system, or SSL_CERT_FILE where that counts; and by a file of the caller's besides.

use super::audit::printable;
use super::gateway_url::{GatewayUrl, GatewayUrlError};
use super::terminal::Failure;
use crate::config::Secret;
use crate::error::with_causes;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE},
};
use reqwest::{Certificate, Client, RequestBuilder, redirect::Policy};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, time::Duration};
use zeroize::Zeroizing;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(20);
/// The largest answer, in bytes.
const LARGEST: usize = 1 << 20;

/// One gateway, asked on behalf of the person at the keyboard.
pub(super) struct GatewayClient {
    base: GatewayUrl,
    http: Client,
    /// How long one answer may take, from the connection to its last byte.
    patience: Duration,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

/// Whom the gateway takes the caller for, as `/-/api/v1/whoami` says.
#[derive(Deserialize, Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Whoami {
    pub(super) subject: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    pub(super) method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<jiff::Timestamp>,
}

/// Why a gateway did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum GatewayError {
    #[error("cannot use the certificates of `{0}`: {1}")]
    Roots(String, String),
    #[error("cannot speak TLS: {0}")]
    Tls(String),
    #[error("{base} cannot be reached: {cause}")]
    Unreachable { base: String, cause: String },
    #[error("{base} redirects to `{to}`: use the URL that it has itself")]
    Redirected { base: String, to: String },
    #[error("{base} refused the credential: {text}")]
    Unauthenticated { base: String, text: String },
    #[error("{base} answered {status}: {text}")]
    Refused { base: String, status: u16, text: String },
    #[error("{base} does not answer as modgate does: {what}")]
    Foreign { base: String, what: String },
    #[error("{0}")]
    Url(#[from] GatewayUrlError),
}

impl GatewayError {
    /// Whether the gateway may have done what it was asked although its answer is missing: nothing came back, or a proxy
    /// answered in its stead.
    pub(super) fn may_have_been_heard(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Refused { status: 502 | 504, .. })
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        let hint = match &error {
            GatewayError::Unreachable { cause, .. } if cause.contains("certificate") => Some(
                "if it has a certificate of your own authority: SSL_CERT_FILE on Linux, the system's store elsewhere"
                    .to_owned(),
            ),
            GatewayError::Unreachable { .. } => Some("`modgate doctor` looks closer".to_owned()),
            GatewayError::Unauthenticated { base, .. } => Some(format!("modgate login {base}")),
            _ => None,
        };
        Self::new(&error).hint(hint)
    }
}

impl GatewayClient {
    /// A client of `base`; `roots` (PEM) are trusted besides the system's.
    pub(super) fn new(base: GatewayUrl, roots: Option<&Path>) -> Result<Self, GatewayError> {
        let mut extra = Vec::new();
        if let Some(path) = roots {
            let wrong = |cause: String| GatewayError::Roots(path.display().to_string(), cause);
            let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
            extra = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(with_causes(&error)))?;
            if extra.is_empty() {
                return Err(wrong("there is none in it".to_owned()));
            }
        }
        let mut builder = Client::builder()
            .user_agent(concat!("modgate/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .tls_certs_merge(extra);
        if base.is_loopback() {
            // As the go command, which asks no proxy for this machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| GatewayError::Tls(with_causes(&error)))?;
        Ok(Self { base, http, patience: WHOLE })
    }

    /// One that waits at most this long for an answer.
    pub(super) fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whose client it is.
    pub(super) fn base(&self) -> &GatewayUrl {
        &self.base
    }

    /// Gets `BASE/-/PAGE`.
    pub(super) async fn get(&self, page: &str, credential: Option<&Secret>) -> Result<Answer, GatewayError> {
        let request = self.http.get(self.base.console(page)?).header(ACCEPT, "application/json");
        self.send(request, credential).await
    }

    /// Posts a form to `BASE/-/PAGE`.
    pub(super) async fn post_form(&self, page: &str, form: &[(&str, &str)]) -> Result<Answer, GatewayError> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let request = self.http.post(self.base.console(page)?).header(ACCEPT, "application/json");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.finish());
        self.send(request, None).await
    }

    /// Posts JSON to `BASE/-/PAGE`.
    pub(super) async fn post_json(
        &self,
        page: &str,
        credential: &Secret,
        body: &serde_json::Value,
    ) -> Result<Answer, GatewayError> {
        let request = self.http.post(self.base.console(page)?).header(ACCEPT, "application/json");
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        self.send(request, Some(credential)).await
    }

    /// Deletes `BASE/-/PAGE`.
    pub(super) async fn delete(&self, page: &str, credential: &Secret) -> Result<Answer, GatewayError> {
        self.send(self.http.delete(self.base.console(page)?), Some(credential)).await
    }

    /// Whom the gateway takes this credential's owner for; `credential` is a whole `Authorization`.
    pub(super) async fn whoami(&self, credential: Option<&Secret>) -> Result<Whoami, GatewayError> {
        let answer = self.get("api/v1/whoami", credential).await?;
        if !answer.is_modgates() && answer.status < 500 {
            let what = format!("{} for /-/api/v1/whoami", answer.status);
            return Err(GatewayError::Foreign { base: self.base.to_string(), what });
        }
        self.success(answer)?.json(&self.base)
    }

    /// The answer, if it is one of success.
    pub(super) fn success(&self, answer: Answer) -> Result<Answer, GatewayError> {
        let base = self.base.to_string();
        match answer.status {
            200..=299 => Ok(answer),
            300..=399 => {
                let to = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
                Err(GatewayError::Redirected { base, to: printable(to) })
            }
            401 => Err(GatewayError::Unauthenticated { base, text: answer.text() }),
            status => Err(GatewayError::Refused { base, status, text: answer.text() }),
        }
    }

    async fn send(&self, request: RequestBuilder, credential: Option<&Secret>) -> Result<Answer, GatewayError> {
        let mut request = request.timeout(self.patience);
        if let Some(credential) = credential {
            let value = HeaderValue::from_str(credential.expose());
            let mut value =
                value.map_err(|_| self.foreign("the credential has characters that no header can carry"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        let mut body = Zeroizing::new(Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len().saturating_add(piece.len()) > LARGEST {
                return Err(self.foreign("an answer of more than 1 MiB"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body })
    }

    fn foreign(&self, what: &str) -> GatewayError {
        GatewayError::Foreign { base: self.base.to_string(), what: what.to_owned() }
    }

    fn unreachable(&self, error: reqwest::Error) -> GatewayError {
        GatewayError::Unreachable { base: self.base.to_string(), cause: with_causes(&error.without_url()) }
    }
}

impl Answer {
    /// Whether this can only be modgate's answer to `whoami`.
    pub(super) fn is_modgates(&self) -> bool {
        let realm = self.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match self.status {
            200 => serde_json::from_slice::<Whoami>(&self.body).is_ok(),
            401 => realm.contains("realm=\"modgate\""),
            _ => false,
        }
    }

    /// The body as JSON.
    pub(super) fn json<T: for<'a> Deserialize<'a>>(&self, base: &GatewayUrl) -> Result<T, GatewayError> {
        // The error's text would show a piece of the answer, in which there may be a secret.
        serde_json::from_slice(&self.body).map_err(|error| GatewayError::Foreign {
            base: base.to_string(),
            what: format!("JSON of another shape (line {}, column {})", error.line(), error.column()),
        })
    }

    /// The body's first lines, as may be shown on a terminal.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(4);
        let text: String = lines.collect::<Vec<_>>().join("; ").chars().take(400).collect();
        if text.is_empty() { "no text".to_owned() } else { printable(&text) }
    }
}
