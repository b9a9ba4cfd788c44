//! GOPROXY syntax: a list of URLs, `direct` and `off`, separated by `,` or `|`.
//!
//! What the list means is the sources' business; here it is only found to be one, and to have no passwords in it.

use super::quantity::{Value, masked, quoted};
use url::Url;

/// A list in GOPROXY syntax, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ProxyList(pub(super) String);

impl Value for ProxyList {
    const EXPECTED: &'static str = "a list as of GOPROXY such as \"https://proxy.corp.example,direct\"";

    fn parse(text: &str) -> Result<Self, String> {
        for element in text.split([',', '|']) {
            match element.trim() {
                "" => return Err("an element is empty".to_owned()),
                "direct" | "off" => {}
                url => check(url)?,
            }
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&masked(&self.0))
    }
}

fn check(element: &str) -> Result<(), String> {
    let shown = masked(element);
    let url = Url::parse(element).map_err(|error| format!("`{shown}`: {error}"))?;
    if !matches!(url.scheme(), "https" | "http" | "file") {
        return Err(format!("`{shown}` must begin with https://, http:// or file://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{shown}`: credentials belong in [[upstream.credential]], the password in a file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_checked_element_by_element_and_kept_as_written() {
        for text in ["https://a.example", "https://a.example|https://b.example/x,direct", "off", "file:///srv/go"] {
            assert_eq!(ProxyList::parse(text), Ok(ProxyList(text.to_owned())));
        }
        for text in ["", "https://a.example,", "a.example", "ftp://a", "https://a.example,,direct"] {
            assert!(ProxyList::parse(text).is_err(), "{text}");
        }
        let error = ProxyList::parse("https://joe:hunter2@a.example").unwrap_err();
        assert!(error.contains("***@a.example") && !error.contains("hunter2"), "{error}");
    }
}
