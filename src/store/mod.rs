//! The store: answers that were verified, kept for ever or kept fresh, and fetched once however many ask.
//!
//! [`Store::look`] answers from memory and disk and asks nobody. [`Store::ask`] joins or starts the one flight of the
//! key. [`Store::refresh`] has a stale answer fetched again behind the caller's back. The three are separate so that
//! the caller can keep its record before anybody outside is asked.
//!
//! # What is held
//!
//! | answer | where | until |
//! |---|---|---|
//! | `.zip`, `.mod` of a version | shelf, for ever | INVARIANT: its bytes never change, whatever a source says later |
//! | `.info` of a version | shelf | replaced only if it was lost |
//! | list, `@latest`, branch and commit queries | shelf | fresh for a minute, then served stale while refreshed; after an hour the refresh gets a second to come first |
//! | absence (404, 410 by all sources) | memory | 30 s; an outage is never taken for absence |
//! | the failure of a fetch | memory | 1 s, so that a herd does not ask a source that is down |
//!
//! # What is verified before it is kept
//!
//! A zip by the rules of `golang.org/x/mod/zip`, and like a `.mod` by its h1: against what was recorded for the version
//! when it was first stored, else against the checksum database's signed record ([`judge`]). While the database cannot
//! be asked or has no record the entry is provisional, and asked about again later.
//!
//! INVARIANT: nobody gets all bytes of a zip before all of it is verified ([`download`], [`zip`]).
//!
//! The store knows no principals and no policy. `private` says from which kind of source an answer must come; it is
//! part of every key, and an entry on disk of the other kind counts as absent and is replaced.

mod absence;
mod adoption;
mod alarm;
mod answer;
mod content;
mod counters;
mod download;
mod error;
mod flight;
mod freshness;
mod inspect;
mod item;
mod judge;
mod keep;
mod latest;
mod look;
mod origin;
mod pieces;
mod recheck;
mod scrub;
mod settings;
mod small;
mod spool;
mod vouch;
mod zip;

#[cfg(test)]
mod tests;

pub use alarm::{Alarm, AlarmSink};
pub use content::{Body, CacheOutcome, Content, Held, Look, ZipBody};
pub use counters::{Count, StoreCounters};
pub use error::StoreError;
pub use inspect::{Checked, Inspect, Rules, ZipFacts, check};
pub use origin::Origin;
pub use scrub::Scrubbed;
pub use settings::StoreSettings;
pub use small::Small;
pub use vouch::{Sums, Vouch};

use crate::{
    goproxy::Target,
    shelf::{Meta, Shelf, ShelfError, Stamp},
};
use absence::Recent;
use alarm::Alarms;
use flight::{Flight, FlightKey, Flights, Landing, Purpose};
use item::Item;
use jiff::Timestamp;
use quick_cache::{Weighter, sync::Cache};
use spool::SpoolMemory;
use std::sync::{Arc, atomic::AtomicU64};
use tokio::{runtime::Handle, time::Instant};
use zip::HeldZip;

/// Files whose bytes are remembered to have been compared with their record.
const COMPARED: usize = 100_000;

/// What a store is made of.
pub struct Parts {
    /// Its files.
    pub shelf: Shelf,
    /// Where it gets what it does not hold.
    pub origin: Arc<dyn Origin>,
    /// Who vouches for public versions.
    pub vouch: Arc<dyn Vouch>,
    /// What makes an answer acceptable.
    pub inspect: Arc<dyn Inspect>,
    /// Where alarms go.
    pub alarm: AlarmSink,
    /// The runtime of the flights: one that may wait.
    pub background: Handle,
}

/// The store. Cheap to clone; all methods may be called from any runtime.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    parts: Parts,
    settings: StoreSettings,
    alarms: Alarms,
    counters: StoreCounters,
    flights: Flights,
    /// Small answers.
    memory: Cache<Item, Arc<Small>, SmallWeight>,
    /// Open zips.
    zips: Cache<Item, Arc<HeldZip>>,
    /// How often something was taken out of memory and disk, so that a reader notices that it may have read just that.
    evictions: AtomicU64,
    /// Files that were compared with their record since the start, with the SHA-256 that they had.
    compared: Cache<Stamp, [u8; 32]>,
    absences: Recent<Arc<str>>,
    failures: Recent<StoreError>,
    /// Provisional entries that the checksum database was asked about since the start.
    rechecked: Cache<Item, Timestamp>,
    spool_memory: Arc<SpoolMemory>,
}

#[derive(Clone)]
struct SmallWeight;

impl Weighter<Item, Arc<Small>> for SmallWeight {
    fn weight(&self, _: &Item, small: &Arc<Small>) -> u64 {
        small.weight()
    }
}

