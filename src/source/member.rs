//! One source of a list: who it is, and how it is asked.

use super::{
    access::{Access, Errand},
    allowance::Allowance,
    ask::Ask,
    body::Body,
    chain::Found,
    error::SourceError,
    proxy::Proxy,
    sumdb::Support,
    tree::Tree,
    upstreams::Then,
};
use crate::goproxy::{DatabaseName, SumdbAsk, Target};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};
use tokio::time::Instant;

/// One source of a chain.
pub(super) struct Member {
    pub(super) source: Source,
    pub(super) then: Then,
    /// Whether another is asked when this one fails.
    pub(super) alternative: bool,
    pub(super) support: Support,
    pub(super) access: Access,
}

/// What there is to be asked.
pub(super) enum Source {
    Proxy(Proxy),
    Tree(Tree),
}

impl Source {
    pub(super) fn name(&self) -> &Arc<str> {
        match self {
            Self::Proxy(proxy) => proxy.name(),
            Self::Tree(tree) => tree.name(),
        }
    }

    /// Sends one request; comes back with the head of its answer.
    async fn open(&self, target: &Target, allowance: Allowance, ask: &Ask) -> Result<Body, SourceError> {
        match self {
            Self::Proxy(proxy) => proxy.get(&target.url_path(), allowance, ask).await,
            Self::Tree(tree) => tree.get(&target.path(), allowance).await,
        }
    }
}

impl Member {
    /// Asks this source in the manner of `ask`. All but a zip is whole then, so that what breaks off half-way is an error of this source and the
    /// next one can be asked.
    pub(super) async fn get(&self, target: &Target, allowance: Allowance, ask: &Ask) -> Result<Found, SourceError> {
        let streamed = allowance.streamed;
        let errand = Errand {
            subject: subject(target),
            streamed,
            hedged: !streamed && matches!(self.source, Source::Proxy(_)),
            alternative: self.alternative,
        };
        let body = self.access.ask(errand, || self.source.open(target, allowance, ask)).await?;
        Ok(Found { at: self.source.name().clone(), body })
    }

    /// Whether this source mirrors a checksum database; remembered for a while when it said so in so many words.
    pub(super) async fn supports(&self, name: &DatabaseName) -> Result<bool, SourceError> {
        if let Some(known) = self.support.known(name, Instant::now()) {
            return Ok(known);
        }
        let target = Target::Sumdb { name: name.clone(), asked: SumdbAsk::Supported };
        let Some(allowance) = Allowance::of(&target) else { return Ok(false) };
        let supports = match self.get(&target, allowance, &Ask::default()).await {
            Ok(_) => true,
            Err(SourceError::Absent { .. }) => false,
            Err(error) => return Err(error),
        };
        self.support.remember(name, supports, Instant::now());
        Ok(supports)
    }
}

/// What a failure would be about: the module, or the page of a checksum database.
fn subject(target: &Target) -> u64 {
    target.module().map_or_else(|| hash(&target.path()), |path| hash(path.as_str()))
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
