//! A list of sources asked in order, by the `go` command's rules.
//!
//! After `,` the next is asked only when this one says absent, after `|` whatever went wrong. Of several errors the
//! last counts, but one that is no absence beats all that are (`modfetch.TryProxies`).

use super::{
    allowance::Allowance, body::Body, error::SourceError, observer::Observed, origin::Origins, proxy::Proxy,
    sumdb::Support, tree::Tree, upstreams::Then,
};
use crate::goproxy::{DatabaseName, Target};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A list of sources with one purpose: the public list, or that of one private namespace.
pub(super) struct Chain {
    members: Vec<Member>,
    /// Said when there is nobody to ask.
    empty: Arc<str>,
    /// The origins that redirects of these sources may lead to wherever they are.
    pub(super) configured: Arc<Origins>,
    whole: Duration,
}

/// One source of a chain.
pub(super) struct Member {
    pub(super) source: Source,
    pub(super) then: Then,
    pub(super) support: Support,
    pub(super) observed: Observed,
}

/// What there is to be asked.
pub(super) enum Source {
    Proxy(Proxy),
    Tree(Tree),
}

/// What a chain found, and who had it.
pub(super) struct Found {
    pub(super) at: Arc<str>,
    pub(super) body: Body,
}

impl Chain {
    /// `whole` limits how long everything but a zip may take.
    pub(super) fn new(members: Vec<Member>, empty: Arc<str>, configured: Arc<Origins>, whole: Duration) -> Self {
        Self { members, empty, configured, whole }
    }

    /// Asks one after the other.
    pub(super) async fn get(&self, target: &Target, allowance: Allowance) -> Result<Found, SourceError> {
        let mut outcome = Outcome::default();
        for member in &self.members {
            match member.get(target, allowance, self.whole).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    if !outcome.goes_on(error, member.then) {
                        break;
                    }
                }
            }
        }
        Err(outcome.verdict(&self.empty))
    }

    /// Asks the first that mirrors the checksum database `name`, and then nobody else. `Absent` if none does.
    pub(super) async fn get_sumdb(
        &self,
        name: &DatabaseName,
        target: &Target,
        allowance: Allowance,
    ) -> Result<Found, SourceError> {
        let none: Arc<str> = format!("no upstream mirrors the checksum database `{}`", name.0).into();
        let mut outcome = Outcome::default();
        for member in &self.members {
            match member.supports(name, self.whole).await {
                Ok(true) => return member.get(target, allowance, self.whole).await,
                Ok(false) => {}
                Err(error) => {
                    if !outcome.goes_on(error, member.then) {
                        break;
                    }
                }
            }
        }
        Err(outcome.worst.unwrap_or(SourceError::Absent { at: "the upstream list".into(), text: none }))
    }
}

impl Member {
    fn name(&self) -> &Arc<str> {
        match &self.source {
            Source::Proxy(proxy) => proxy.name(),
            Source::Tree(tree) => tree.name(),
        }
    }

    /// Asks this source. All that is asked of a source is asked here, once: retries, hedging and the source's health
    /// have their place around this call.
    async fn get(&self, target: &Target, allowance: Allowance, whole: Duration) -> Result<Found, SourceError> {
        self.observed.tell(self.ask(target, allowance, whole).await)
    }

    async fn ask(&self, target: &Target, allowance: Allowance, whole: Duration) -> Result<Found, SourceError> {
        let at = self.name().clone();
        let body = match &self.source {
            Source::Proxy(proxy) => proxy.get(&target.url_path(), allowance).await?,
            Source::Tree(tree) => tree.get(&target.path(), allowance).await?,
        };
        if allowance.streamed {
            return Ok(Found { at, body });
        }
        // What breaks off half-way is an error of this source, so that the next one can be asked.
        let bytes = body.whole(&at, whole).await?;
        Ok(Found { at, body: Body::of(bytes) })
    }

    /// Whether this source mirrors a checksum database; remembered for a while when it said so in so many words.
    async fn supports(&self, name: &DatabaseName, whole: Duration) -> Result<bool, SourceError> {
        if let Some(known) = self.support.known(name, Instant::now()) {
            return Ok(known);
        }
        let target = Target::Sumdb { name: name.clone(), asked: crate::goproxy::SumdbAsk::Supported };
        let Some(allowance) = Allowance::of(&target) else { return Ok(false) };
        let supports = match self.get(&target, allowance, whole).await {
            Ok(_) => true,
            Err(SourceError::Absent { .. }) => false,
            Err(error) => return Err(error),
        };
        self.support.remember(name, supports, Instant::now());
        Ok(supports)
    }
}

/// The errors of a walk along a chain, boiled down to the one that is told.
#[derive(Default)]
struct Outcome {
    absent: Option<SourceError>,
    worst: Option<SourceError>,
}

impl Outcome {
    /// Notes an error; says whether the next source is to be asked.
    fn goes_on(&mut self, error: SourceError, then: Then) -> bool {
        let goes_on = error.is_absent() || then == Then::AfterAnyError;
        let place = if error.is_absent() { &mut self.absent } else { &mut self.worst };
        *place = Some(error);
        goes_on
    }

    /// INVARIANT: an absence is told only if nothing else happened on the way.
    fn verdict(self, empty: &Arc<str>) -> SourceError {
        self.worst.or(self.absent).unwrap_or_else(|| SourceError::NoSource { reason: empty.clone() })
    }
}
