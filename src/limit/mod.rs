//! Limits: who has asked for more than their share waits, and is refused only if the wait would be too long.
//!
//! ```text
//! who pays                     account          bucket (governor)            verdict
//! principal (subject)     ──┐
//! anonymous (address)     ──┼→ Book → Account ─→ Bucket::book(units) ─→ now · a Turn to wait for · Excess
//! no good credential (address) ┘
//! ```
//!
//! A request costs a unit, and one that asks a source [`Settings::fetch_cost`] more. A [`Rate`] is what flows back in a
//! time and how much may be used at once. The algorithm is governor's GCRA: an account is one number, the instant at which
//! its debt is paid. A request beyond the burst *books* its place in the future, so that it waits once, in order, and is
//! told at once if the wait would be longer than [`Settings::longest_wait`]. Delay comes first because the `go` command
//! never retries, so that a refusal fails a build.
//!
//! INVARIANT: within any time an account admits at most its burst and what flowed back. A booking that is given up (the
//! client went away, the credential turned out good) is taken back, and a refusal costs nothing.
//!
//! INVARIANT: accounts share nothing, so whoever is over their limit is not noticed by others. The number of accounts is
//! bounded; those beyond it share one account, with the same limit.
//!
//! INVARIANT: no lock is held while a request waits. A known key is found without an allocation under the read lock of one
//! shard of many.
//!
//! What is charged when, and the texts, are the pipeline's (`pipeline/shape.rs`). Time is handed in ([`Ticking`]).
//! docs/adr/0009-limits.md says why.

mod account;
mod book;
mod bucket;
mod clock;
mod excess;
mod rate;
mod repeat;
mod settings;
mod tab;
mod turn;

pub use clock::{Ticking, since_now};
pub use excess::{Excess, Flood};
pub use rate::Rate;
pub use settings::{RoleRate, Settings};
pub use tab::{Failure, Payer, Tab};
pub use turn::Turn;

use crate::telemetry::label::Limit;
use book::Book;
use bucket::{Booked, Bucket};
use clock::Ticks;
use ipnet::IpNet;
use jiff::Timestamp;
use repeat::Repeats;
use std::{fmt, hash::Hash, net::IpAddr, sync::Arc, time::Duration};

/// Refusals of one account that have a record of their own between two calls of [`Limits::tidy`]; the others are counted.
pub const RECORDED: u32 = 20;
/// Accounts whose refusals [`Limits::tidy`] tells one by one; the rest are told together.
const TOLD: usize = 16;

/// All limits of the process.
pub struct Limits {
    subjects: Book<Arc<str>>,
    anonymous: Book<IpNet>,
    failing: Book<IpNet>,
    principal: Option<Bucket>,
    per_address: Option<Bucket>,
    failures: Option<Bucket>,
    /// The most generous first.
    roles: Vec<(Arc<str>, Option<Bucket>)>,
    repeats: Repeats,
    fetch_cost: u32,
    waiting: u32,
    ticks: Ticks,
}

impl Limits {
    /// Limits by these settings; `ticking` tells the time.
    pub fn new(settings: &Settings, ticking: Ticking) -> Self {
        let ticks = Ticks::new(ticking);
        let bucket = |rate: Option<Rate>| rate.map(|rate| Bucket::new(rate, settings.longest_wait, &ticks));
        let mut roles = settings.roles.clone();
        roles.sort_by(|one, other| Rate::by_generosity(other.rate, one.rate));
        Self {
            subjects: Book::new(settings.keys),
            anonymous: Book::new(settings.keys),
            failing: Book::new(settings.keys),
            principal: bucket(settings.principal),
            per_address: bucket(settings.anonymous),
            // Whoever has no good credential is not kept waiting: that would keep connections for nothing.
            failures: settings.failures.map(|rate| Bucket::new(rate, Duration::ZERO, &ticks)),
            roles: roles.into_iter().map(|RoleRate { role, rate }| (role, bucket(rate))).collect(),
            repeats: Repeats::default(),
            fetch_cost: settings.fetch_cost,
            waiting: settings.waiting,
            ticks,
        }
    }

    /// Opens the tab of a request, with nothing on it yet; `None`: no limit applies. Of several roles with rates of their own
    /// the most generous counts.
    pub fn open(&self, payer: Payer<'_>, roles: &[Arc<str>]) -> Option<Tab> {
        match payer {
            Payer::Subject(subject) => {
                let role = self.roles.iter().position(|(role, _)| roles.contains(role));
                self.bucket(Limit::Principal, role)?;
                Some(Tab::new(Limit::Principal, role, self.subjects.account(subject)))
            }
            Payer::Address(client) => {
                self.per_address.as_ref()?;
                Some(Tab::new(Limit::Anonymous, None, self.anonymous.account(&network(client))))
            }
        }
    }

    /// Charges a request: `None`, go on; a [`Turn`], wait for it and go on.
    ///
    /// # Errors
    /// Over the limit. Nothing was charged.
    pub fn charge(&self, tab: &mut Tab) -> Result<Option<Turn>, Excess> {
        self.book(tab, 1).map_err(|excess| Excess { recorded: tab.account.tell(), ..excess })
    }

