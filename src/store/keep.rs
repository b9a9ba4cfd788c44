//! Keeping what was verified. Failing to keep it is an alarm, never an error of the answer.

use super::{Inner, Small, StoreError, alarm::Alarm, item::Item, zip::HeldZip};
use crate::{
    goproxy::Asked,
    module::Version,
    shelf::{Committed, Outcome, Record, ShelfError, Staged, Standing},
};
use jiff::Timestamp;
use std::sync::Arc;

impl Inner {
    /// Commits a zip and waits until it counts as stored.
    pub(super) async fn keep_zip(
        self: &Arc<Self>,
        item: &Item,
        zip: Arc<HeldZip>,
        staged: Result<Staged, ShelfError>,
        displaces: bool,
        now: Timestamp,
    ) {
        let staged = match staged {
            Ok(staged) => staged,
            Err(why) => return self.not_kept(item, &why, now),
        };
        let (key, meta) = (zip.key.clone(), zip.meta.clone());
        let committed = self.blocking(move |inner| {
            inner.make_way(&key, displaces)?;
            staged.commit(&key, meta)
        });
        if self.settle(item, committed.await, &zip.meta.standing, now).await {
            self.zips.insert(item.clone(), zip);
            self.absences.forget(item);
        }
    }

    /// Stores a small answer, unless the shelf has those very bytes: then only its record is renewed.
    pub(super) async fn keep_small(
        self: &Arc<Self>,
        item: &Item,
        small: Arc<Small>,
        old: Option<[u8; 32]>,
        displaces: bool,
        now: Timestamp,
    ) {
        let (key, kept) = (item.key(), small.clone());
        let renewed = old == Some(small.meta().sha256);
        let committed = self.blocking(move |inner| {
            if renewed && inner.parts.shelf.amend(&key, kept.meta())? {
                return Ok(None);
            }
            inner.make_way(&key, displaces)?;
            inner.parts.shelf.put(&key, kept.bytes(), kept.meta().clone()).map(Some)
        });
        match committed.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(committed))) => {
                self.settle(item, Ok(Ok(committed)), &small.meta().standing, now).await;
            }
            Ok(Err(error)) => self.not_kept(item, &error, now),
            Err(error) => self.alarms.raise(&Alarm::Unkept { key: item.key(), cause: error.to_string() }),
        }
        // With a full disk too: what is in memory was verified like everything else.
        self.memory.insert(item.clone(), small);
        self.absences.forget(item);
    }

    /// The answer to a query is also the `.info` of the version that it names, if that is not held.
    pub(super) async fn keep_as_version(self: &Arc<Self>, item: &Item, version: Version, small: &Arc<Small>) {
        let (copy, small) = (item.sibling(Asked::Info(version)), small.clone());
        let kept = self.blocking(move |inner| {
            let key = copy.key();
            if inner.parts.shelf.record(&key)?.is_some() {
                return Ok(());
            }
            inner.parts.shelf.put(&key, small.bytes(), small.meta().clone()).map(|_| inner.absences.forget(&copy))
        });
        // A copy that is asked for by nobody yet: no alarm, it is fetched when it is.
        let _: Result<Result<(), ShelfError>, StoreError> = kept.await;
    }

    /// An entry of the other namespace does not stand in the way of the right one.
    fn make_way(&self, key: &str, displaces: bool) -> Result<(), ShelfError> {
        if displaces {
            self.displace(key, "the path changed between public and private", None, Record::Move)?;
        }
        Ok(())
    }

    /// Waits until a commit counts as stored.
    async fn settle(
        &self,
        item: &Item,
        committed: Result<Result<Committed, ShelfError>, StoreError>,
        standing: &Standing,
        now: Timestamp,
    ) -> bool {
        let stored = match committed {
            Ok(Ok(Committed { outcome: Outcome::Stored, ticket })) => ticket.wait().await,
            Ok(Ok(Committed { outcome: Outcome::Stands, .. })) => return false,
            Ok(Err(error)) => Err(error),
            Err(error) => {
                self.alarms.raise(&Alarm::Unkept { key: item.key(), cause: error.to_string() });
                return false;
            }
        };
        if let Err(error) = stored {
            self.not_kept(item, &error, now);
            return false;
        }
        self.counters.stored.add();
        if item.vouched_version().is_some() && *standing == Standing::Provisional {
            self.counters.provisional.add();
            self.rechecked.insert(item.clone(), now);
        }
        true
    }

    fn not_kept(&self, item: &Item, error: &ShelfError, now: Timestamp) {
        self.counters.unkept.add();
        match error {
            ShelfError::Full(_) => self.alarms.full(error.to_string(), now),
            // A path that no file can have: nothing that an operator could mend.
            ShelfError::NotStorable { .. } => {}
            _ => self.alarms.raise(&Alarm::Unkept { key: item.key(), cause: error.to_string() }),
        }
    }
}
