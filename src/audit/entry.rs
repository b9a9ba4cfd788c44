//! The entry: one line of the journal, as it is read.

use super::{
    json,
    record::{Cache, Decision, Kind, SCHEMA},
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// A record that was read; its fields are those of [`super::Record`].
///
/// Fields that a later modgate adds under the same schema version are passed over.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Entry {
    /// The schema version, 1 or what is still like it.
    pub v: u32,
    /// When.
    #[serde(deserialize_with = "timestamp")]
    pub time: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// The request's id; empty for acts.
    #[serde(default)]
    pub request: String,
    /// The caller's trace id.
    #[serde(default)]
    pub trace: String,
    /// Who.
    #[serde(default)]
    pub subject: String,
    /// The subject's groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The subject's roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How the subject was proved.
    #[serde(default)]
    pub method: String,
    /// The issued token's id.
    #[serde(default)]
    pub token: String,
    /// What else the credential said, by name.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// Why the credential was not accepted.
    #[serde(default)]
    pub reason: String,
    /// A keyed hash of a login that was not verified.
    #[serde(default)]
    pub login: String,
    /// Who connected.
    pub peer: Option<SocketAddr>,
    /// The client behind trusted proxies.
    pub client: Option<IpAddr>,
    /// The HTTP method.
    #[serde(default)]
    pub http: String,
    /// The kind of target.
    #[serde(default)]
    pub target: String,
    /// The module path, unescaped.
    #[serde(default)]
    pub module: String,
    /// The canonical version.
    #[serde(default)]
    pub version: String,
    /// The branch, commit or version prefix.
    #[serde(default)]
    pub query: String,
    /// The checksum database's name.
    #[serde(default)]
    pub sumdb: String,
    /// The path of a page or of the interface for programs.
    #[serde(default)]
    pub path: String,
    /// What was decided.
    #[serde(default)]
    pub decision: Decision,
    /// The deciding rule's `file:line`.
    #[serde(default)]
    pub rule: String,
    /// The deciding rule's own id.
    #[serde(default)]
    pub rule_id: String,
    /// The `warn` rules that matched.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The digest of the policy that was in force.
    #[serde(default)]
    pub policy: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Where the bytes came from.
    #[serde(default)]
    pub cache: Cache,
    /// The source that gave them.
    #[serde(default)]
    pub source: String,
    /// The hash of what was offered.
    #[serde(default)]
    pub h1: String,
    /// The administrative act's name.
    #[serde(default)]
    pub act: String,
    /// The administrative act's sentence.
    #[serde(default)]
    pub detail: String,
}

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not a JSON object: the line is damaged.
    #[error("not a record: {0}")]
    Damaged(String),
    /// A JSON object that is no record of the schema it claims.
    #[error("not a record of schema {SCHEMA}: {0}")]
    Foreign(String),
    /// Written by a newer modgate; its fields may mean something else.
    #[error("schema {0} is newer than schema {SCHEMA}, which is the newest that this modgate reads")]
    Newer(u32),
}

impl Entry {
    /// Reads one line, with or without its newline.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        match serde_json::from_slice::<Self>(line) {
            Ok(entry) if entry.v == SCHEMA => Ok(entry),
            Ok(entry) if entry.v > SCHEMA => Err(EntryError::Newer(entry.v)),
            Ok(entry) => Err(EntryError::Foreign(format!("its version is {}", entry.v))),
            Err(error) => Err(EntryError::explain(line, &error)),
        }
    }
}

impl EntryError {
    /// Tells a newer schema and a foreign object from damage. Only lines that do not read come here.
    fn explain(line: &[u8], error: &serde_json::Error) -> Self {
        #[derive(Deserialize)]
        struct Claim {
            v: Option<u32>,
        }
        // serde would read a struct from an array too.
        if !is_object(line) {
            return Self::Damaged(sentence(error));
        }
        match serde_json::from_slice::<Claim>(line) {
            Ok(Claim { v: Some(v) }) if v > SCHEMA => Self::Newer(v),
            _ => Self::Foreign(sentence(error)),
        }
    }
}

/// Whether the line is a whole JSON object, of whatever kind.
pub(super) fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The parser's message without its line number, which is always 1, and with nothing that a terminal would obey.
fn sentence(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split_once(" at line ").map_or(&*message, |(message, _)| message);
    let shown = message.chars().map(|c| if json::could_mislead(c) { '\u{fffd}' } else { c });
    format!("{} at column {}", shown.collect::<String>(), error.column())
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text: Cow<'de, str> = Cow::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_reported_not_misread() {
        for line in
            [r#"{"v":2,"time":"2026-01-01T00:00:00Z","kind":"asked"}"#, r#"{"v":7,"when":12,"kind":{"asked":true}}"#]
        {
            assert!(matches!(Entry::parse(line.as_bytes()), Err(EntryError::Newer(2 | 7))), "{line}");
        }
    }

    #[test]
    fn damage_and_foreign_objects_are_told_apart() {
        let damaged =
            ["", "\0\0\0", "{\"v\":1,\"ti", "{\"v\":1}{\"v\":1}", "[1]", "hello", "{\"v\":1,\"kind\":\"\u{1b}[2J"];
        for line in damaged {
            let error = Entry::parse(line.as_bytes()).unwrap_err();
            assert!(matches!(error, EntryError::Damaged(_)), "{line:?}: {error}");
            assert!(!error.to_string().chars().any(json::could_mislead), "{error:?}");
        }
        let foreign = [
            r#"{}"#,
            r#"{"v":"one"}"#,
            r#"{"v":0,"time":"2026-01-01T00:00:00Z","kind":"asked"}"#,
            r#"{"v":1,"time":"yesterday","kind":"asked"}"#,
            r#"{"v":1,"time":"2026-01-01T00:00:00Z","kind":"guessed"}"#,
        ];
        for line in foreign {
            let error = Entry::parse(line.as_bytes()).unwrap_err();
            assert!(matches!(error, EntryError::Foreign(_)), "{line:?}: {error}");
        }
    }

    #[test]
    fn what_is_left_out_reads_as_nothing_and_what_is_unknown_is_passed_over() {
        let line = br#"{"v":1,"time":"2026-01-01T00:00:00.000001Z","kind":"act","later":[1,{"a":2}]}"#;
        let entry = Entry::parse(line).unwrap();
        assert_eq!(entry.decision, Decision::None);
        assert_eq!(entry.cache, Cache::None);
        assert_eq!((entry.status, entry.client, entry.module.as_str()), (None, None, ""));
        assert_eq!(entry.time.as_microsecond(), 1_767_225_600_000_001);
    }
}
