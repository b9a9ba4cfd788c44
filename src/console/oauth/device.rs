//! Device grants at the door: a terminal begins one, a person decides about it.

use super::{
    grants::{Deed, Grants},
    refusal::{Code, OauthRefusal, unstored},
};
use crate::{
    console::{Desk, Refused, Visitor, form::Form},
    error::{Kind, RequestError},
};
use auth::{DEVICE_BYTES, DeviceError};
use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
};
use jiff::SignedDuration;
use serde::Serialize;
use std::sync::Arc;

/// RFC 8628 §3.2.
#[derive(Serialize)]
struct Told<'a> {
    device_code: &'a str,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: u64,
}

/// `POST /-/oauth/device_authorization`
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, OauthRefusal> {
    let form = Form::read(&headers, &body)?;
    super::client(&form)?;
    let scope = super::scope(&form)?;
    let grants = &desk.grants;
    // Nobody could ever approve it; the terminal would wait in vain.
    if !desk.has_logins() && grants.issuers.is_empty() {
        let text = "nobody can log in here: neither an issuer nor a directory is configured. With a token from the operator: modgate login --token-stdin";
        return Err(OauthRefusal::new(Code::InvalidRequest, text));
    }
    let random = grants.random::<DEVICE_BYTES>()?;
    let begun = grants.devices.begin(scope, visitor.client, visitor.now, &random).map_err(|error| {
        OauthRefusal::new(Code::TooMany, error.to_string()).wait(std::time::Duration::from_secs(60))
    })?;
    let page = format!("{}/-/device", grants.public_url);
    let told = Told {
        device_code: &begun.device_code,
        verification_uri_complete: format!("{page}?user_code={}", begun.user_code),
        verification_uri: page,
        user_code: begun.user_code.to_string(),
        expires_in: begun.expires.duration_since(visitor.now).max(SignedDuration::ZERO).as_secs(),
        interval: begun.interval.as_secs(),
    };
    Ok(unstored(Json(told).into_response()))
}

/// `POST /-/device`: approves or denies in the name of whoever asks. `user_code=…`, and `decision=approve` or `deny`.
pub(in crate::console) async fn decide(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    visitor.may_change()?;
    let bad = |text: &str| Refused(RequestError::new(Kind::BadRequest, text));
    let form = Form::read(&headers, &body)?;
    let user_code = form.required("user_code")?;
    match form.get("decision") {
        Some("approve") => approve(&desk.grants, &visitor, user_code)?,
        Some("deny") => deny(&desk.grants, &visitor, user_code)?,
        _ => return Err(bad("`decision` must be `approve` or `deny`")),
    }
    Ok(unstored(StatusCode::NO_CONTENT.into_response()))
}

/// Approves a login in the visitor's name. That the visitor means it (Bearer, or a session with its CSRF token) is for the
/// caller to have checked.
pub(in crate::console) fn approve(grants: &Grants, visitor: &Visitor, user_code: &str) -> Result<(), Refused> {
    let principal = Grants::approver(visitor)?;
    guess(grants, visitor)?;
    let approved = grants.devices.approve(user_code, Arc::clone(principal), visitor.now);
    approved.map_err(|error| refused(grants, visitor, error))?;
    let detail = format!("a login of a device was approved by {}", principal.subject);
    grants.record(&Deed { name: "device.approved", detail, principal, visitor });
    Ok(())
}

/// Denies a login. As [`approve`].
pub(in crate::console) fn deny(grants: &Grants, visitor: &Visitor, user_code: &str) -> Result<(), Refused> {
    let principal = visitor.somebody()?;
    guess(grants, visitor)?;
    grants.devices.deny(user_code, visitor.now).map_err(|error| refused(grants, visitor, error))?;
    let detail = format!("a login of a device was denied by {}", principal.subject);
    grants.record(&Deed { name: "device.denied", detail, principal, visitor });
    Ok(())
}

/// Whoever guessed too often is not told more.
fn guess(grants: &Grants, visitor: &Visitor) -> Result<(), Refused> {
    grants.let_in(visitor).map_err(|_| refused_guess())
}

fn refused_guess() -> Refused {
    RequestError::new(Kind::Limited, DeviceError::Guessing.to_string()).into()
}

fn refused(grants: &Grants, visitor: &Visitor, error: DeviceError) -> Refused {
    if error == DeviceError::Unknown && grants.charge(visitor).is_err() {
        return refused_guess();
    }
    let kind = match error {
        DeviceError::Unknown => Kind::Absent,
        DeviceError::Settled => Kind::Denied,
        DeviceError::Full | DeviceError::Crowded | DeviceError::Guessing => Kind::Limited,
    };
    RequestError::new(kind, error.to_string()).into()
}
