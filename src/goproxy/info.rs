//! The body of `.info` and `@latest`.
//!
//! ```text
//! {"Version":"v1.2.3","Time":"2020-01-02T03:04:05Z", …}
//! ```
//!
//! Version is required and canonical, Time is optional, RFC 3339; other members (Origin) are passed on unread, for
//! the bytes are served as they came. Go matches the names of members without regard to letter case and lets the last of several
//! win: a body with two Versions could be read two ways, and is refused.

use super::target::Asked;
use crate::module::Version;
use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::{borrow::Cow, fmt};

/// What an `.info` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The version that was asked for, or that the query means.
    pub version: Version,
    /// When its commit was made.
    pub time: Option<Timestamp>,
}

/// Why a body is no `.info`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// Not the JSON of an `.info`.
    #[error("not the JSON of a version's info: {0}")]
    Malformed(String),
    /// The info of another version than the one that was asked for, which `go` would refuse.
    #[error("info for version `{got}` instead of the requested version `{asked}`")]
    OtherVersion {
        /// What was asked for.
        asked: Version,
        /// What the body says.
        got: Version,
    },
}

impl Info {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, InfoError> {
        serde_json::from_slice(body).map_err(|error| InfoError::Malformed(error.to_string()))
    }

    /// Reads the body that answers what was asked: that of [`Asked::Info`] must name that very version.
    pub fn parse_answer(body: &[u8], asked: &Asked) -> Result<Self, InfoError> {
        let info = Self::parse(body)?;
        match asked {
            Asked::Info(version) if *version != info.version => {
                Err(InfoError::OtherVersion { asked: version.clone(), got: info.version })
            }
            _ => Ok(info),
        }
    }
}

impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Info;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a Version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Info, A::Error> {
        let (mut version, mut time) = (None, None);
        while let Some(name) = members.next_key::<Cow<'_, str>>()? {
            if is_name(&name, "version") {
                let text: Cow<'_, str> = members.next_value()?;
                let parsed = Version::parse(&text).map_err(de::Error::custom)?;
                if version.replace(parsed).is_some() {
                    return Err(de::Error::duplicate_field("Version"));
                }
            } else if is_name(&name, "time") {
                let text: Option<Cow<'_, str>> = members.next_value()?;
                let parsed = text.map(|text| text.parse().map_err(de::Error::custom)).transpose()?;
                if time.replace(parsed).is_some() {
                    return Err(de::Error::duplicate_field("Time"));
                }
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        let version = version.ok_or_else(|| de::Error::missing_field("Version"))?;
        Ok(Info { version, time: time.flatten() })
    }
}

/// Whether Go would take a member's name for this one (lower case).
fn is_name(name: &str, field: &str) -> bool {
    name.chars().map(crate::module::fold).eq(field.chars())
}

#[cfg(test)]
mod tests {
    use super::{Info, InfoError};
    use crate::goproxy::Asked;
    use crate::module::Version;

    fn asked(version: &str) -> Asked {
        Asked::Info(Version::parse(version).unwrap())
    }

    #[test]
    fn read() {
        let body = br#"{"Version":"v1.2.3","Time":"2020-01-02T03:04:05Z","Origin":{"VCS":"git","Version":1}}"#;
        let info = Info::parse_answer(body, &asked("v1.2.3")).unwrap();
        assert_eq!(info.version.as_str(), "v1.2.3");
        assert_eq!(info.time.unwrap().to_string(), "2020-01-02T03:04:05Z");
        assert_eq!(Info::parse(br#" {"version":"v1.2.3","Time":null} "#).unwrap().time, None);
        assert_eq!(Info::parse(br#"{"Version":"v1.2.3"}"#).unwrap().time, None);
        let odd = br#"{"Version":"v1.2.3","Time":"2020-01-02T03:04:05.5+02:00"}"#;
        assert_eq!(Info::parse(odd).unwrap().time.unwrap().to_string(), "2020-01-02T01:04:05.5Z");
    }

    #[test]
    fn refused() {
        for body in [
            "",
            "<html>",
            "null",
            "[]",
            "\"v1.0.0\"",
            "{}",
            r#"{"Version":""}"#,
            r#"{"Version":null}"#,
            r#"{"Version":"main"}"#,
            r#"{"Version":"v1"}"#,
            r#"{"Version":"v1.0.0","Time":"yesterday"}"#,
            r#"{"Version":"v1.0.0"} x"#,
            r#"{"Version":"v1.0.0","Version":"v1.0.0"}"#,
            r#"{"Version":"v1.0.0","version":"v1.4.0"}"#,
            r#"{"Version":"v1.0.0","VERſION":"v1.4.0"}"#,
            r#"{"Version":"v1.0.0","TIME":"2020-01-02T03:04:05Z","Time":null}"#,
            r#"{"Version":"v1.0.0""#,
        ] {
            assert!(matches!(Info::parse(body.as_bytes()), Err(InfoError::Malformed(_))), "{body}");
        }
    }

    #[test]
    fn the_asked_version_and_no_other() {
        let error = Info::parse_answer(br#"{"Version":"v1.0.9"}"#, &asked("v1.0.0")).unwrap_err();
        assert_eq!(error.to_string(), "info for version `v1.0.9` instead of the requested version `v1.0.0`");
        assert!(Info::parse_answer(br#"{"Version":"v1.0.9"}"#, &Asked::Latest).is_ok());
    }
}
