//! The gateway's URL, as developers write it into GOPROXY.

use auth::{is_confidential, is_loopback};
use std::{fmt, str::FromStr};
use url::Url;

/// The path of every page and interface begins so; no module path can.
const CONSOLE: &str = "/-/";

/// Where a gateway is: `https://HOST[:PORT][/PATH]`, or `http://` on loopback.
///
/// INVARIANT: credentials go to such URLs only, so nobody on the way can read them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GatewayUrl {
    url: Url,
    /// Without a slash at the end.
    text: String,
}

/// A text that is no URL of a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum GatewayUrlError {
    #[error("write it as in GOPROXY: https://HOST[:PORT][/PATH]")]
    Form,
    #[error("credentials go over https only, or over http to this machine itself")]
    Insecure,
    #[error("leave out the part before `@`: the credential has its own place")]
    Userinfo,
    #[error("leave out what follows `?` or `#`")]
    Query,
}

impl FromStr for GatewayUrl {
    type Err = GatewayUrlError;

    fn from_str(text: &str) -> Result<Self, GatewayUrlError> {
        // Also where it is none by the rules, as after a `/` in a password: what stands before it must not be shown.
        if text.contains('@') {
            return Err(GatewayUrlError::Userinfo);
        }
        let url = Url::parse(text).map_err(|_| GatewayUrlError::Form)?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err(GatewayUrlError::Form);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(GatewayUrlError::Query);
        }
        if !is_confidential(&url) {
            return Err(GatewayUrlError::Insecure);
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl GatewayUrl {
    /// As GOPROXY has it, without a slash at the end.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether it is reached over TLS: the go command sends credentials nowhere else.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(|host| is_loopback(&host))
    }

    /// Its name in a netrc file: with the port if it is not 443, because the go command compares the whole.
    pub(super) fn machine(&self) -> String {
        let host = self.host();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// `HOST[:PORT][/PATH]`, by which the go command looks for credentials.
    pub(super) fn place(&self) -> &str {
        self.text.split_once("://").map_or(self.text.as_str(), |(_, place)| place)
    }

    /// A page or interface of it: `page` is what follows `/-/`.
    pub(super) fn console(&self, page: &str) -> Result<Url, GatewayUrlError> {
        Url::parse(&format!("{}{CONSOLE}{page}", self.text)).map_err(|_| GatewayUrlError::Form)
    }

    /// Whether a URL is this gateway's: same scheme, host and port, and whole path elements.
    pub(super) fn covers(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let origin =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        let below = url.path().strip_prefix(self.url.path().trim_end_matches('/'));
        origin(&url) == origin(&self.url)
            && url.username().is_empty()
            && url.password().is_none()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> GatewayUrl {
        text.parse().unwrap()
    }

    #[test]
    fn the_machine_has_the_port_unless_it_is_443() {
        for (text, machine, place) in [
            ("https://gw.test", "gw.test", "gw.test"),
            ("https://gw.test:443/", "gw.test", "gw.test"),
            ("https://gw.test:8443/go/", "gw.test:8443", "gw.test:8443/go"),
            ("https://[::1]:8443", "[::1]:8443", "[::1]:8443"),
        ] {
            assert_eq!((url(text).machine().as_str(), url(text).place()), (machine, place));
        }
        assert_eq!(
            url("https://gw.test/go/").console("api/v1/whoami").unwrap().as_str(),
            "https://gw.test/go/-/api/v1/whoami"
        );
    }

    #[test]
    fn credentials_go_nowhere_else() {
        let base = url("https://gw.test:8443/go");
        for inside in ["https://gw.test:8443/go", "https://gw.test:8443/go/x/@v/list", "https://GW.test:8443/go/%21x"] {
            assert!(base.covers(inside), "{inside}");
        }
        for outside in [
            "https://gw.test/go/x",
            "http://gw.test:8443/go/x",
            "https://gw.test:8443/gone",
            "https://gw.test:8443/",
            "https://gw.test:8443/go/../x",
            "https://gw.test:8443/go/%2e%2e/x",
            "https://gw.test.evil.test:8443/go/x",
            "https://gw.test:8443@evil.test/go/x",
            "gw.test:8443/go/x",
            "",
        ] {
            assert!(!base.covers(outside), "{outside}");
        }
    }

    #[test]
    fn what_would_show_a_credential_is_refused() {
        let error = |text: &str| text.parse::<GatewayUrl>().unwrap_err();
        assert_eq!(error("http://gw.test"), GatewayUrlError::Insecure);
        assert_eq!(error("https://me:secret@gw.test"), GatewayUrlError::Userinfo);
        assert_eq!(error("https://me:12/se?cret@gw.test"), GatewayUrlError::Userinfo);
        assert_eq!(error("https://gw.test/?token=x"), GatewayUrlError::Query);
        for text in ["gw.test", "gw.test:8443", "file:///srv", "direct", "off", ""] {
            assert_eq!(error(text), GatewayUrlError::Form, "{text}");
        }
        assert!(!url("http://127.0.0.1:8080").is_https());
    }
}
