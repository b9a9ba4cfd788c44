//! Addresses inside the house, and the resolver that will not lead there.
//!
//! A source may redirect to a host of its choice. INVARIANT: unless the operator configured that very origin, such a
//! host is never at a loopback, link-local, private or otherwise special address. For a host that *is* an address the
//! redirect rules ask [`inside`] themselves (no resolver is asked then); for a name [`Names`] looks at what it resolves
//! to, and the connection is made to the very addresses that were looked at, so a name that changes its mind between
//! look and connect gains nothing.

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// What kind of special address this is; none for those of the public Internet.
pub(super) fn inside(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => inside_v4(address),
        IpAddr::V6(address) => inside_v6(address),
    }
}

fn inside_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "an unspecified",
        (127, ..) => "a loopback",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private",
        (169, 254, _) => "a link-local",
        (100, 64..=127, _) => "a carrier's private",
        (224..=239, ..) => "a multicast",
        (192, 0, 0) | (198, 18..=19, _) | (240..=255, ..) => "a reserved",
        _ => return None,
    })
}

fn inside_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        inside_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        _ if address.is_unspecified() => Some("an unspecified"),
        _ if address.is_loopback() => Some("a loopback"),
        // Mapped, compatible and translated IPv4, NAT64 and 6to4: what counts is the address inside.
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => embedded(g, h),
        (0x2002, ..) => embedded(b, c),
        (0x64, 0xff9b, ..) | (0x2001, 0, ..) => Some("a translated"),
        (0xfc00..=0xfdff, ..) => Some("a private"),
        (0xfe80..=0xfebf, ..) => Some("a link-local"),
        (0xfec0..=0xfeff, ..) => Some("a site-local"),
        (0xff00..=0xffff, ..) => Some("a multicast"),
        _ => None,
    }
}

/// A name that leads into the house without having been configured.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` is at {kind} address, and is not configured here")]
pub(super) struct Inside {
    pub(super) host: String,
    pub(super) kind: &'static str,
}

/// Names to addresses. A trait, so that tests have names of their own.
pub(super) trait Lookup: Send + Sync + 'static {
    /// All addresses of a host.
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver.
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// The resolver of a client.
pub(super) struct Names {
    pub(super) lookup: Arc<dyn Lookup>,
    /// Whether names that lead into the house are refused.
    pub(super) guarded: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, guarded) = (name.as_str().to_owned(), self.guarded);
        let addresses = self.lookup.addresses(host.clone());
        Box::pin(async move {
            let addresses = addresses.await?;
            // One address inside is enough to refuse them all: nobody has such a name by accident.
            if let Some(kind) = addresses.iter().find_map(|&address| inside(address)).filter(|_| guarded) {
                return Err(Inside { host, kind }.into());
            }
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_inside() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(inside(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    struct Fixed(&'static [&'static str]);

    impl Lookup for Fixed {
        fn addresses(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let addresses = self.0.iter().map(|address| address.parse().unwrap()).collect();
            Box::pin(async { Ok(addresses) })
        }
    }

    #[tokio::test]
    async fn one_address_inside_spoils_a_name_that_is_not_configured() {
        let resolve = |addresses, guarded| {
            let names = Names { lookup: Arc::new(Fixed(addresses)), guarded };
            names.resolve("cdn.example".parse().unwrap())
        };
        let outside = &["203.0.113.7", "2606:4700::1"];
        let mixed = &["203.0.113.7", "::ffff:10.0.0.1"];
        assert_eq!(resolve(outside, true).await.ok().unwrap().count(), 2);
        assert_eq!(resolve(mixed, false).await.ok().unwrap().count(), 2);
        let error = resolve(mixed, true).await.err().unwrap();
        assert_eq!(error.downcast_ref::<Inside>().unwrap().kind, "a private");
    }

    #[test]
    fn public_addresses_are_not() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "203.0.113.7",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "2001:db8::1",
            "fbff::1",
        ] {
            assert_eq!(inside(address.parse().unwrap()), None, "{address}");
        }
    }
}
