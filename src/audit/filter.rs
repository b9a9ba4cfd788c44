//! Which records an auditor asks for.

use super::{Decision, Entry, Kind};
use crate::module::{Glob, GlobError};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{convert::Infallible, str::FromStr};

/// A record is found if it meets every condition that is set; within a list, any of its values.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The subject.
    pub subject: Option<SubjectPattern>,
    /// The module.
    pub module: Option<ModulePattern>,
    /// The canonical version, or the query that was asked instead, exactly.
    pub version: Option<String>,
    /// The kind of target: `zip`, `info`, `list`, …
    pub targets: Vec<String>,
    /// The kinds of record.
    pub kinds: Vec<Kind>,
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// The answered status.
    pub statuses: Vec<StatusPattern>,
    /// The client's network.
    pub client: Option<IpNet>,
    /// The request's id.
    pub request: Option<String>,
    /// Not before this instant.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether the record is asked for.
    pub fn admits(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && any(&self.kinds, |kind| *kind == entry.kind)
            && any(&self.decisions, |decision| *decision == entry.decision)
            && any(&self.targets, |target| *target == entry.target)
            && any(&self.statuses, |status| entry.status.is_some_and(|s| status.matches(s)))
            && self.request.as_ref().is_none_or(|request| *request == entry.request)
            && self.version.as_ref().is_none_or(|version| *version == entry.version || *version == entry.query)
            && self.client.is_none_or(|net| entry.client.is_some_and(|client| contains(&net, client)))
            && self.subject.as_ref().is_none_or(|subject| subject.matches(&entry.subject))
            && self.module.as_ref().is_none_or(|module| module.matches(&entry.module))
    }
}

fn any<T>(wanted: &[T], meets: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(meets)
}

/// An IPv4 network holds also the addresses that came over IPv6 (`::ffff:10.0.0.1`).
fn contains(net: &IpNet, client: std::net::IpAddr) -> bool {
    net.contains(&client) || net.contains(&client.to_canonical())
}

/// A subject, exactly; `*` stands for any text, slashes too: `user:corp/*`, `*/alice`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectPattern(String);

impl FromStr for SubjectPattern {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl SubjectPattern {
    /// The one subject that matches, if it is only one.
    pub(super) fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// Whether the whole subject matches.
    pub fn matches(&self, subject: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == subject;
        };
        let Some(mut left) = subject.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').map_or((None, rest), |(middle, last)| (Some(middle), last));
        // The leftmost place of each part leaves the most for the next one, so no way back is needed.
        for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
            match left.split_once(part) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

/// A module: `example.com/mod` is that one, `example.com/...` the subtree with its root, and a pattern with `*`, `?` or
/// `[` what GOPRIVATE would match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModulePattern {
    /// This very path.
    Exact(String),
    /// This path and all below it.
    Subtree(String),
    /// As GOPRIVATE has it: a match of leading elements.
    Glob(Glob),
}

impl FromStr for ModulePattern {
    type Err = GlobError;
    fn from_str(text: &str) -> Result<Self, GlobError> {
        if let Some(root) = text.strip_suffix("/...") {
            return Ok(Self::Subtree(root.into()));
        }
        if text.contains(['*', '?', '[']) {
            return Glob::parse(text).map(Self::Glob);
        }
        Ok(Self::Exact(text.into()))
    }
}

impl ModulePattern {
    /// Whether the module's path, unescaped, matches. Letter case counts.
    pub fn matches(&self, module: &str) -> bool {
        match self {
            Self::Exact(path) => path == module,
            Self::Subtree(root) => {
                module.strip_prefix(&**root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Glob(glob) => !module.is_empty() && glob.matches(module),
        }
    }
}

/// A status: `403`, or `4xx` for all that begin so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusPattern {
    from: u16,
    to: u16,
}

impl FromStr for StatusPattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let range = match text.strip_suffix("xx") {
            Some(class) => {
                number(class).filter(|class| (1..=9).contains(class)).map(|class| (class * 100, class * 100 + 99))
            }
            None => number(text).filter(|status| (100..=999).contains(status)).map(|status| (status, status)),
        };
        range.map(|(from, to)| Self { from, to }).ok_or_else(|| "write a status as `403` or `4xx`".into())
    }
}

