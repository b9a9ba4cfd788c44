//! Who asks, told to the store behind in headers that it can trust.
//!
//! Six headers: subject, groups, roles, request id, time and a signature. The values have only letters, digits and
//! `-._~:/@=%,` in them: every other byte of a name is written `%XX`, and the names of a list are joined by commas. So no
//! name, however an issuer spells it, can end a header or begin another one.
//!
//! The signature is `v1=` and, in hex, HMAC-SHA-256 with the shared secret over these eight lines, each ended by a newline:
//!
//! ```text
//! modgate-identity-v1
//! GET
//! /base/example.com/a/@v/v1.0.0.zip      the path as on the wire, without the query
//! user:corp/alice                        then the five headers' values as they were sent
//! group:corp/platform,group:corp/pay
//! developer
//! 01jda2z9k3v7q4xx
//! 1790000000                             seconds since the epoch
//! ```
//!
//! INVARIANT: signed for one path; a redirect that stays at the store's own origin is signed anew, any other gets none of
//! the headers ([`crate::source::Ask`]). docs/operations.md has the recipe for verifying.

use crate::source::Introduce;
use aws_lc_rs::hmac;
use axum::http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use std::{fmt::Write, sync::Arc};

/// The first line of what is signed.
const VERSION: &str = "modgate-identity-v1";

/// What the headers are called. No two are the same, and none is a header that means something in HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Headers {
    /// Who asks.
    pub subject: HeaderName,
    /// Their groups.
    pub groups: HeaderName,
    /// Their roles.
    pub roles: HeaderName,
    /// The request's id, as in the audit journal.
    pub request_id: HeaderName,
    /// When.
    pub timestamp: HeaderName,
    /// The signature over all of it.
    pub signature: HeaderName,
}

/// Whoever asks, as far as a store behind is told.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// `user:ISSUER/SUBJECT`, `ci:ISSUER/…` or `anonymous`.
    pub subject: &'a str,
    /// The groups, as the issuer spells them.
    pub groups: &'a [Arc<str>],
    /// The roles that the policy gives.
    pub roles: &'a [Arc<str>],
    /// The request's id.
    pub request: &'a str,
}

/// Tells who asks, and signs it. The key is in no text form.
pub struct Identity {
    key: hmac::Key,
    headers: Headers,
}

/// What is told of one request.
struct Introduction {
    identity: Arc<Identity>,
    /// Subject, groups, roles, request id, time: as they are sent.
    said: [String; 5],
}

impl Identity {
    /// Signs with `secret`, which the store behind has too.
    pub fn new(secret: &[u8], headers: Headers) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), headers }
    }

    pub(super) fn introduce(self: &Arc<Self>, asker: &Asker<'_>, now: Timestamp) -> impl Introduce + use<> {
        let list = |names: &[Arc<str>]| names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(",");
        let (subject, request) = (plain(asker.subject), plain(asker.request));
        let said = [subject, list(asker.groups), list(asker.roles), request, now.as_second().to_string()];
        Introduction { identity: Arc::clone(self), said }
    }

    fn sign(&self, path: &str, said: &[String; 5]) -> String {
        let lines = [VERSION, "GET", path].into_iter().chain(said.iter().map(String::as_str));
        let mut context = hmac::Context::with_key(&self.key);
        for line in lines {
            context.update(line.as_bytes());
            context.update(b"\n");
        }
        context.sign().as_ref().iter().fold("v1=".to_owned(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl Introduce for Introduction {
    fn headers(&self, path: &str) -> Vec<(HeaderName, HeaderValue)> {
        let Headers { subject, groups, roles, request_id, timestamp, signature } = &self.identity.headers;
        let signed = self.identity.sign(path, &self.said);
        let names = [subject, groups, roles, request_id, timestamp];
        let said = names.into_iter().zip(&self.said).chain([(signature, &signed)]);
        said.filter_map(|(name, text)| Some((name.clone(), HeaderValue::from_str(text).ok()?))).collect()
    }
}

/// A name with every byte but the plainest as `%XX`.
fn plain(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@' | b'=' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity() -> Arc<Identity> {
        let name = HeaderName::from_static;
        let headers = Headers {
            subject: name("x-s"),
            groups: name("x-g"),
            roles: name("x-r"),
            request_id: name("x-i"),
            timestamp: name("x-t"),
            signature: name("x-sig"),
        };
        Arc::new(Identity::new(b"0123456789abcdef0123456789abcdef", headers))
    }

    fn told(subject: &str, groups: &[&str], path: &str) -> Vec<String> {
        let groups: Vec<Arc<str>> = groups.iter().map(|group| Arc::from(*group)).collect();
        let asker = Asker { subject, groups: &groups, roles: &["developer".into()], request: "r1" };
        let headers = identity().introduce(&asker, Timestamp::UNIX_EPOCH).headers(path);
        headers.iter().map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn names_cannot_break_out() {
        let told = told("user:a/b\r\nX-Evil: 1", &["a,b", "CN=Zoë, OU=x", "100%"], "/p");
        assert_eq!(told[0], "user:a/b%0D%0AX-Evil%3A%201".replace("%3A", ":"));
        assert_eq!(told[1], "a%2Cb,CN=Zo%C3%AB%2C%20OU=x,100%25");
        assert_eq!(&told[2..5], ["developer", "r1", "0"]);
    }

    #[test]
    fn the_signature_covers_path_and_names() {
        let signature = |subject, groups: &[&str], path| told(subject, groups, path).pop().unwrap();
        let one = signature("a", &["b"], "/p");
        assert!(one.starts_with("v1=") && one.len() == 3 + 64);
        assert_eq!(one, signature("a", &["b"], "/p"));
        for other in [signature("x", &["b"], "/p"), signature("a", &["x"], "/p"), signature("a", &["b"], "/x")] {
            assert_ne!(one, other);
        }
        assert_ne!(signature("a", &["b,c"], "/p"), signature("a", &["b", "c"], "/p"));
    }

    proptest! {
        #[test]
        fn any_name_is_a_plain_value(subject in any::<String>(), group in any::<String>()) {
            for value in told(&subject, &[&group], "/p") {
                prop_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/@=%,".contains(&byte)));
            }
        }
    }
}
