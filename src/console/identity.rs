//! `GET /-/api/v1/whoami`: whom the gateway takes the caller for.

use super::{Desk, Refused, Visitor};
use axum::{Extension, Json, extract::State};
use serde::Serialize;
use std::sync::Arc;

/// Who the caller is, to the gateway.
#[derive(Serialize)]
pub(super) struct Identity {
    subject: Arc<str>,
    groups: Arc<[Arc<str>]>,
    roles: Vec<Arc<str>>,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Arc<str>>,
}

/// Answers only those who are somebody.
pub(super) async fn whoami(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Identity>, Refused> {
    let principal = visitor.somebody()?;
    Ok(Json(Identity {
        subject: Arc::clone(&principal.subject),
        groups: Arc::clone(&principal.groups),
        roles: desk.policy.load().roles(principal),
        method: principal.method.as_str(),
        token: principal.token_id.clone(),
        scope: principal.scope.clone(),
    }))
}
