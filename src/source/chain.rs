//! A list of sources asked in order, by the `go` command's rules.
//!
//! After `,` the next is asked only when this one says absent, after `|` whatever went wrong. Of several errors the
//! last counts, but one that is no absence beats all that are (`modfetch.TryProxies`).
//!
//! INVARIANT (status discipline): a source that is not asked because it keeps failing stands in the list as one that
//! failed: after `|` the next is asked at once, after `,` nobody is, and in neither case is anything absent.

use super::{
    allowance::Allowance, ask::Ask, body::Body, error::SourceError, member::Member, origin::Origins,
    state::SourceState, upstreams::Then,
};
use crate::goproxy::{DatabaseName, Target};
use std::{collections::BTreeMap, sync::Arc};

/// A list of sources with one purpose: the public list, or that of one private namespace.
pub(super) struct Chain {
    members: Vec<Member>,
    /// Said when there is nobody to ask.
    empty: Arc<str>,
    /// The origins that redirects of these sources may lead to wherever they are.
    pub(super) configured: Arc<Origins>,
}

/// What a chain found, and who had it.
pub(super) struct Found {
    pub(super) at: Arc<str>,
    pub(super) body: Body,
}

impl Chain {
    pub(super) fn new(members: Vec<Member>, empty: Arc<str>, configured: Arc<Origins>) -> Self {
        Self { members, empty, configured }
    }

    /// How each is doing; `list` is the configuration's key of the list.
    pub(super) fn states(&self, list: &Arc<str>) -> Vec<SourceState> {
        let mut states: Vec<SourceState> = self.members.iter().map(|member| member.access.state(list)).collect();
        // The same server may stand in a list twice, with other credentials.
        let mut times = BTreeMap::<Arc<str>, u32>::new();
        for state in &mut states {
            let time = times.entry(Arc::clone(&state.source)).or_default();
            *time = time.saturating_add(1);
            if *time > 1 {
                state.source = format!("{} #{time}", state.source).into();
            }
        }
        states
    }

    /// Asks one after the other, in the manner of `ask`.
    pub(super) async fn get(&self, target: &Target, allowance: Allowance, ask: &Ask) -> Result<Found, SourceError> {
        let mut outcome = Outcome::default();
        for member in &self.members {
            match member.get(target, allowance, ask).await {
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
            match member.supports(name).await {
                Ok(true) => return member.get(target, allowance, &Ask::default()).await,
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
