//! Whose word is taken for a client's address: `Forwarded` (RFC 7239) and `X-Forwarded-For`, from trusted proxies only.
//!
//! Each proxy appends what it saw, so the list is read from its right end: as long as an address is a trusted proxy's,
//! the one to its left was written by that proxy. The first that is not trusted is the client, and whatever stands to
//! its left was written by the client and is never looked at.
//!
//! INVARIANT (design 10): a header of a peer that is not a trusted proxy changes nothing.

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the trusted proxies; none by default.
#[derive(Clone, Default, Debug)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// Why a trusted proxy's headers do not say who the client is. Such a request deserves 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardedError {
    /// An element that was to be read is no address.
    #[error("`{header}` of a trusted proxy is malformed")]
    Malformed {
        /// The header's name.
        header: &'static str,
    },
    /// Both headers are there and name different clients: one of them may be the client's own invention.
    #[error("`forwarded` and `x-forwarded-for` name different clients; the proxy must remove the one it does not set")]
    Disagreement,
}

impl TrustedProxies {
    /// Trusts these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that address is a trusted proxy's. An IPv4 address written as IPv6 counts as the former.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client of a request that arrived from `peer` with `headers`.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, ForwardedError> {
        let peer = peer.to_canonical();
        if self.0.is_empty() || !self.trusts(peer) {
            return Ok(peer);
        }
        let forwarded = self.walk(headers, FORWARDED, forwarded_elements)?;
        let plain = self.walk(headers, X_FORWARDED_FOR, plain_elements)?;
        match (forwarded, plain) {
            (Some(one), Some(other)) if one != other => Err(ForwardedError::Disagreement),
            (Some(client), _) | (None, Some(client)) => Ok(client),
            (None, None) => Ok(peer),
        }
    }

    /// Reads one of the headers from the right; `None`: it is absent.
    fn walk<'h>(
        &self,
        headers: &'h HeaderMap,
        name: HeaderName,
        elements: fn(&'h str) -> Option<Vec<&'h str>>,
    ) -> Result<Option<IpAddr>, ForwardedError> {
        let header = if name == FORWARDED { "forwarded" } else { "x-forwarded-for" };
        let malformed = || ForwardedError::Malformed { header };
        let values: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
        let mut client = None;
        for value in values.into_iter().rev() {
            let text = value.to_str().map_err(|_| malformed())?;
            for element in elements(text).ok_or_else(malformed)?.into_iter().rev() {
                let address = address(element).ok_or_else(malformed)?;
                client = Some(address);
                if !self.trusts(address) {
                    return Ok(client);
                }
            }
        }
        Ok(client)
    }
}

/// The elements of one `X-Forwarded-For` line.
fn plain_elements(line: &str) -> Option<Vec<&str>> {
    Some(line.split(',').map(str::trim).collect())
}

/// The `for=` of each element of one `Forwarded` line; an element without one is malformed here, because it hides who
/// stands there.
fn forwarded_elements(line: &str) -> Option<Vec<&str>> {
    let elements = split_unquoted(line, ',')?;
    elements.into_iter().map(|element| split_unquoted(element, ';')?.into_iter().find_map(for_parameter)).collect()
}

fn for_parameter(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("for") {
        return None;
    }
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Splits outside quotes; `None` if a quote is left open. Addresses have no use for `\`, which is refused.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut quoted = false;
    if text.contains('\\') {
        return None;
    }
    let parts = text
        .split(|character: char| {
            quoted ^= character == '"';
            character == separator && !quoted
        })
        .map(str::trim)
        .collect();
    (!quoted).then_some(parts)
}

/// An address with or without port; IPv6 with a port, and in `Forwarded` always, stands in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
    ip.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()])
    }

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> Result<String, ForwardedError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        proxies().client(peer.parse().unwrap(), &headers).map(|ip| ip.to_string())
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let lines = [("x-forwarded-for", "10.1.1.1"), ("forwarded", "for=\"")];
        assert_eq!(client("192.0.2.1", &lines).unwrap(), "192.0.2.1");
        assert_eq!(client("11.0.0.1", &[("x-forwarded-for", "203.0.113.9")]).unwrap(), "11.0.0.1");
    }

    #[test]
    fn the_list_is_read_from_the_right_to_the_first_untrusted() {
        let cases: [(&[(&'static str, &str)], &str); 9] = [
            (&[("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            (&[("x-forwarded-for", "6.6.6.6, 192.0.2.1")], "192.0.2.1"),
            (&[("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.2.2.2")], "192.0.2.1"),
            (&[("x-forwarded-for", "lies, 192.0.2.1:4711")], "192.0.2.1"),
            (&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1,10.3.3.3")], "192.0.2.1"),
            (&[("x-forwarded-for", "10.4.4.4, 10.3.3.3")], "10.4.4.4"),
            (&[("forwarded", "for=6.6.6.6, For=\"[2001:db8:2::7]:80\";proto=https")], "2001:db8:2::7"),
            (&[("forwarded", "proto=http;for=192.0.2.1;by=10.0.0.1")], "192.0.2.1"),
            (&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(client("10.0.0.1", lines).as_deref(), Ok(expected), "{lines:?}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "::ffff:192.0.2.1")]).unwrap(), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &[]).unwrap(), "10.0.0.1");
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let malformed = ["", "unknown", "192.0.2.1,", "192.0.2.300", "192.0.2.1 192.0.2.2"];
        for value in malformed {
            let error = client("10.0.0.1", &[("x-forwarded-for", value)]).unwrap_err();
            assert_eq!(error, ForwardedError::Malformed { header: "x-forwarded-for" }, "{value}");
        }
        let malformed = ["for=_hidden", "proto=https", "for=\"x, for=192.0.2.1", "for=\"192.0.2.1\\\""];
        for value in malformed {
            let error = client("10.0.0.1", &[("forwarded", value)]).unwrap_err();
            assert_eq!(error, ForwardedError::Malformed { header: "forwarded" }, "{value}");
        }
    }

    #[test]
    fn headers_that_disagree_are_refused() {
        let lines = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client("10.0.0.1", &lines), Err(ForwardedError::Disagreement));
    }
}
