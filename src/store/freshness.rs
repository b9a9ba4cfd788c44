//! How old an answer may be.

use super::{Inner, item::Item};
use crate::{
    goproxy::Asked,
    shelf::{Meta, Standing},
};
use jiff::Timestamp;

/// What the age of a held answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Good.
    Fresh,
    /// Good enough to be served while it is refreshed.
    Stale,
    /// Likewise, but so old that the refresh is worth a short wait.
    Old,
}

impl Inner {
    pub(super) fn freshness(&self, item: &Item, meta: &Meta, now: Timestamp) -> Freshness {
        let fresh = match item.asked {
            Asked::List => self.settings.list_fresh,
            Asked::Latest | Asked::Query(_) => self.settings.query_fresh,
            Asked::Info(_) => return Freshness::Fresh,
            Asked::Mod(_) | Asked::Zip(_) if self.due_for_recheck(item, meta, now) => return Freshness::Stale,
            Asked::Mod(_) | Asked::Zip(_) => return Freshness::Fresh,
        };
        // After the clock was set back an answer is from the future: not fresh.
        let age = now.duration_since(meta.fetched);
        if !age.is_negative() && age < fresh {
            Freshness::Fresh
        } else if age.abs() < self.settings.stale_wait {
            Freshness::Stale
        } else {
            Freshness::Old
        }
    }

    /// Whether the checksum database should be asked about a held version: never yet vouched for, and not asked since
    /// the start or for a while.
    fn due_for_recheck(&self, item: &Item, meta: &Meta, now: Timestamp) -> bool {
        self.unvouched(meta)
            && self
                .rechecked
                .get(item)
                .is_none_or(|asked| now.duration_since(asked).abs() >= self.settings.provisional_for)
    }

    /// Whether an entry lacks a database's word that could be had: also one from before a database was configured.
    pub(super) fn unvouched(&self, meta: &Meta) -> bool {
        match meta.standing {
            Standing::Provisional => true,
            Standing::Unverified => self.parts.vouch.verifies(),
            Standing::Verified { .. } | Standing::Private => false,
        }
    }
}

/// Whether an entry came from the kind of source that the permit demands.
pub(super) fn same_namespace(item: &Item, meta: &Meta) -> bool {
    item.private == (meta.standing == Standing::Private)
}
