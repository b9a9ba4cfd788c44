//! `GET /-/api/v1/whoami`: whom the gateway takes the caller for.

use super::{Desk, Refused, Visitor};
use auth::Method;
use axum::{Extension, Json, extract::State};
use serde::Serialize;
use std::sync::Arc;

/// Who the caller is, to the gateway.
#[derive(Serialize)]
pub(super) struct Identity {
    subject: Arc<str>,
    groups: Arc<[Arc<str>]>,
    roles: Arc<[Arc<str>]>,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Arc<str>>,
    /// RFC 3339 in UTC, for issued tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// Answers only those who are somebody.
pub(super) async fn whoami(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Identity>, Refused> {
    let principal = visitor.somebody()?;
    let token = principal.token_id.as_deref().filter(|_| principal.method == Method::Token);
    let known = token.and_then(|id| desk.grants.tokens.known(id.parse().ok()?));
    Ok(Json(Identity {
        expires: known.and_then(|known| known.validity.expires).map(|at| at.to_string()),
        subject: Arc::clone(&principal.subject),
        groups: Arc::clone(&principal.groups),
        roles: desk.policy.load().roles(principal),
        method: principal.method.as_str(),
        token: principal.token_id.clone(),
        scope: principal.scope.clone(),
    }))
}
