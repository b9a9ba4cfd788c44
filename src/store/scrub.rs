//! The background scrub: damage is found before somebody asks for the damaged entry.

use super::{Inner, alarm::Alarm, zip::HeldZip};
use crate::shelf::{Record, ShelfError, Shelved, hex};
use std::{sync::Arc, time::Duration};

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Entries read.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries that were not what was stored; they have been set aside.
    pub changed: u64,
}

impl Inner {
    /// Reads every entry that has a record and compares it. One entry at a time, and after each a rest as long as its
    /// bytes are worth at the given rate.
    pub(super) async fn scrub(self: &Arc<Self>, bytes_per_second: u64) -> Scrubbed {
        let mut scrubbed = Scrubbed::default();
        let mut keys = self.parts.shelf.keys();
        loop {
            let Ok((rest, key)) = self
                .blocking(move |_| {
                    let key = keys.next();
                    (keys, key)
                })
                .await
            else {
                return scrubbed;
            };
            keys = rest;
            let Some(key) = key else { return scrubbed };
            let Ok(Some((bytes, good))) = self.blocking(move |inner| inner.scrub_entry(&key)).await else { continue };
            self.counters.scrubbed.add();
            scrubbed.entries += 1;
            scrubbed.bytes += bytes;
            scrubbed.changed += u64::from(!good);
            if let Some(nanoseconds) = (u128::from(bytes) * 1_000_000_000).checked_div(bytes_per_second.into()) {
                tokio::time::sleep(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))).await;
            }
        }
    }

    /// The entry's length and whether it is good; none when there is nothing to compare. Blocks.
    fn scrub_entry(&self, key: &str) -> Option<(u64, bool)> {
        let Ok(Shelved::Held(file, meta)) = self.parts.shelf.find(key) else { return None };
        let size = meta.size;
        if !key.ends_with(".zip") {
            // May be replaced while it is read; the shelf's own reading copes with that.
            return match self.parts.shelf.read(key) {
                Ok(found) => found.map(|_| (size, true)),
                Err(ShelfError::Changed { recorded, found, .. }) => {
                    self.put_aside(key, None, Record::Keep, Alarm::Changed { key: key.into(), recorded, found });
                    Some((size, false))
                }
                Err(_) => None,
            };
        }
        let zip = HeldZip::new(key.into(), Arc::new(file), meta, None);
        let stamp = zip.stamp().ok()?;
        let found = zip.hash().ok()?;
        if found == zip.meta.sha256 {
            self.compared(&zip, stamp);
            return Some((size, true));
        }
        let (recorded, found) = (hex(&zip.meta.sha256), hex(&found));
        self.put_aside(key, Some(&stamp), Record::Keep, Alarm::Changed { key: key.into(), recorded, found });
        Some((size, false))
    }
}
