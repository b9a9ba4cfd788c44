//! `/-/device`: a person approves or denies what a terminal asks for (RFC 8628 §3.3).
//!
//! INVARIANT: approving takes a session, so whoever approves has logged in at an issuer with this browser; a token cannot
//! beget tokens this way. What is approved was shown: the scope, from which address, and when (§5.4: somebody may have been
//! sent a code that another person's terminal shows).

use super::super::{Desk, Refused, Visitor};
use super::login::to_login;
use super::page::{Message, page};
use super::tokens::minute;
use crate::error::{Kind, RequestError};
use askama::Template;
use auth::DeviceError;
use axum::{
    Extension, Form,
    body::Body,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{Response, StatusCode},
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Typed {
    user_code: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Verdict {
    user_code: String,
    verdict: String,
}

#[derive(Template)]
#[template(path = "device.html")]
struct Ask<'a> {
    base: &'a str,
    /// A code was typed that nothing waits with.
    wrong: bool,
}

#[derive(Template)]
#[template(path = "approve.html")]
struct Approve<'a> {
    base: &'a str,
    subject: &'a str,
    csrf: &'a str,
    user_code: String,
    scope: Option<&'a str>,
    client: String,
    began: String,
    expires: String,
}

/// `GET /-/device`: the form for the code, or what waits with it.
pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    typed: Result<Query<Typed>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let malformed = |error| RequestError::new(Kind::BadRequest, "the query of this URL is malformed").because(error);
    let Query(typed) = typed.map_err(malformed)?;
    let code = typed.user_code.as_deref().map(str::trim).filter(|code| !code.is_empty());
    let Some(session) = visitor.session.as_deref() else {
        // What no code could be is not carried along.
        let plain =
            code.filter(|code| code.len() <= 16 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        let page = plain.map_or("/-/device".to_owned(), |code| format!("/-/device?user_code={code}"));
        return to_login(&desk, &page);
    };
    let base = desk.site.base.as_str();
    let Some(code) = code else {
        return page(StatusCode::OK, &Ask { base, wrong: false });
    };
    let Some(pending) = desk.devices.pending(code, visitor.now) else {
        return page(StatusCode::NOT_FOUND, &Ask { base, wrong: true });
    };
    let approve = Approve {
        base,
        subject: &session.principal.subject,
        csrf: session.csrf(),
        user_code: pending.user_code.to_string(),
        scope: pending.scope.as_ref().map(|scope| scope.as_str()),
        client: pending.client.map_or_else(|| "an address that is not known".to_owned(), |client| client.to_string()),
        began: minute(pending.began),
        expires: minute(pending.expires),
    };
    page(StatusCode::OK, &approve)
}

/// `POST /-/device`: what the person decided.
pub(super) async fn settle(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    form: Result<Form<Verdict>, FormRejection>,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    if visitor.session.is_none() {
        return Err(RequestError::new(Kind::Denied, "a login is approved by a person, in a browser").into());
    }
    let malformed = |error| RequestError::new(Kind::BadRequest, "the form is malformed").because(error);
    let Form(Verdict { user_code, verdict }) = form.map_err(malformed)?;
    let unknown = || refused(DeviceError::Unknown);
    let pending = desk.devices.pending(&user_code, visitor.now).ok_or_else(unknown)?;
    let from = pending.client.map_or_else(|| "?".to_owned(), |client| client.to_string());
    let scope = pending.scope.as_ref().map_or("everything", |scope| scope.as_str());
    let detail = format!("{} for a terminal at {from}, scope: {scope}", principal.subject);
    let (title, text) = match verdict.as_str() {
        "approve" => {
            desk.act(&visitor, principal, "device.approved", &detail, None)?;
            desk.devices.approve(&user_code, Arc::clone(principal), visitor.now).map_err(refused)?;
            ("Approved", "Your terminal is logged in a few seconds from now. You can close this page.")
        }
        "deny" => {
            desk.act(&visitor, principal, "device.denied", &detail, None)?;
            desk.devices.deny(&user_code, visitor.now).map_err(refused)?;
            ("Denied", "Whoever asked gets nothing. If it was not you, tell the operators.")
        }
        _ => return Err(RequestError::new(Kind::BadRequest, "neither approve nor deny").into()),
    };
    let (base, request) = (desk.site.base.as_str(), &*visitor.request);
    page(StatusCode::OK, &Message { base, title, text, request, again: false })
}

fn refused(error: DeviceError) -> Refused {
    let kind = match error {
        DeviceError::Guessing | DeviceError::Full | DeviceError::Crowded => Kind::Limited,
        DeviceError::Unknown | DeviceError::Settled => Kind::Absent,
    };
    RequestError::new(kind, error.to_string()).into()
}
