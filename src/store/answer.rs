//! The flight of a small answer: fetched whole, checked, given out, kept.

use super::{
    Inner, Small, StoreError,
    download::invalid,
    flight::{Flight, Landed},
    freshness::{Freshness, same_namespace},
    inspect::{self, Checked},
    item::Item,
    look::Loaded,
};
use crate::{
    goproxy::Asked,
    shelf::{Meta, Shelved, Stamp, Standing},
    source::{Fetched, SourceError},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jiff::Timestamp;
use std::{io::Read, sync::Arc};

/// What the shelf has to say before a source is asked.
#[derive(Default)]
struct Before {
    /// The entry, perhaps stale.
    old: Option<Arc<Small>>,
    /// What is recorded of an immutable one.
    known: Option<Meta>,
    /// An entry of the other namespace has the key.
    displaces: bool,
    /// A body of which nothing is known.
    stranger: Option<(Bytes, Stamp)>,
}

impl Inner {
    pub(super) async fn answer(
        self: &Arc<Self>,
        item: &Item,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let asked = item.clone();
        let before = self.blocking(move |inner| inner.before(&asked)).await?;
        if let Some(old) = &before.old
            && (item.vouched_version().is_some() || self.freshness(item, old.meta(), now) == Freshness::Fresh)
        {
            // Stored between the look and the ask.
            flight.land(Landed::Small(old.clone()));
            return Ok(());
        }
        if let Some((bytes, stamp)) = &before.stranger
            && let Some(small) = self.adopt_small(item, bytes, *stamp, now).await?
        {
            flight.land(Landed::Small(small));
            return Ok(());
        }
        let vouching = self.vouching(item, before.known.as_ref());
        let (bytes, source) = match self.fetch_small(item).await {
            Ok(fetched) => fetched,
            Err(error) => match self.without_source(item, &before, &error, now).await {
                Some(fetched) => fetched,
                None if error.is_absent() && before.old.is_some() => {
                    self.gone(item).await?;
                    return Err(error);
                }
                None => return Err(error),
            },
        };
        let checked = self.check(item, &bytes).map_err(|reason| invalid(&item.key(), &source, reason))?;
        let standing = match &checked.h1 {
            Some(h1) => self.judge(item, &source, h1, before.known.as_ref(), vouching).await?,
            None if item.private => Standing::Private,
            None => Standing::Unverified,
        };
        let meta = Meta::of(&bytes, standing, &source, now).with_h1(checked.h1);
        let small = Arc::new(Small::new(bytes, meta));
        flight.land(Landed::Small(small.clone()));
        let old = before.old.map(|old| old.meta().sha256);
        self.keep_small(item, small.clone(), old, before.displaces, now).await;
        if let Some(version) = checked.version {
            self.keep_as_version(item, version, &small).await;
        }
        Ok(())
    }

    /// Blocks.
    fn before(&self, item: &Item) -> Before {
        if let Some(Loaded::Small(old)) = self.load(item) {
            return Before { known: Some(old.meta().clone()), old: Some(old), ..Before::default() };
        }
        match self.parts.shelf.find(&item.key()) {
            Ok(Shelved::Strange(file)) if item.adoptable() => {
                let mut bytes = Vec::new();
                let read = Stamp::of(&file)
                    .and_then(|stamp| file.take(self.settings.small_limit).read_to_end(&mut bytes).map(|_| stamp));
                Before { stranger: read.ok().map(|stamp| (bytes.into(), stamp)), ..Before::default() }
            }
            Ok(Shelved::Known(meta) | Shelved::Held(_, meta)) => {
                let displaces = !same_namespace(item, &meta);
                Before { known: Some(meta).filter(|_| !displaces), displaces, ..Before::default() }
            }
            Ok(Shelved::Strange(_) | Shelved::Nothing) | Err(_) => Before::default(),
        }
    }

    async fn fetch_small(&self, item: &Item) -> Result<(Bytes, Arc<str>), StoreError> {
        let Fetched { source, length, mut body } = self.parts.origin.fetch(&item.target(), item.private).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() as u64 > self.settings.small_limit {
                return Err(SourceError::TooLarge { at: source, limit: self.settings.small_limit }.into());
            }
        }
        let received = bytes.len() as u64;
        match length.filter(|announced| *announced != received) {
            Some(announced) => Err(StoreError::Length { key: item.key(), source_name: source, announced, received }),
            None => Ok((bytes.freeze(), source)),
        }
    }

    /// What can be answered although the source gave nothing: a derived `@latest`; a list that is held, though its
    /// module is gone (the last good stays).
    async fn without_source(
        self: &Arc<Self>,
        item: &Item,
        before: &Before,
        error: &StoreError,
        now: Timestamp,
    ) -> Option<(Bytes, Arc<str>)> {
        if item.asked == Asked::Latest
            && let Some(derived) = self.clone().derive_latest(item.clone(), now).await
        {
            return Some(derived);
        }
        let stays = error.is_absent() && matches!(item.asked, Asked::List | Asked::Latest);
        before.old.as_ref().filter(|_| stays).map(|old| (old.bytes().clone(), old.source().clone()))
    }

    /// A branch or commit that was held and no longer exists.
    async fn gone(self: &Arc<Self>, item: &Item) -> Result<(), StoreError> {
        self.memory.remove(item);
        let key = item.key();
        self.blocking(move |inner| inner.parts.shelf.forget(&key)).await?.map_err(StoreError::from)
    }

    pub(super) fn check(&self, item: &Item, bytes: &[u8]) -> Result<Checked, String> {
        inspect::check(&*self.parts.inspect, &item.path, &item.asked, bytes)
    }
}
