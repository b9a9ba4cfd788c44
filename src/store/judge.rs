//! Whether the bytes of a version may be kept, and how far they are to be trusted.
//!
//! In this order:
//!
//! 1. The h1 that was recorded when the version was first stored stands, if a database vouched for it, or the version
//!    is private, or no database can say more: other bytes are refused with an alarm, whoever offers them.
//! 2. A private version is never shown to a database; what is seen first stands.
//! 3. With no database configured everything public is unverified.
//! 4. The signed record decides. Where there is none, or it cannot be had, the bytes are provisional, unless they differ
//!    from what was seen first.
//!
//! A database that contradicts itself fails the fetch: then nothing is known, and nothing is served.

use super::{Inner, StoreError, alarm::Alarm, item::Item, vouch::Sums};
use crate::{
    checksum::ChecksumError,
    goproxy::Asked,
    shelf::{Meta, Standing},
};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// The question to the checksum database, under way while the bytes arrive.
pub(super) type Vouching = AbortOnDropHandle<Result<Sums, ChecksumError>>;

impl Inner {
    /// Starts the question, where there is one to ask.
    pub(super) fn vouching(self: &Arc<Self>, item: &Item, known: Option<&Meta>) -> Option<Vouching> {
        let version = item.vouched_version()?.clone();
        let settled = known.is_some_and(|known| !self.unvouched(known));
        if item.private || settled || !self.parts.vouch.verifies() {
            return None;
        }
        let (vouch, path) = (self.parts.vouch.clone(), item.path.clone());
        let asking = tokio::spawn(async move { vouch.vouch(&path, &version).await });
        Some(AbortOnDropHandle::new(asking))
    }

    /// Judges bytes by their h1.
    pub(super) async fn judge(
        &self,
        item: &Item,
        source: &Arc<str>,
        offered: &str,
        known: Option<&Meta>,
        vouching: Option<Vouching>,
    ) -> Result<Standing, StoreError> {
        let recorded = known.and_then(|known| known.h1.as_deref());
        let Some(vouching) = vouching else {
            self.same_as_first(item, source, offered, recorded)?;
            return Ok(match known {
                Some(known) => known.standing.clone(),
                None if item.private => Standing::Private,
                None => Standing::Unverified,
            });
        };
        match self.word_of(vouching).await {
            Some(Ok(sums)) => self.same_as_database(item, source, offered, sums),
            Some(Err(error @ ChecksumError::Misbehaving(_))) => {
                self.alarms.raise(&Alarm::Misbehaving { key: item.key(), cause: error.to_string() });
                Err(StoreError::Checksum(error))
            }
            Some(Err(ChecksumError::NotFound | ChecksumError::Unavailable(_))) | None => {
                self.same_as_first(item, source, offered, recorded)?;
                Ok(Standing::Provisional)
            }
        }
    }

    /// The database's answer; none when it took too long or the question panicked.
    async fn word_of(&self, vouching: Vouching) -> Option<Result<Sums, ChecksumError>> {
        tokio::time::timeout(self.settings.vouch_wait, vouching).await.ok()?.ok()
    }

    fn same_as_first(
        &self,
        item: &Item,
        source: &Arc<str>,
        offered: &str,
        recorded: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(recorded) = recorded.filter(|recorded| *recorded != offered) else { return Ok(()) };
        let (key, source_name) = (item.key(), source.clone());
        let (recorded, offered) = (recorded.to_owned(), offered.to_owned());
        self.alarms.raise(&Alarm::OtherBytes {
            key: key.clone(),
            source_name: source_name.clone(),
            recorded: recorded.clone(),
            offered: offered.clone(),
        });
        Err(StoreError::OtherBytes { key, source_name, recorded, offered })
    }

    pub(super) fn same_as_database(
        &self,
        item: &Item,
        source: &Arc<str>,
        offered: &str,
        sums: Sums,
    ) -> Result<Standing, StoreError> {
        let Sums { database, zip, gomod } = sums;
        let recorded = if matches!(item.asked, Asked::Zip(_)) { zip } else { gomod };
        if recorded == offered {
            return Ok(Standing::Verified { by: database });
        }
        let (key, source_name, offered) = (item.key(), source.clone(), offered.to_owned());
        self.alarms.raise(&Alarm::Mismatch {
            key: key.clone(),
            source_name: source_name.clone(),
            database: database.clone(),
            recorded: recorded.clone(),
            offered: offered.clone(),
        });
        Err(StoreError::Mismatch { key, source_name, database, recorded, offered })
    }
}
