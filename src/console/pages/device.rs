//! `/-/device`: a person approves or denies what a terminal asks for (RFC 8628 §3.3).
//!
//! INVARIANT: what is approved was shown: the scope, from which address, and when (§5.4: somebody may have been sent a code that
//! another person's terminal shows). Who may approve is decided where it is done ([`crate::console::oauth`]).

use super::login::to_login;
use super::page::{Message, page};
use super::tokens::minute;
use crate::{
    console::{Desk, Refused, Visitor, form::Form, oauth::device},
    error::{Kind, RequestError},
};
use askama::Template;
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Typed {
    user_code: Option<String>,
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
    let guessing = |_| RequestError::new(Kind::Limited, "too many wrong codes; try again in a minute");
    desk.grants.let_in(&visitor).map_err(guessing)?;
    let Some(pending) = desk.grants.devices.pending(code, visitor.now) else {
        desk.grants.charge(&visitor).map_err(guessing)?;
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

/// `POST /-/device`: what the person decided. A program that answers in a person's name gets no page.
pub(super) async fn settle(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    visitor.may_change()?;
    if visitor.session.is_none() {
        let decided = device::decide(State(desk), Extension(visitor), headers, body).await;
        return Ok(decided.into_response());
    }
    let form = Form::parse(&body)?;
    let user_code = form.required("user_code")?;
    let (title, text) = match form.get("decision") {
        Some("approve") => {
            device::approve(&desk.grants, &visitor, user_code)?;
            ("Approved", "Your terminal is logged in a few seconds from now. You can close this page.")
        }
        Some("deny") => {
            device::deny(&desk.grants, &visitor, user_code)?;
            ("Denied", "Whoever asked gets nothing. If it was not you, tell the operators.")
        }
        _ => return Err(RequestError::new(Kind::BadRequest, "neither approve nor deny").into()),
    };
    let (base, request) = (desk.site.base.as_str(), &*visitor.request);
    page(StatusCode::OK, &Message { base, title, text, request, again: false })
}