impl StatusPattern {
    /// Whether the status is it or one of them.
    pub fn matches(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Entry {
        let line = format!(r#"{{"v":1,"time":"2026-03-01T12:00:00Z","kind":"answered"{json}}}"#);
        Entry::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn subjects() {
        let table = [
            ("user:corp/alice", "user:corp/alice", true),
            ("user:corp/alice", "user:corp/alice2", false),
            ("user:corp/*", "user:corp/a/b", true),
            ("user:corp/*", "user:corpse", false),
            ("*/alice", "user:token/alice", true),
            ("*/alice", "user:token/alicea", false),
            ("*", "", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("*a*a*", "xaxax", true),
            ("*a*a*", "xax", false),
            ("**", "anything", true),
            ("*ab*ab", "ababab", true),
            ("*ab*ab", "abx", false),
        ];
        for (pattern, subject, expected) in table {
            let pattern: SubjectPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(subject), expected, "{pattern:?} on {subject:?}");
        }
    }

    #[test]
    fn modules() {
        let table = [
            ("example.com/a", "example.com/a", true),
            ("example.com/a", "example.com/a/b", false),
            ("example.com/a", "example.com/A", false),
            ("example.com/...", "example.com", true),
            ("example.com/...", "example.com/a/v2", true),
            ("example.com/...", "example.community/a", false),
        ];
        for (pattern, module, expected) in table {
            let pattern: ModulePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(module), expected, "{pattern:?} on {module:?}");
        }
        assert!(matches!("github.com/corp/*".parse(), Ok(ModulePattern::Glob(_))));
        let everything: ModulePattern = "*".parse().unwrap();
        assert!(!everything.matches(""), "a record without a module matches no module pattern");
    }

    #[test]
    fn statuses() {
        let status = |text: &str| text.parse::<StatusPattern>();
        assert!(status("403").unwrap().matches(403) && !status("403").unwrap().matches(404));
        assert!(status("4xx").unwrap().matches(499) && !status("4xx").unwrap().matches(500));
        for wrong in ["", "xx", "0xx", "40x", "99", "1000", "+403", "70000xx"] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_condition_that_is_set_must_be_met() {
        let record = entry(
            r#","subject":"user:corp/alice","client":"::ffff:10.1.2.3","target":"zip","module":"example.com/a",
               "version":"v1.0.0","decision":"deny","status":403,"request":"r1""#,
        );
        let met: Vec<Filter> = vec![
            Filter::default(),
            Filter { client: "10.0.0.0/8".parse().ok(), ..Filter::default() },
            Filter { decisions: vec![Decision::Allow, Decision::Deny], ..Filter::default() },
            Filter { version: Some("v1.0.0".into()), request: Some("r1".into()), ..Filter::default() },
            Filter { since: "2026-03-01T12:00:00Z".parse().ok(), ..Filter::default() },
            Filter { targets: vec!["zip".into()], statuses: vec!["4xx".parse().unwrap()], ..Filter::default() },
        ];
        for filter in met {
            assert!(filter.admits(&record), "{filter:?}");
        }
        let unmet: Vec<Filter> = vec![
            Filter { client: "10.2.0.0/16".parse().ok(), ..Filter::default() },
            Filter { decisions: vec![Decision::Allow], subject: "*".parse().ok(), ..Filter::default() },
            Filter { kinds: vec![Kind::Asked, Kind::Act], ..Filter::default() },
            Filter { version: Some("v1.0".into()), ..Filter::default() },
            Filter { until: "2026-03-01T12:00:00Z".parse().ok(), ..Filter::default() },
            Filter { statuses: vec!["200".parse().unwrap()], ..Filter::default() },
        ];
        for filter in unmet {
            assert!(!filter.admits(&record), "{filter:?}");
        }
        assert!(!Filter { client: "10.0.0.0/8".parse().ok(), ..Filter::default() }.admits(&entry("")));
    }
}
