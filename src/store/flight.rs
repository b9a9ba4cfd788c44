//! Flights: one question to the source for each key, however many wait for its answer.
//!
//! A flight is a task on the background runtime. It tells its progress through a watch; all who wait read the same
//! spool as it grows. Whoever goes away changes nothing for the flight.
//!
//! INVARIANT: a flight ends. Its [`Landing`] lives in the task; when the task returns, panics or is cancelled, the
//! landing fails the flight if nothing was decided and frees the key.

use super::{CacheOutcome, Content, Inner, Small, StoreError, item::Item, pieces, zip::HeldZip};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::watch, time::Instant};

/// What a flight is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    /// To get the bytes.
    Fetch,
    /// To hold a provisional entry against the checksum database again.
    Recheck,
}

impl Purpose {
    /// How a held entry is refreshed: a version by asking the checksum database again, all else by fetching it again.
    pub(super) fn of_refresh(item: &Item) -> Self {
        if item.vouched_version().is_some() { Self::Recheck } else { Self::Fetch }
    }
}

pub(super) type FlightKey = (Item, Purpose);

/// All flights under way. The lock is taken by misses and refreshes only.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<FlightKey, Arc<Flight>>>);

/// One flight.
pub(super) struct Flight {
    progress: watch::Sender<Progress>,
    pub(super) began: Instant,
}

/// How far a flight is.
#[derive(Clone)]
pub(super) enum Progress {
    /// Nothing can be said yet.
    Asking,
    /// A zip is arriving, and some of it may be given out.
    Flowing(Flow),
    /// The answer is there and verified.
    Landed(Landed),
    /// There will be none.
    Failed(StoreError),
}

/// A zip that is arriving.
#[derive(Clone)]
pub(super) struct Flow {
    /// Where it is being written. Another file may take its place, with the same bytes so far (a full disk).
    pub(super) spool: Arc<File>,
    /// Bytes that may be given out. INVARIANT: fewer than have been received until all of them are verified.
    pub(super) released: u64,
    pub(super) length: Option<u64>,
    pub(super) source: Arc<str>,
}

/// A flight's answer.
#[derive(Clone)]
pub(super) enum Landed {
    Small(Arc<Small>),
    Zip(Arc<HeldZip>),
    /// A recheck has none.
    Nothing,
}

impl Flights {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FlightKey, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_flying(&self, key: &FlightKey) -> bool {
        self.lock().contains_key(key)
    }

    pub(super) fn under_way(&self, key: &FlightKey) -> Option<Arc<Flight>> {
        self.lock().get(key).cloned()
    }

    /// The flight for the key; `launch` is called when there was none and has to see that it flies.
    pub(super) fn join(&self, key: &FlightKey, launch: impl FnOnce(Arc<Flight>)) -> (Arc<Flight>, bool) {
        let flight = match self.lock().entry(key.clone()) {
            Entry::Occupied(entry) => return (entry.get().clone(), true),
            Entry::Vacant(entry) => {
                let progress = watch::Sender::new(Progress::Asking);
                let flight = Arc::new(Flight { progress, began: Instant::now() });
                entry.insert(flight).clone()
            }
        };
        launch(flight.clone());
        (flight, false)
    }
}

/// Frees the key when the flight's task is over, in whatever way.
pub(super) struct Landing {
    pub(super) inner: Arc<Inner>,
    pub(super) key: FlightKey,
    pub(super) flight: Arc<Flight>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flight.fail(StoreError::Aborted("its task ended early"));
        let mut flights = self.inner.flights.lock();
        if flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            flights.remove(&self.key);
        }
    }
}

impl Flight {
    /// More of a zip may be given out.
    pub(super) fn flow(&self, flow: Flow) {
        self.progress.send_replace(Progress::Flowing(flow));
    }

    /// The answer is verified.
    pub(super) fn land(&self, landed: Landed) {
        self.progress.send_replace(Progress::Landed(landed));
    }

    /// There will be no answer; says nothing when there is one.
    pub(super) fn fail(&self, error: StoreError) {
        self.progress.send_if_modified(|progress| {
            let undecided = matches!(progress, Progress::Asking | Progress::Flowing(_));
            if undecided {
                *progress = Progress::Failed(error);
            }
            undecided
        });
    }

    /// Waits until something can be answered.
    pub(super) async fn content(&self, inner: &Arc<Inner>, cache: CacheOutcome) -> Result<Content, StoreError> {
        let mut progress = self.progress.subscribe();
        let told = progress.wait_for(|progress| !matches!(progress, Progress::Asking)).await;
        let told = told.map(|told| told.clone()).unwrap_or(Progress::Asking);
        match told {
            Progress::Landed(Landed::Small(small)) => Ok(Content::small(small, cache)),
            Progress::Landed(Landed::Zip(zip)) => Ok(Content::zip(zip, inner.clone(), cache)),
            Progress::Flowing(Flow { length, source, .. }) => {
                Ok(Content::flying(Flying { progress, offset: 0 }, length, source, cache))
            }
            Progress::Failed(error) => Err(error),
            Progress::Asking | Progress::Landed(Landed::Nothing) => Err(StoreError::Aborted("it has no answer")),
        }
    }
}

/// One waiter's reading of a zip that is arriving.
pub(super) struct Flying {
    progress: watch::Receiver<Progress>,
    offset: u64,
}

impl Flying {
    /// The bytes as they are released; an error when the flight fails, so that nobody takes what came for whole.
    pub(super) fn stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        futures_util::stream::try_unfold(self, |mut flying| async move {
            Ok(flying.next().await?.map(|piece| (piece, flying)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let (file, released, whole) = match &*self.progress.borrow_and_update() {
                Progress::Flowing(flow) => (flow.spool.clone(), flow.released, false),
                Progress::Landed(Landed::Zip(zip)) => (zip.file.clone(), zip.meta.size, true),
                Progress::Failed(error) => return Err(error.clone()),
                Progress::Asking | Progress::Landed(_) => return Err(StoreError::Aborted("it has no answer")),
            };
            if self.offset < released {
                let piece = pieces::read_at(&file, self.offset, released - self.offset).await.map_err(|error| {
                    StoreError::Read { key: "a zip that is arriving".into(), cause: Arc::new(error) }
                })?;
                self.offset += piece.len() as u64;
                return Ok(Some(piece));
            }
            if whole {
                return Ok(None);
            }
            if self.progress.changed().await.is_err() {
                return Err(StoreError::Aborted("its task ended early"));
            }
        }
    }
}
