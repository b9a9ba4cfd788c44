//! `/-/oauth/authorize`: a person lets a program on their own machine have tokens (RFC 6749 §4.1.1, RFC 8252, RFC 7636).
//!
//! INVARIANT: a code goes to loopback by number only ([`Loopback`]), after a person with a session has said yes on a page that
//! showed what for. Whatever is wrong with client or redirect URI is told here and redirected nowhere; PKCE with S256 is
//! not optional.

use super::super::{Desk, Refused, Visitor};
use super::login::to_login;
use super::page::{page_towards, see};
use crate::error::{Kind, RequestError};
use askama::Template;
use auth::{CODE_BYTES, Challenge, Line, Loopback};
use axum::{
    Extension, Form,
    body::Body,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{Response, Uri},
};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

/// The one client: our own command.
const CLIENT: &str = "modgate-cli";
/// The longest `state`.
const LONGEST_STATE: usize = 512;

/// What the program asks for.
#[derive(Deserialize)]
pub(super) struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    code_challenge: String,
    code_challenge_method: String,
    state: Option<String>,
    scope: Option<String>,
}

/// The same, as the page's form sends it again.
#[derive(Deserialize)]
pub(super) struct Verdict {
    verdict: String,
    #[serde(flatten)]
    asked: Asked,
}

/// What was asked for, checked.
struct Request {
    redirect: Loopback,
    challenge: Challenge,
    scope: Option<Line>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'c> {
    base: &'c str,
    subject: &'c str,
    csrf: &'c str,
    asked: &'c Asked,
    scope: Option<&'c str>,
}

impl Asked {
    fn check(&self) -> Result<Request, Refused> {
        let refuse = |text: &str| Err(Refused(RequestError::new(Kind::BadRequest, text)));
        let state = self.state.as_deref().unwrap_or_default();
        if self.client_id != CLIENT {
            return refuse("`client_id` is not a client of this gateway");
        }
        let Ok(redirect) = self.redirect_uri.parse::<Loopback>() else {
            return refuse("`redirect_uri` is not http://127.0.0.1:PORT/… or http://[::1]:PORT/…");
        };
        if self.response_type != "code" || self.code_challenge_method != "S256" {
            return refuse("`response_type` must be code, and `code_challenge_method` S256");
        }
        let Ok(challenge) = self.code_challenge.parse::<Challenge>() else {
            return refuse("`code_challenge` is not a SHA-256 in base64url");
        };
        if state.len() > LONGEST_STATE || !state.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("`state` is too long, or not printable");
        }
        match self.scope.as_deref().filter(|scope| !scope.is_empty()).map(str::parse::<Line>) {
            Some(Err(_)) => refuse("`scope` is malformed"),
            scope => Ok(Request { redirect, challenge, scope: scope.and_then(Result::ok) }),
        }
    }

    /// Where the browser goes with an answer.
    fn answer(&self, request: &Request, name: &str, value: &str) -> Result<Response<Body>, Refused> {
        let url = request.redirect.as_str().parse::<Url>();
        let mut url = url.map_err(|error| RequestError::new(Kind::BadRequest, "not a URL").because(error))?;
        url.query_pairs_mut().append_pair(name, value);
        if let Some(state) = &self.state {
            url.query_pairs_mut().append_pair("state", state);
        }
        see(url.as_str())
    }
}

/// `GET /-/oauth/authorize`
pub(super) async fn ask(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let malformed = |error| RequestError::new(Kind::BadRequest, "the query of this URL is malformed").because(error);
    let Query(asked) = asked.map_err(malformed)?;
    let request = asked.check()?;
    let Some(session) = visitor.session.as_deref() else {
        return to_login(&desk, uri.path_and_query().map_or("/-/", |page| page.as_str()));
    };
    let consent = Consent {
        base: &desk.site.base,
        subject: &session.principal.subject,
        csrf: session.csrf(),
        scope: request.scope.as_ref().map(|scope| scope.as_str()),
        asked: &asked,
    };
    page_towards(&consent, &origin(&request.redirect))
}

/// `POST /-/oauth/authorize`
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
    let Form(Verdict { verdict, asked }) = form.map_err(malformed)?;
    let request = asked.check()?;
    let scope = request.scope.as_ref().map_or("everything", |scope| scope.as_str());
    let detail = format!("{} for a program at {}, scope: {scope}", principal.subject, request.redirect.as_str());
    match verdict.as_str() {
        "approve" => {
            desk.act(&visitor, principal, "consent.given", &detail, None)?;
            let Request { redirect, challenge, scope } = &request;
            let random = desk.draw::<CODE_BYTES>()?;
            let code = desk.codes.issue(
                Arc::clone(principal),
                challenge.clone(),
                redirect.clone(),
                scope.clone(),
                visitor.now,
                &random,
            );
            let code = code.map_err(|error| RequestError::new(Kind::Limited, error.to_string()))?;
            asked.answer(&request, "code", &code)
        }
        "deny" => {
            desk.act(&visitor, principal, "consent.denied", &detail, None)?;
            asked.answer(&request, "error", "access_denied")
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
