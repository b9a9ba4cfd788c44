//! Consent to a program on the same machine: whoever consents gets a code, which the browser brings to the program.
//!
//! INVARIANT: nothing is sent to a redirect URI that is not loopback by number, and nothing but a code and the state that came.

use super::{
    CLIENT,
    grants::{Grants, narrowed},
};
use crate::{
    console::{Desk, Refused, Visitor, form::Form},
    error::{Kind, RequestError},
};
use auth::{CODE_BYTES, Challenge, Line, Loopback};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode, header},
    response::IntoResponse,
};
use std::sync::Arc;
use url::form_urlencoded;

/// The longest state, in bytes.
const STATE: usize = 512;

/// What a program asks a person to consent to: the parameters of `/-/oauth/authorize`, validated.
#[derive(Clone, Debug)]
pub(in crate::console) struct Asked {
    /// Where the program listens.
    pub(in crate::console) redirect: Loopback,
    challenge: Challenge,
    /// What it wants; `None`: whatever the person may do.
    pub(in crate::console) scope: Option<Line>,
    /// What the program knows its question by.
    pub(in crate::console) state: Option<String>,
}

impl Asked {
    /// Reads the parameters. A mistake is told to the person and never to the redirect URI: whoever sends a wrong one is not
    /// the program that we know (RFC 6749 §4.1.2.1 would have some told there).
    pub(in crate::console) fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Refused> {
        let bad = |text: String| Refused(RequestError::new(Kind::BadRequest, text));
        let required = |name: &str| get(name).ok_or_else(|| bad(format!("`{name}` is missing")));
        for (name, only) in [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")] {
            if required(name)? != only {
                return Err(bad(format!("`{name}` must be `{only}`")));
            }
        }
        let state = get("state").map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > STATE) {
            return Err(bad("`state` is too long".to_owned()));
        }
        Ok(Self {
            redirect: required("redirect_uri")?.parse().map_err(|error: auth::LoopbackError| bad(error.to_string()))?,
            challenge: required("code_challenge")?
                .parse()
                .map_err(|error: auth::ChallengeError| bad(error.to_string()))?,
            scope: narrowed(None, get("scope")).map_err(|error| bad(error.to_string()))?,
            state,
        })
    }
}

/// `POST /-/oauth/authorize`: consents in the name of whoever asks.
pub(in crate::console) async fn authorize(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    visitor.may_change()?;
    let form = Form::read(&headers, &body)?;
    let asked = Asked::read(|name| form.get(name))?;
    let location = consent(&desk.grants, &visitor, asked)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())])
        .into_response())
}

/// Issues a code in the visitor's name; returns where to send the browser. That the visitor means it is for the caller to have
/// checked.
pub(in crate::console) fn consent(grants: &Grants, visitor: &Visitor, asked: Asked) -> Result<String, Refused> {
    let principal = Grants::approver(visitor)?;
    let down = |_| RequestError::new(Kind::Internal, "internal error");
    let random = grants.random::<CODE_BYTES>().map_err(down)?;
    let Asked { redirect, challenge, scope, state } = asked;
    let issued = grants.codes.issue(Arc::clone(principal), challenge, redirect.clone(), scope, visitor.now, &random);
    let code = issued.map_err(|error| RequestError::new(Kind::Limited, error.to_string()))?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", &code);
    if let Some(state) = &state {
        query.append_pair("state", state);
    }
    Ok(format!("{}?{}", redirect.as_str(), query.finish()))
}
