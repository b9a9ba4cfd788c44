//! The flight of a zip: it streams into a spool, all who wait read it as it grows, and its end is held back.
//!
//! INVARIANT: until the zip passed the zip rules and its h1 the judge, at least its last byte and up to [`HELD_BACK`]
//! are not given out. Whatever goes wrong, every waiter's stream ends in an error: with a length announced the transfer
//! is short, without one it is reset, and in neither case can a client take what it got for a zip.
//!
//! Verified bytes are given out before they are synced. Only then are they committed; until they count as stored the
//! flight goes on serving them.

use super::{
    Inner, StoreError,
    flight::{Flight, Flow, Landed},
    freshness::same_namespace,
    inspect::ZipFacts,
    item::Item,
    look::Loaded,
    spool::{Spool, Spooled, no_room},
    zip::HeldZip,
};
use crate::{
    module::Version,
    shelf::{Meta, Shelved},
    source::{Fetched, SourceError},
};
use futures_util::StreamExt;
use jiff::Timestamp;
use std::{fs::File, sync::Arc};

/// Bytes held back at the end of a zip while it is not verified; a zip of no more than that is not begun before.
const HELD_BACK: u64 = 64 << 10;
/// Chunks that lie ready are written together.
const CHUNKS: usize = 32;

impl Inner {
    pub(super) async fn download(
        self: &Arc<Self>,
        item: &Item,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(version) = item.vouched_version() else { return Err(StoreError::Aborted("not a zip")) };
        let (key, asked) = (item.key(), item.clone());
        let found = self.blocking(move |inner| (inner.load(&asked), inner.parts.shelf.find(&asked.key()))).await?;
        let known = match found {
            // Stored between the look and the ask.
            (Some(Loaded::Zip(zip)), _) => {
                flight.land(Landed::Zip(zip));
                return Ok(());
            }
            (_, Ok(Shelved::Strange(file))) => match self.adopt_zip(item, version, file, now).await? {
                Some(zip) => {
                    self.zips.insert(item.clone(), zip.clone());
                    flight.land(Landed::Zip(zip));
                    return Ok(());
                }
                None => None,
            },
            (_, Ok(Shelved::Known(meta) | Shelved::Held(_, meta))) => Some(meta),
            (_, Ok(Shelved::Nothing) | Err(_)) => None,
        };
        let displaces = known.as_ref().is_some_and(|known| !same_namespace(item, known));
        let known = known.filter(|known| same_namespace(item, known));
        let vouching = self.vouching(item, known.as_ref());
        let fetched = self.parts.origin.fetch(&item.target(), item.private).await?;
        let source = fetched.source.clone();
        let spooled = self.receive(&key, fetched, flight).await?;
        let facts = self.check_zip(item, version, spooled.file.clone()).await?;
        let facts = facts.map_err(|reason| invalid(&key, &source, reason))?;
        let standing = self.judge(item, &source, &facts.h1, known.as_ref(), vouching).await?;
        let meta = Meta::new(spooled.size, spooled.sha256, standing, &source, now).with_h1(Some(facts.h1));
        let Spooled { file, staged, lease, .. } = spooled;
        let zip = Arc::new(HeldZip::new(key, file, meta, lease));
        if let Ok(stamp) = zip.stamp() {
            self.compared(&zip, stamp);
        }
        flight.land(Landed::Zip(zip.clone()));
        self.keep_zip(item, zip, staged, displaces, now).await;
        Ok(())
    }

    /// Writes what arrives into a spool and tells the flight how much may be given out.
    async fn receive(self: &Arc<Self>, key: &str, fetched: Fetched, flight: &Flight) -> Result<Spooled, StoreError> {
        let Fetched { source, length, body } = fetched;
        let full = |error| no_room(key.to_owned(), &error);
        let begun =
            self.blocking(|inner| Spool::begin(&inner.parts.shelf, &inner.spool_memory, inner.settings.spool_memory));
        let mut spool = begun.await?.map_err(full)?;
        let mut chunks = body.ready_chunks(CHUNKS);
        while let Some(ready) = chunks.next().await {
            let mut failed = None;
            let ready: Vec<_> = ready.into_iter().map_while(|chunk| chunk.map_err(|e| failed = Some(e)).ok()).collect();
            if let Some(error) = failed {
                return Err(error.into());
            }
            let (back, appended) = self
                .blocking(move |_| {
                    let appended = spool.append(&ready);
                    (spool, appended)
                })
                .await?;
            spool = back;
            appended.map_err(full)?;
            let written = spool.written();
            if written > self.settings.zip_limit || length.is_some_and(|length| written > length) {
                return Err(self.too_long(key, &source, length, written));
            }
            let released = written.saturating_sub(HELD_BACK);
            if released > 0 {
                let (spool, source) = (spool.file().clone(), source.clone());
                flight.flow(Flow { spool, released, length, source });
            }
        }
        let received = spool.written();
        match length.filter(|announced| *announced != received) {
            Some(announced) => Err(StoreError::Length { key: key.into(), source_name: source, announced, received }),
            None => Ok(spool.finish()),
        }
    }

    fn too_long(&self, key: &str, source: &Arc<str>, length: Option<u64>, received: u64) -> StoreError {
        match length {
            Some(announced) => StoreError::Length { key: key.into(), source_name: source.clone(), announced, received },
            None => SourceError::TooLarge { at: source.clone(), limit: self.settings.zip_limit }.into(),
        }
    }

    /// Holds the zip against the zip rules on a blocking thread. A panic there is an error of the flight.
    pub(super) async fn check_zip(
        self: &Arc<Self>,
        item: &Item,
        version: &Version,
        file: Arc<File>,
    ) -> Result<Result<ZipFacts, String>, StoreError> {
        let (path, version) = (item.path.clone(), version.clone());
        self.blocking(move |inner| inner.parts.inspect.zip(&file, &path, &version)).await
    }
}

pub(super) fn invalid(key: &str, source: &Arc<str>, reason: String) -> StoreError {
    StoreError::Invalid { key: key.into(), source_name: source.clone(), reason }
}
