//! The form of a request (RFC 6749, Appendix B), read strictly.
//!
//! INVARIANT: a parameter that comes twice is refused (§3.1), so no two readers can take two values for one; what is no form is
//! refused before it is looked at. Unknown parameters are passed over (§3.1), and so are empty ones, as if they were not there.

use super::refusal::{Code, OauthRefusal};
use axum::http::{HeaderMap, header::CONTENT_TYPE};
use std::collections::HashMap;
use url::form_urlencoded;

/// The most parameters.
const MOST: usize = 32;
/// The longest value, in bytes: a JWT of a pipeline is the longest that is due.
const LONGEST: usize = 32 * 1024;

/// The parameters. No `Debug`: some are secrets.
pub(in crate::console) struct Form(HashMap<String, String>);

impl Form {
    /// Reads the body of a request.
    pub(in crate::console) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, OauthRefusal> {
        let bad = |text: &'static str| OauthRefusal::new(Code::InvalidRequest, text);
        let mut kinds = headers.get_all(CONTENT_TYPE).iter();
        let kind = kinds.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") || kinds.next().is_some() {
            return Err(bad("the body must be application/x-www-form-urlencoded"));
        }
        let mut form = HashMap::new();
        for (number, (name, value)) in form_urlencoded::parse(body).enumerate() {
            if number >= MOST || value.len() > LONGEST {
                return Err(bad("too many parameters, or one that is too long"));
            }
            if form.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(bad("a parameter comes twice"));
            }
        }
        form.retain(|_, value| !value.is_empty());
        Ok(Self(form))
    }

    /// A parameter, if it is there.
    pub(in crate::console) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub(in crate::console) fn required(&self, name: &str) -> Result<&str, OauthRefusal> {
        self.get(name).ok_or_else(|| OauthRefusal::new(Code::InvalidRequest, format!("`{name}` is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn read(kind: &str, body: &[u8]) -> Result<Form, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        Form::read(&headers, body).map_err(|refusal| refusal.code)
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_is_read_once_and_strictly() {
        let form = read("Application/X-WWW-Form-urlencoded; charset=utf-8", b"a=1&b=%2B+x&c=&d").ok().unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), (Some("1"), Some("+ x"), None, None));
        for (kind, body) in [
            (FORM, "a=1&a=1".to_owned()),
            (FORM, "a=1&%61=2".to_owned()),
            (FORM, "a=&a=1".to_owned()),
            (FORM, (0..40).map(|number| format!("p{number}=1&")).collect()),
            (FORM, format!("a={}", "x".repeat(LONGEST + 1))),
            ("application/json", "{}".to_owned()),
            ("text/plain", "a=1".to_owned()),
            ("multipart/form-data", "a=1".to_owned()),
        ] {
            assert_eq!(read(kind, body.as_bytes()).err(), Some(Code::InvalidRequest), "{kind} {body:.20}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(FORM, &body);
        }

        #[test]
        fn what_was_written_is_read(value in "\\PC{1,40}") {
            let body: String = form_urlencoded::Serializer::new(String::new()).append_pair("token", &value).finish();
            prop_assert_eq!(read(FORM, body.as_bytes()).ok().and_then(|form| form.get("token").map(str::to_owned)), Some(value));
        }
    }
}
