//! `/-/api/v1/tokens`: one's own tokens, and with the policy's action `manage` on everything those of others.
//!
//! INVARIANT: no answer but that of a creation has a secret in it. Others' tokens are answered like tokens that do not exist to
//! whoever may not manage them. Changes take Bearer or a session with its CSRF token, never Basic.

use super::{
    Desk, Refused, Visitor,
    oauth::{
        grants::{Grants, ScopeRefusal, blocking, later, narrowed},
        refusal::unstored,
    },
};
use crate::error::{Kind, RequestError};
use auth::{Grant, IssueError, Issued, LedgerError, Line, Principal, RANDOM_BYTES, Standing, Subject, TokenId};
use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::{delete, get},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a token that ended is listed.
const LISTED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The shortest life of a token, in seconds.
const SHORTEST: u64 = 60;

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route("/-/api/v1/tokens", get(list).post(create)).route("/-/api/v1/tokens/{id}", delete(revoke))
}

/// A token as it is listed; times are RFC 3339 in UTC.
#[derive(Serialize)]
struct Row {
    id: String,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    standing: String,
    purpose: &'static str,
}

impl Row {
    fn of(issued: &Issued, now: Timestamp) -> Self {
        Self {
            id: issued.id.to_string(),
            subject: issued.subject().to_owned(),
            scope: issued.scope.as_ref().map(ToString::to_string),
            note: issued.note.as_ref().map(ToString::to_string),
            created: issued.created.to_string(),
            expires: issued.validity.expires.map(|at| at.to_string()),
            last_used: issued.last_used.map(|at| at.to_string()),
            standing: issued.validity.standing(now).to_string(),
            purpose: issued.purpose.as_str(),
        }
    }
}

#[derive(Deserialize)]
struct Whose {
    owner: Option<String>,
}

async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    query: Result<Query<Whose>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.somebody()?;
    let Query(Whose { owner }) = query.map_err(|_| bad("the query cannot be read"))?;
    let owner = match owner.as_deref() {
        Some("*") => {
            must_manage(&desk, &visitor)?;
            None
        }
        Some(other) if *other != *principal.subject => {
            must_manage(&desk, &visitor)?;
            Some(other.parse().map_err(|_| bad("`owner` must be user:ISSUER/NAME, ci:ISSUER/NAME or *"))?)
        }
        _ => Some(own(principal)?),
    };
    let (tokens, now) = (Arc::clone(&desk.grants.tokens), visitor.now);
    let read = blocking(move || {
        tokens.with_ledger(|ledger| owner.map_or_else(|| ledger.all(), |owner: Subject| ledger.owned(&owner)))
    });
    let all = read.await.map_err(|_| down_text())?.map_err(down)?;
    let rows: Vec<_> = all.iter().filter(|issued| is_listed(issued, now)).map(|issued| Row::of(issued, now)).collect();
    Ok(unstored(Json(rows).into_response()))
}

fn is_listed(issued: &Issued, now: Timestamp) -> bool {
    match issued.validity.standing(now) {
        Standing::Live => true,
        Standing::Expired(at) | Standing::Revoked(at) => now.duration_since(at) < LISTED,
    }
}

/// What somebody who creates a token says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    scope: Option<String>,
    note: Option<Note>,
    /// Seconds.
    expires_in: Option<u64>,
    subject: Option<String>,
}

/// A note, read as strictly as on the command line.
struct Note(Line);

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What the maker is told: the one answer with a secret in it.
#[derive(Serialize)]
struct Created<'a> {
    id: &'a str,
    token: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

async fn create(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    let wanted = read(&headers, &body)?;
    let (grants, now) = (&desk.grants, visitor.now);
    let most = grants.settings.max_lifetime;
    let lifetime = wanted.expires_in.map_or(most, Duration::from_secs);
    if lifetime > most || lifetime < Duration::from_secs(SHORTEST) {
        return Err(bad(&format!("`expires_in` must be between {SHORTEST} and {} seconds", most.as_secs())));
    }
    let expires = grants.no_later(principal, now, later(now, lifetime));
    let expires = expires.filter(|at| *at > now).ok_or_else(|| denied("this credential makes no tokens"))?;
    let made = match wanted.subject.as_deref() {
        Some(other) if *other != *principal.subject => {
            must_manage(&desk, &visitor)?;
            let other: Subject =
                other.parse().map_err(|_| bad("`subject` must be user:token/NAME or ci:token/NAME"))?;
            // Whoever proves themselves elsewhere is not spoken for here.
            if other.alias() != "token" {
                return Err(bad("tokens for others are for user:token/NAME or ci:token/NAME"));
            }
            Grant::of(other)
        }
        _ => Grant::in_the_name_of(principal).map_err(|error| denied(&error.to_string()))?,
    };
    let scope = narrowed(principal.scope.as_deref(), wanted.scope.as_deref()).map_err(|refusal| match refusal {
        ScopeRefusal::Malformed(_) | ScopeRefusal::Long => bad(&refusal.to_string()),
        ScopeRefusal::Nothing => denied(&refusal.to_string()),
    })?;
    let note = wanted.note.map(|Note(note)| note);
    let maker = principal.token_id.as_deref().and_then(|id| id.parse().ok());
    let maker = maker.filter(|_| principal.method == auth::Method::Token);
    let grant = Grant { scope, note, maker, expires: Some(expires), ..made };
    let issued = issue(grants, grant, &visitor).await?;
    let (text, issued) = &issued;
    let created = Created {
        id: issued.id.as_str(),
        token: text.expose(),
        subject: issued.subject(),
        scope: issued.scope.as_ref().map(|scope| scope.as_str()),
        expires: issued.validity.expires.map(|at| at.to_string()),
    };
    Ok(unstored((StatusCode::CREATED, Json(created)).into_response()))
}

