//! Bodies that someone else put on the shelf: a copied module cache, a tree from another proxy.
//!
//! They come without a record, so they are treated as if they had just been fetched: held against the same rules and the
//! same judge. What passes gets its record and is held from then on; what does not is set aside with an alarm, and a
//! source is asked.

use super::{Inner, Small, StoreError, alarm::Alarm, download::invalid, inspect::Checked, item::Item, zip::HeldZip};
use crate::{
    module::Version,
    shelf::{Meta, Record, Stamp, Standing},
};
use bytes::Bytes;
use jiff::Timestamp;
use std::{fs::File, sync::Arc};

/// What is told as the source of such a body.
const SOURCE: &str = "the store's directory";

impl Inner {
    /// A small answer; `None` when it does not pass, and then it has been set aside.
    pub(super) async fn adopt_small(
        self: &Arc<Self>,
        item: &Item,
        bytes: &Bytes,
        stamp: Stamp,
        now: Timestamp,
    ) -> Result<Option<Arc<Small>>, StoreError> {
        let (key, source): (_, Arc<str>) = (item.key(), SOURCE.into());
        let judged = match self.check(item, bytes) {
            Ok(Checked { h1: Some(h1), .. }) => {
                let vouching = self.vouching(item, None);
                self.judge(item, &source, &h1, None, vouching).await.map(|standing| (standing, Some(h1)))
            }
            Ok(_) => Ok((if item.private { Standing::Private } else { Standing::Unverified }, None)),
            Err(reason) => Err(invalid(&key, &source, reason)),
        };
        let Some((standing, h1)) = self.passed(&key, stamp, judged).await? else { return Ok(None) };
        let small = Arc::new(Small::new(bytes.clone(), Meta::of(bytes, standing, &source, now).with_h1(h1)));
        let record = small.clone();
        let adopted = self.blocking(move |inner| inner.parts.shelf.adopt(&key, &stamp, record.meta())).await?;
        if adopted.unwrap_or(false) {
            self.counters.stored.add();
            self.memory.insert(item.clone(), small.clone());
            return Ok(Some(small));
        }
        Ok(None)
    }

    /// A zip; `None` when it does not pass, and then it has been set aside.
    pub(super) async fn adopt_zip(
        self: &Arc<Self>,
        item: &Item,
        version: &Version,
        file: File,
        now: Timestamp,
    ) -> Result<Option<Arc<HeldZip>>, StoreError> {
        let (file, key, source): (_, _, Arc<str>) = (Arc::new(file), item.key(), SOURCE.into());
        let Ok(stamp) = Stamp::of(&file) else { return Ok(None) };
        let vouching = self.vouching(item, None);
        let judged = match self.check_zip(item, version, file.clone()).await? {
            Ok(facts) => {
                self.judge(item, &source, &facts.h1, None, vouching).await.map(|standing| (standing, facts.h1))
            }
            Err(reason) => Err(invalid(&key, &source, reason)),
        };
        let Some((standing, h1)) = self.passed(&key, stamp, judged).await? else { return Ok(None) };
        let adopted = self.blocking(move |inner| {
            let unhashed = Meta::new(stamp.size(), [0; 32], standing, &source, now).with_h1(Some(h1));
            let zip = HeldZip::new(key, file, unhashed, None);
            let sha256 = zip.hash()?;
            let meta = Meta { sha256, ..zip.meta };
            let zip = HeldZip::new(zip.key, zip.file, meta, None);
            let adopted = inner.parts.shelf.adopt(&zip.key, &stamp, &zip.meta).map_err(std::io::Error::other)?;
            if adopted {
                inner.compared(&zip, stamp);
                inner.counters.stored.add();
            }
            Ok::<_, std::io::Error>(adopted.then(|| Arc::new(zip)))
        });
        Ok(adopted.await?.unwrap_or(None))
    }

    /// What the judge said of it; `None` for a body that does not pass, which is set aside. While the checksum database
    /// contradicts itself nothing is decided about it.
    async fn passed<J>(
        self: &Arc<Self>,
        key: &str,
        stamp: Stamp,
        judged: Result<J, StoreError>,
    ) -> Result<Option<J>, StoreError> {
        match judged {
            Ok(judged) => Ok(Some(judged)),
            Err(error @ StoreError::Checksum(_)) => Err(error),
            Err(error) => {
                let (key, reason) = (key.to_owned(), error.to_string());
                let alarm = Alarm::Stranger { key: key.clone(), reason };
                self.blocking(move |inner| inner.put_aside(&key, Some(&stamp), Record::Move, alarm)).await?;
                Ok(None)
            }
        }
    }
}
