//! `POST /-/oauth/token`: what somebody holds for tokens.
//!
//! Whoever fails pays before anything is told, as at every other door. A login that waits to be approved is no failure. What is
//! shown here are secrets of 256 bits that are looked up in memory, so what is good is taken also from an address whose
//! failures are over the limit: nobody locks out their neighbours.

use super::{
    exchange,
    grants::{Deed, Grants, blocking, later, narrowed, unavailable},
    refusal::{Code, OauthRefusal, unstored},
};
use crate::console::{Desk, Visitor, form::Form};
use auth::{
    Approved, CodeError, Grant, Issued, Lifetimes, PollError, Principal, Purpose, RANDOM_BYTES, Rotated, RotationError,
    TokenText,
};
use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    response::IntoResponse,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// RFC 6749 §5.1, RFC 8693 §2.2.1.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    pub(super) access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issued_token_type: Option<&'static str>,
    pub(super) token_type: &'static str,
    pub(super) expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<&'a str>,
}

/// The endpoint.
pub(super) async fn token(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, OauthRefusal> {
    let grants = &desk.grants;
    let form = Form::read(&headers, &body)?;
    let granted = match form.required("grant_type")? {
        "urn:ietf:params:oauth:grant-type:device_code" => by_device(grants, &form, &visitor).await,
        "authorization_code" => by_code(grants, &form, &visitor).await,
        "refresh_token" => by_refresh(grants, &form, &visitor).await,
        "urn:ietf:params:oauth:grant-type:token-exchange" => exchange::exchange(grants, &form, &visitor).await,
        _ => Err(OauthRefusal::new(Code::UnsupportedGrantType, "that grant type is not known here")),
    };
    granted.map(unstored)
}

async fn by_device(grants: &Arc<Grants>, form: &Form, visitor: &Visitor) -> Result<Response<Body>, OauthRefusal> {
    super::client(form)?;
    let approved = match grants.devices.poll(form.required("device_code")?, visitor.now) {
        Ok(approved) => approved,
        Err(error) => {
            let refusal = |code| OauthRefusal::new(code, error.to_string());
            return Err(match error {
                PollError::Pending => refusal(Code::AuthorizationPending),
                PollError::SlowDown(interval) => refusal(Code::SlowDown).wait(interval),
                PollError::Denied => refusal(Code::AccessDenied),
                PollError::Expired => refusal(Code::ExpiredToken),
                PollError::Unknown => {
                    grants.charge(visitor)?;
                    refusal(Code::InvalidGrant)
                }
            });
        }
    };
    log_in(grants, approved, "device", visitor).await
}

async fn by_code(grants: &Arc<Grants>, form: &Form, visitor: &Visitor) -> Result<Response<Body>, OauthRefusal> {
    super::client(form)?;
    let (code, verifier) = (form.required("code")?, form.required("code_verifier")?);
    let approved = match grants.codes.redeem(code, verifier, form.required("redirect_uri")?, visitor.now) {
        Ok(approved) => approved,
        Err(error) => {
            if let CodeError::Reused(family) = error {
                revoke_stolen(grants, family, "the code of its login was used twice", visitor).await?;
            }
            grants.charge(visitor)?;
            return Err(OauthRefusal::new(Code::InvalidGrant, error.to_string()));
        }
    };
    let family = approved.family;
    let answer = log_in(grants, approved, "browser", visitor).await?;
    if grants.codes.came_again(family) {
        revoke_stolen(grants, family, "the code of its login was used twice", visitor).await?;
        return Err(OauthRefusal::new(Code::InvalidGrant, "the code was used twice"));
    }
    Ok(answer)
}

/// Gives the first pair of a login.
async fn log_in(
    grants: &Arc<Grants>,
    approved: Approved,
    how: &str,
    visitor: &Visitor,
) -> Result<Response<Body>, OauthRefusal> {
    let Approved { principal, scope, family } = approved;
    if !Grants::may_approve(&principal) {
        return Err(OauthRefusal::new(Code::AccessDenied, "a login is approved by a person who logged in"));
    }
    let own = Grant::in_the_name_of(&principal).map_err(|error| unavailable(&error))?;
    let scope = narrowed(principal.scope.as_deref(), scope.as_ref().map(|scope| scope.as_str()))?;
    let settings = &grants.settings;
    let made = |purpose, lifetime| Grant {
        purpose,
        scope: scope.clone(),
        expires: Some(later(visitor.now, lifetime)),
        family: Some(family),
        note: format!("modgate login ({how})").parse().ok(),
        ..own.clone()
    };
    let pair = vec![made(Purpose::Access, settings.access_lifetime), made(Purpose::Refresh, settings.refresh_lifetime)];
    // Recorded in the name of whoever approved.
    let approver = Visitor { principal, ..visitor.clone() };
    let issued = grants.issue(pair, "token.created", &approver).await?;
    let mut issued = issued.iter();
    match (issued.next(), issued.next()) {
        (Some(access), Some(refresh)) => Ok(pair_told(access, refresh, visitor.now)),
        _ => Err(OauthRefusal::new(Code::Unavailable, "tokens cannot be issued now; try again")),
    }
}

async fn by_refresh(grants: &Arc<Grants>, form: &Form, visitor: &Visitor) -> Result<Response<Body>, OauthRefusal> {
    super::client(form)?;
    if form.get("scope").is_some() {
        return Err(OauthRefusal::new(Code::InvalidScope, "a refreshing does not change the scope"));
    }
    let shown = zeroize::Zeroizing::new(form.required("refresh_token")?.to_owned());
    let one = grants.random::<RANDOM_BYTES>()?;
    let other = grants.random::<RANDOM_BYTES>()?;
    let (tokens, now) = (Arc::clone(&grants.tokens), visitor.now);
    let lifetimes = Lifetimes {
        access: signed(grants.settings.access_lifetime),
        refresh: signed(grants.settings.refresh_lifetime),
    };
    let rotated = blocking(move || tokens.rotate(&shown, lifetimes, now, [&one, &other])).await?;
    let Rotated { access, refresh, .. } = match rotated {
        Ok(rotated) => rotated,
        Err(RotationError::Ledger(error)) => return Err(unavailable(&error)),
        Err(error) => {
            let text = "the refresh token is not good, or not any more: log in again";
            if let RotationError::Reused { id, revoked } = &error {
                let owner = revoked.iter().find(|issued| issued.id == *id).or(revoked.first());
                let owner = owner.map_or_else(Principal::anonymous, owner_of);
                let detail = format!("{id} of {}: {} tokens of its login are revoked", owner.subject, revoked.len());
                tracing::warn!(token = id.as_str(), subject = &*owner.subject, "a refresh token was used twice");
                grants.record(&Deed { name: "token.reused", detail, principal: &owner, visitor });
                grants.record_revoked(revoked, "a refresh token of its login was used twice", &owner, visitor);
            }
            grants.charge(visitor)?;
            return Err(OauthRefusal::new(Code::InvalidGrant, text));
        }
    };
    for (_, issued) in [&access, &refresh] {
        grants.record_issued("token.created", issued, visitor).await?;
    }
    Ok(pair_told(&access, &refresh, now))
}

async fn revoke_stolen(
    grants: &Arc<Grants>,
    family: auth::Family,
    why: &str,
    visitor: &Visitor,
) -> Result<(), OauthRefusal> {
    let (tokens, now) = (Arc::clone(&grants.tokens), visitor.now);
    let revoked = blocking(move || tokens.revoke_stolen(family, now)).await?.map_err(|error| unavailable(&error))?;
    if let Some(first) = revoked.first() {
        let owner = owner_of(first);
        let detail = format!("login {family} of {}: {why}", owner.subject);
        grants.record(&Deed { name: "token.reused", detail, principal: &owner, visitor });
        grants.record_revoked(&revoked, why, &owner, visitor);
    }
    Ok(())
}

/// In whose name something happens to a token that its owner did not do.
fn owner_of(issued: &Issued) -> Principal {
    Principal { subject: Arc::clone(issued.owner.shared()), ..Principal::anonymous() }
}

fn pair_told(access: &(TokenText, Issued), refresh: &(TokenText, Issued), now: Timestamp) -> Response<Body> {
    Json(Told {
        access_token: access.0.expose(),
        issued_token_type: None,
        token_type: "Bearer",
        expires_in: expires_in(&access.1, now),
        refresh_token: Some(refresh.0.expose()),
        scope: access.1.scope.as_ref().map(|scope| scope.as_str()),
    })
    .into_response()
}

/// Seconds.
pub(super) fn expires_in(issued: &Issued, now: Timestamp) -> i64 {
    let left = issued.validity.expires.map_or(SignedDuration::ZERO, |at| at.duration_since(now));
    // The end is kept to the second, so this is rounded up to what was meant.
    left.as_secs() + i64::from(left.subsec_nanos() > 0)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
