//! The claims of an ID token whose signature and nonce somebody else has verified: read as strictly as those of any JWT.

use super::compact::Compact;
use super::issuer::IssuerSettings;
use super::refusal::{Reason, Refusal};
use super::strict_json::Members;
use super::{claims, identity};
use crate::principal::Principal;
use jiff::Timestamp;

/// The claims, and whom they name, of an ID token for `client` (OpenID Connect Core 1.0 §2). What the settings demand
/// of bearer tokens only (their audience, `nbf`, a short life) is not asked of it.
pub(crate) fn read_id_token(
    text: &str,
    settings: &IssuerSettings,
    client: &str,
    now: Timestamp,
) -> Result<(Members, Result<Principal, Refusal>), Refusal> {
    let alias = settings.alias.as_str();
    let token = Compact::parse(text).map_err(|refusal| refusal.of(alias))?;
    if claims::issuer(&token.claims)? != settings.issuer {
        return Err(Refusal::new(Reason::IssuerUnknown, "its `iss` is another").of(alias));
    }
    let settings = IssuerSettings {
        audiences: vec![client.to_owned()],
        require_nbf: false,
        max_lifetime: None,
        id_tokens: true,
        authorized_parties: Vec::new(),
        trust: Vec::new(),
        ..settings.clone()
    };
    claims::check(&token.claims, &settings, now).map_err(|refusal| refusal.of(alias))?;
    if !token.claims.contains_key("iat") {
        return Err(Refusal::new(Reason::TimeMalformed, "it has no `iat`").of(alias));
    }
    let principal = identity::principal(&token.claims, &settings).map_err(|refusal| refusal.of(alias));
    Ok((token.claims, principal))
}
