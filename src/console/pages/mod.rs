//! Pages for people: log in, see who one is, approve what a terminal asks for, log out.
//!
//! Plain HTML without any script. What is shown is escaped by the templates (`../templates`), all of it. Forms carry the
//! CSRF token of the session; what a form changes is decided by [`super::Visitor::may_change`] and nothing else.

mod consent;
mod device;
mod home;
mod login;
mod page;
mod password;
mod tokens;

pub(super) use page::harden;

use super::Desk;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

/// All pages.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/-/", get(home::home))
        .route("/-/style.css", get(page::style))
        .route("/-/login", get(login::choose))
        .route("/-/login/{alias}", get(login::begin))
        .route("/-/login/ldap", post(password::log_in))
        .route("/-/callback/{alias}", get(login::finish))
        .route("/-/logout", post(login::log_out))
        .route("/-/device", get(device::ask).post(device::settle))
        .route("/-/oauth/authorize", get(consent::ask).post(consent::settle))
        .route("/-/tokens/revoke", post(tokens::revoke))
}
