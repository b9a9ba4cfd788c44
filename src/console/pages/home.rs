//! `GET /-/`: who one is, to the gateway, and what tokens one has.

use super::super::{Desk, Refused, Visitor};
use super::login::to_login;
use super::page::page;
use super::tokens::{Row, rows};
use askama::Template;
use auth::Session;
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'h> {
    base: &'h str,
    site: &'h str,
    subject: &'h str,
    groups: &'h [Arc<str>],
    roles: &'h [Arc<str>],
    tokens: &'h [Row],
    csrf: &'h str,
    expires: String,
}

/// For those who have a session; all others are asked to log in.
pub(super) async fn home(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response<Body>, Refused> {
    let Some(session) = visitor.session.as_deref() else {
        return to_login(&desk, "/-/");
    };
    let Session { principal, expires, .. } = session;
    let tokens = rows(&desk, &principal.subject, visitor.now).await?;
    let home = Home {
        base: &desk.site.base,
        site: &desk.site.url,
        subject: &principal.subject,
        groups: &principal.groups,
        roles: &desk.policy.load().roles(principal),
        tokens: &tokens,
        csrf: session.csrf(),
        expires: super::tokens::minute(*expires),
    };
    page(StatusCode::OK, &home)
}