    /// Charges what asking a source costs more; as [`Limits::charge`]. A refusal here always has a record: it is of a request
    /// that was charged, so the limit bounds them.
    ///
    /// # Errors
    /// Over the limit. Nothing more was charged.
    pub fn charge_fetch(&self, tab: &mut Tab) -> Result<Option<Turn>, Excess> {
        self.book(tab, self.fetch_cost)
    }

    fn book(&self, tab: &mut Tab, units: u32) -> Result<Option<Turn>, Excess> {
        let Some(bucket) = self.bucket(tab.limit, tab.role) else { return Ok(None) };
        let excess = |retry_after| Excess::new(tab.limit, bucket.rate(), retry_after);
        let delay = match bucket.book(&tab.account, units).map_err(excess)? {
            Booked::Now => return Ok(None),
            Booked::After(delay) => delay,
        };
        let Some(turn) = Turn::book(&tab.account, delay, bucket.worth(units), self.waiting) else {
            return Err(Excess { crowd: Some(self.waiting), ..excess(delay) });
        };
        // A request that waited for its turn has less patience left for its fetch.
        let waited = tab.waited.saturating_add(delay);
        if waited > bucket.longest_wait() {
            return Err(excess(delay));
        }
        tab.waited = waited;
        Ok(Some(turn))
    }

    /// Charges the address of a request without a good credential, before anybody is asked about it.
    ///
    /// # Errors
    /// Over the limit: nothing more may be done for this request.
    pub fn failed(&self, client: IpAddr) -> Result<Failure, Excess> {
        let Some(bucket) = &self.failures else { return Ok(Failure::default()) };
        let account = self.failing.account(&network(client));
        match bucket.book(&account, 1) {
            Ok(_) => Ok(Failure::of(account, bucket.worth(1))),
            Err(retry_after) => {
                let excess = Excess::new(Limit::Failures, bucket.rate(), retry_after);
                Err(Excess { recorded: account.tell(), ..excess })
            }
        }
    }

    /// Whether a failure of this address would be over the limit. For judges that cost more than a look into memory: where
    /// it holds, they are not to be asked.
    pub fn is_shut(&self, client: IpAddr) -> bool {
        let Some(bucket) = self.failures.as_ref().filter(|_| !self.failing.is_empty()) else { return false };
        self.failing.known(&network(client)).is_some_and(|account| bucket.is_exhausted(&account))
    }

    /// Notes that a charged request was answered with a 4xx, which `go` is about to repeat.
    pub fn note_refusal(&self, who: Payer<'_>, target: impl Hash, now: Timestamp) {
        self.repeats.note((who, target), now);
    }

    /// Whether this is the repeat of a request that was noted: it was paid for. Answers so once for each.
    pub fn is_repeat(&self, who: Payer<'_>, target: impl Hash, now: Timestamp) -> bool {
        self.repeats.take((who, target), now)
    }

    /// Forgets accounts that are as good as new, and tells whose refusals have no record of their own. To be called once a
    /// minute, and at the end.
    pub fn tidy(&self) -> Vec<Flood> {
        let now = self.ticks.nanos();
        let mut floods = Vec::new();
        self.subjects.tidy(now, |subject, untold| floods.push(Flood::of(Limit::Principal, subject, None, untold)));
        for (limit, book) in [(Limit::Anonymous, &self.anonymous), (Limit::Failures, &self.failing)] {
            book.tidy(now, |network, untold| {
                let whom = network.map(told);
                floods.push(Flood::of(limit, whom.as_ref(), network.map(IpNet::network), untold));
            });
        }
        excess::worst(floods, TOLD)
    }

    /// How many accounts there are.
    pub fn keys(&self) -> usize {
        self.subjects.len() + self.anonymous.len() + self.failing.len()
    }

    /// How many requests wait for their turn.
    pub fn waiting(&self) -> usize {
        self.subjects.waiting() + self.anonymous.waiting()
    }

    fn bucket(&self, limit: Limit, role: Option<usize>) -> Option<&Bucket> {
        match (limit, role) {
            (Limit::Principal, Some(role)) => self.roles.get(role)?.1.as_ref(),
            (Limit::Principal, None) => self.principal.as_ref(),
            (Limit::Anonymous, _) => self.per_address.as_ref(),
            (Limit::Failures, _) => self.failures.as_ref(),
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

/// Whoever has an IPv6 address has the 2^64 beside it too.
fn network(client: IpAddr) -> IpNet {
    let client = client.to_canonical();
    let length = if client.is_ipv6() { 64 } else { 32 };
    IpNet::new(client, length).map_or_else(|_| client.into(), |network| network.trunc())
}

/// `192.0.2.7`, or `2001:db8::/64`.
fn told(network: &IpNet) -> Arc<str> {
    match network {
        IpNet::V4(network) => network.addr().to_string().into(),
        IpNet::V6(network) => network.to_string().into(),
    }
}

#[cfg(test)]
mod tests;
