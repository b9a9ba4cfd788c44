//! Logging in with a login and a password of the directory, in a form.
//!
//! There is no session yet whose secret could stand in the form, so it carries a hash of the secret that the browser was given
//! with the page (the cookie of a login): another site can make a browser send neither, and nobody can log a person in as
//! somebody else. INVARIANT: what is typed is judged by its shape as in a netrc, so a token typed as a password never
//! reaches the directory.

use super::super::{
    Desk, Refused, Visitor,
    cookies::Cookie,
    forgery::{self, is_from_here},
    form::Form,
};
use super::login::{choice, logged_in, wanted_page};
use super::page::with_cookie;
use crate::error::{Kind, RequestError};
use auth::{LoggedIn, Method, Outcome, Presented, Principal, Scratch, presented};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why something else than a login and a password is refused: a code for the record.
const NO_PASSWORD: &str = "not_a_password";

/// What the form carries for a browser with this secret.
pub(super) fn vouch(browser: &str) -> String {
    let text = format!("modgate login by password\n{browser}");
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// `POST /-/login/ldap`
pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    super::login::has_sessions(&desk)?;
    let mut form = Form::parse(&body)?;
    let browser = Cookie::Login.of(&desk.site, &headers);
    let sent = form.take(forgery::FIELD).unwrap_or_default();
    let same = |browser: &str| verify_slices_are_equal(vouch(browser).as_bytes(), sent.as_bytes()).is_ok();
    if !is_from_here(&desk.site, &headers) || !browser.is_some_and(same) {
        let text = "this did not come from our page for logging in, or that was too long ago\nopen it again, and try once more";
        return Err(RequestError::new(Kind::Denied, text).into());
    }
    let back = wanted_page(form.get("next")).to_owned();
    let login = form.take("login").unwrap_or_default();
    let password = Zeroizing::new(form.take("password").unwrap_or_default());
    let reason = match judged(&desk, &visitor, &login, &password).await? {
        Ok(Outcome::Authenticated(principal)) if principal.method == Method::Ldap => {
            let principal = Arc::new(Principal { method: Method::Session, ..Principal::clone(&principal) });
            return logged_in(&desk, &visitor, "ldap", LoggedIn { principal, back, refresh_token: None }, &headers);
        }
        Ok(Outcome::Unavailable(why)) => {
            tracing::warn!(why, request = &*visitor.request, "a login by password cannot be judged");
            let detail = "at ldap: nobody can be asked";
            desk.act(&visitor, &visitor.principal, "login.failed", detail, Some("login_unavailable"))?;
            let text = "The directory cannot be asked now. Try again in a minute.";
            return again(&desk, StatusCode::SERVICE_UNAVAILABLE, text, &back);
        }
        Ok(Outcome::Rejected(rejection)) => rejection.code(),
        Ok(Outcome::Authenticated(_) | Outcome::Open) => NO_PASSWORD,
        Err(reason) => reason,
    };
    desk.act(&visitor, &visitor.principal, "login.failed", "at ldap", Some(reason))?;
    again(&desk, StatusCode::FORBIDDEN, "The login or the password is wrong, or it was tried too often.", &back)
}

/// Who it is: read as a Basic credential would be, so that both mean the same. What cannot be a password has its code.
async fn judged(
    desk: &Desk,
    visitor: &Visitor,
    login: &str,
    password: &str,
) -> Result<Result<Outcome, &'static str>, Refused> {
    if login.contains(':') {
        return Ok(Err(NO_PASSWORD));
    }
    let pair = Zeroizing::new(format!("{login}:{password}"));
    let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut scratch = Scratch::new();
    let shown = match presented([header.as_bytes()], &mut scratch) {
        Ok(shown @ Presented::Password { .. }) => shown,
        Ok(_) => return Ok(Err(NO_PASSWORD)),
        Err(malformed) => return Ok(Err(malformed.code())),
    };
    desk.grants.judge(&shown, visitor).await.map(Ok).map_err(|excess| {
        let text = "too many requests without a good credential came from this address";
        RequestError::new(Kind::Limited, text).retry_after(excess.retry_after).into()
    })
}

/// The page for logging in, with what is wrong; for a browser of its own again.
fn again(desk: &Desk, status: StatusCode, problem: &str, back: &str) -> Result<Response<Body>, Refused> {
    let browser = URL_SAFE_NO_PAD.encode(desk.draw::<32>()?);
    let response = choice(desk, status, back, Some(&browser), Some(problem))?;
    Ok(with_cookie(response, Cookie::Login.set(&desk.site, &browser)))
}
