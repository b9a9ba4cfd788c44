//! What is said of whoever is over a limit: to them, and to the auditor about many refusals at once.

use super::Rate;
use crate::telemetry::label::Limit;
use std::{cmp::Reverse, net::IpAddr, time::Duration};

/// Over a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Excess {
    /// Which.
    pub limit: Limit,
    /// What it allows.
    pub rate: Rate,
    /// After this long the same request would not even be delayed, if nothing else is asked until then.
    pub retry_after: Duration,
    /// So many requests wait already, and no more may.
    pub crowd: Option<u32>,
    /// Whether the refusal is to have a record of its own; the others of the account are counted, see [`super::RECORDED`].
    pub recorded: bool,
}

impl Excess {
    pub(super) fn new(limit: Limit, rate: Rate, retry_after: Duration) -> Self {
        Self { limit, rate, retry_after, crowd: None, recorded: true }
    }
}

/// Refusals that have no record of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flood {
    /// Whose: a subject, an address or a /64; or those of many, together.
    pub whom: String,
    /// The address, where it is one's.
    pub client: Option<IpAddr>,
    /// Over which limit.
    pub limit: Limit,
    /// How many.
    pub refusals: u64,
}

impl Flood {
    /// `whom` is none for all that have no account of their own.
    pub(super) fn of(limit: Limit, whom: Option<impl AsRef<str>>, client: Option<IpAddr>, refusals: u32) -> Self {
        let whom = whom.map_or_else(|| "others, too many to be told apart".to_owned(), |whom| whom.as_ref().to_owned());
        Self { whom, client, limit, refusals: refusals.into() }
    }
}

/// The worst `most`, and one for all the others of each limit.
pub(super) fn worst(mut floods: Vec<Flood>, most: usize) -> Vec<Flood> {
    floods.sort_by_key(|flood| Reverse(flood.refusals));
    let rest = floods.split_off(most.min(floods.len()));
    for limit in [Limit::Principal, Limit::Anonymous, Limit::Failures] {
        let of_limit = || rest.iter().filter(|flood| flood.limit == limit);
        let (count, refusals) = (of_limit().count(), of_limit().map(|flood| flood.refusals).sum());
        if count > 0 {
            floods.push(Flood { whom: format!("{count} others"), client: None, limit, refusals });
        }
    }
    floods
}
