//! Forged requests: what another site makes a browser send, with our cookie.
//!
//! INVARIANT: what a session changes needs its CSRF token, in the form (`csrf`) or in `X-CSRF-Token`; and where the browser says
//! from where a request comes, that must be here. Either would do; they fail in different ways.
//!
//! Our pages send no referrer, so browsers write `Origin: null` into the forms of our own pages (Fetch, "append a
//! request `Origin` header"); that is taken only beside `Sec-Fetch-Site: same-origin`, which no page can write.

use super::Site;
use auth::Session;
use axum::http::{HeaderMap, HeaderName, header};
use url::form_urlencoded;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// The field of a form.
pub(super) const FIELD: &str = "csrf";

/// Whether a request that changes something is the session's own, and no other site's.
pub(super) fn is_vouched(site: &Site, session: &Session, headers: &HeaderMap, body: &[u8]) -> bool {
    is_from_here(site, headers) && token(headers, body).is_some_and(|token| session.is_vouched_by(&token))
}

/// Whether the browser does not say otherwise.
pub(super) fn is_from_here(site: &Site, headers: &HeaderMap) -> bool {
    let fetched = only(headers, &SEC_FETCH_SITE);
    let same = match fetched {
        Said::Nothing => None,
        Said::Once(value) => Some(value == "same-origin"),
        Said::Muddled => return false,
    };
    match only(headers, &header::ORIGIN) {
        _ if same == Some(false) => false,
        Said::Nothing => true,
        Said::Once("null") => same == Some(true),
        Said::Once(origin) => origin == site.origin(),
        Said::Muddled => false,
    }
}

/// What a header says.
enum Said<'h> {
    Nothing,
    Once(&'h str),
    /// Twice, or not in ASCII.
    Muddled,
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Said<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Said::Nothing,
        (Some(value), None) => value.to_str().map_or(Said::Muddled, Said::Once),
        (Some(_), Some(_)) => Said::Muddled,
    }
}

/// The token that was sent, if it was sent once.
fn token(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    match only(headers, &X_CSRF_TOKEN) {
        Said::Once(token) => return Some(token.to_owned()),
        Said::Muddled => return None,
        Said::Nothing => {}
    }
    let form = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let form = form.split(';').next().unwrap_or_default().trim();
    if !form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == FIELD);
    let token = tokens.next().map(|(_, value)| value.into_owned())?;
    tokens.next().is_none().then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth::{Principal, SessionSettings, Sessions};
    use axum::http::HeaderValue;
    use jiff::Timestamp;
    use std::sync::Arc;

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_request_comes_from_here_or_the_browser_says_so() {
        let site = Site::new("https://go.corp.example/go");
        let from = |pairs: &[(&'static str, &str)]| is_from_here(&site, &headers(pairs));
        let (own, same) = (("origin", "https://go.corp.example"), ("sec-fetch-site", "same-origin"));
        for good in [&[][..], &[own], &[same], &[own, same], &[("origin", "null"), same]] {
            assert!(from(good), "{good:?}");
        }
        for bad in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "https://evil.example"), same],
            &[("origin", "http://go.corp.example")],
            &[("origin", "https://go.corp.example:444")],
            &[("origin", "https://go.corp.example.evil.example")],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "same-site")],
            &[own, ("sec-fetch-site", "cross-site")],
            &[own, ("sec-fetch-site", "none")],
            &[own, own],
            &[same, ("sec-fetch-site", "cross-site")],
            &[("origin", "")],
        ] {
            assert!(!from(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_token_comes_once_by_form_or_header() {
        let site = Site::new("https://go.corp.example");
        let sessions = Sessions::new(SessionSettings::default());
        let nobody = Arc::new(Principal::anonymous());
        let (id, session) = sessions.begin(nobody, Timestamp::UNIX_EPOCH, &std::array::from_fn(|at| at as u8));
        let token = session.csrf();
        let vouched =
            |pairs: &[(&'static str, &str)], body: &str| is_vouched(&site, &session, &headers(pairs), body.as_bytes());
        assert!(vouched(&[("x-csrf-token", token)], ""));
        assert!(vouched(&[FORM], &format!("a=b&csrf={token}")));
        assert!(!vouched(&[FORM, ("origin", "https://evil.example")], &format!("csrf={token}")));
        assert!(!vouched(&[("x-csrf-token", token), ("x-csrf-token", token)], ""));
        assert!(!vouched(&[("x-csrf-token", "wrong"), FORM], &format!("csrf={token}")), "the header comes first");
        for body in ["", "csrf=", &format!("csrf={}", &*id), &format!("csrf={token}&csrf={token}"), token] {
            assert!(!vouched(&[FORM], body), "{body}");
        }
        assert!(!vouched(&[("content-type", "text/plain")], &format!("csrf={token}")));
        assert!(!vouched(&[], &format!("csrf={token}")));
    }
}
