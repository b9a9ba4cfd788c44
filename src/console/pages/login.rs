//! Logging in and out: the choice of issuers, the way there and back, the session that comes of it.

use super::super::{Desk, Refused, Visitor, cookies::Cookie, site::own_page};
use super::page::{Message, page, see, see_own, with_cookie};
use super::password::vouch;
use crate::error::{Kind, RequestError};
use askama::Template;
use auth::{Callback, LOGIN_BYTES, LoggedIn, LoginError, SESSION_BYTES, Subject, Whereabouts};
use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use url::form_urlencoded::byte_serialize;

/// Where somebody goes who wanted nothing in particular.
const HOME: &str = "/-/";

/// Where a person wanted to go.
#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

impl Wanted {
    fn page(&self) -> &str {
        wanted_page(self.next.as_deref())
    }
}

/// The page of ours that somebody wanted, or home.
pub(super) fn wanted_page(next: Option<&str>) -> &str {
    next.and_then(own_page).unwrap_or(HOME)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Choice<'c> {
    base: &'c str,
    /// URL and title.
    issuers: Vec<(String, &'c str)>,
    /// What a form for the directory carries against forgery; none without a directory.
    password: Option<String>,
    next: &'c str,
    problem: Option<&'c str>,
}

/// Sends somebody who has no session to the choice of issuers, and back to `page` afterwards.
pub(super) fn to_login(desk: &Desk, page: &str) -> Result<Response<Body>, Refused> {
    let next: String = byte_serialize(page.as_bytes()).collect();
    see_own(desk, &format!("/-/login?next={next}"))
}

/// `GET /-/login`
pub(super) async fn choose(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    has_sessions(&desk)?;
    let Query(wanted) = wanted.map_err(malformed)?;
    if visitor.session.is_some() {
        return see_own(&desk, wanted.page());
    }
    if !desk.grants.authenticator.has_directory() {
        return choice(&desk, StatusCode::OK, wanted.page(), None, None);
    }
    let browser = browser(&desk, &headers)?;
    let response = choice(&desk, StatusCode::OK, wanted.page(), Some(&browser), None)?;
    Ok(with_cookie(response, Cookie::Login.set(&desk.site, &browser)))
}

/// The ways to log in; `browser` is the secret of whoever may type a password.
pub(super) fn choice(
    desk: &Desk,
    status: StatusCode,
    back: &str,
    browser: Option<&str>,
    problem: Option<&str>,
) -> Result<Response<Body>, Refused> {
    let next: String = byte_serialize(back.as_bytes()).collect();
    let base = desk.site.base.as_str();
    let issuers = desk.logins.choices().map(|(alias, title)| (format!("{base}/-/login/{alias}?next={next}"), title));
    let password = browser.map(vouch);
    page(status, &Choice { base, issuers: issuers.collect(), password, next: back, problem })
}

/// The secret by which a browser is known again while somebody logs in. One that is on its way in another tab keeps its own, so that
/// both come back.
fn browser(desk: &Desk, headers: &HeaderMap) -> Result<String, Refused> {
    match Cookie::Login.of(&desk.site, headers) {
        Some(browser) => Ok(browser.to_owned()),
        None => Ok(URL_SAFE_NO_PAD.encode(desk.draw::<32>()?)),
    }
}

/// `GET /-/login/{alias}`: off to the issuer.
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(alias): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    has_sessions(&desk)?;
    let Query(wanted) = wanted.map_err(malformed)?;
    let browser = browser(&desk, &headers)?;
    let random = desk.draw::<LOGIN_BYTES>()?;
    match desk.logins.begin(&alias, &browser, wanted.page(), visitor.now, &random).await {
        Ok(url) => Ok(with_cookie(see(url.as_str())?, Cookie::Login.set(&desk.site, &browser))),
        Err(error) => failed(&desk, &visitor, &alias, &error),
    }
}

