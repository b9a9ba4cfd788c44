//! Which checksum databases an upstream mirrors.
//!
//! The `go` command asks a proxy `/sumdb/NAME/supported` once per run and then sends everything about that database
//! there. A gateway runs for months, so what it learnt holds for [`LASTS`] only.

use crate::goproxy::DatabaseName;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long an answer is believed.
const LASTS: Duration = Duration::from_secs(600);

/// What one upstream said. The names are those that are configured, so there are few.
#[derive(Default)]
pub(super) struct Support(Mutex<HashMap<DatabaseName, (bool, Instant)>>);

impl Support {
    /// What was said of `name` less than ten minutes before `now`.
    pub(super) fn known(&self, name: &DatabaseName, now: Instant) -> Option<bool> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.get(name).filter(|(_, when)| now.saturating_duration_since(*when) < LASTS).map(|(supports, _)| *supports)
    }

    pub(super) fn remember(&self, name: &DatabaseName, supports: bool, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), (supports, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_believed_for_ten_minutes() {
        let (support, now) = (Support::default(), Instant::now());
        let (one, two) = (DatabaseName("sum.example".into()), DatabaseName("sum.example/two".into()));
        assert_eq!(support.known(&one, now), None);
        support.remember(&one, true, now);
        support.remember(&two, false, now);
        assert_eq!(support.known(&one, now + LASTS - Duration::from_secs(1)), Some(true));
        assert_eq!(support.known(&two, now), Some(false));
        assert_eq!(support.known(&one, now + LASTS), None);
    }
}
