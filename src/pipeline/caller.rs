//! Where a request comes from and whom it takes us for, before anyone asks who it is.
//!
//! INVARIANT: the client's address and our own name are configuration. Forwarding headers are read only when the peer is
//! a trusted proxy, right to left up to the first address that is none; everybody else's are noise. Our URLs come from
//! `public_url`, never from Host; a request whose `:authority` and Host differ is refused, since two readers of it could
//! disagree about where it goes.

use crate::{
    error::{Kind, RequestError},
    server::{Peer, TrustedProxies},
};
use axum::http::{
    HeaderMap, Method, Request, Version,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST},
};
use std::net::IpAddr;

/// The largest request body that is tolerated, in bytes. It is never read.
const BODY: u64 = 64 * 1024;

/// Our own name and the proxies in front of us.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// The path of `public_url` without its trailing slash: empty, or `/go`.
    pub base: String,
    /// Whose forwarding headers are believed.
    pub trusted: TrustedProxies,
}

/// The network's view of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The client as the trusted proxies tell it; the peer where there are none.
    pub client: IpAddr,
}

impl Front {
    /// Checks everything about a request that needs neither target nor principal.
    pub fn meet<B>(&self, peer: &Peer, request: &Request<B>) -> Result<Caller, RequestError> {
        one_host(request)?;
        let from = peer.address.ip().to_canonical();
        if !peer.confidential() && !self.trusted.trusts(from) && request.headers().contains_key(AUTHORIZATION) {
            let text = "credentials over plain http can be read on the way\nuse the https URL, and replace the token: it has been exposed";
            return Err(RequestError::new(Kind::Insecure, text));
        }
        let client = self.trusted.client(from, request.headers());
        Ok(Caller {
            peer: from,
            client: client.map_err(|error| RequestError::new(Kind::BadRequest, error.to_string()))?,
        })
    }

    /// The path below our base, still percent-encoded.
    pub fn below_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.base.as_str()).filter(|rest| rest.starts_with('/'))
    }
}

/// Whether a request only reads, as all of the GOPROXY protocol do.
pub(super) fn reads<B>(request: &Request<B>) -> Result<(), RequestError> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(RequestError::new(Kind::Method, "only GET and HEAD are answered here"));
    }
    small_body(request.headers())
}

/// INVARIANT: a request names one host, once.
fn one_host<B>(request: &Request<B>) -> Result<(), RequestError> {
    let refuse = |text| Err(RequestError::new(Kind::BadRequest, text));
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return refuse("two Host headers");
    }
    match (request.uri().authority(), host) {
        (None, None) => refuse("no Host header"),
        // RFC 9112 §3.2: HTTP/1.1 has a Host header also where the target is a whole URL.
        (Some(_), None) if request.version() < Version::HTTP_2 => refuse("no Host header"),
        (Some(authority), _) if authority.as_str().contains('@') => refuse("a login in the authority"),
        (Some(authority), Some(host)) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            refuse(":authority and Host differ")
        }
        _ => Ok(()),
    }
}

/// A body is never read; one that would have to be thrown away for long is refused.
fn small_body(headers: &HeaderMap) -> Result<(), RequestError> {
    let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(()) };
    match length.to_str().ok().and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length <= BODY => Ok(()),
        _ => Err(RequestError::new(Kind::TooLarge, "a request for a module has no body")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> Front {
        Front { base: "/go".into(), trusted: TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]) }
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let with = |request: http::request::Builder, (name, value): &(&str, &str)| request.header(*name, *value);
        headers.iter().fold(Request::get("/go/x").header("host", "gw"), with).body(()).unwrap()
    }

    fn refused(peer: &str, tls: bool, request: Request<()>) -> Option<Kind> {
        let address = peer.parse().unwrap();
        let met = front().meet(&Peer { address, socket: address, tls, certificate: None }, &request);
        met.and_then(|_| reads(&request)).err().map(|error| error.kind)
    }

    #[test]
    fn credentials_in_clear_only_on_loopback_or_behind_a_trusted_proxy() {
        let with = || request(&[("authorization", "Bearer x")]);
        assert_eq!(refused("192.0.2.9:1", false, with()), Some(Kind::Insecure));
        assert_eq!(refused("192.0.2.9:1", true, with()), None);
        assert_eq!(refused("127.0.0.1:1", false, with()), None);
        assert_eq!(refused("[::ffff:127.0.0.1]:1", false, with()), None);
        assert_eq!(refused("10.0.0.1:1", false, with()), None);
        assert_eq!(refused("192.0.2.9:1", false, request(&[])), None);
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(refused("1.1.1.1:1", true, request(&[("host", "other")])), Some(Kind::BadRequest));
        assert_eq!(refused("1.1.1.1:1", true, Request::get("/x").body(()).unwrap()), Some(Kind::BadRequest));
        let absolute = |host: &str| Request::get("https://gw/x").header("host", host).body(()).unwrap();
        assert_eq!(refused("1.1.1.1:1", true, absolute("GW")), None);
        assert_eq!(refused("1.1.1.1:1", true, absolute("other")), Some(Kind::BadRequest));
        let hostless = |version| Request::get("https://gw/x").version(version).body(()).unwrap();
        assert_eq!(refused("1.1.1.1:1", true, hostless(Version::HTTP_11)), Some(Kind::BadRequest));
        assert_eq!(refused("1.1.1.1:1", true, hostless(Version::HTTP_2)), None);
        let login = Request::get("https://me:secret@gw/x").version(Version::HTTP_2).body(()).unwrap();
        assert_eq!(refused("1.1.1.1:1", true, login), Some(Kind::BadRequest));
    }

    #[test]
    fn other_methods_and_large_bodies_are_refused() {
        let post = Request::post("/x").header("host", "gw").body(()).unwrap();
        assert_eq!(refused("1.1.1.1:1", true, post), Some(Kind::Method));
        assert_eq!(refused("1.1.1.1:1", true, request(&[("content-length", "65537")])), Some(Kind::TooLarge));
        assert_eq!(refused("1.1.1.1:1", true, request(&[("content-length", "0")])), None);
    }

    #[test]
    fn the_base_path_is_a_whole_element() {
        assert_eq!(front().below_base("/go/a/@v/list"), Some("/a/@v/list"));
        assert_eq!(front().below_base("/gopher/a"), None);
        assert_eq!(front().below_base("/go"), None);
        assert_eq!(Front::default().below_base("/a"), Some("/a"));
    }
}
