//! The site: under which URL browsers know us, and what follows from it for cookies, origins and redirects.
//!
//! INVARIANT: all of it comes from `public_url`, nothing from a request, so no Host header can send anybody elsewhere.

use url::Url;

/// How a browser sees us.
#[derive(Clone, Debug)]
pub struct Site {
    /// `public_url` without its trailing slash.
    pub url: String,
    /// Its path: empty, or `/go`.
    pub base: String,
    origin: String,
    secure: bool,
    confidential: bool,
}

impl Site {
    /// Of a `public_url` without its trailing slash.
    pub fn new(public_url: &str) -> Self {
        let url = public_url.parse::<Url>().ok();
        let base = url.as_ref().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        let origin = url.as_ref().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let secure = url.as_ref().is_some_and(|url| url.scheme() == "https");
        let confidential = url.as_ref().is_some_and(auth::is_confidential);
        Self { url: public_url.to_owned(), base, origin, secure, confidential }
    }

    /// Our origin, as browsers write it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers may have sessions: over https, and over http to loopback.
    pub fn has_sessions(&self) -> bool {
        self.confidential
    }

    /// Whether cookies are for https only. Where they are not, the whole way is inside of this machine.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

/// A path to go back to after a login, if it is one of our pages: nothing else is ever redirected to.
///
/// INVARIANT: what is returned begins with `/-/`, has no way out of it, and has one reading only, in any browser: it is put
/// behind our own URL, so no spelling of it can be another host.
pub(super) fn own_page(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte));
    let (path, _) = text.split_once('?').unwrap_or((text, ""));
    let inside = path.starts_with("/-/") && !path.contains("//") && !path.contains('%');
    let climbs = path.split('/').any(|element| matches!(element, "." | ".."));
    let begins_again = ["/-/login", "/-/callback", "/-/logout"].iter().any(|page| path.starts_with(page));
    (plain && inside && !climbs && !begins_again && text.len() <= 2048).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_site_is_what_its_url_says() {
        let site = Site::new("https://go.corp.example:8443/go");
        assert_eq!((site.base.as_str(), site.origin()), ("/go", "https://go.corp.example:8443"));
        assert!(site.is_secure() && site.has_sessions());
        let site = Site::new("http://localhost:8080");
        assert_eq!((site.base.as_str(), site.origin()), ("", "http://localhost:8080"));
        assert!(!site.is_secure() && site.has_sessions());
        assert!(!Site::new("http://go.corp.example").has_sessions());
    }

    #[test]
    fn only_own_pages_are_gone_back_to() {
        for good in ["/-/", "/-/device", "/-/device?user_code=BCDF-GHJK", "/-/oauth/authorize?x=http://a/%2f%5c&y=//b"]
        {
            assert_eq!(own_page(good), Some(good));
        }
        for bad in [
            "",
            "/",
            "/-",
            "-/",
            "//evil.example/-/",
            "/-//evil.example",
            "https://evil.example/-/",
            "/\\evil.example",
            "/-/\\evil.example",
            "/-/../x",
            "/-/./x",
            "/-/%2e%2e/x",
            "/-/a\nb",
            "/-/ a",
            "/-/é",
            "/-/#x",
            " /-/",
            "/-/login",
            "/-/login/corp",
            "/-/callback/corp?code=1",
            "/-/logout",
            "javascript:alert(1)",
            "/-/\"x",
            "/example.test/lib",
        ] {
            assert_eq!(own_page(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_with_us(text in "(/-/)?[-/a-z.%?#@:\\\\\\t ]{0,24}") {
            if let Some(page) = own_page(&text) {
                let url: Url = format!("https://go.corp.example/go{page}").parse().unwrap();
                prop_assert_eq!(url.host_str(), Some("go.corp.example"));
                prop_assert!(url.path().starts_with("/go/-/"), "{}", url);
            }
        }
    }
}
