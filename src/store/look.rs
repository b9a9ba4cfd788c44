//! The hit path: memory, then disk.

use super::{
    CacheOutcome, Content, Held, Inner, Look, Small, StoreError,
    alarm::Alarm,
    freshness::{Freshness, same_namespace},
    item::Item,
    zip::HeldZip,
};
use crate::shelf::{Meta, Record, ShelfError, Stamp, hex};
use jiff::Timestamp;
use std::sync::{Arc, atomic::Ordering::SeqCst};

/// How often an entry is read anew because something was taken out meanwhile; after that a source is asked.
const ATTEMPTS: usize = 4;

/// An entry that was found on disk.
pub(super) enum Loaded {
    Small(Arc<Small>),
    Zip(Arc<HeldZip>),
}

impl Loaded {
    fn meta(&self) -> &Meta {
        match self {
            Self::Small(small) => small.meta(),
            Self::Zip(zip) => &zip.meta,
        }
    }
}

impl Inner {
    pub(super) async fn look(self: &Arc<Self>, item: &Item, now: Timestamp) -> Look {
        let loaded = match self.in_memory(item).await {
            Some(loaded) => Some(loaded),
            // Before the disk: absence is remembered only when nothing was held.
            None if let Some(text) = self.absences.get(item, now) => {
                self.counters.absent.add();
                return Look::Absent { text };
            }
            // On the heap, as all that a hit does not need: its future is made and moved for every request.
            None => Box::pin(self.on_disk(item)).await,
        };
        loaded.map_or(Look::Ask, |loaded| Look::Held(self.held(item, loaded, now)))
    }

    async fn in_memory(self: &Arc<Self>, item: &Item) -> Option<Loaded> {
        if !item.is_zip() {
            return self.memory.get(item).map(Loaded::Small);
        }
        let zip = self.zips.get(item)?;
        match zip.stamp() {
            Ok(stamp) if stamp.size() == zip.meta.size => Some(Loaded::Zip(zip)),
            Ok(stamp) => {
                Box::pin(self.cut(&zip, stamp)).await;
                None
            }
            Err(_) => None,
        }
    }

    /// Reads the entry from disk into memory, on a blocking thread.
    ///
    /// INVARIANT: nothing stays in memory that was taken out. What is taken out is counted when it has left the disk, and
    /// then leaves memory; so whoever read it before finds another count afterwards, or is found in memory.
    async fn on_disk(self: &Arc<Self>, item: &Item) -> Option<Loaded> {
        for _ in 0..ATTEMPTS {
            let evictions = self.evictions.load(SeqCst);
            let asked = item.clone();
            let loaded = self.blocking(move |inner| inner.load(&asked)).await.ok()?;
            let loaded = self.memorise(item, loaded?);
            if self.evictions.load(SeqCst) == evictions {
                return Some(loaded);
            }
            self.memory.remove(item);
            self.zips.remove(item);
        }
        None
    }

    fn memorise(&self, item: &Item, loaded: Loaded) -> Loaded {
        match &loaded {
            Loaded::Small(small) => {
                // A flight may have stored a newer one since it was read.
                let newer = self.memory.get(item).filter(|newer| newer.meta().fetched > small.meta().fetched);
                if let Some(newer) = newer {
                    return Loaded::Small(newer);
                }
                self.memory.insert(item.clone(), small.clone());
            }
            Loaded::Zip(zip) => self.zips.insert(item.clone(), zip.clone()),
        }
        loaded
    }

    /// Reads the entry from disk. A damaged one is set aside here. Blocks.
    pub(super) fn load(&self, item: &Item) -> Option<Loaded> {
        let key = item.key();
        let found = if item.is_zip() { self.load_zip(key.clone()) } else { self.load_small(&key) };
        match found {
            Ok(loaded) => loaded.filter(|loaded| same_namespace(item, loaded.meta())),
            Err(ShelfError::Changed { key, recorded, found }) => {
                self.put_aside(&key, None, Record::Keep, Alarm::Changed { key: key.clone(), recorded, found });
                None
            }
            Err(ShelfError::NotStorable { .. }) => None,
            Err(error) => {
                self.alarms.raise(&Alarm::Unkept { key, cause: error.to_string() });
                None
            }
        }
    }

    fn load_small(&self, key: &str) -> Result<Option<Loaded>, ShelfError> {
        let read = self.parts.shelf.read(key)?;
        Ok(read.map(|(bytes, meta)| Loaded::Small(Arc::new(Small::new(bytes, meta)))))
    }

