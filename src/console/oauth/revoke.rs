//! `POST /-/oauth/revoke` (RFC 7009): a program gives back what it holds.
//!
//! Whoever has the secret may give it back, so no other credential is asked for. A refresh token takes its whole login with it; an
//! access token goes alone. A token that is not known, or is revoked already, is answered like one that was (§2.2).

use super::{
    grants::{blocking, unavailable},
    refusal::{Code, OauthRefusal, unstored},
};
use crate::console::{Desk, Visitor, form::Form};
use auth::{Principal, Purpose, Token};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
};
use std::sync::Arc;

pub(super) async fn revoke(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, OauthRefusal> {
    let grants = &desk.grants;
    let form = Form::read(&headers, &body)?;
    if form.get("client_id").is_some() {
        super::client(&form)?;
    }
    let shown = form.required("token")?;
    if !Token::resembles(shown) {
        return Err(OauthRefusal::new(
            Code::UnsupportedTokenType,
            "only tokens that were issued here can be revoked here",
        ));
    }
    let shown = zeroize::Zeroizing::new(shown.to_owned());
    let (tokens, now) = (Arc::clone(&grants.tokens), visitor.now);
    let revoked = blocking(move || {
        let Some((id, purpose, family)) = tokens.held(&shown) else { return Ok(None) };
        match (purpose, family) {
            (Purpose::Refresh, Some(family)) => tokens.revoke_family(family, now),
            _ => tokens.revoke(id, now),
        }
        .map(Some)
    });
    match revoked.await?.map_err(|error| unavailable(&error))? {
        None => grants.charge(&visitor)?,
        Some(revoked) => {
            if let Some(first) = revoked.first() {
                let owner = Principal { subject: Arc::clone(first.owner.shared()), ..Principal::anonymous() };
                grants.record_revoked(&revoked, "given back by whoever held it", &owner, &visitor);
            }
        }
    }
    Ok(unstored(StatusCode::OK.into_response()))
}
