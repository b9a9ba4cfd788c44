//! What was found: how bad it is, and the line that mends it.

use serde::Serialize;

/// How bad it is.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could, or only for now.
    Warn,
    /// It does not work, or the gateway is gone around.
    Bad,
}

/// One finding; nothing secret is in it.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// What was looked at: the name of a setting, or of a probe.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    /// What to type, or to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), fix: None }
    }

    pub(super) fn warn(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Warn, text: text.into(), fix: Some(fix.into()) }
    }

    pub(super) fn bad(check: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Bad, text: text.into(), fix: Some(fix.into()) }
    }
}
