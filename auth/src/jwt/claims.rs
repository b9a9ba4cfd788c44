//! What the claims of a signed token must say: for whom it is, from when and until when, and of whom.
//!
//! Times are seconds since 1970 (RFC 7519, NumericDate); fractions are rounded to the strict side. The leeway of the issuer is
//! given to each comparison with our clock once, and to nothing else.

use super::issuer::IssuerSettings;
use super::refusal::{Quoted, Reason, Refusal};
use super::strict_json::Members;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// When a token is good, the leeway included: from the first second until before the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) until: i64,
}

/// The `iss` of claims that nobody has verified: by it the issuer is chosen.
pub(super) fn issuer(claims: &Members) -> Result<&str, Refusal> {
    match claims.get("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        Some(_) => Err(Refusal::new(Reason::IssuerMalformed, "its `iss` is no text")),
        None => Err(Refusal::new(Reason::IssuerMissing, "it has no `iss`")),
    }
}

/// Checks everything but the names.
pub(super) fn check(claims: &Members, settings: &IssuerSettings, now: Timestamp) -> Result<Window, Refusal> {
    audience(claims, &settings.audiences)?;
    party(claims, &settings.authorized_parties)?;
    if !settings.id_tokens {
        purpose(claims)?;
    }
    let window = window(claims, settings, now.as_second())?;
    match claims.get("sub") {
        Some(Value::String(subject)) if !subject.is_empty() => Ok(window),
        Some(Value::String(_)) | None => Err(Refusal::new(Reason::SubjectMissing, "it has no `sub`")),
        Some(_) => Err(Refusal::new(Reason::SubjectMalformed, "its `sub` is no text")),
    }
}

fn audience(claims: &Members, ours: &[String]) -> Result<(), Refusal> {
    let malformed = || Refusal::new(Reason::AudienceMalformed, "its `aud` is neither a text nor a list of texts");
    let listed = match claims.get("aud") {
        None => return Err(Refusal::new(Reason::AudienceMissing, "it has no `aud`")),
        Some(Value::Array(listed)) => listed.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let listed: Option<Vec<&str>> = listed.iter().map(Value::as_str).collect();
    let listed = listed.ok_or_else(malformed)?;
    if listed.iter().any(|one| ours.iter().any(|our| our == one)) {
        return Ok(());
    }
    let others = match listed.len() {
        0 | 1 => String::new(),
        several => format!(" and {} others", several - 1),
    };
    let first = Quoted(listed.first().copied().unwrap_or_default());
    Err(Refusal::new(Reason::AudienceWrong, format_args!("it is for {first}{others}")))
}

/// For which party it was made. By OpenID Connect Core 1.0 (section 2) that is `azp`, and where there is none, the one
/// audience; access tokens have `client_id` in its place (RFC 9068, 2.2). With several audiences and neither, nobody knows (3.1.3.7).
fn party(claims: &Members, authorized: &[String]) -> Result<(), Refusal> {
    let malformed = |name: &str| Refusal::new(Reason::Party, format_args!("its `{name}` is no text"));
    let text = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(party)) => Ok(Some(party.as_str())),
        Some(_) => Err(malformed(name)),
    };
    let azp = text("azp")?;
    if authorized.is_empty() {
        return Ok(());
    }
    let named = if azp.is_some() { azp } else { text("client_id")? };
    let party = named.or_else(|| match claims.get("aud") {
        Some(Value::Array(listed)) => match listed.as_slice() {
            [only] => only.as_str(),
            _ => None,
        },
        Some(one) => one.as_str(),
        None => None,
    });
    match party {
        Some(party) if authorized.iter().any(|one| one == party) => Ok(()),
        Some(party) => Err(Refusal::new(Reason::Party, format_args!("it was made for {}", Quoted(party)))),
        None => {
            let detail = "it has several audiences, and no `azp` that says for which of them it was made";
            Err(Refusal::new(Reason::PartyMissing, detail))
        }
    }
}

