//! `/-/oauth/authorize`: a person lets a program on their own machine have tokens (RFC 6749 §4.1.1, RFC 8252, RFC 7636).
//!
//! INVARIANT: a code goes to loopback by number only, after a person with a session has said yes on a page that showed what
//! for. Whatever is wrong with the question is told here and redirected nowhere ([`Asked::read`]).

use super::login::to_login;
use super::page::{page_towards, see};
use crate::{
    console::{
        Desk, Refused, Visitor,
        form::Form,
        oauth::consent::{self, Asked},
    },
    error::{Kind, RequestError},
};
use askama::Template;
use auth::Loopback;
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
    response::IntoResponse,
};
use std::sync::Arc;
use url::{Url, form_urlencoded};

/// What the page's form sends again, as it came.
const REPEATED: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state", "scope"];

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'c> {
    base: &'c str,
    subject: &'c str,
    csrf: &'c str,
    program: &'c str,
    scope: Option<&'c str>,
    fields: Vec<(&'static str, &'c str)>,
}

/// `GET /-/oauth/authorize`
pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
) -> Result<Response<Body>, Refused> {
    let query = Form::parse(uri.query().unwrap_or_default().as_bytes())?;
    let get = |name: &str| query.get(name);
    let asked = Asked::read(get)?;
    let Some(session) = visitor.session.as_deref() else {
        return to_login(&desk, uri.path_and_query().map_or("/-/", |page| page.as_str()));
    };
    let consent = Consent {
        base: &desk.site.base,
        subject: &session.principal.subject,
        csrf: session.csrf(),
        program: asked.redirect.as_str(),
        scope: asked.scope.as_ref().map(|scope| scope.as_str()),
        fields: REPEATED.into_iter().filter_map(|name| Some((name, get(name)?))).collect(),
    };
    page_towards(&consent, &origin(&asked.redirect))
}

/// `POST /-/oauth/authorize`
pub(super) async fn settle(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    if visitor.session.is_none() {
        let given = consent::authorize(State(desk), Extension(visitor), headers, body).await;
        return Ok(given.into_response());
    }
    let form = Form::parse(&body)?;
    let get = |name: &str| form.get(name);
    let asked = Asked::read(get)?;
    let scope = asked.scope.as_ref().map_or("everything", |scope| scope.as_str());
    let detail = format!("{} for a program at {}, scope: {scope}", principal.subject, asked.redirect.as_str());
    match get("decision") {
        Some("approve") => {
            desk.act(&visitor, principal, "consent.given", &detail, None)?;
            see(&consent::consent(&desk.grants, &visitor, asked)?)
        }
        Some("deny") => {
            desk.act(&visitor, principal, "consent.denied", &detail, None)?;
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("error", "access_denied");
            if let Some(state) = &asked.state {
                query.append_pair("state", state);
            }
            see(&format!("{}?{}", asked.redirect.as_str(), query.finish()))
        }
        _ => Err(RequestError::new(Kind::BadRequest, "neither approve nor deny").into()),
    }
}

/// The origin for `form-action`; that of an IPv6 address cannot be written there (CSP 3 §2.3.1), so it is the scheme.
fn origin(redirect: &Loopback) -> String {
    let url = redirect.as_str().parse::<Url>().ok();
    match url.as_ref().and_then(|url| url.host().map(|host| (host, url))) {
        Some((url::Host::Ipv4(_), url)) => url.origin().ascii_serialization(),
        _ => "http:".to_owned(),
    }
}