async fn issue(grants: &Arc<Grants>, grant: Grant, visitor: &Visitor) -> Result<(auth::TokenText, Issued), Refused> {
    let random = grants.random::<RANDOM_BYTES>().map_err(|_| down_text())?;
    let (tokens, most, now) = (Arc::clone(&grants.tokens), grants.settings.max_per_owner, visitor.now);
    let written = blocking(move || tokens.issue(&[(grant, &random)], most, now)).await.map_err(|_| down_text())?;
    let written = written.map_err(|error| match error {
        IssueError::Full { .. } => denied(&error.to_string()),
        IssueError::Ledger(error) => down(error),
    })?;
    let issued = written.into_iter().next().ok_or_else(down_text)?;
    grants.record_issued("token.created", &issued.1, visitor).await.map_err(|_| {
        let text = "the record of this token could not be kept, so it is not issued";
        Refused(RequestError::new(Kind::Unrecorded, text))
    })?;
    Ok(issued)
}

async fn revoke(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    let absent = || Refused(RequestError::new(Kind::Absent, "there is no such token"));
    let id: TokenId = id.parse().map_err(|_| absent())?;
    let (tokens, now) = (Arc::clone(&desk.grants.tokens), visitor.now);
    let found = {
        let tokens = Arc::clone(&tokens);
        blocking(move || tokens.with_ledger(|ledger| ledger.find(id))).await
    };
    let found = found.map_err(|_| down_text())?.map_err(down)?.ok_or_else(absent)?;
    if *found.subject() != *principal.subject && !may_manage(&desk, &visitor) {
        return Err(absent());
    }
    let revoked = blocking(move || tokens.revoke(id, now)).await.map_err(|_| down_text())?.map_err(down)?;
    let why = format!("by {}", principal.subject);
    desk.grants.record_revoked(&revoked, &why, principal, &visitor);
    Ok(unstored(StatusCode::NO_CONTENT.into_response()))
}

/// Reads the JSON of a creation; an empty body wants nothing in particular.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Refused> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // A browser sends JSON to strangers only after asking, and is then refused.
    if !kind.eq_ignore_ascii_case("application/json") || kinds.next().is_some() {
        return Err(bad("the body must be application/json"));
    }
    serde_json::from_slice(body).map_err(|error| bad(&format!("the JSON cannot be read: {error}")))
}

/// Whether the visitor may manage others' tokens.
fn may_manage(desk: &Desk, visitor: &Visitor) -> bool {
    let today = visitor.now.to_zoned(TimeZone::UTC).date();
    desk.policy.load().may_manage_everything(&visitor.principal, today, visitor.client)
}

fn must_manage(desk: &Desk, visitor: &Visitor) -> Result<(), Refused> {
    match may_manage(desk, visitor) {
        true => Ok(()),
        false => Err(denied("tokens of others take the action `manage` on everything")),
    }
}

fn own(principal: &Principal) -> Result<Subject, Refused> {
    principal.subject.parse().map_err(|_| denied("this credential has no tokens"))
}

fn bad(text: &str) -> Refused {
    Refused(RequestError::new(Kind::BadRequest, text))
}

fn denied(text: &str) -> Refused {
    Refused(RequestError::new(Kind::Denied, format!("modgate: {text}")))
}

fn down(error: LedgerError) -> Refused {
    Refused(
        RequestError::new(Kind::AuthenticatorDown, "the tokens cannot be read or written now; try again")
            .because(error),
    )
}

fn down_text() -> Refused {
    Refused(RequestError::new(Kind::Internal, "internal error"))
}
