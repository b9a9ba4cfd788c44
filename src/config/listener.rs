//! `[listen]`, `[tls]` and `[admin]`: where modgate is reached, and what must hold between them.

use super::place::Place;
use super::quantity::{Size, Value, quoted};
use super::section::{Found, Section};
use super::settings::{Admin, Listen, Tls};
use auth::NamePart;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) fn tls(mut section: Section<'_, '_>) -> Option<Tls> {
    let (certificate, key) = (section.path("certificate"), section.path("key"));
    let client_ca = section.path("client_ca");
    let client_name = section.or("client_name", NamePart::CommonName);
    if let (Some(Found { place, .. }), None) = (&client_ca, &certificate) {
        let message = "`tls.client_ca` is set without `tls.certificate`";
        section.problem(place.clone(), message, "clients show certificates only where the server does");
    }
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: certificate.value,
            key: key.value,
            client_ca: client_ca.map(|found| found.value),
            client_name,
        }),
        (Some(Found { place, .. }), None) => {
            section.problem(place, "`tls.certificate` is set without `tls.key`", "both are needed");
            None
        }
        (None, Some(Found { place, .. })) => {
            section.problem(place, "`tls.key` is set without `tls.certificate`", "both are needed");
            None
        }
        (None, None) => None,
    };
    section.finish();
    tls
}

impl Value for NamePart {
    const EXPECTED: &'static str = "a part of a certificate: \"common_name\", \"dns\", \"email\" or \"uri\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_: auth::UnknownNamePart| String::new())
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

/// What the listener must fit.
pub(super) struct Around {
    pub(super) tls: bool,
    pub(super) first_run: bool,
    pub(super) public_url: bool,
}

pub(super) fn listen(mut section: Section<'_, '_>, around: &Around) -> Listen {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 8443));
    let address = section.get::<SocketAddr>("address");
    let place = address.as_ref().map_or(Place::Default, |found| found.place.clone());
    let address = address.map_or_else(|| section.or("address", loopback), |found| found.value);
    let seconds = Duration::from_secs;
    let listen = Listen {
        address,
        insecure_http: section.or("insecure_http", false),
        trusted_proxies: section.many("trusted_proxies").map(|found| found.value).unwrap_or_default(),
        proxy_protocol: section.or("proxy_protocol", false),
        workers: section.get("workers").map(|found| found.value).filter(|workers| *workers > 0),
        header_timeout: section.within("header_timeout", Duration::from_millis(100), seconds(10), seconds(600)),
        idle_timeout: section.within("idle_timeout", seconds(1), seconds(120), seconds(86_400)),
        max_connections: section.within("max_connections", 1, 10_000, 10_000_000),
        max_streams: section.within("max_streams", 1, 250, 100_000),
        max_header_bytes: section.within("max_header_bytes", Size(8 << 10), Size(32 << 10), Size(1 << 20)).0,
        drain_delay: section.within("drain_delay", Duration::ZERO, Duration::ZERO, seconds(3600)),
        drain_timeout: section.within("drain_timeout", Duration::ZERO, seconds(60), seconds(86_400)),
    };
    check_listen(&section, place, &listen, around);
    section.finish();
    listen
}

fn check_listen(section: &Section<'_, '_>, place: Place, listen: &Listen, around: &Around) {
    let reachable = !listen.address.ip().is_loopback();
    if reachable && !around.tls && !around.first_run && !listen.insecure_http {
        let message = format!("`{}` is reachable by others, and there is no TLS", listen.address);
        let hint = "set [tls] certificate and key, or listen.insecure_http = true if something else encrypts";
        section.problem(place.clone(), message, hint);
    }
    if reachable && !around.public_url {
        let message = "`public_url` is not set, so texts cannot say where this is";
        section.warning(place.clone(), message, "set public_url");
    }
    if around.tls && listen.insecure_http {
        let message = "`listen.insecure_http` changes nothing where [tls] is set";
        section.warning(place, message, "remove it");
    }
    if listen.proxy_protocol && listen.trusted_proxies.is_empty() {
        let message = "`listen.proxy_protocol` is on, and no proxy is trusted to speak it";
        section.problem(section.place(), message, "set listen.trusted_proxies");
    }
}

pub(super) fn admin(mut section: Section<'_, '_>) -> Admin {
    let default = AdminAddress(Some(SocketAddr::from(([127, 0, 0, 1], 8444))));
    let address = section.or("address", default).0;
    section.finish();
    Admin { address }
}

/// An address, or `off`.
struct AdminAddress(Option<SocketAddr>);

impl Value for AdminAddress {
    const EXPECTED: &'static str = "an IP address with a port such as \"127.0.0.1:8444\", or \"off\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            Ok(Self(None))
        } else {
            <SocketAddr as Value>::parse(text).map(|address| Self(Some(address)))
        }
    }
    fn show(&self) -> String {
        self.0.map_or_else(|| quoted("off"), |address| address.show())
    }
}
