//! Origins (scheme, host, port) of URLs, the set of those that the operator configured, and URLs fit to be printed.

use reqwest::Url;
use std::{collections::HashSet, net::IpAddr};

/// Scheme, host and port of an http or https URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// None for any other scheme and for a URL without a host.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        // `url` has lower-cased names already, and written every spelling of an address in the usual one.
        let host = url.host_str()?.trim_end_matches('.').to_owned();
        Some(Self { secure, host, port: url.port_or_known_default()? })
    }

    /// Whether the host can only be this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match literal(&self.host) {
            Some(address) => address.to_canonical().is_loopback(),
            None => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// The host's address, when it is one and no name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        literal(&self.host)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }
}

/// What the operator named: only these may be at addresses inside the house.
#[derive(Clone, Default)]
pub(super) struct Origins(HashSet<Origin>);

impl Origins {
    pub(super) fn insert(&mut self, origin: Origin) {
        self.0.insert(origin);
    }

    pub(super) fn contains(&self, url: &Url) -> bool {
        Origin::of(url).is_some_and(|origin| self.0.contains(&origin))
    }
}

/// A URL's host as an address; IPv6 stands in brackets there.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A URL without userinfo, query, fragment and trailing slash: what is printed, logged and recorded.
pub(super) fn printable(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// A text that is no URL, for an error message: what may be userinfo or a query is left out.
pub(super) fn masked(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match (text.rsplit_once('@'), text.split_once("://")) {
        (Some((_, rest)), Some((scheme, _))) => format!("{scheme}://…@{rest}"),
        (Some((_, rest)), None) => format!("…@{rest}"),
        (None, _) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn loopback_in_every_spelling() {
        for url in [
            "http://127.0.0.1",
            "http://127.9.9.9:1",
            "http://0x7f.1",
            "http://2130706433",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "http://LOCALHOST.",
            "http://a.localhost",
        ] {
            assert!(origin(url).is_loopback(), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "http://[fe80::1]"] {
            assert!(!origin(url).is_loopback(), "{url}");
        }
    }

    #[test]
    fn what_is_printed_hides_userinfo_and_query() {
        let url = Url::parse("https://al%20ice:hush@h.example/base/?tok=hush#hush").unwrap();
        assert_eq!(printable(&url), "https://h.example/base");
        assert_eq!(masked("htps://alice:hu@sh@h.example/x?hush"), "htps://…@h.example/x");
        assert_eq!(masked("alice:hush@h"), "…@h");
    }
}