impl Store {
    /// Joins the parts.
    pub fn new(parts: Parts, settings: StoreSettings) -> Self {
        let inner = Inner {
            alarms: Alarms::new(parts.alarm.clone()),
            counters: StoreCounters::default(),
            flights: Flights::default(),
            memory: Cache::with_weighter(10_000, settings.memory_bytes, SmallWeight),
            zips: Cache::new(settings.open_zips),
            evictions: AtomicU64::new(0),
            compared: Cache::new(COMPARED),
            absences: Recent::new(settings.absent_for),
            failures: Recent::new(settings.down_for),
            rechecked: Cache::new(COMPARED),
            spool_memory: Arc::default(),
            parts,
            settings,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Looks whether the target is held. Asks nobody; touches the disk only for what is not in memory, and then on a
    /// blocking thread of the caller's runtime.
    pub async fn look(&self, target: &Target, private: bool, now: Timestamp) -> Look {
        match Item::of(target, private) {
            Some(item) => self.inner.look(&item, now).await,
            None => Look::Absent { text: "not found".into() },
        }
    }

    /// Asks the source, or joins whoever is asking it for the same. The caller has recorded that it will.
    ///
    /// An error is an answer's status; a failure after the first bytes of a zip is an error of the body's stream.
    pub async fn ask(&self, target: &Target, private: bool, now: Timestamp) -> Result<Content, StoreError> {
        match Item::of(target, private) {
            Some(item) => self.inner.ask(&item, now).await,
            None => Err(StoreError::Aborted("not a module's")),
        }
    }

    /// Has a stale answer fetched again, or a provisional version held against the checksum database again, in the
    /// background. At most one such flight a key; true when this call started it.
    pub fn refresh(&self, target: &Target, private: bool, now: Timestamp) -> bool {
        let Some(item) = Item::of(target, private) else { return false };
        let purpose = Purpose::of_refresh(&item);
        if purpose == Purpose::Fetch && self.inner.failures.get(&item, now).is_some() {
            return false;
        }
        let (_, joined) = self.inner.fly((item, purpose), now);
        if !joined {
            self.inner.counters.refreshed.add();
        }
        !joined
    }

    /// What a refresh that is under way brings, if it comes soon: an old answer is worth a moment's wait. None when there
    /// is no refresh, or it fails, or a moment has passed since it began; then the held answer is good enough.
    pub async fn refreshed(&self, target: &Target, private: bool) -> Option<Content> {
        let flight = self.inner.flights.under_way(&(Item::of(target, private)?, Purpose::Fetch))?;
        let content = flight.content(&self.inner, CacheOutcome::Joined);
        tokio::time::timeout_at(flight.began + settings::OLD_WAITS, content).await.ok()?.ok()
    }

    /// Whether [`Store::refresh`] would start something: nothing is under way for the key, and no fetch failed a moment ago.
    /// Asked first by a caller that has to keep a record before a source is asked.
    pub fn is_refresh_due(&self, target: &Target, private: bool, now: Timestamp) -> bool {
        let Some(item) = Item::of(target, private) else { return false };
        let key = (item.clone(), Purpose::of_refresh(&item));
        !self.inner.flights.is_flying(&key)
            && (key.1 == Purpose::Recheck || self.inner.failures.get(&item, now).is_none())
    }

    /// What is recorded about the stored bytes of a target: their size, hash and standing. None when it is not held.
    /// Blocks; reads no body.
    pub fn record(&self, target: &Target) -> Option<Meta> {
        let key = Item::of(target, false)?.key();
        self.inner.parts.shelf.record(&key).ok().flatten()
    }

    /// The totals since the start.
    pub fn counters(&self) -> &StoreCounters {
        &self.inner.counters
    }

    /// Bytes that small answers take in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.inner.memory.weight()
    }

    /// Fetches and rechecks under way.
    pub fn flights(&self) -> u64 {
        self.inner.flights.count() as u64
    }

    /// Whether its directory is still where it was opened.
    ///
    /// # Errors
    /// When it is not there, as when a volume was unmounted.
    pub fn is_in_place(&self) -> Result<(), ShelfError> {
        self.inner.parts.shelf.is_in_place()
    }

    /// Reads all entries once, at most so many bytes a second, and sets aside what is not what was stored. To be run
    /// on the background runtime, again and again.
    pub async fn scrub(&self, bytes_per_second: u64) -> Scrubbed {
        self.inner.scrub(bytes_per_second).await
    }
}

impl Inner {
    async fn ask(self: &Arc<Self>, item: &Item, now: Timestamp) -> Result<Content, StoreError> {
        if let Some(error) = self.failures.get(item, now) {
            self.counters.held_off.add();
            return Err(error);
        }
        let (flight, joined) = self.fly((item.clone(), Purpose::Fetch), now);
        let (count, cache) = match joined {
            true => (&self.counters.joined, CacheOutcome::Joined),
            false => (&self.counters.misses, CacheOutcome::Miss),
        };
        count.add();
        flight.content(self, cache).await
    }

    /// The flight of the key: the one under way (true), or a new one.
    fn fly(self: &Arc<Self>, key: FlightKey, now: Timestamp) -> (Arc<Flight>, bool) {
        self.flights.join(&key, |flight| {
            let landing = Landing { inner: self.clone(), key: key.clone(), flight };
            // Dropped unpolled when the runtime is stopping: the landing then fails the flight.
            self.parts.background.spawn(async move {
                landing.inner.run(&landing, now).await;
            });
        })
    }

    async fn run(self: &Arc<Self>, landing: &Landing, now: Timestamp) {
        let (item, purpose) = &landing.key;
        let flight = &landing.flight;
        let began = Instant::now();
        let done = match (purpose, item.is_zip()) {
            (Purpose::Recheck, _) => self.recheck(item, flight, now).await,
            (Purpose::Fetch, true) => self.download(item, flight, now).await,
            (Purpose::Fetch, false) => self.answer(item, flight, now).await,
        };
        if let Err(error) = done {
            // Remembered before the key is free, so that whoever comes next finds it; from the end of the fetch, which
            // may have taken long to fail.
            let now = now.saturating_add(began.elapsed()).unwrap_or(now);
            match &error {
                StoreError::Source(source) if source.is_absent() => {
                    self.absences.put(item, error.outside().into(), now);
                }
                _ => {
                    self.counters.failed.add();
                    self.failures.put(item, error.clone(), now);
                }
            }
            flight.fail(error);
        }
    }

    /// Runs something that blocks; a panic in it is an error.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|_| StoreError::Aborted("a step of it panicked"))
    }
}
