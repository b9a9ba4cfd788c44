//! Holding a provisional entry against the checksum database again.

use super::{
    Inner, StoreError,
    flight::{Flight, Landed},
    item::Item,
    look::Loaded,
};
use crate::{
    checksum::ChecksumError,
    shelf::{Meta, Record},
    store::alarm::Alarm,
};
use jiff::Timestamp;
use std::sync::Arc;

impl Inner {
    /// Asks about a held version that nobody has vouched for. Vouched for, its record says so; other bytes vouched for,
    /// it is set aside; otherwise it stays as it is until the next time.
    pub(super) async fn recheck(
        self: &Arc<Self>,
        item: &Item,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        flight.land(Landed::Nothing);
        self.rechecked.insert(item.clone(), now);
        let asked = item.clone();
        let meta = match self.blocking(move |inner| inner.load(&asked)).await? {
            Some(Loaded::Small(small)) => small.meta().clone(),
            Some(Loaded::Zip(zip)) => zip.meta.clone(),
            None => return Ok(()),
        };
        let Some(vouching) = self.vouching(item, Some(&meta)) else { return Ok(()) };
        let Some(h1) = meta.h1.clone() else { return Ok(()) };
        let sums = match vouching.await {
            Ok(Ok(sums)) => sums,
            Ok(Err(error @ ChecksumError::Misbehaving(_))) => {
                self.alarms.raise(&Alarm::Misbehaving { key: item.key(), cause: error.to_string() });
                return Ok(());
            }
            Ok(Err(_)) | Err(_) => return Ok(()),
        };
        let key = item.key();
        match self.same_as_database(item, &meta.source.as_str().into(), &h1, sums) {
            Ok(standing) => {
                let meta = Meta { standing, ..meta };
                self.blocking(move |inner| inner.parts.shelf.amend(&key, &meta)).await??;
                self.memory.remove(item);
                self.zips.remove(item);
            }
            Err(error) => {
                // The record goes too, or it would keep the right bytes out.
                self.blocking(move |inner| inner.withdraw(&key, &error)).await?;
            }
        }
        Ok(())
    }

    /// Takes out an entry that the database contradicts. Its alarm has been raised.
    fn withdraw(&self, key: &str, why: &StoreError) {
        if let Err(error) = self.displace(key, &why.to_string(), None, Record::Move) {
            self.alarms.raise(&Alarm::Unkept { key: key.into(), cause: error.to_string() });
        }
    }
}
