//! The visitor: who asks, as the pipeline found out, and how they proved it.
//!
//! INVARIANT: what changes something takes Bearer, which no browser sends unasked, or a session with its CSRF token. Basic is
//! sent by browsers to whoever made a page point there, so it only reads; there are no CORS headers anywhere.

use super::{Refused, Site, cookies::Cookie, forgery};
use crate::error::{Kind, RequestError};
use auth::{Method, Principal, Session, Sessions};
use axum::http::{self, HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use std::{net::IpAddr, sync::Arc};

/// How a visitor proved who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Not at all.
    Nothing,
    /// `Authorization: Basic`, which browsers send unasked.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// The cookie of a session, which browsers send unasked.
    Session {
        /// Whether its CSRF token came too, from one of our own pages.
        vouched: bool,
    },
}

impl Proof {
    /// By the scheme of the credential, which somebody else has verified.
    pub fn of(headers: &HeaderMap) -> Self {
        let scheme = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        match scheme.and_then(|value| value.split(|byte| *byte == b' ').next()) {
            None => Self::Nothing,
            Some(scheme) if scheme.eq_ignore_ascii_case(b"bearer") => Self::Bearer,
            Some(_) => Self::Basic,
        }
    }
}

/// The session of whoever sent these headers and no credential. It counts for visits only, never for modules.
pub fn session(site: &Site, sessions: &Sessions, headers: &HeaderMap, now: Timestamp) -> Option<Arc<Session>> {
    if headers.contains_key(AUTHORIZATION) || !site.has_sessions() {
        return None;
    }
    sessions.find(Cookie::Session.of(site, headers)?, now)
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who; anonymous if no credential was sent.
    pub principal: Arc<Principal>,
    /// How they proved it.
    pub proof: Proof,
    /// Their session, where it is what proved it.
    pub session: Option<Arc<Session>>,
    /// From where.
    pub client: Option<IpAddr>,
    /// The request's id.
    pub request: Arc<str>,
    /// When it came.
    pub now: Timestamp,
}

impl Visitor {
    /// Takes the session as proof, if there is one; `request` and its body say whether it was sent on purpose.
    #[must_use]
    pub fn in_session<B>(
        self,
        site: &Site,
        session: Option<Arc<Session>>,
        request: &http::Request<B>,
        body: &[u8],
    ) -> Self {
        let Some(session) = session else { return self };
        let changes = !request.method().is_safe();
        let vouched = changes && forgery::is_vouched(site, &session, request.headers(), body);
        Self { proof: Proof::Session { vouched }, session: Some(session), ..self }
    }

    /// Who it is, if it is somebody.
    ///
    /// # Errors
    /// 401 for the anonymous.
    pub fn somebody(&self) -> Result<&Arc<Principal>, Refused> {
        match self.principal.method {
            Method::Anonymous => {
                let text = "a credential is needed: Bearer, or Basic as from .netrc";
                Err(RequestError::new(Kind::Unauthenticated, text).into())
            }
            _ => Ok(&self.principal),
        }
    }

    /// As [`Visitor::somebody`], for what changes something.
    ///
    /// # Errors
    /// 401 for the anonymous, 403 for a proof that somebody else could have made the client send.
    pub fn may_change(&self) -> Result<&Arc<Principal>, Refused> {
        match (self.somebody()?, self.proof) {
            (principal, Proof::Bearer | Proof::Session { vouched: true }) => Ok(principal),
            (_, Proof::Session { vouched: false }) => {
                let text = "this did not come from a page of your session\nopen the page again, and try once more";
                Err(RequestError::new(Kind::Denied, text).into())
            }
            (_, Proof::Basic | Proof::Nothing) => {
                let text = "what changes something takes Authorization: Bearer, not Basic";
                Err(RequestError::new(Kind::Denied, text).into())
            }
        }
    }
}
