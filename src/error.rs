//! What a request that is not served gets: one error, with an outside and an inside.
//!
//! Every part has an enum of its own; on the way out each becomes a [`RequestError`], whose [`Kind`] maps to a status
//! and a stable code in one place, [`Kind::status`]. The *outside* is what the caller may read: it reaches the terminal
//! of whoever ran `go`, so it says what to do next and nothing about our insides. The *inside* goes to the log. The
//! request id joins the two.
//!
//! INVARIANT (status discipline): 404 is said only when absence is certain, because the `go` command takes it as leave
//! to ask elsewhere. A refusal by policy is 403, for a limit 429, an outage 502, 503 or 504, and nobody is 401.

use axum::http::StatusCode;
use std::{error::Error, fmt, fmt::Write, sync::Arc, time::Duration};

/// Why a request is not served. Each has one status and one code; the code is stable and may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is malformed in a way that no `go` command sends.
    BadRequest,
    /// A credential came over a connection that anyone on the way can read.
    Insecure,
    /// Nobody, or a credential that is not accepted.
    Unauthenticated,
    /// The policy refuses.
    Denied,
    /// A checksum database that is not configured here.
    UnknownDatabase,
    /// What is asked for certainly does not exist.
    Absent,
    /// The parent of a private namespace, about which nobody is asked.
    Withheld,
    /// Not held, and the caller asked not to fetch.
    NotHeld,
    /// Something other than GET or HEAD.
    Method,
    /// The request carries a body larger than any that is tolerated.
    TooLarge,
    /// A source answered nonsense, or refused us.
    BadSource,
    /// What a source offers is not what the checksum database or our own record vouches for.
    Mismatch,
    /// No source is configured for a private namespace.
    NoSource,
    /// A source is down or overloaded.
    SourceDown,
    /// A source did not answer in time.
    SourceTimeout,
    /// The audit record could not be kept, so nothing is served.
    Unrecorded,
    /// Whoever could verify the credential cannot be reached.
    AuthenticatorDown,
    /// Over a limit.
    Limited,
    /// The request has been here before.
    Loop,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// The status and the code: the one place where an error becomes an answer.
    pub fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Insecure => (StatusCode::BAD_REQUEST, "insecure"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Denied => (StatusCode::FORBIDDEN, "denied"),
            Self::UnknownDatabase => (StatusCode::FORBIDDEN, "unknown_database"),
            Self::Absent => (StatusCode::NOT_FOUND, "absent"),
            Self::Withheld => (StatusCode::NOT_FOUND, "withheld"),
            Self::NotHeld => (StatusCode::NOT_FOUND, "not_held"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::BadSource => (StatusCode::BAD_GATEWAY, "bad_source"),
            Self::Mismatch => (StatusCode::BAD_GATEWAY, "mismatch"),
            Self::NoSource => (StatusCode::SERVICE_UNAVAILABLE, "no_source"),
            Self::SourceDown => (StatusCode::SERVICE_UNAVAILABLE, "source_down"),
            Self::SourceTimeout => (StatusCode::GATEWAY_TIMEOUT, "source_timeout"),
            Self::Unrecorded => (StatusCode::SERVICE_UNAVAILABLE, "unrecorded"),
            Self::AuthenticatorDown => (StatusCode::SERVICE_UNAVAILABLE, "authenticator_down"),
            Self::Limited => (StatusCode::TOO_MANY_REQUESTS, "limited"),
            Self::Loop => (StatusCode::LOOP_DETECTED, "loop"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

/// A request that is not served.
#[derive(Clone)]
pub struct RequestError {
    /// What it is.
    pub kind: Kind,
    /// For the caller: a few short lines, see [`crate::goproxy::refusal`] for what becomes of them.
    pub outside: String,
    /// For the log.
    pub inside: Option<Arc<dyn Error + Send + Sync>>,
    /// After how many seconds it may be better, if that is known.
    pub retry_after: Option<u64>,
}

impl RequestError {
    /// An error whose outside says all there is.
    pub fn new(kind: Kind, outside: impl Into<String>) -> Self {
        Self { kind, outside: outside.into(), inside: None, retry_after: None }
    }

    /// Adds the cause that only the log shows.
    #[must_use]
    pub fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.inside = Some(Arc::new(cause));
        self
    }

    /// Adds when to come back, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1));
        self
    }
}

/// For the log: one line, whatever a caller or source put into it.
impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.outside)?;
        match &self.inside {
            Some(cause) => {
                f.write_str(": ")?;
                write_line(f, &cause.to_string())
            }
            None => Ok(()),
        }
    }
}

/// An error with all its causes, each once: the outermost of some libraries says little.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for error in std::iter::successors(Some(error), |&error| error.source()) {
        let one = error.to_string();
        if !text.contains(&one) {
            if !text.is_empty() {
                text += ": ";
            }
            text += &one;
        }
    }
    text
}

/// Writes lines as one, without control characters.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut separator = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        f.write_str(separator)?;
        separator = "; ";
        line.chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))?;
    }
    Ok(())
}

impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}
