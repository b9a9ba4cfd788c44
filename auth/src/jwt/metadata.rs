//! What an issuer says about itself at `ISSUER/.well-known/openid-configuration` (OpenID Connect Discovery 1.0).
//!
//! INVARIANT: metadata are an issuer's only if they name it, byte by byte, as it is configured (section 4.3): otherwise whoever
//! can answer at one URL could have the keys of another issuer replaced.

use super::refusal::Quoted;
use super::strict_json;
use crate::fetch::is_confidential;
use serde_json::Value;
use url::Url;

/// Where the metadata of an issuer are. `None` if the issuer is no URL that they could be fetched from safely.
pub(super) fn place(issuer: &str) -> Option<Url> {
    let url: Url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')).parse().ok()?;
    (is_confidential(&url) && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// Where the keys of an issuer are, by its metadata.
///
/// # Errors
/// What is wrong with them, on one line.
pub(super) fn keys_url(bytes: &[u8], issuer: &str) -> Result<Url, String> {
    let members = strict_json::object(bytes).map_err(|error| error.to_string())?;
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        _ => Err(format!("they have no `{name}`")),
    };
    match text("issuer")? {
        named if named == issuer => {}
        other => return Err(format!("they are of the issuer {}, not of this one", Quoted(other))),
    }
    let written = text("jwks_uri")?;
    let url: Url = written.parse().map_err(|_| format!("their `jwks_uri` {} is no URL", Quoted(written)))?;
    match is_confidential(&url) {
        true => Ok(url),
        false => Err(format!("their `jwks_uri` {} is neither https nor at a loopback address", Quoted(written))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CORP: &str = "https://corp.example/realms/a";

    #[test]
    fn they_are_where_discovery_has_them() {
        let at = |issuer| place(issuer).map(String::from);
        let expected = Some("https://corp.example/realms/a/.well-known/openid-configuration".to_owned());
        assert_eq!(at(CORP), expected);
        assert_eq!(at("https://corp.example/realms/a/"), expected);
        assert!(at("http://127.0.0.1:7").is_some() && at("http://localhost:7/x").is_some());
        for bad in ["", "corp", "http://corp.example", "ftp://127.0.0.1", "https://corp.example/?a=", "https://a/#b"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn they_must_name_the_issuer_and_a_safe_url() {
        let read = |text: &str| keys_url(text.as_bytes(), CORP);
        let good = format!(r#"{{"issuer":"{CORP}","jwks_uri":"https://keys.example/jwks","more":[1]}}"#);
        assert_eq!(read(&good).unwrap().as_str(), "https://keys.example/jwks");
        for (text, said) in [
            (good.replace("realms/a", "realms/b"), "of the issuer `https://corp.example/realms/b`"),
            (good.replace("realms/a", "realms/a/"), "not of this one"),
            (good.replace("\"issuer\"", "\"Issuer\""), "no `issuer`"),
            (good.replace("\"jwks_uri\"", "\"jwks\""), "no `jwks_uri`"),
            (good.replace("https://keys", "http://keys"), "neither https nor at a loopback address"),
            (good.replace("https://keys.example/jwks", "/jwks"), "is no URL"),
            (good.replace("\"more\":[1]", "\"issuer\":\"x\""), "named twice"),
            ("<html>".to_owned(), "not JSON"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200), issuer in ".{0,60}") {
            let _ = keys_url(&bytes, &issuer);
            if let Some(url) = place(&issuer) {
                prop_assert!(is_confidential(&url));
            }
        }
    }
}
