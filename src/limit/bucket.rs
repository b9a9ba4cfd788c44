//! A bucket: one rate, applied to any number of accounts by governor.
//!
//! governor's own bucket is larger than the burst by what flows back in the longest wait. Whoever reaches into that part has
//! booked units of the future, and waits until they are there.

use super::{
    Rate,
    account::{Account, InAccounts},
    clock::{Ticks, nanos},
};
use governor::{Quota, RateLimiter, middleware::StateInformationMiddleware};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Keeps every sum of governor's far from the end of its 64 bits: nanoseconds, 73 years.
const FARTHEST: u64 = 1 << 61;

/// One rate.
#[derive(Debug)]
pub(super) struct Bucket {
    limiter: RateLimiter<Arc<Account>, InAccounts, Ticks, StateInformationMiddleware>,
    rate: Rate,
    longest_wait: Duration,
    /// Nanoseconds in which a unit flows back.
    interval: u64,
    /// Units beyond the burst that may be booked.
    ahead: u32,
    ticks: Ticks,
}

/// A booking that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Booked {
    /// Go on.
    Now,
    /// Go on after that long; up to one interval more than is needed.
    After(Duration),
}

impl Bucket {
    pub(super) fn new(rate: Rate, longest_wait: Duration, ticks: &Ticks) -> Self {
        let interval = nanos(rate.interval()).max(1);
        let most = u32::try_from(FARTHEST / interval).unwrap_or(u32::MAX);
        let burst = rate.burst.get().clamp(1, most.max(1));
        let ahead = u32::try_from(nanos(longest_wait) / interval).unwrap_or(u32::MAX).min(most.saturating_sub(burst));
        let quota = Quota::with_period(Duration::from_nanos(interval)).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let quota = quota.allow_burst(NonZeroU32::new(burst.saturating_add(ahead)).unwrap_or(NonZeroU32::MIN));
        let limiter = RateLimiter::new(quota, InAccounts, ticks.clone());
        Self { limiter, rate, longest_wait, interval, ahead, ticks: ticks.clone() }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn longest_wait(&self) -> Duration {
        self.longest_wait
    }

    /// Books units. More than the burst cost no more than that, or nobody could ever have them.
    ///
    /// # Errors
    /// After how long it would not even have to wait; nothing was booked.
    pub(super) fn book(&self, account: &Arc<Account>, units: u32) -> Result<Booked, Duration> {
        let Some(units) = NonZeroU32::new(units.min(self.rate.burst.get())) else { return Ok(Booked::Now) };
        match self.limiter.check_key_n(account, units) {
            Ok(Ok(left)) => {
                let short = self.ahead.saturating_sub(left.remaining_burst_capacity());
                Ok(if short == 0 { Booked::Now } else { Booked::After(self.time_of(short)) })
            }
            Ok(Err(refused)) => {
                let bookable = refused.wait_time_from(self.ticks.nanos().into());
                Err(bookable.saturating_add(self.time_of(self.ahead)))
            }
            // Cannot be, the units fit into the burst.
            Err(_) => Err(self.longest_wait),
        }
    }

    /// What a booking of so many units can be taken back for.
    pub(super) fn worth(&self, units: u32) -> u64 {
        self.interval.saturating_mul(units.min(self.rate.burst.get()).into())
    }

    /// Whether the next unit would have to be waited for.
    pub(super) fn is_exhausted(&self, account: &Account) -> bool {
        account.level() > self.ticks.nanos().saturating_add(self.worth(self.rate.burst.get() - 1))
    }

    fn time_of(&self, units: u32) -> Duration {
        Duration::from_nanos(self.interval.saturating_mul(units.into()))
    }
}
