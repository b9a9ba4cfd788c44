//! One's own tokens on the home page, and taking them back.
//!
//! The tokens of one login (an access token, what renews it, and those before them) belong together: what is shown is the
//! newest of each purpose, and taking one back takes back all of that login.

use super::super::{Desk, Refused, Visitor};
use super::page::see_own;
use crate::error::{Kind, RequestError};
use auth::{Issued, Ledger, LedgerError, Purpose, Standing, Subject, TokenId};
use axum::{
    Extension, Form,
    body::Body,
    extract::{State, rejection::FormRejection},
    http::Response,
};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

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
    let mut own = with_ledger(desk, move |ledger| ledger.owned(&owner)).await?;
    own.retain(|token| token.validity.standing(now) == Standing::Live && token.spent.is_none());
    own.sort_by_key(|token| std::cmp::Reverse(token.created));
    Ok(own)
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    id: String,
}

/// `POST /-/tokens/revoke`: takes back a token of one's own.
pub(super) async fn revoke(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    form: Result<Form<Chosen>, FormRejection>,
) -> Result<Response<Body>, Refused> {
    let principal = visitor.may_change()?;
    let absent = || RequestError::new(Kind::Absent, "you have no such token");
    let malformed = |error| RequestError::new(Kind::BadRequest, "the form is malformed").because(error);
    let Form(Chosen { id }) = form.map_err(malformed)?;
    let id = id.parse::<TokenId>().map_err(|_| absent())?;
    let mine = own(&desk, &principal.subject, visitor.now).await?;
    let family = mine.into_iter().find(|token| token.id == id).ok_or_else(absent)?.family;
    desk.act(&visitor, principal, "token.revoked", &format!("{} of {}", id.as_str(), principal.subject), None)?;
    let now = visitor.now;
    let revoked = with_ledger(&desk, move |ledger| match family {
        Some(family) => ledger.revoke_family(family, now).map(|revoked| revoked.len()),
        None => ledger.revoke(id, now).map(|revoked| usize::from(revoked.is_some())),
    });
    let tokens = revoked.await?;
    tracing::info!(tokens, subject = &*principal.subject, "tokens were revoked on the page");
    see_own(&desk, "/-/")
}

/// Works on the token database, which blocks.
async fn with_ledger<T: Send + 'static>(
    desk: &Desk,
    work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Refused> {
    let path = desk.ledger.clone();
    let done = tokio::task::spawn_blocking(move || work(&mut Ledger::open(&path)?)).await;
    let unavailable = || RequestError::new(Kind::AuthenticatorDown, "the token database cannot be read; try again");
    match done {
        Ok(done) => Ok(done.map_err(|error| unavailable().because(error))?),
        Err(panicked) => Err(unavailable().because(panicked).into()),
    }
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
