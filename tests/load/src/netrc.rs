//! Credentials as the `go` command takes them: a netrc file with a `machine HOST:PORT login NAME password SECRET` for each
//! server. `HOST:PORT` is compared as written.

use crate::failure::Failure;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use std::{fs, path::Path};

/// The `Authorization` header for `machine`, if the file knows it.
pub(crate) fn authorization(file: &Path, machine: &str) -> Result<Option<HeaderValue>, Failure> {
    let text = fs::read_to_string(file).map_err(Failure::file(file))?;
    let Some((login, password)) = find(&text, machine) else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{login}:{password}"))))
        .map_err(|error| Failure::Content { path: file.into(), reason: error.to_string() })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn find<'text>(text: &'text str, machine: &str) -> Option<(&'text str, &'text str)> {
    let mut words = text.split_ascii_whitespace();
    let (mut here, mut login) = (false, None);
    while let Some(word) = words.next() {
        match word {
            "machine" => (here, login) = (words.next()? == machine, None),
            "login" => login = words.next(),
            "password" => {
                let password = words.next()?;
                if here {
                    return Some((login?, password));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str =
        "machine localhost:1 login a password one\nmachine localhost:2\n  login b\n  password two\nmachine x login c";

    #[test]
    fn a_machine_is_found_by_host_and_port() {
        assert_eq!(find(TEXT, "localhost:1"), Some(("a", "one")));
        assert_eq!(find(TEXT, "localhost:2"), Some(("b", "two")));
        for absent in ["localhost", "localhost:3", "x", ""] {
            assert_eq!(find(TEXT, absent), None, "{absent}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "((machine|login|password|m|p) ?){0,12}", machine in "[mp]") {
            if let Some((login, password)) = find(&text, &machine) {
                prop_assert!(!login.is_empty() && !password.is_empty());
            }
        }
    }
}
