//! Where a redirect may lead.
//!
//! INVARIANT: https only, or http when the source itself is http on loopback; never into the house (see
//! [`super::guard`]) unless the operator configured that very origin; never more than [`MOST`] of them. Credentials are
//! the caller's care: it drops them when the origin changes, and for good.

use super::{
    guard,
    origin::{Origin, Origins},
};
use reqwest::Url;

/// The most redirects that are followed for one thing.
pub(super) const MOST: usize = 5;

/// Why a redirect is not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectError {
    #[error("a redirect without a usable Location")]
    Location,
    #[error("a redirect to `{0}`, which is not https")]
    Insecure(String),
    #[error("a redirect to `{host}`, which is {kind} address and not configured here")]
    Inside { host: String, kind: &'static str },
}

/// What `location` means, having come from `current`, on an errand that began at `source`.
pub(super) fn follow(
    source: &Url,
    current: &Url,
    location: Option<&[u8]>,
    configured: &Origins,
) -> Result<Url, RedirectError> {
    let location = location.and_then(|value| std::str::from_utf8(value).ok()).ok_or(RedirectError::Location)?;
    let mut next = current.join(location).map_err(|_| RedirectError::Location)?;
    // Userinfo in a Location would be sent as a credential that nobody configured.
    let _ = next.set_username("");
    let _ = next.set_password(None);
    next.set_fragment(None);
    let origin = Origin::of(&next).ok_or_else(|| RedirectError::Insecure(next.scheme().to_owned()))?;
    let from_loopback = Origin::of(source).is_some_and(|source| !source.is_secure() && source.is_loopback());
    if !origin.is_secure() && !from_loopback {
        return Err(RedirectError::Insecure(format!("http://{}", origin.host())));
    }
    if configured.contains(&next) {
        return Ok(next);
    }
    let host = || origin.host().to_owned();
    match origin.address() {
        Some(address) => match guard::inside(address) {
            Some(kind) => Err(RedirectError::Inside { host: host(), kind }),
            None => Ok(next),
        },
        None if origin.is_loopback() => Err(RedirectError::Inside { host: host(), kind: "a loopback" }),
        None => Ok(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn to(source: &str, location: &str) -> Result<String, RedirectError> {
        let mut configured = Origins::default();
        configured.insert(Origin::of(&url(source)).unwrap());
        configured.insert(Origin::of(&url("https://10.0.0.9")).unwrap());
        follow(&url(source), &url(source), Some(location.as_bytes()), &configured).map(String::from)
    }

    #[test]
    fn relative_and_absolute() {
        let source = "https://proxy.example/base/a/@v/list";
        assert_eq!(to(source, "/x").unwrap(), "https://proxy.example/x");
        assert_eq!(to(source, "//cdn.example/x?sig=1#f").unwrap(), "https://cdn.example/x?sig=1");
        assert_eq!(to(source, "https://me:pw@cdn.example/x").unwrap(), "https://cdn.example/x");
        assert_eq!(follow(&url(source), &url(source), None, &Origins::default()), Err(RedirectError::Location));
        assert_eq!(to(source, "https://[").err(), Some(RedirectError::Location));
    }

    #[test]
    fn http_only_from_http_on_loopback() {
        for location in ["http://cdn.example/x", "http://203.0.113.7/", "ftp://cdn.example/", "file:///etc/passwd"] {
            let error = to("https://proxy.example/a", location).unwrap_err();
            assert!(matches!(error, RedirectError::Insecure(_)), "{location}: {error}");
            assert!(to("http://athens.example/a", location).is_err(), "{location}");
        }
        assert!(to("http://127.0.0.1:3000/a", "http://127.0.0.1:3000/b").is_ok());
        assert!(to("http://localhost:3000/a", "http://cdn.example/b").is_ok());
    }

    #[test]
    fn never_into_the_house_unless_configured() {
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "169.254.169.254",
            "0x7f.1",
            "localhost",
            "a.localhost.",
        ] {
            let error = to("https://proxy.example/a", &format!("https://{host}/x")).unwrap_err();
            assert!(matches!(error, RedirectError::Inside { .. }), "{host}: {error}");
        }
        assert!(to("https://proxy.example/a", "https://10.0.0.9/x").is_ok());
        assert!(to("https://proxy.example/a", "https://10.0.0.9:444/x").is_err());
        assert!(to("http://127.0.0.1:1/a", "http://127.0.0.1:2/b").is_err());
    }
}
