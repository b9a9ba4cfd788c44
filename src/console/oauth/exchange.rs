//! The exchange (RFC 8693): a pipeline's JWT for a short token.
//!
//! The JWT is judged as at any other door: by its issuer's rules and no others. The token has its subject, its groups and what
//! it says about the run, so the record of each download tells which run it was.

use super::{
    grants::{Grants, later, narrowed, unavailable},
    refusal::{Code, OauthRefusal},
    token::{Told, expires_in},
};
use crate::console::{Visitor, form::Form};
use auth::{Grant, Method, Outcome, Presented, Principal, Scratch, presented};
use axum::{Json, body::Body, http::Response, response::IntoResponse};
use std::sync::Arc;

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

pub(super) async fn exchange(
    grants: &Arc<Grants>,
    form: &Form,
    visitor: &Visitor,
) -> Result<Response<Body>, OauthRefusal> {
    let bad = |text: &'static str| OauthRefusal::new(Code::InvalidRequest, text);
    if form.get("client_id").is_some() {
        super::client(form)?;
    }
    if !matches!(form.required("subject_token_type")?, JWT | ID_TOKEN) {
        return Err(bad("`subject_token_type` must be that of a JWT or an ID token"));
    }
    if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(bad("only an access token can be requested"));
    }
    if ["actor_token", "resource", "audience"].iter().any(|name| form.get(name).is_some()) {
        return Err(bad("`actor_token`, `resource` and `audience` are not supported"));
    }
    let principal = judged(grants, form.required("subject_token")?, visitor).await?;
    if !principal.subject.starts_with("ci:") && !grants.settings.exchange_people {
        return Err(OauthRefusal::new(Code::AccessDenied, "only a pipeline's token is exchanged here: log in instead"));
    }
    let own = Grant::in_the_name_of(&principal).map_err(|error| unavailable(&error))?;
    let lifetime = grants.issuers.exchange_lifetime(&principal).unwrap_or(grants.settings.exchange_lifetime);
    let trusted = principal.claims.iter().find(|claim| &*claim.name == "rule");
    let trusted = trusted.map_or_else(String::new, |rule| format!("/{}", rule.value));
    let rule = format!("exchange:{}{trusted}", own.owner.alias());
    let grant = Grant {
        scope: narrowed(principal.scope.as_deref(), form.get("scope"))?,
        expires: Some(later(visitor.now, lifetime)),
        rule: rule.parse().ok(),
        ..own
    };
    // Recorded in the name of the run, with what its JWT says of it.
    let visitor = Visitor { principal, ..visitor.clone() };
    let issued = grants.issue(vec![grant], "token.exchanged", &visitor).await?;
    let Some((token, issued)) = issued.first() else {
        return Err(OauthRefusal::new(Code::Unavailable, "tokens cannot be issued now; try again"));
    };
    Ok(Json(Told {
        access_token: token.expose(),
        issued_token_type: Some(ACCESS_TOKEN),
        token_type: "Bearer",
        expires_in: expires_in(issued, visitor.now),
        refresh_token: None,
        scope: issued.scope.as_ref().map(|scope| scope.as_str()),
    })
    .into_response())
}

/// Whose JWT it is.
async fn judged(grants: &Arc<Grants>, token: &str, visitor: &Visitor) -> Result<Arc<Principal>, OauthRefusal> {
    let not_good = || OauthRefusal::new(Code::InvalidRequest, "the subject token is not accepted here");
    let header = zeroize::Zeroizing::new(format!("Bearer {token}"));
    let mut scratch = Scratch::new();
    let shown = presented([header.as_bytes()], &mut scratch);
    let Ok(shown @ Presented::Jwt(_)) = &shown else {
        grants.charge(visitor)?;
        return Err(not_good());
    };
    let outcome = grants.judge(shown, visitor).await.map_err(|excess| OauthRefusal::over_limit(&excess))?;
    match outcome {
        Outcome::Authenticated(principal) if principal.method == Method::Jwt => Ok(principal),
        Outcome::Rejected(rejection) => {
            tracing::info!(code = rejection.code(), "a token was not exchanged: {}", rejection.inside());
            Err(not_good())
        }
        Outcome::Authenticated(_) => Err(not_good()),
        Outcome::Unavailable(_) | Outcome::Open => {
            Err(OauthRefusal::new(Code::Unavailable, "whoever could verify this token cannot be reached; try again"))
        }
    }
}
