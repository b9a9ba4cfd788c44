//! What a source is shown so that it knows us.
//!
//! INVARIANT: a secret is never printed: neither type here has `Debug` or `Display`, and the header value that carries
//! it is marked sensitive. It is sent to URLs under its own prefix only, and over plain HTTP only to loopback.

use super::origin::{self, Origin};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use reqwest::Url;
use std::sync::Arc;

/// A password or token.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text as it is, nothing trimmed.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

/// How to log in.
#[derive(Clone)]
pub enum Login {
    /// `Authorization: Basic`.
    Basic {
        /// The login; no colon.
        login: String,
        /// The password.
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer(Secret),
}

/// A login for all URLs below a prefix: same scheme, host and port, and whole path elements.
#[derive(Clone)]
pub struct Credential {
    origin: Origin,
    path: String,
    header: HeaderValue,
}

/// Why a credential cannot be used. Names the prefix without what it may hide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The prefix is no http or https URL.
    #[error("`{prefix}` is no https URL")]
    Prefix {
        /// The text.
        prefix: String,
    },
    /// It would be readable on the way.
    #[error("the credential for `{prefix}` would go over plain HTTP: use https")]
    Insecure {
        /// The URL.
        prefix: String,
    },
    /// A colon in a login, or a character that a header cannot carry.
    #[error("the credential for `{prefix}` has a character that it cannot have")]
    Character {
        /// The URL.
        prefix: String,
    },
}

impl Credential {
    /// A login for what is below `prefix`, an http or https URL without userinfo, query or fragment.
    pub fn new(prefix: &str, login: &Login) -> Result<Self, CredentialError> {
        let url = Url::parse(prefix)
            .ok()
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .filter(|url| url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| CredentialError::Prefix { prefix: origin::masked(prefix) })?;
        Self::for_url(&url, login)
    }

    pub(super) fn for_url(url: &Url, login: &Login) -> Result<Self, CredentialError> {
        let prefix = || origin::printable(url);
        let origin = Origin::of(url).ok_or_else(|| CredentialError::Prefix { prefix: prefix() })?;
        if url.scheme() == "http" && !origin.is_loopback() {
            return Err(CredentialError::Insecure { prefix: prefix() });
        }
        let text = match login {
            Login::Basic { login, .. } if login.contains(':') => {
                return Err(CredentialError::Character { prefix: prefix() });
            }
            Login::Basic { login, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{login}:{}", password.0)))
            }
            Login::Bearer(token) => format!("Bearer {}", token.0),
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| CredentialError::Character { prefix: prefix() })?;
        header.set_sensitive(true);
        Ok(Self { origin, path: url.path().trim_end_matches('/').to_owned(), header })
    }

    /// Whether the credential is meant for `url`.
    pub(super) fn covers(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.path.as_str());
        Origin::of(url).is_some_and(|origin| origin == self.origin)
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// How long the prefix's path is: of several credentials the one with the longest counts.
    pub(super) fn reach(&self) -> usize {
        self.path.len()
    }

    /// The value of `Authorization`.
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic() -> Login {
        Login::Basic { login: "alice".into(), password: Secret::new("s3cret") }
    }

    #[test]
    fn a_prefix_covers_whole_elements_of_its_own_origin() {
        let credential = Credential::new("https://h.example/a/", &basic()).unwrap();
        let covers = |url: &str| credential.covers(&Url::parse(url).unwrap());
        assert!(covers("https://h.example/a") && covers("https://H.example:443/a/b?c"));
        for other in ["https://h.example/ab", "https://h.example/", "https://h.example:8443/a/b"] {
            assert!(!covers(other), "{other}");
        }
        assert!(!covers("http://h.example/a/b") && !covers("https://h.example.evil/a/b"));
    }

    #[test]
    fn plain_http_is_for_loopback() {
        assert!(Credential::new("http://127.0.0.1:3000", &basic()).is_ok());
        assert!(Credential::new("http://localhost:3000", &basic()).is_ok());
        let error = Credential::new("http://athens.corp.example", &basic()).err().unwrap();
        assert_eq!(error, CredentialError::Insecure { prefix: "http://athens.corp.example".into() });
    }

    #[test]
    fn headers_are_sensitive_and_well_formed() {
        let credential = Credential::new("https://h.example", &basic()).unwrap();
        assert_eq!(credential.header().to_str().unwrap(), "Basic YWxpY2U6czNjcmV0");
        assert!(!format!("{:?}", credential.header()).contains("YWxp"));
        let bad = Login::Bearer(Secret::new("to\nken"));
        assert!(matches!(Credential::new("https://h.example", &bad), Err(CredentialError::Character { .. })));
        let error = Credential::new("https://bob:hush@h.example", &basic()).err().unwrap().to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}
