//! The two cookies: whose session it is, and which browser a login was begun in.
//!
//! ```text
//! __Host-modgate        the session's id; as long as the browser is open (the session itself ends sooner or later)
//! __Host-modgate-login  proves to the callback that this browser was sent; ten minutes
//! ```
//!
//! INVARIANT: `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, no `Domain`; the prefix has browsers hold us to it, so no other
//! host of the domain and nobody on the way can set them (RFC 6265bis §4.1.3.2). Over plain http, which is for
//! loopback only, browsers would refuse both the prefix and `Secure`: there they are left out.

use super::Site;
use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

/// How long a login may take, in seconds.
const LOGIN_SECONDS: u32 = 600;
/// The length of what we put into a cookie: 256 bits as base64url.
const LENGTH: usize = 43;

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cookie {
    /// The session.
    Session,
    /// The browser that began a login.
    Login,
}

impl Cookie {
    fn name(self, site: &Site) -> &'static str {
        match (self, site.is_secure()) {
            (Self::Session, true) => "__Host-modgate",
            (Self::Session, false) => "modgate",
            (Self::Login, true) => "__Host-modgate-login",
            (Self::Login, false) => "modgate-login",
        }
    }

    /// Its value in a request. `None` too if it is there twice (one of them is somebody else's), or is none of ours.
    pub(super) fn of<'h>(self, site: &Site, headers: &'h HeaderMap) -> Option<&'h str> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut mine = pairs.filter(|(name, _)| *name == self.name(site)).map(|(_, value)| value);
        let value = mine.next().filter(|_| mine.next().is_none())?;
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (value.len() == LENGTH && plain).then_some(value)
    }

    /// The header that sets it.
    pub(super) fn set(self, site: &Site, value: &str) -> Option<HeaderValue> {
        self.header(site, value, if self == Self::Login { Some(LOGIN_SECONDS) } else { None })
    }

    /// The header that removes it.
    pub(super) fn remove(self, site: &Site) -> Option<HeaderValue> {
        self.header(site, "", Some(0))
    }

    fn header(self, site: &Site, value: &str, seconds: Option<u32>) -> Option<HeaderValue> {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if site.is_secure() { "; Secure" } else { "" };
        let header = format!("{}={value}; Path=/{age}{secure}; HttpOnly; SameSite=Lax", self.name(site));
        let mut header = HeaderValue::from_str(&header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn cookies_have_their_flags() {
        let (site, value) = (Site::new("https://go.corp.example/go"), "x".repeat(43));
        let set =
            |cookie: Cookie, site: &Site| cookie.set(site, &value).unwrap().to_str().unwrap().replace(&value, "X");
        assert_eq!(set(Cookie::Session, &site), "__Host-modgate=X; Path=/; Secure; HttpOnly; SameSite=Lax");
        let login = "__Host-modgate-login=X; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(set(Cookie::Login, &site), login);
        assert_eq!(set(Cookie::Session, &Site::new("http://127.0.0.1:1")), "modgate=X; Path=/; HttpOnly; SameSite=Lax");
        let removed = Cookie::Session.remove(&site).unwrap();
        assert_eq!(removed, "__Host-modgate=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn one_cookie_of_ours_is_found_and_nothing_else() {
        let (site, value) = (Site::new("https://go.corp.example"), "x".repeat(43));
        let found = |lines: &[&str]| Cookie::Session.of(&site, &headers(lines)).map(str::to_owned);
        assert_eq!(found(&[&format!("a=b; __Host-modgate={value}; c=d")]), Some(value.clone()));
        assert_eq!(found(&["a=b", &format!("__Host-modgate={value}")]), Some(value.clone()));
        for other in [
            format!("modgate={value}"),
            format!("__host-modgate={value}"),
            format!("__Host-modgate-login={value}"),
            format!("__Host-modgate={value}; __Host-modgate={value}"),
            format!("__Host-modgate={value}; __Host-modgate="),
            format!("__Host-modgate={value}x"),
            format!("__Host-modgate=\"{}\"", "x".repeat(41)),
            String::new(),
        ] {
            assert_eq!(found(&[&other]), None, "{other}");
        }
    }
}
