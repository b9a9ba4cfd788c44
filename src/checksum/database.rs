//! A checksum database, as GOSUMDB names it.
//!
//! The syntax is the `go` command's (`cmd/go/internal/modfetch`, `dbDial`):
//!
//! ```text
//! off                          no database
//! NAME                         one whose key is built in
//! NAME+HASH+KEY                a verifier key as in golang.org/x/mod/sumdb/note
//! NAME+HASH+KEY URL            the same, to be asked at URL and nowhere else
//! ```
//!
//! NAME is `host[/path]`. As in the `go` command, a database with a URL of its own is asked there only: asking the
//! upstream list for a company's own database would tell it what the company builds on.

use crate::goproxy::DatabaseName;
use reqwest::Url;
use signed_note::{StandardVerifier, VerificationError, Verifier, VerifierError, Verifiers};
use std::fmt;

/// The keys that the `go` command has built in (`knownGOSUMDB`).
const KNOWN: [(&str, &str); 1] =
    [("sum.golang.org", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")];

/// Path elements that a name must not have, because they are a database's own URLs (and files).
const RESERVED: [&str; 4] = ["latest", "lookup", "supported", "tile"];

/// One checksum database: its name, the key that signs its tree heads, and where it is asked.
#[derive(Clone)]
pub struct Database {
    name: DatabaseName,
    verifier: StandardVerifier,
    url: Option<Url>,
}

/// Why a text does not name a checksum database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Nothing was given.
    #[error("no checksum database is named (write `off` for none)")]
    Empty,
    /// More than a key and a URL.
    #[error("`{0}`: more than a key and a URL")]
    TooManyFields(String),
    /// A bare name that is not built in.
    #[error("`{0}`: the key of this database is not built in, write `NAME+HASH+KEY`")]
    UnknownName(String),
    /// Not a verifier key.
    #[error("`{key}`: {reason}")]
    Key {
        /// The key as given.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that is no host with a path.
    #[error("`{0}`: a database's name is `host[/path]`")]
    Name(String),
    /// A URL that cannot be a database's.
    #[error("URL of `{name}`: {reason}")]
    Url {
        /// The database.
        name: String,
        /// What is wrong; the URL itself is left out, it may hold a password.
        reason: String,
    },
}

impl Database {
    /// Reads one GOSUMDB value; `None` is `off`.
    pub fn parse(text: &str) -> Result<Option<Self>, DatabaseError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (key, url) = match fields.as_slice() {
            [] => return Err(DatabaseError::Empty),
            ["off"] => return Ok(None),
            [key] => (*key, None),
            [key, url] => (*key, Some(*url)),
            _ => return Err(DatabaseError::TooManyFields(text.to_owned())),
        };
        let verifier = verifier(key)?;
        let name = verifier.name().to_owned();
        if !is_host_and_path(&name) {
            return Err(DatabaseError::Name(name));
        }
        let url = url.map(|url| own_url(&name, url)).transpose()?;
        Ok(Some(Self { name: DatabaseName(name.into()), verifier, url }))
    }

    /// The name, which is also that of the key: `sum.golang.org`, `sum.corp.example/go`.
    pub fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// Where it is asked and nowhere else, if that was given.
    pub fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// The URL of one of its files (`lookup/…`, `tile/…`) at the database itself: the own URL or `https://NAME`.
    pub(super) fn direct(&self, path: &str) -> Option<Url> {
        let base = match &self.url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://{}", self.name.0),
        };
        Url::parse(&format!("{base}/{path}")).ok()
    }
}

/// Knows exactly one key, its own.
impl Verifiers for Database {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if self.verifier.name() == name && self.verifier.key_id() == id {
            Ok(&self.verifier)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name.0).finish_non_exhaustive()
    }
}

fn verifier(key: &str) -> Result<StandardVerifier, DatabaseError> {
    let known = KNOWN.iter().find(|(name, _)| *name == key).map(|(_, key)| *key);
    if known.is_none() && !key.contains('+') {
        return Err(DatabaseError::UnknownName(key.to_owned()));
    }
    StandardVerifier::new(known.unwrap_or(key)).map_err(|error| {
        let reason = match error {
            VerifierError::Format => "not a verifier key of the form `NAME+HASH+KEY`",
            VerifierError::Alg => "the key is of an unknown algorithm",
            VerifierError::Id => "the hash does not belong to this name and key, one of them was mistyped",
        };
        DatabaseError::Key { key: key.to_owned(), reason: reason.to_owned() }
    })
}

