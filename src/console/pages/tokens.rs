//! One's own tokens on the home page, and taking them back.
//!
//! The tokens of one login (an access token, what renews it, and those before them) belong together: what is shown is the
//! newest of each purpose, and taking one back takes back all of that login.

use super::super::{Desk, Refused, Visitor, form::Form};
use super::page::see_own;
use crate::error::{Kind, RequestError};
use auth::{Issued, Purpose, Standing, Subject, TokenId};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::Response,
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// A token as it is shown.
pub(super) struct Row {
    pub(super) id: String,
    /// It only renews another.
    pub(super) renews: bool,
    pub(super) scope: String,
    pub(super) note: String,
    pub(super) created: String,
    pub(super) expires: String,
    pub(super) last_used: String,
}

/// The tokens of a subject that are good, the newest first.
pub(super) async fn rows(desk: &Desk, subject: &str, now: Timestamp) -> Result<Vec<Row>, Refused> {
    Ok(own(desk, subject, now).await?.iter().map(row).collect())
}

async fn own(desk: &Desk, subject: &str, now: Timestamp) -> Result<Vec<Issued>, Refused> {
    // Somebody whose name cannot own a token has none.
    let Ok(owner) = subject.parse::<Subject>() else { return Ok(Vec::new()) };
    let tokens = Arc::clone(&desk.grants.tokens);
    let read = spawn_blocking(move || tokens.with_ledger(|ledger| ledger.owned(&owner)));
    let mut own = read.await.map_err(down)?.map_err(down)?;
    own.retain(|token| token.validity.standing(now) == Standing::Live && token.spent.is_none());
    own.sort_by_key(|token| std::cmp::Reverse(token.created));
    Ok(own)
}

/// `POST /-/tokens/revoke`: takes back a token of one's own.
pub(super) async fn revoke(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    let absent = || RequestError::new(Kind::Absent, "you have no such token");
    let form = Form::parse(&body)?;
    let id = form.get("id").ok_or_else(absent)?;
    let id = id.parse::<TokenId>().map_err(|_| absent())?;
    let mine = own(&desk, &principal.subject, visitor.now).await?;
    let family = mine.into_iter().find(|token| token.id == id).ok_or_else(absent)?.family;
    let (tokens, now) = (Arc::clone(&desk.grants.tokens), visitor.now);
    let revoked = spawn_blocking(move || match family {
        Some(family) => tokens.revoke_family(family, now),
        None => tokens.revoke(id, now),
    });
    let revoked = revoked.await.map_err(down)?.map_err(down)?;
    desk.grants.record_revoked(&revoked, "by its owner, on the page", principal, &visitor);
    see_own(&desk, "/-/")
}

fn down(error: impl std::error::Error + Send + Sync + 'static) -> RequestError {
    RequestError::new(Kind::AuthenticatorDown, "the token database cannot be read; try again").because(error)
}

fn row(token: &Issued) -> Row {
    let line = |line: &Option<auth::Line>| line.as_ref().map(|line| line.as_str().to_owned()).unwrap_or_default();
    let time = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), minute);
    Row {
        id: token.id.as_str().to_owned(),
        renews: token.purpose == Purpose::Refresh,
        scope: line(&token.scope),
        note: line(&token.note),
        created: minute(token.created),
        expires: time(token.validity.expires),
        last_used: time(token.last_used),
    }
}

/// A time to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
