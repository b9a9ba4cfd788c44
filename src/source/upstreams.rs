//! GOPROXY lists: `https://one,https://two|file:///srv/modules,off`.
//!
//! Read as the `go` command reads them (`cmd/go/internal/modfetch`, `proxyList`), with two differences: `direct` is
//! ignored with a warning, for there are no git sources yet, and spellings that an URL parser would silently repair
//! (control characters, backslashes, a missing host) are refused. `off` and `direct` end a list. A list that names
//! nobody is not an error here: whoever is asked then says so.

use super::{
    credential::{Credential, CredentialError, Login, Secret},
    origin::{self, printable},
};
use reqwest::Url;
use std::{borrow::Cow, fmt, path::PathBuf};

/// A list of upstreams, in the order in which they are asked.
#[derive(Clone, Default)]
pub struct Upstreams {
    entries: Vec<Upstream>,
    end: Option<&'static str>,
    warnings: Vec<String>,
}

/// One entry of a list.
#[derive(Clone)]
pub struct Upstream {
    /// Where it is.
    pub location: Location,
    /// When the next entry is asked: decided by the separator that follows.
    pub then: Then,
}

/// Where an upstream is.
#[derive(Clone)]
pub enum Location {
    /// A server that speaks the GOPROXY protocol.
    Proxy {
        /// Its base, without userinfo. A query goes along with every request.
        base: Url,
        /// What the URL's userinfo said.
        credential: Option<Credential>,
    },
    /// A directory in GOPROXY's layout.
    Tree {
        /// The directory.
        root: PathBuf,
    },
}

/// When the next entry of a list is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// `,`: only after an absence.
    AfterAbsence,
    /// `|`: after any error.
    AfterAnyError,
}

/// Why a text is no list of upstreams. Says which entry, without what may be secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamsError {
    /// No entry at all.
    #[error("the upstream list `{0}` has no entries")]
    Empty(String),
    /// An entry that is no URL, or not one of the kinds that are understood.
    #[error("invalid upstream `{entry}`: {reason}")]
    Entry {
        /// The entry, userinfo and query left out.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its userinfo cannot be used.
    #[error("invalid upstream: {0}")]
    Credential(#[from] CredentialError),
}

impl Upstreams {
    /// Reads a list.
    pub fn parse(text: &str) -> Result<Self, UpstreamsError> {
        let mut list = Self::default();
        let mut rest = text;
        while !rest.is_empty() && list.end.is_none() {
            let (entry, then) = match rest.split_once([',', '|']) {
                Some((entry, after)) => {
                    let piped = rest.as_bytes().get(entry.len()) == Some(&b'|');
                    rest = after;
                    (entry, if piped { Then::AfterAnyError } else { Then::AfterAbsence })
                }
                None => (std::mem::take(&mut rest), Then::AfterAbsence),
            };
            list.add(entry.trim(), then)?;
        }
        if list.entries.is_empty() && list.end.is_none() {
            return Err(UpstreamsError::Empty(origin::masked(text)));
        }
        Ok(list)
    }

    fn add(&mut self, entry: &str, then: Then) -> Result<(), UpstreamsError> {
        match entry {
            "" => {}
            "off" => self.end = Some("off"),
            "direct" => {
                self.end = Some("direct");
                self.warnings.push("`direct` in the upstream list is ignored: there are no git sources".into());
            }
            _ => self.entries.push(Upstream { location: Location::parse(entry)?, then }),
        }
        Ok(())
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Upstream] {
        &self.entries
    }

    /// The word that ended the list: `off` or `direct`.
    pub fn end(&self) -> Option<&'static str> {
        self.end
    }

    /// What in the list has no effect.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The list as it is in force; no userinfo, no queries.
impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for entry in &self.entries {
            write!(f, "{separator}{}", entry.location)?;
            separator = match entry.then {
                Then::AfterAbsence => ",",
                Then::AfterAnyError => "|",
            };
        }
        self.end.map_or(Ok(()), |end| write!(f, "{separator}{end}"))
    }
}

impl Location {
    fn parse(entry: &str) -> Result<Self, UpstreamsError> {
        let wrong = |reason: &str| UpstreamsError::Entry { entry: origin::masked(entry), reason: reason.to_owned() };
        if entry.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(wrong("a blank, a backslash or a control character"));
        }
        // The go command's own rule for what may leave out `https://`.
        let bare = entry.contains(['.', ':', '/']) && !entry.contains(":/") && !entry.starts_with('/');
        let text: Cow<'_, str> = if bare { format!("https://{entry}").into() } else { entry.into() };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no scheme; write https://HOST"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" if rest.is_empty() || rest.starts_with(['/', '?', '#']) => Err(wrong("no host")),
            "http" | "https" => Self::proxy(&text, &wrong),
            "file" => Self::tree(&text, &wrong),
            _ => Err(wrong("the scheme must be https, http or file")),
        }
    }

    fn proxy(text: &str, wrong: &dyn Fn(&str) -> UpstreamsError) -> Result<Self, UpstreamsError> {
        let mut base = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if base.fragment().is_some() {
            return Err(wrong("a fragment"));
        }
        let login = (!base.username().is_empty() || base.password().is_some()).then(|| Login::Basic {
            login: decoded(base.username()),
            password: Secret::new(&decoded(base.password().unwrap_or_default())),
        });
        // Both fail only for URLs that cannot have userinfo.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let credential = login.map(|login| Credential::for_url(&base, &login)).transpose()?;
        Ok(Self::Proxy { base, credential })
    }

    fn tree(text: &str, wrong: &dyn Fn(&str) -> UpstreamsError) -> Result<Self, UpstreamsError> {
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if url.host_str().is_some_and(|host| !host.is_empty()) || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("a file URL has a path and nothing else: file:///srv/modules"));
        }
        let root = url.to_file_path().map_err(|()| wrong("no absolute path"))?;
        Ok(Self::Tree { root })
    }
}

