//! The visitor: who asks, as the pipeline found out, and how they proved it.
//!
//! INVARIANT: what changes something takes Bearer, which no browser sends unasked. Basic is sent by browsers to whoever made
//! a page point there, so it only reads; there are no CORS headers anywhere.

use super::Refused;
use crate::error::{Kind, RequestError};
use auth::{Method, Principal};
use axum::http::{HeaderMap, header::AUTHORIZATION};
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

/// Who asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who; anonymous if no credential was sent.
    pub principal: Arc<Principal>,
    /// How they proved it.
    pub proof: Proof,
    /// From where.
    pub client: Option<IpAddr>,
    /// The request's id.
    pub request: Arc<str>,
    /// When it came.
    pub now: Timestamp,
}

impl Visitor {
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
            (principal, Proof::Bearer) => Ok(principal),
            (_, Proof::Basic | Proof::Nothing) => {
                let text = "what changes something takes Authorization: Bearer, not Basic";
                Err(RequestError::new(Kind::Denied, text).into())
            }
        }
    }
}