/// Whether it is an ID token: by the claims that only those have (OpenID Connect Core 1.0, 2 and 3.3.2.11), or because its
/// issuer says so in a claim, where Keycloak and Cognito do. `typ` in the header tells them apart only where the issuer marks
/// access tokens (RFC 9068).
fn purpose(claims: &Members) -> Result<(), Refusal> {
    let id_token = |why: &str| Refusal::new(Reason::IdToken, format_args!("it is an ID token: it has `{why}`"));
    if let Some(name) = ["nonce", "at_hash", "c_hash", "s_hash"].into_iter().find(|name| claims.contains_key(*name)) {
        return Err(id_token(name));
    }
    let says = |name: &str| {
        let said = claims.get(name).and_then(Value::as_str);
        said.is_some_and(|said| said.eq_ignore_ascii_case("id"))
    };
    match ["typ", "token_use"].into_iter().find(|name| says(name)) {
        Some(name) => Err(id_token(name)),
        None => Ok(()),
    }
}

fn window(claims: &Members, settings: &IssuerSettings, now: i64) -> Result<Window, Refusal> {
    let leeway = seconds(settings.leeway);
    let expiry = time(claims, "exp", f64::floor)?;
    let expiry = expiry.ok_or_else(|| Refusal::new(Reason::ExpiryMissing, "it has no `exp`"))?;
    let not_before = time(claims, "nbf", f64::ceil)?;
    let issued = time(claims, "iat", f64::ceil)?;
    if not_before.is_none() && settings.require_nbf {
        return Err(Refusal::new(Reason::NotBeforeMissing, "it has no `nbf` (`require_nbf` says whether it must)"));
    }
    if let Some(most) = settings.max_lifetime {
        lifetime(issued.or(not_before), expiry, seconds(most))?;
    }
    let until = expiry.saturating_add(leeway);
    if now >= until {
        return Err(Refusal::new(Reason::Expired, format_args!("it expired at {}", Moment(expiry))));
    }
    let from = |time: Option<i64>| time.map_or(i64::MIN, |time| time.saturating_sub(leeway));
    if now < from(not_before) {
        let moment = Moment(not_before.unwrap_or_default());
        return Err(Refusal::new(Reason::NotYetValid, format_args!("it is not good before {moment}")));
    }
    if now < from(issued) {
        let moment = Moment(issued.unwrap_or_default());
        return Err(Refusal::new(Reason::IssuedInFuture, format_args!("it was issued at {moment}, in the future")));
    }
    Ok(Window { from: from(not_before).max(from(issued)), until })
}

fn lifetime(begins: Option<i64>, expiry: i64, most: i64) -> Result<(), Refusal> {
    let Some(begins) = begins else {
        let detail = "it has neither `iat` nor `nbf`, so how long it lives (`max_lifetime`) is not known";
        return Err(Refusal::new(Reason::LifetimeUnknown, detail));
    };
    match expiry.saturating_sub(begins) {
        lives if lives > most => {
            let detail = format!("it lives for {lives} s, where {most} s are the most (`max_lifetime`)");
            Err(Refusal::new(Reason::LifetimeLong, detail))
        }
        _ => Ok(()),
    }
}

/// A time in whole seconds, if it is there.
fn time(claims: &Members, name: &str, round: fn(f64) -> f64) -> Result<Option<i64>, Refusal> {
    let malformed =
        || Refusal::new(Reason::TimeMalformed, format_args!("its `{name}` is no time in seconds since 1970"));
    let second = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(second) => second,
            None => {
                let second = number.as_f64().ok_or_else(malformed)?;
                // Far beyond any time that is, and exact as a float.
                if !(0.0..=4e15).contains(&second) {
                    return Err(malformed());
                }
                round(second) as i64
            }
        },
        Some(_) => return Err(malformed()),
    };
    // What cannot be told as a date is none: milliseconds in place of seconds, for instance.
    match second >= 0 && Timestamp::from_second(second).is_ok() {
        true => Ok(Some(second)),
        false => Err(malformed()),
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A second as a date, for the log.
struct Moment(i64);

impl std::fmt::Display for Moment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(moment) => write!(out, "{moment}"),
            Err(_) => write!(out, "second {}", self.0),
        }
    }
}
