//! From verified claims to a principal: `user:ISSUER/SUBJECT` and `group:ISSUER/NAME`; where the issuer's tokens are accepted
//! by rules, `ci:ISSUER/…` by the rule ([`trust`]).
//!
//! INVARIANT: whatever the claims say, every name begins with the kind and the alias of the issuer that signed them: no
//! claim can name a role, another issuer's user or group, or a token. Names are as the issuer spells them; only the slash
//! that some write before a group's path is left out, so `/eng/platform` is `group:ISSUER/eng/platform`.
//!
//! A group that no policy could name makes the token unacceptable rather than being dropped: a rule that
//! denies something to that group would otherwise be passed by.

use super::claim_path::ClaimPath;
use super::issuer::{Alias, IssuerSettings};
use super::refusal::{Quoted, Reason, Refusal};
use super::strict_json::Members;
use super::trust::{self, Workload};
use crate::name::check_claimed;
use crate::principal::{Method, Principal};
use serde_json::Value;
use std::sync::Arc;

/// The most groups.
const MOST_GROUPS: usize = 512;
/// The longest `jti` that is recorded.
const LONGEST_ID: usize = 64;

/// Who the claims speak of.
pub(super) fn principal(claims: &Members, settings: &IssuerSettings) -> Result<Principal, Refusal> {
    if !settings.trust.is_empty() {
        let Workload { subject, groups, claims: recorded } = trust::workload(claims, settings)?;
        let token_id = token_id(claims);
        return Ok(Principal { subject, groups, method: Method::Jwt, token_id, scope: None, claims: recorded });
    }
    Ok(Principal {
        subject: subject(claims, &settings.alias, &settings.subject_claim)?,
        groups: groups(claims, &settings.alias, &settings.groups_claim)?,
        method: Method::Jwt,
        token_id: token_id(claims),
        scope: None,
        claims: Arc::from([]),
    })
}

fn subject(claims: &Members, alias: &Alias, path: &ClaimPath) -> Result<Arc<str>, Refusal> {
    let name = match path.find(claims).as_slice() {
        [Value::String(name)] => name,
        [] => return Err(Refusal::new(Reason::SubjectMissing, format_args!("it has no `{path}`"))),
        _ => return Err(Refusal::new(Reason::SubjectMalformed, format_args!("its `{path}` is not one text"))),
    };
    check_claimed(name).map_err(|error| {
        Refusal::new(Reason::SubjectName, format_args!("its `{path}` {} cannot be a name: {error}", Quoted(name)))
    })?;
    Ok(format!("user:{alias}/{name}").into())
}

fn groups(claims: &Members, alias: &Alias, path: &ClaimPath) -> Result<Arc<[Arc<str>]>, Refusal> {
    if claims.get("_claim_names").is_some_and(|elsewhere| elsewhere.get(path.claim()).is_some()) {
        let detail = format!("its issuer keeps `{}` elsewhere, because there are too many", path.claim());
        return Err(Refusal::new(Reason::GroupsElsewhere, detail));
    }
    let mut names = Vec::new();
    for found in path.find(claims) {
        let listed = if let Value::Array(listed) = found { listed.as_slice() } else { std::slice::from_ref(found) };
        for name in listed {
            let malformed = || Refusal::new(Reason::GroupsMalformed, format_args!("its `{path}` are not texts"));
            names.push(group(alias, name.as_str().ok_or_else(malformed)?)?);
        }
    }
    if names.len() > MOST_GROUPS {
        let detail = format!("it has {} groups where {MOST_GROUPS} are the most", names.len());
        return Err(Refusal::new(Reason::GroupsMany, detail));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.into())
}

fn group(alias: &Alias, spelled: &str) -> Result<Arc<str>, Refusal> {
    let name = spelled.strip_prefix('/').unwrap_or(spelled);
    check_claimed(name).map_err(|error| {
        Refusal::new(Reason::GroupName, format_args!("the group {} cannot be a name: {error}", Quoted(spelled)))
    })?;
    Ok(format!("group:{alias}/{name}").into())
}

/// `jti`, if it is a text that can be recorded. One that is not says nothing about the token, so it is left out.
fn token_id(claims: &Members) -> Option<Arc<str>> {
    let id = claims.get("jti")?.as_str()?;
    let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && (1..=LONGEST_ID).contains(&id.len())).then(|| id.into())
}
