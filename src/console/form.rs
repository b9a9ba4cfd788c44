//! The parameters of a request, in a form or in a query (RFC 6749, Appendix B), read strictly.
//!
//! INVARIANT: a parameter that comes twice is refused (§3.1), so no two readers can take two values for one; what is no form is
//! refused before it is looked at. Unknown parameters are passed over (§3.1), and so are empty ones, as if they were not there.

use super::{
    Refused,
    oauth::{Code, OauthRefusal},
};
use crate::error::{Kind, RequestError};
use axum::http::{HeaderMap, header::CONTENT_TYPE};
use std::collections::HashMap;
use url::form_urlencoded;

/// The most parameters.
const MOST: usize = 32;
/// The longest value, in bytes: a JWT of a pipeline is the longest that is due.
const LONGEST: usize = 32 * 1024;

/// The parameters. No `Debug`: some are secrets.
pub(super) struct Form(HashMap<String, String>);

/// Why parameters cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum FormError {
    /// The content type is another.
    #[error("the body must be application/x-www-form-urlencoded")]
    Type,
    /// More, or longer, than any request needs.
    #[error("too many parameters, or one that is too long")]
    Large,
    /// Which of the two was meant is anyone's guess.
    #[error("a parameter comes twice")]
    Twice,
    /// One that must be there.
    #[error("`{0}` is missing")]
    Missing(Box<str>),
}

impl From<FormError> for OauthRefusal {
    fn from(error: FormError) -> Self {
        Self::new(Code::InvalidRequest, error.to_string())
    }
}

impl From<FormError> for Refused {
    fn from(error: FormError) -> Self {
        Self(RequestError::new(Kind::BadRequest, error.to_string()))
    }
}

impl Form {
    /// Reads the body of a request.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, FormError> {
        let mut kinds = headers.get_all(CONTENT_TYPE).iter();
        let kind = kinds.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") || kinds.next().is_some() {
            return Err(FormError::Type);
        }
        Self::parse(body)
    }

    /// Reads a query, or the body of a request whose type does not matter.
    pub(super) fn parse(text: &[u8]) -> Result<Self, FormError> {
        let mut form = HashMap::new();
        for (number, (name, value)) in form_urlencoded::parse(text).enumerate() {
            if number >= MOST || value.len() > LONGEST {
                return Err(FormError::Large);
            }
            if form.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(FormError::Twice);
            }
        }
        form.retain(|_, value| !value.is_empty());
        Ok(Self(form))
    }

    /// A parameter, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, FormError> {
        self.get(name).ok_or_else(|| FormError::Missing(name.into()))
    }

    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn read(kind: &str, body: &[u8]) -> Result<Form, FormError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        Form::read(&headers, body)
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_is_read_once_and_strictly() {
        let form = read("Application/X-WWW-Form-urlencoded; charset=utf-8", b"a=1&b=%2B+x&c=&d").ok().unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), (Some("1"), Some("+ x"), None, None));
        for (kind, body, expected) in [
            (FORM, "a=1&a=1".to_owned(), FormError::Twice),
            (FORM, "a=1&%61=2".to_owned(), FormError::Twice),
            (FORM, "a=&a=1".to_owned(), FormError::Twice),
            (FORM, (0..40).map(|number| format!("p{number}=1&")).collect(), FormError::Large),
            (FORM, format!("a={}", "x".repeat(LONGEST + 1)), FormError::Large),
            ("application/json", "{}".to_owned(), FormError::Type),
            ("text/plain", "a=1".to_owned(), FormError::Type),
            ("multipart/form-data", "a=1".to_owned(), FormError::Type),
        ] {
            assert_eq!(read(kind, body.as_bytes()).err(), Some(expected), "{kind} {body:.20}");
        }
        assert_eq!(form.required("c").err(), Some(FormError::Missing("c".into())));
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
