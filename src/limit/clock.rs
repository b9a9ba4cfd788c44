//! The time that governor reads: handed in, so that no test has to wait.

use governor::{clock::Clock, nanos::Nanos};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Tells the time since some fixed moment. Never goes back, whatever happens to the wall clock.
pub type Ticking = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The time since this call.
pub fn since_now() -> Ticking {
    let begun = Instant::now();
    Arc::new(move || begun.elapsed())
}

/// A [`Ticking`] as governor wants it.
#[derive(Clone)]
pub(super) struct Ticks(Ticking);

impl Ticks {
    pub(super) fn new(ticking: Ticking) -> Self {
        Self(ticking)
    }

    /// Nanoseconds; enough for 584 years.
    pub(super) fn nanos(&self) -> u64 {
        nanos((self.0)())
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.nanos().into()
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticks")
    }
}

/// A duration in nanoseconds.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
