//! `mode` and `[forward]`: whether there is a store, and what the store behind is told about who asks.

use super::origins::secret;
use super::place::Place;
use super::quantity::{Value, quoted};
use super::secret::Secret;
use super::section::{Found, Section};
use super::settings::{Forward, Identity, Mode, Upstream};
use crate::forward::Headers;
use http::HeaderName;

/// The shortest secret, in bytes: what a signature by HMAC-SHA-256 deserves.
const SECRET: usize = 32;

/// Headers that are ours, the connection's or the protocol's: nobody may be told in them who asks.
const TAKEN: [&str; 13] = [
    "authorization",
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "upgrade",
    "user-agent",
    "via",
];
/// The same, by how they begin.
const TAKEN_BEGIN: [&str; 6] = ["accept", "content-", "disable-module-fetch", "if-", "proxy-", "transfer-"];

impl Value for Mode {
    const EXPECTED: &'static str = "\"store\" or \"forward\"";
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "store" => Ok(Self::Store),
            "forward" => Ok(Self::Forward(Forward::default())),
            _ => Err(String::new()),
        }
    }
    fn show(&self) -> String {
        quoted(if *self == Self::Store { "store" } else { "forward" })
    }
}

/// A header to tell the store behind something in.
struct Header(HeaderName);

impl Value for Header {
    const EXPECTED: &'static str = "the name of a header such as \"X-Modgate-Subject\"";
    fn parse(text: &str) -> Result<Self, String> {
        let name: HeaderName = text.parse().map_err(|_| String::new())?;
        let taken = TAKEN.contains(&name.as_str()) || TAKEN_BEGIN.iter().any(|begin| name.as_str().starts_with(begin));
        if taken { Err("that header has a meaning of its own".to_owned()) } else { Ok(Self(name)) }
    }
    fn show(&self) -> String {
        quoted(self.0.as_str())
    }
}

/// Reads `[forward]` into the mode; without effect where there is a store.
pub(super) fn forward(mode: Option<Found<Mode>>, mut section: Section<'_, '_>) -> Found<Mode> {
    let Found { value: mode, place } = mode.unwrap_or(Found { value: Mode::Store, place: Place::Default });
    if mode == Mode::Store {
        section.without_effect("where `mode` is not \"forward\"");
    }
    let told = section.or("identity", false);
    let secret = secret(&mut section, "identity_secret_file");
    let headers = headers(&mut section);
    let identity = match (told, secret) {
        (false, None) => None,
        (false, Some(Found { place, .. })) => {
            section.warning(place, "`forward.identity_secret_file` is set, and nobody is told", "identity = true");
            None
        }
        (true, None) => {
            let message = "`forward.identity` is on, and there is no secret to sign with";
            section.problem(section.place(), message, "set identity_secret_file");
            None
        }
        (true, Some(Found { value, place })) => value
            .and_then(|secret| long_enough(&section, secret, place))
            .map(|secret| Box::new(Identity { secret, headers })),
    };
    section.finish();
    let value = if mode == Mode::Store { mode } else { Mode::Forward(Forward { identity }) };
    Found { value, place }
}

fn long_enough(section: &Section<'_, '_>, secret: Secret, place: Place) -> Option<Secret> {
    if secret.expose().len() >= SECRET {
        return Some(secret);
    }
    let message = format!("the secret to sign with has fewer than {SECRET} characters");
    section.problem(place, message, "make one with: openssl rand -hex 32");
    None
}

fn headers(section: &mut Section<'_, '_>) -> Headers {
    let mut named = |key, default: &'static str| section.or(key, Header(HeaderName::from_static(default))).0;
    let headers = Headers {
        subject: named("subject_header", "x-modgate-subject"),
        groups: named("groups_header", "x-modgate-groups"),
        roles: named("roles_header", "x-modgate-roles"),
        request_id: named("request_id_header", "x-modgate-request-id"),
        timestamp: named("timestamp_header", "x-modgate-timestamp"),
        signature: named("signature_header", "x-modgate-signature"),
    };
    let Headers { subject, groups, roles, request_id, timestamp, signature } = &headers;
    let mut names = [subject, groups, roles, request_id, timestamp, signature].map(HeaderName::as_str);
    names.sort_unstable();
    if let Some((name, _)) = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
        section.problem(section.place(), format!("two of the headers of `forward` are called `{name}`"), "");
    }
    headers
}

/// What must hold between the mode and the upstream list: the store behind is named, not found in some environment.
///
/// INVARIANT (private stays private): private modules are asked of that list, so it is the operator's own word.
pub(super) fn check_upstream(section: &Section<'_, '_>, mode: &Found<Mode>, upstream: &Upstream) {
    if matches!(mode.value, Mode::Forward(_)) && upstream.list.is_none() {
        let message = "`mode` is \"forward\", and `upstream.list` does not say which store is behind";
        let hint = "set upstream.list to the URL of the internal store; what GOPROXY says is not taken for it";
        section.problem(mode.place.clone(), message, hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_mean_something_are_taken() {
        for taken in TAKEN.into_iter().chain(["Accept-Encoding", "If-Range", "CONTENT-LENGTH", "Proxy-Authorization"]) {
            assert!(Header::parse(taken).is_err(), "{taken}");
        }
        for bad in ["", "X Y", "X:Y", "X\r\nY", "X-\u{fc}"] {
            assert!(Header::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Header::parse("X-Remote-User").ok().unwrap().show(), "\"x-remote-user\"");
    }
}