/// Whether a name can stand in `https://NAME`, in `/sumdb/NAME/` and in a directory's path without meaning anything
/// else there.
fn is_host_and_path(name: &str) -> bool {
    let mut elements = name.split('/');
    let plain = |element: &str, also: &[u8]| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || also.contains(byte);
        !element.is_empty() && !element.starts_with('.') && element.as_bytes().iter().all(allowed)
    };
    elements.next().is_some_and(|host| plain(host, b":") && !host.starts_with(':'))
        && elements.all(|element| plain(element, b"") && !RESERVED.contains(&element))
}

/// Checks a database's own URL: https (http on loopback only, for tests and side-cars), nothing but host and path.
fn own_url(name: &str, text: &str) -> Result<Url, DatabaseError> {
    let wrong = |reason: String| DatabaseError::Url { name: name.to_owned(), reason };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(wrong("only https is accepted (http on loopback)".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials do not belong into a URL".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a query or fragment has no meaning here".to_owned()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::testlog::{KEY, NAME};

    fn parse(text: &str) -> Database {
        Database::parse(text).unwrap().unwrap()
    }

    #[test]
    fn the_well_known_name_has_its_key() {
        let database = parse("sum.golang.org");
        assert_eq!(&*database.name().0, "sum.golang.org");
        assert!(database.verifier("sum.golang.org", 0x033d_e0ae).is_ok());
        assert!(database.verifier("sum.golang.org", 1).is_err());
        assert_eq!(database.direct("latest").unwrap().as_str(), "https://sum.golang.org/latest");
    }

    #[test]
    fn a_name_may_have_slashes_and_a_url_replaces_it() {
        assert_eq!(&*parse(KEY).name().0, NAME);
        assert!(NAME.contains('/'));
        assert_eq!(parse(KEY).direct("tile/8/0/000").unwrap().as_str(), format!("https://{NAME}/tile/8/0/000"));
        let other = parse(&format!("  {KEY}   https://mirror.example/a/b/ "));
        assert_eq!(
            other.direct("lookup/example.com/!a@v1.0.0+incompatible").unwrap().as_str(),
            "https://mirror.example/a/b/lookup/example.com/!a@v1.0.0+incompatible"
        );
    }

    #[test]
    fn off_is_no_database() {
        assert!(Database::parse(" off ").unwrap().is_none());
        assert!(Database::parse("off https://example.com").is_err());
        assert!(Database::parse("off a b c").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| Database::parse(text).unwrap_err().to_string();
        assert!(error("").contains("off"));
        assert!(error("sum.example.com").contains("not built in"));
        assert!(error(&format!("{KEY} https://a b")).contains("more than"));
        assert!(error(&KEY.replace("sumdb", "other")).contains("mistyped"));
        assert!(error("a+b+c").contains("NAME+HASH+KEY"));
        assert!(error(&format!("{KEY} http://mirror.example")).contains("https"));
        assert!(error(&format!("{KEY} https://mirror.example?x")).contains("query"));
        let secret = error(&format!("{KEY} https://me:hunter2@mirror.example"));
        assert!(secret.contains("credentials") && !secret.contains("hunter2"));
        assert!(!error(&format!("{KEY} https://me:hunter2@")).contains("hunter2"));
        Database::parse(&format!("{KEY} http://127.0.0.1:8080/x")).unwrap();
    }

    #[test]
    fn names_mean_one_thing_in_urls_and_on_disk() {
        for good in ["sum.golang.org", "localhost.localdev/sumdb", "h:8080/a/b~c_d"] {
            assert!(is_host_and_path(good), "{good}");
        }
        for bad in ["", "/", "a/", "a//b", "../a", "a/..", ".tmp", "a/b%2f", "a?b", "a b", "a/tile", "a/lookup/b", ":1"]
        {
            assert!(!is_host_and_path(bad), "{bad}");
        }
    }
}
