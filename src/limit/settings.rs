//! What the limits are; `[limits]` of the configuration.

use super::Rate;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// What the limits are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Of one principal; `None`: no limit.
    pub principal: Option<Rate>,
    /// Of the anonymous at one address (IPv6: in one /64).
    pub anonymous: Option<Rate>,
    /// Of requests without a good credential from one address.
    pub failures: Option<Rate>,
    /// Of principals that hold a role, in place of `principal`.
    pub roles: Vec<RoleRate>,
    /// Units that a request costs more if it asks a source.
    pub fetch_cost: u32,
    /// The longest that a request is delayed.
    pub longest_wait: Duration,
    /// Requests of one principal that may wait at once.
    pub waiting: u32,
    /// Accounts of each kind that are kept apart.
    pub keys: usize,
}

impl Settings {
    /// No limit at all.
    pub fn off() -> Self {
        Self { principal: None, anonymous: None, failures: None, roles: Vec::new(), ..Self::default() }
    }

    /// Whose limit, and what it is, for people: `principal` and `1000/s, 60000 at once`.
    pub fn described(&self) -> Vec<(String, String)> {
        let shown = |rate: Option<Rate>| rate.map_or_else(|| "off".to_owned(), |rate| rate.to_string());
        let general = [("principal", self.principal), ("anonymous", self.anonymous), ("failures", self.failures)];
        let general = general.into_iter().map(|(whose, rate)| (whose.to_owned(), shown(rate)));
        general.chain(self.roles.iter().map(|role| (role.role.to_string(), shown(role.rate)))).collect()
    }
}

/// The rate of a role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleRate {
    /// As the policy names it: `role:ci`.
    pub role: Arc<str>,
    /// `None`: no limit.
    pub rate: Option<Rate>,
}

impl Default for Settings {
    /// Two large cold `go mod download`s of one person at once, a minute, for ever: 3,800 requests, each of which asks a
    /// source, are 41,800 units.
    fn default() -> Self {
        let rate = |units, per, burst| {
            let (units, burst) = (NonZeroU32::new(units)?, NonZeroU32::new(burst)?);
            Some(Rate { units, per: Duration::from_secs(per), burst })
        };
        Self {
            principal: rate(1000, 1, 60_000),
            anonymous: rate(1000, 1, 60_000),
            failures: rate(10, 60, 100),
            roles: Vec::new(),
            fetch_cost: 10,
            longest_wait: Duration::from_secs(30),
            waiting: 256,
            keys: 65_536,
        }
    }
}
