//! What an operator must hear of, beyond the answer that one caller got.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};

/// A full disk is told once in this time.
const FULL_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Something that should not have happened. `Display` is one line for the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Alarm {
    /// An entry's bytes changed on disk; it was set aside.
    #[error("`{key}` changed on disk (recorded {recorded}, found {found}) and was set aside")]
    Changed {
        /// The entry.
        key: String,
        /// What its record says.
        recorded: String,
        /// What was found.
        found: String,
    },
    /// A source offers other bytes for a version than were stored before (a moved tag); the stored ones stand.
    #[error("SECURITY: `{key}` from {source_name} has {offered}, but {recorded} was stored before")]
    OtherBytes {
        /// The entry.
        key: String,
        /// Who offers them.
        source_name: Arc<str>,
        /// h1 as stored.
        recorded: String,
        /// h1 as offered.
        offered: String,
    },
    /// Bytes are not those of the checksum database's signed record; they were not stored, or set aside.
    #[error("SECURITY: `{key}` from {source_name} has {offered}, but {database} has {recorded}")]
    Mismatch {
        /// The entry.
        key: String,
        /// Where they came from.
        source_name: Arc<str>,
        /// The database.
        database: String,
        /// Its h1.
        recorded: String,
        /// Theirs.
        offered: String,
    },
    /// The checksum database's answers do not fit together.
    #[error("SECURITY: the checksum database misbehaves over `{key}`: {cause}")]
    Misbehaving {
        /// The entry that was to be verified.
        key: String,
        /// What it did.
        cause: String,
    },
    /// A body that someone else put into the store did not pass; it was set aside.
    #[error("`{key}` was in the store without a record and is not valid: {reason}; it was set aside")]
    Stranger {
        /// The entry.
        key: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// The store's disk is full; answers go on, nothing new is kept. At most once a minute.
    #[error("the store's disk is full, nothing new is kept: {cause}")]
    Full {
        /// The error.
        cause: String,
    },
    /// The store's disk fails otherwise.
    #[error("the store cannot keep `{key}`: {cause}")]
    Unkept {
        /// The entry.
        key: String,
        /// The error.
        cause: String,
    },
}

/// Where alarms go: must not block for long, is called from any thread.
pub type AlarmSink = Arc<dyn Fn(&Alarm) + Send + Sync>;

/// The sink, with memory enough not to repeat itself.
pub(super) struct Alarms {
    sink: AlarmSink,
    full: Mutex<Option<Timestamp>>,
}

impl Alarms {
    pub(super) fn new(sink: AlarmSink) -> Self {
        Self { sink, full: Mutex::default() }
    }

    pub(super) fn raise(&self, alarm: &Alarm) {
        (self.sink)(alarm);
    }

    pub(super) fn full(&self, cause: String, now: Timestamp) {
        let mut last = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| now.duration_since(last) >= FULL_AGAIN) {
            *last = Some(now);
            drop(last);
            self.raise(&Alarm::Full { cause });
        }
    }
}
