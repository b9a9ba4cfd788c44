//! A page on its way out: status, HTML, and the headers that keep browsers from doing more with it than showing it.

use super::super::{Desk, Refused};
use crate::error::{Kind, RequestError};
use askama::Template;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};

/// No script, no frame, nothing from elsewhere; forms go to us only.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = include_str!("../templates/style.css");

/// What every answer of the console has, unless its page says otherwise.
const ALWAYS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds the headers that every answer has.
pub(in super::super) fn harden(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// A page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Result<Response<Body>, Refused> {
    let html = template.render().map_err(|error| RequestError::new(Kind::Internal, "internal error").because(error))?;
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// A page of which the form may lead on to this origin, too: browsers hold the redirect that answers a form to `form-action`.
pub(super) fn page_towards(template: &impl Template, origin: &str) -> Result<Response<Body>, Refused> {
    let mut response = page(StatusCode::OK, template)?;
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"));
    let policy = HeaderValue::from_str(&policy);
    let policy = policy.map_err(|error| RequestError::new(Kind::Internal, "internal error").because(error))?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// See there: 303, so that a form is not sent again.
pub(super) fn see(url: &str) -> Result<Response<Body>, Refused> {
    let url = HeaderValue::from_str(url);
    let url = url.map_err(|error| RequestError::new(Kind::BadRequest, "not a URL").because(error))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, url);
    Ok(response)
}

/// See this page of ours, which begins with `/-/`.
pub(super) fn see_own(desk: &Desk, path: &str) -> Result<Response<Body>, Refused> {
    see(&format!("{}{path}", desk.site.url))
}

/// Adds a `Set-Cookie`.
pub(super) fn with_cookie(mut response: Response<Body>, cookie: Option<HeaderValue>) -> Response<Body> {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Message<'m> {
    pub(super) base: &'m str,
    pub(super) title: &'m str,
    pub(super) text: &'m str,
    /// By which operators find it in the log and the journal.
    pub(super) request: &'m str,
    pub(super) again: bool,
}

/// `GET /-/style.css`
pub(super) async fn style() -> Response<Body> {
    let mut response = Response::new(Body::from(STYLE));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}