/// What the issuer sent the browser back with.
#[derive(Deserialize)]
pub(super) struct Sent {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// `GET /-/callback/{alias}`: back from the issuer.
pub(super) async fn finish(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(alias): Path<String>,
    sent: Result<Query<Sent>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    has_sessions(&desk)?;
    let Query(Sent { state, code, iss, error }) = sent.map_err(malformed)?;
    let callback = Callback { state, code, iss, error };
    let browser = Cookie::Login.of(&desk.site, &headers);
    match desk.logins.finish(&alias, browser, &callback, visitor.now).await {
        Ok(login) => {
            keep(&desk, &login, visitor.now).await;
            logged_in(&desk, &visitor, &alias, login, &headers)
        }
        Err(error) => failed(&desk, &visitor, &alias, &error),
    }
}

/// Keeps what the issuer can be asked about the person with. A login goes on without it.
async fn keep(desk: &Desk, login: &LoggedIn, now: Timestamp) {
    let (Some(token), Ok(owner)) = (login.refresh_token.clone(), login.principal.subject.parse::<Subject>()) else {
        return;
    };
    let Some(renewal) = desk.renewals.iter().find(|renewal| renewal.knows(&owner)).map(Arc::clone) else { return };
    let kept = tokio::task::spawn_blocking(move || renewal.keep(&owner, &token, now).map_err(|error| (owner, error)));
    if let Ok(Err((subject, error))) = kept.await {
        tracing::warn!(%subject, %error, "nobody will ask the issuer about them again");
    }
}

/// A new session, whatever the browser had before.
pub(super) fn logged_in(
    desk: &Desk,
    visitor: &Visitor,
    alias: &str,
    login: LoggedIn,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let random = desk.draw::<SESSION_BYTES>()?;
    let LoggedIn { principal, back, .. } = login;
    desk.act(visitor, &principal, "login.succeeded", &format!("{} logged in at {alias}", principal.subject), None)?;
    if let Some(before) = Cookie::Session.of(&desk.site, headers).and_then(|id| desk.sessions.end(id)) {
        desk.act(visitor, &before.principal, "session.ended", "another login took its place", None)?;
    }
    let (id, _) = desk.sessions.begin(principal, visitor.now, &random);
    let back = own_page(&back).unwrap_or(HOME);
    Ok(with_cookie(see_own(desk, back)?, Cookie::Session.set(&desk.site, &id)))
}

/// Says that nobody is logged in. Why is for the record and the log.
fn failed(desk: &Desk, visitor: &Visitor, alias: &str, error: &LoginError) -> Result<Response<Body>, Refused> {
    let (status, code, text) = match error {
        LoginError::Unknown => {
            return Err(RequestError::new(Kind::Absent, "nobody can log in there: no such issuer").into());
        }
        LoginError::Unavailable(_) => {
            let text = "The issuer cannot be asked now, so nobody can log in there. Try again in a minute.";
            (StatusCode::SERVICE_UNAVAILABLE, "login_unavailable", text)
        }
        LoginError::Refused { fault, .. } => {
            let text = "You are not logged in. The login may have been opened twice, begun in another browser, or have \
                        taken too long.";
            (StatusCode::FORBIDDEN, fault.code(), text)
        }
    };
    tracing::info!(issuer = alias, code, %error, request = &*visitor.request, "a login failed");
    desk.act(visitor, &visitor.principal, "login.failed", &format!("at {alias}: {error}"), Some(code))?;
    let (base, request) = (desk.site.base.as_str(), &*visitor.request);
    page(status, &Message { base, title: "Not logged in", text, request, again: true })
}

/// `POST /-/logout`
pub(super) async fn log_out(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    if let Some(id) = Cookie::Session.of(&desk.site, &headers).filter(|_| visitor.session.is_some()) {
        desk.act(&visitor, principal, "session.ended", &format!("{} logged out", principal.subject), None)?;
        desk.sessions.end(id);
    }
    Ok(with_cookie(see_own(&desk, "/-/login")?, Cookie::Session.remove(&desk.site)))
}

pub(super) fn has_sessions(desk: &Desk) -> Result<(), Refused> {
    match desk.site.has_sessions() {
        true => Ok(()),
        false => Err(RequestError::new(Kind::Denied, "logging in with a browser needs an https `public_url`").into()),
    }
}

fn malformed(rejection: QueryRejection) -> Refused {
    RequestError::new(Kind::BadRequest, "the query of this URL is malformed").because(rejection).into()
}
