//! A rate: how much flows back in a time, and how much may be used at once.

use std::{cmp::Ordering, fmt, num::NonZeroU32, time::Duration};

/// A rate, in units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Units that flow back in [`Rate::per`].
    pub units: NonZeroU32,
    /// A second, a minute or an hour.
    pub per: Duration,
    /// Units that may be used at once by whoever used none for long.
    pub burst: NonZeroU32,
}

impl Rate {
    /// In which time a unit flows back, at least a nanosecond.
    pub fn interval(self) -> Duration {
        (self.per / self.units.get()).max(Duration::from_nanos(1))
    }

    /// In which time all flows back that may be used at once.
    pub fn refill(self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }

    /// Which of two is the more generous; no rate is no limit.
    pub(super) fn by_generosity(one: Option<Self>, other: Option<Self>) -> Ordering {
        match (one, other) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => other.interval().cmp(&one.interval()).then_with(|| one.burst.cmp(&other.burst)),
        }
    }
}

/// `1000/s, 60000 at once`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            0 | 1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}, {} at once", self.units, self.burst)
    }
}