/// Without userinfo and query.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proxy { base, .. } => f.write_str(&printable(base)),
            Self::Tree { root } => match Url::from_file_path(root) {
                Ok(url) => f.write_str(&printable(&url)),
                Err(()) => write!(f, "file://{}", root.display()),
            },
        }
    }
}

/// Undoes the percent-encoding of userinfo; what is not UTF-8 then becomes U+FFFD and will be refused by the server.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(text: &str) -> String {
        Upstreams::parse(text).unwrap().to_string()
    }

    #[test]
    fn separators_belong_to_the_entry_before_them() {
        let list = Upstreams::parse("https://a.example|https://b.example,https://c.example").unwrap();
        let then: Vec<_> = list.entries().iter().map(|entry| entry.then).collect();
        assert_eq!(then, [Then::AfterAnyError, Then::AfterAbsence, Then::AfterAbsence]);
    }

    #[test]
    fn spellings_that_go_accepts() {
        assert_eq!(printed(" https://a.example/ ,, |file:///srv/go%20mod"), "https://a.example,file:///srv/go%20mod");
        assert_eq!(printed("goproxy.example:8443/x"), "https://goproxy.example:8443/x");
        assert_eq!(printed("HTTPS://A.example"), "https://a.example");
        assert_eq!(printed("https://a.example,off,https://b.example"), "https://a.example,off");
        assert_eq!(printed("off"), "off");
        let direct = Upstreams::parse("https://a.example|direct,https://b.example").unwrap();
        assert_eq!((direct.to_string().as_str(), direct.entries().len()), ("https://a.example|direct", 1));
        assert_eq!(direct.warnings().len(), 1);
    }

    #[test]
    fn userinfo_becomes_a_credential_and_is_hidden() {
        let list = Upstreams::parse("https://al%40ice:p%3Aw%25@a.example/base?tok=hush").unwrap();
        assert_eq!(list.to_string(), "https://a.example/base");
        let Location::Proxy { base, credential: Some(credential) } = &list.entries()[0].location else { panic!() };
        assert_eq!(base.as_str(), "https://a.example/base?tok=hush");
        assert_eq!(credential.header(), "Basic YWxAaWNlOnA6dyU=");
        assert!(credential.covers(base));
    }

    #[test]
    fn what_is_refused_says_why_without_secrets() {
        for (text, reason) in [
            ("", "no entries"),
            (" , |", "no entries"),
            ("proxy", "no scheme"),
            ("/srv/modules", "no scheme"),
            ("https:/a.example", "no scheme"),
            ("https:///a.example", "no host"),
            ("https://", "no host"),
            ("ftp://a.example", "must be https, http or file"),
            ("https://a.example#x", "fragment"),
            ("https://a.ex\tample", "control"),
            ("https:\\\\a.example", "backslash"),
            ("https://hush:hush@a.example:99999", "invalid port"),
            ("file://srv/modules", "path and nothing else"),
            ("file:///srv?x", "path and nothing else"),
            ("http://hush:hush@a.example", "plain HTTP"),
            ("https://a.example,nonsense://hush:hush@b.example?hush", "must be https"),
        ] {
            let error = Upstreams::parse(text).err().unwrap_or_else(|| panic!("{text}")).to_string();
            assert!(error.contains(reason) && !error.contains("hush"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "(?s).{0,60}") {
            let _ = Upstreams::parse(&text);
        }

        #[test]
        fn what_is_printed_reads_back(
            entries in prop::collection::vec(
                ("(https://[a-z]{1,8}\\.example(:[1-9][0-9]{0,3})?|http://127\\.0\\.0\\.1|file:///[a-z]{1,5})(/[a-z]{1,5}){0,2}", any::<bool>()),
                1..6,
            ),
            end in prop_oneof![Just(""), Just("off"), Just("direct")],
        ) {
            let mut text = String::new();
            for (entry, piped) in &entries {
                text += entry;
                text.push(if *piped { '|' } else { ',' });
            }
            text += end;
            let list = Upstreams::parse(&text).unwrap();
            prop_assert_eq!(list.entries().len(), entries.len());
            for (read, (_, piped)) in list.entries().iter().zip(&entries) {
                prop_assert_eq!(read.then == Then::AfterAnyError, *piped);
            }
            let again = Upstreams::parse(&list.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), list.to_string());
        }

        #[test]
        fn no_secret_is_ever_printed(
            login in "[a-z]{0,5}", secret in "zz[A-Za-z0-9%:@/?#\\[\\] ]{0,12}zz", host in "[a-z.]{0,8}", scheme in "(https|http|file|ftp|x)?(://|:/)?",
        ) {
            let text = format!("{scheme}{login}:{secret}@{host}");
            let printed = match Upstreams::parse(&text) {
                Ok(list) => list.to_string(),
                Err(error) => error.to_string(),
            };
            // A `/`, `?` or `#` ends the userinfo, so what follows one was never a password to anybody.
            if !secret.contains(['/', '?', '#', ',', '|']) {
                prop_assert!(!printed.contains(&secret), "{}", printed);
            }
        }
    }
}
