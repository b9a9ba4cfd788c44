//! The redirect URIs of programs on the same machine (RFC 8252 §7.3): loopback by number, any port.
//!
//! ```text
//! http://127.0.0.1:PORT/path
//! http://[::1]:PORT/path
//! ```
//!
//! Nothing else: `localhost` may be resolved to another machine, a query or fragment would be mixed with what is added,
//! and of a URI that has one spelling only, no two parsers can make two things.

use std::str::FromStr;

/// A redirect URI on loopback, as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loopback(String);

/// A text that is no such URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`redirect_uri` must be http://127.0.0.1:PORT/… or http://[::1]:PORT/…, without a query")]
pub struct LoopbackError;

/// The longest, in bytes.
const LONGEST: usize = 256;

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, LoopbackError> {
        let rest = ["http://127.0.0.1:", "http://[::1]:"].into_iter().find_map(|start| text.strip_prefix(start));
        let (port, path) = rest.and_then(|rest| rest.split_once('/')).ok_or(LoopbackError)?;
        let number: u16 = port.parse().map_err(|_| LoopbackError)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~');
        if number == 0 || number.to_string() != port || !path.bytes().all(plain) || text.len() > LONGEST {
            return Err(LoopbackError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl Loopback {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn loopback_by_number_only() {
        for good in ["http://127.0.0.1:8123/callback", "http://[::1]:1/", "http://127.0.0.1:65535/a/b.c_d~e-f"] {
            assert_eq!(good.parse::<Loopback>().map(|uri| uri.0), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "https://127.0.0.1:8123/callback",
            "HTTP://127.0.0.1:8123/callback",
            "http://localhost:8123/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:08123/callback",
            "http://127.0.0.1:+8123/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:8123",
            "http://127.0.0.1:8123@evil.example/callback",
            "http://127.0.0.1:8123/callback?x=y",
            "http://127.0.0.1:8123/callback#x",
            "http://127.0.0.1:8123/\r\nSet-Cookie:x",
            "http://127.0.0.1:8123/%0d%0a",
            "http://127.0.0.2:8123/callback",
            "http://127.0.0.1.evil.example:8123/callback",
            "http://[::1]:8123\\@evil.example/",
            "http://0.0.0.0:8123/callback",
            "http://[::ffff:127.0.0.1]:8123/callback",
            "javascript:alert(1)",
        ] {
            assert_eq!(bad.parse::<Loopback>(), Err(LoopbackError), "{bad}");
        }
    }

    proptest! {
        /// What is taken for loopback is loopback to a full parser of URLs as well.
        #[test]
        fn a_real_parser_agrees(text in "http://(127\\.0\\.0\\.1|\\[::1\\]|[a-z0-9.]{1,9}):[0-9@:]{0,7}[/?#\\\\@a-z.]{0,12}") {
            if let Ok(uri) = text.parse::<Loopback>() {
                let url = url::Url::parse(uri.as_str()).unwrap();
                prop_assert!(matches!(url.host_str(), Some("127.0.0.1" | "[::1]")));
                prop_assert!(url.username().is_empty() && url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
