//! Why a source did not give what was asked of it.
//!
//! INVARIANT (status discipline): [`SourceError::Absent`] is said only when every source that could have the thing
//! answered, and each said 404 or 410 (or has no such file). Whatever else happened is another variant, because the
//! `go` command takes an absence as leave to ask elsewhere.
//!
//! `Display` is for the log and names the source; [`SourceError::outside`] is for the caller and does not.

use std::{sync::Arc, time::Duration};

/// Why a fetch failed. `at` is the printable name of the source: no userinfo, no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It certainly does not exist: 404 or 410 from all that were to be asked.
    #[error("{at} has no such thing: {text}")]
    Absent {
        /// Who said so last.
        at: Arc<str>,
        /// In what words: at most 8 lines and 640 bytes of graphic characters; may be empty.
        text: Arc<str>,
    },
    /// Nobody may be asked: no source is configured for a private path, or the upstream list is empty.
    #[error("{reason}")]
    NoSource {
        /// What is missing.
        reason: Arc<str>,
    },
    /// The source will not give it to us: 401, 403 and every other 4xx but 404, 410 and 429.
    #[error("{at} refused with status {status}: {text}")]
    Refused {
        /// Who refused.
        at: Arc<str>,
        /// The status.
        status: u16,
        /// Its words, limited as those of `Absent`; may be empty.
        text: Arc<str>,
    },
    /// 429, and what was not asked because a 429 before said how long to wait, or because too many requests wait.
    #[error("{at} is overloaded")]
    Overloaded {
        /// Who.
        at: Arc<str>,
        /// Its Retry-After, when that was a number of seconds.
        retry_after: Option<Duration>,
    },
    /// 5xx, or a status that is no answer to a GET.
    #[error("{at} failed with status {status}")]
    Status {
        /// Who.
        at: Arc<str>,
        /// The status.
        status: u16,
    },
    /// No connection, a broken one, TLS, DNS, an I/O error; or it failed so often that it is not asked for a while.
    #[error("{at} failed: {cause}")]
    Failed {
        /// Who.
        at: Arc<str>,
        /// What happened.
        cause: Arc<str>,
    },
    /// One of the time limits passed.
    #[error("{at} did not answer in time: {waiting}")]
    TimedOut {
        /// Who.
        at: Arc<str>,
        /// What was waited for.
        waiting: &'static str,
    },
    /// More bytes, after decompression, than such a thing may have.
    #[error("{at} sent more than {limit} bytes")]
    TooLarge {
        /// Who.
        at: Arc<str>,
        /// The limit in bytes.
        limit: u64,
    },
    /// An answer that is not of the protocol, or one that must not be followed (a redirect into the house).
    #[error("{at} answered nonsense: {cause}")]
    Invalid {
        /// Who.
        at: Arc<str>,
        /// What is wrong with it.
        cause: Arc<str>,
    },
    /// The source is, in the end, this very instance.
    #[error("{at} leads back to this gateway")]
    Loop {
        /// Who.
        at: Arc<str>,
    },
}

impl SourceError {
    /// What the caller may read: nothing about who was asked, but the source's own words, which were written for
    /// the terminal of whoever ran `go`.
    pub fn outside(&self) -> String {
        match self {
            Self::Absent { text, .. } if !text.is_empty() => text.to_string(),
            Self::Absent { .. } => "not found".into(),
            Self::NoSource { reason } => reason.to_string(),
            Self::Refused { status, text, .. } if !text.is_empty() => {
                format!("the source refused with status {status}: {text}")
            }
            Self::Refused { status, .. } => format!("the source refused with status {status}"),
            Self::Overloaded { .. } => "the source is overloaded: try again later".into(),
            Self::Failed { .. } | Self::Status { .. } => "the source is not available: try again later".into(),
            Self::TimedOut { .. } => "the source did not answer in time: try again later".into(),
            Self::TooLarge { limit, .. } => format!("the source sent more than {limit} bytes"),
            Self::Invalid { .. } => "the source gave an answer that cannot be used".into(),
            Self::Loop { .. } => "the source leads back to this gateway".into(),
        }
    }

    /// Whether absence is certain.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    pub(super) fn failed(at: &Arc<str>, cause: impl Into<Arc<str>>) -> Self {
        Self::Failed { at: at.clone(), cause: cause.into() }
    }

    pub(super) fn invalid(at: &Arc<str>, cause: impl Into<Arc<str>>) -> Self {
        Self::Invalid { at: at.clone(), cause: cause.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outside_names_no_source() {
        let at: Arc<str> = "https://athens.corp.example".into();
        let text: Arc<str> = "".into();
        let all = [
            SourceError::Absent { at: at.clone(), text: text.clone() },
            SourceError::Refused { at: at.clone(), status: 403, text },
            SourceError::Overloaded { at: at.clone(), retry_after: None },
            SourceError::Status { at: at.clone(), status: 503 },
            SourceError::failed(&at, "connect to 10.0.0.1"),
            SourceError::TimedOut { at: at.clone(), waiting: "an answer" },
            SourceError::TooLarge { at: at.clone(), limit: 1 },
            SourceError::invalid(&at, "redirect to 10.0.0.1"),
            SourceError::Loop { at },
        ];
        for error in all {
            let outside = error.outside();
            assert!(!outside.contains("corp") && !outside.contains("10.0.0.1"), "{outside}");
            assert!(error.to_string().contains("athens.corp.example"), "{error}");
        }
    }
}
