//! The authorization server: how people and pipelines get themselves tokens.
//!
//! ```text
//! a terminal      device_authorization ─► (a person approves) ─► token: device_code         RFC 8628
//! a program       authorize (a person consents) ──────────────► token: authorization_code  RFC 6749, 7636, 8252
//! a pipeline      ───────────────────────────────────────────► token: token-exchange       RFC 8693
//! whoever logged in ──────────────────────────────────────────► token: refresh_token; revoke  RFC 7009
//! ```
//!
//! There is one client, [`CLIENT`], and it is public: whoever reads its code knows all that it knows, so nothing rests on its
//! identity (RFC 8252 §8.5). What rests on something is a device code, a verifier, a refresh token or a JWT.
//!
//! [`super::form`] reads, `refusal` refuses, `grants` is what all grants have in common; each grant has a file. The pages by which a
//! person approves are elsewhere ([`super::pages`]); [`device::approve`] and [`consent::consent`] are what they come to, and
//! [`device::decide`] and [`consent::authorize`] are for programs that answer in a person's name.

pub(super) mod consent;
pub(super) mod device;
mod exchange;
pub(super) mod grants;
pub(super) mod refusal;
mod revoke;
mod token;

pub use grants::{Grants, Random};
pub(super) use refusal::{Code, OauthRefusal};

use super::{Desk, form::Form};
use axum::{Router, routing::post};
use std::sync::Arc;

/// The one client.
pub(super) const CLIENT: &str = "modgate-cli";

/// All endpoints.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/-/oauth/device_authorization", post(device::begin))
        .route("/-/oauth/token", post(token::token))
        .route("/-/oauth/revoke", post(revoke::revoke))
}

/// The client that a form names must be ours.
fn client(form: &Form) -> Result<(), OauthRefusal> {
    match form.required("client_id")? {
        CLIENT => Ok(()),
        _ => Err(OauthRefusal::new(Code::InvalidClient, "the client is modgate-cli, and there is no other")),
    }
}

/// The scope that a form asks for: one that the policy can read.
fn scope(form: &Form) -> Result<Option<auth::Line>, OauthRefusal> {
    Ok(grants::narrowed(None, form.get("scope"))?)
}
