//! Why a version could not be vouched for: an inside for the log, an outside for the terminal.

use crate::goproxy::DatabaseName;
use std::{fmt, sync::Arc};

/// Why a checksum database's answer is missing or was not accepted.
///
/// `Display` is the inside: it may quote what the database said. [`ChecksumError::outside`] is for the caller.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChecksumError {
    /// Every database says with certainty (404, 410) that it does not know it.
    #[error("not in the checksum database")]
    NotFound,
    /// It cannot be said now: no answer, or one that is none. Nothing is known about the version.
    #[error("{0}")]
    Unavailable(Trouble),
    /// A bad signature or proof, a forked log, a signed record of something else. SECURITY: raise an alarm.
    #[error("SECURITY: {0}")]
    Misbehaving(Trouble),
}

/// What went wrong with which database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// The database.
    pub database: DatabaseName,
    /// Inside text, possibly of several lines (the old and the new head of a fork).
    pub reason: Arc<str>,
}

impl ChecksumError {
    pub(super) fn unavailable(database: &DatabaseName, reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable(Trouble { database: database.clone(), reason: reason.into() })
    }

    pub(super) fn misbehaving(database: &DatabaseName, reason: impl Into<Arc<str>>) -> Self {
        Self::Misbehaving(Trouble { database: database.clone(), reason: reason.into() })
    }

    /// What the caller is told: at most three short lines, nothing that a database sent.
    pub fn outside(&self) -> String {
        match self {
            Self::NotFound => "the checksum database does not know this version\n\
                               a new version may take some minutes; for a private module set GONOSUMDB to its path"
                .to_owned(),
            Self::Unavailable(trouble) => {
                format!("checksum database `{}` cannot be reached at the moment\ntry again later", trouble.database.0)
            }
            Self::Misbehaving(trouble) => format!(
                "SECURITY: checksum database `{}` contradicts itself or its key\n\
                 do not use this version; report it to whoever runs this gateway",
                trouble.database.0
            ),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checksum database `{}`: {}", self.database.0, self.reason)
    }
}