    fn load_zip(&self, key: String) -> Result<Option<Loaded>, ShelfError> {
        let Some((file, meta)) = self.parts.shelf.file(&key)? else { return Ok(None) };
        let size = file.metadata().map_or(0, |meta| meta.len());
        if size != meta.size {
            let (recorded, found) = (format!("{} bytes", meta.size), format!("{size} bytes"));
            return Err(ShelfError::Changed { key, recorded, found });
        }
        Ok(Some(Loaded::Zip(Arc::new(HeldZip::new(key, Arc::new(file), meta, None)))))
    }

    fn held(self: &Arc<Self>, item: &Item, loaded: Loaded, now: Timestamp) -> Held {
        let freshness = self.freshness(item, loaded.meta(), now);
        let (cache, count) = match freshness {
            Freshness::Fresh => (CacheOutcome::Hit, &self.counters.hits),
            Freshness::Stale | Freshness::Old => (CacheOutcome::Stale, &self.counters.stale),
        };
        count.add();
        let content = match loaded {
            Loaded::Small(small) => Content::small(small, cache),
            Loaded::Zip(zip) => Content::zip(zip, self.clone(), cache),
        };
        Held { content, stale: freshness != Freshness::Fresh, old: freshness == Freshness::Old }
    }

    /// Whether this file was compared with its record since the start and has not been touched since.
    pub(super) fn is_compared(&self, zip: &HeldZip, stamp: &Stamp) -> bool {
        self.compared.get(stamp) == Some(zip.meta.sha256)
    }

    /// Remembers that it was, if it was not touched meanwhile.
    pub(super) fn compared(&self, zip: &HeldZip, before: Stamp) {
        if zip.stamp().is_ok_and(|after| after == before) {
            self.compared.insert(before, zip.meta.sha256);
        }
    }

    /// Compares a file with its record now, for a caller that wants only a part of it.
    pub(super) async fn compare_whole(self: &Arc<Self>, zip: &Arc<HeldZip>) -> Result<(), StoreError> {
        let stamp = zip.stamp()?;
        if self.is_compared(zip, &stamp) {
            return Ok(());
        }
        let file = zip.clone();
        let found = self.blocking(move |_| file.hash()).await?;
        let found = found.map_err(|error| StoreError::Read { key: zip.key.clone(), cause: Arc::new(error) })?;
        if found != zip.meta.sha256 {
            self.changed(zip, stamp, &found).await;
            return Err(StoreError::Changed { key: zip.key.clone() });
        }
        self.compared(zip, stamp);
        Ok(())
    }

    /// A zip's bytes are not what was stored.
    pub(super) async fn changed(self: &Arc<Self>, zip: &HeldZip, stamp: Stamp, found: &[u8; 32]) {
        self.take_out(zip, stamp, hex(&zip.meta.sha256), hex(found)).await;
    }

    /// A zip's length is not what was stored.
    async fn cut(self: &Arc<Self>, zip: &HeldZip, stamp: Stamp) {
        let (recorded, found) = (format!("{} bytes", zip.meta.size), format!("{} bytes", stamp.size()));
        self.take_out(zip, stamp, recorded, found).await;
    }

    async fn take_out(self: &Arc<Self>, zip: &HeldZip, stamp: Stamp, recorded: String, found: String) {
        let key = zip.key.clone();
        let alarm = Alarm::Changed { key: key.clone(), recorded, found };
        // Goes on even if the transfer that found it is dropped now.
        let _ = self.blocking(move |inner| inner.put_aside(&key, Some(&stamp), Record::Keep, alarm)).await;
    }

    /// Takes an entry out of service, in memory and on disk, with an alarm. Blocks.
    pub(super) fn put_aside(&self, key: &str, only: Option<&Stamp>, record: Record, alarm: Alarm) {
        if let Some(stamp) = only {
            self.compared.remove(stamp);
        }
        match self.displace(key, &alarm.to_string(), only, record) {
            Ok(true) => self.alarms.raise(&alarm),
            // Another reader found the same and was first.
            Ok(false) => {}
            Err(error) => {
                self.alarms.raise(&alarm);
                self.alarms.raise(&Alarm::Unkept { key: key.into(), cause: error.to_string() });
            }
        }
    }

    /// Moves an entry aside, out of memory too; whether there was one. Blocks.
    pub(super) fn displace(
        &self,
        key: &str,
        reason: &str,
        only: Option<&Stamp>,
        record: Record,
    ) -> Result<bool, ShelfError> {
        self.evict(key);
        let moved = self.parts.shelf.set_aside(key, reason, only, record);
        // It may have been read again before it left the disk.
        self.evict(key);
        if matches!(moved, Ok(true)) {
            self.counters.set_aside.add();
        }
        moved
    }

    /// Forgets what memory has under a key of the shelf. Goes through all of memory; entries are evicted rarely.
    fn evict(&self, key: &str) {
        self.evictions.fetch_add(1, SeqCst);
        self.zips.retain(|_, zip| zip.key != key);
        self.memory.retain(|item, _| item.key() != key);
    }
}
