//! Upstreams that are this very instance.
//!
//! A gateway whose own GOPROXY names it (as on every developer's machine) must not ask itself. What can be told from
//! an URL is told here, before anything is asked; the rest shows by `Via`.

use super::{origin::Origin, settings::SourceSettings};
use reqwest::Url;
use std::net::SocketAddr;

/// Whether an upstream at `base` would be this instance.
pub(super) fn is_own(base: &Url, settings: &SourceSettings) -> bool {
    let Some(origin) = Origin::of(base) else { return false };
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    settings.own_urls.iter().any(|own| Origin::of(own).as_ref() == Some(&origin) && path(own) == path(base))
        || settings.own_addresses.iter().any(|address| is_at(&origin, *address))
}

fn is_at(origin: &Origin, listener: SocketAddr) -> bool {
    let this_machine = listener.ip().is_unspecified() || listener.ip().is_loopback();
    origin.port() == listener.port()
        && (origin.address() == Some(listener.ip()) || (this_machine && origin.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_and_public_urls_are_own() {
        let settings = SourceSettings {
            own_addresses: vec!["[::]:8443".parse().unwrap(), "10.0.0.1:3000".parse().unwrap()],
            own_urls: vec![Url::parse("https://gw.example/go/").unwrap()],
            ..SourceSettings::default()
        };
        let own = |url: &str| is_own(&Url::parse(url).unwrap(), &settings);
        for url in [
            "https://localhost:8443",
            "http://127.0.0.1:8443/x",
            "https://[::1]:8443",
            "http://10.0.0.1:3000",
            "https://gw.example:443/go",
        ] {
            assert!(own(url), "{url}");
        }
        for url in
            ["https://localhost:8444", "http://127.0.0.1:3000", "https://gw.example/athens", "http://gw.example/go"]
        {
            assert!(!own(url), "{url}");
        }
    }
}
