//! The address of a directory server, and how the way there is secured.
//!
//! INVARIANT: a password is sent through TLS, or does not leave the machine. `ldaps://` is TLS from the first byte, `ldap://` is
//! TLS by StartTLS before anything else; in clear is spoken with a loopback address only, and only where that was asked for.

use crate::fetch::is_loopback;
use std::fmt;
use url::{Host, Url};

/// A server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerUrl {
    url: Url,
    way: Way,
}

/// How the way to a server is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// TLS from the first byte.
    Ldaps,
    /// TLS after StartTLS.
    StartTls,
    /// Not at all: on loopback.
    Clear,
}

/// Why something is no server's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServerUrlError {
    /// Neither of the schemes, or no host.
    #[error("it must be ldaps://HOST[:PORT] or ldap://HOST[:PORT]")]
    Form,
    /// Credentials, a path or a query.
    #[error("nothing may stand beside host and port")]
    More,
    /// An IPv6 address cannot be compared with a certificate's names by the LDAP library.
    #[error("name the host: a certificate is not compared with an IPv6 address")]
    Ipv6,
    /// In clear, and not to loopback.
    #[error("without TLS only a loopback address may be asked")]
    Clear,
}

impl ServerUrl {
    /// Reads an address. `starttls` is false where `ldap://` is to be spoken in clear.
    ///
    /// # Errors
    /// When it is none, or would send passwords in clear.
    pub fn parse(text: &str, starttls: bool) -> Result<Self, ServerUrlError> {
        let url = Url::parse(text).map_err(|_| ServerUrlError::Form)?;
        // The scheme is none of the web's, so its host is not parsed as an address by itself.
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(ServerUrlError::Form)?;
        let way = match url.scheme() {
            "ldaps" => Way::Ldaps,
            "ldap" if starttls => Way::StartTls,
            "ldap" => Way::Clear,
            _ => return Err(ServerUrlError::Form),
        };
        let host = Host::parse(host).map_err(|_| ServerUrlError::Form)?;
        let loopback = is_loopback(&host);
        let bare = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(ServerUrlError::More);
        }
        match (way, host) {
            (Way::Clear, _) if !loopback => Err(ServerUrlError::Clear),
            (Way::Ldaps | Way::StartTls, Host::Ipv6(_)) => Err(ServerUrlError::Ipv6),
            _ => Ok(Self { url, way }),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How the way there is secured.
    pub fn way(&self) -> Way {
        self.way
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.way {
            Way::Ldaps => "",
            Way::StartTls => " with StartTLS",
            Way::Clear => " in clear",
        };
        write!(out, "{}{how}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT: nothing is spoken in clear with anybody else's machine.
    #[test]
    fn only_loopback_is_spoken_with_in_clear() {
        for (text, starttls, expected) in [
            ("ldaps://ldap.corp.example", true, Ok(Way::Ldaps)),
            ("ldaps://127.0.0.1:6360", false, Ok(Way::Ldaps)),
            ("ldap://ldap.corp.example:3268", true, Ok(Way::StartTls)),
            ("ldap://ldap.corp.example", false, Err(ServerUrlError::Clear)),
            ("ldap://127.0.0.1.example", false, Err(ServerUrlError::Clear)),
            ("ldap://localhost.example", false, Err(ServerUrlError::Clear)),
            ("ldap://10.0.0.1", false, Err(ServerUrlError::Clear)),
            ("ldap://127.0.0.1:389", false, Ok(Way::Clear)),
            ("ldap://localhost", false, Ok(Way::Clear)),
            ("ldap://[::1]:389", false, Ok(Way::Clear)),
            ("ldaps://[2001:db8::1]", true, Err(ServerUrlError::Ipv6)),
            ("ldaps://a:b@ldap.corp.example", true, Err(ServerUrlError::More)),
            ("ldaps://ldap.corp.example/dc=x", true, Err(ServerUrlError::More)),
            ("ldaps://ldap.corp.example?x", true, Err(ServerUrlError::More)),
            ("https://ldap.corp.example", true, Err(ServerUrlError::Form)),
            ("ldapi:///run/slapd", true, Err(ServerUrlError::Form)),
            ("ldaps://", true, Err(ServerUrlError::Form)),
            ("ldap.corp.example", true, Err(ServerUrlError::Form)),
        ] {
            assert_eq!(ServerUrl::parse(text, starttls).map(|url| url.way()), expected, "{text}");
        }
    }
}
