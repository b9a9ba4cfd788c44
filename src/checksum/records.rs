//! The records of one database: looked up, proved, kept.
//!
//! A lookup goes to memory, to disk, to the database. What comes from disk was proved before it was written, and is
//! proved again the first time, against the accepted head: a changed byte is found, and the record fetched anew.

use super::{
    cache::Cache,
    courier::Courier,
    database::Database,
    databases::Clock,
    error::ChecksumError,
    flight::Flights,
    head::{HeadError, TreeHead},
    log::Log,
    lookup::{self, Record},
    wire::WireError,
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::{future::Future, sync::Arc};
use tokio::runtime::Handle;

/// Records in memory, some 300 bytes each.
const REMEMBERED: usize = 16_384;
/// Absent versions in memory.
const ABSENT: usize = 4096;
/// For how long an absent version is not asked for again: a version is often looked up moments before its tag is seen.
const ABSENCE_HOLDS: SignedDuration = SignedDuration::from_secs(60);

/// What came of a lookup.
#[derive(Clone, Debug)]
pub(super) enum Looked {
    /// A record that is in the accepted tree.
    Proven(Arc<Record>),
    /// A record under a signed head, which could not be proved because the rest of the log is out of reach.
    Unproven(Bytes, ChecksumError),
    /// No record.
    Failed(ChecksumError),
}

/// The records of one database.
pub(super) struct Records {
    database: Database,
    log: Arc<Log>,
    courier: Arc<Courier>,
    cache: Arc<dyn Cache>,
    clock: Clock,
    runtime: Handle,
    proven: quick_cache::sync::Cache<String, Arc<Record>>,
    absent: quick_cache::sync::Cache<String, Timestamp>,
    flights: Flights<Looked>,
}

impl Records {
    pub(super) fn new(
        database: Database,
        log: Arc<Log>,
        courier: Arc<Courier>,
        cache: Arc<dyn Cache>,
        clock: Clock,
        runtime: Handle,
    ) -> Self {
        Self {
            database,
            log,
            courier,
            cache,
            clock,
            flights: Flights::new(runtime.clone()),
            runtime,
            proven: quick_cache::sync::Cache::new(REMEMBERED),
            absent: quick_cache::sync::Cache::new(ABSENT),
        }
    }

    /// Looks a record up by its path (`lookup/PATH@VERSION`) and proves it.
    pub(super) async fn look(self: &Arc<Self>, path: &str) -> Looked {
        if let Some(record) = self.proven.get(path) {
            return Looked::Proven(record);
        }
        if self.absent.get(path).is_some_and(|since| (self.clock)().duration_since(since) < ABSENCE_HOLDS) {
            return Looked::Failed(ChecksumError::NotFound);
        }
        let work = || {
            let (records, path) = (self.clone(), path.to_owned());
            async move { records.find(&path).await }
        };
        let crashed = || Looked::Failed(self.unavailable("the lookup was broken off"));
        self.flights.join(path, work).await.unwrap_or_else(crashed)
    }

    /// The answer to a lookup whose record is kept, under the accepted head. Blocking, one small file.
    pub(super) fn held(&self, path: &str) -> Option<Bytes> {
        let head = self.log.head();
        let record = match self.proven.get(path) {
            Some(record) => record,
            None => Arc::new(lookup::parse(&self.on_disk(path)?)?.0),
        };
        // Only if `latest` was lost or put back can a kept record be beyond it.
        (record.id < head.size).then(|| record.under(&head))
    }

    async fn find(self: Arc<Self>, path: &str) -> Looked {
        let known = (self.clone(), path.to_owned());
        let kept = self.runtime.spawn_blocking(move || known.0.on_disk(&known.1)).await;
        if let Some(answer) = kept.ok().flatten() {
            match self.check(&answer).await {
                Looked::Proven(record) => return self.remember(path, record),
                Looked::Unproven(answer, error) => return Looked::Unproven(answer, error),
                Looked::Failed(error) => {
                    tracing::warn!(file = path, %error, "kept checksum record is not sound, fetching it anew");
                }
            }
        }
        let answer = match self.courier.fetch(path).await {
            Ok(answer) => answer,
            Err(WireError::NotFound) => {
                self.absent.insert(path.to_owned(), (self.clock)());
                return Looked::Failed(ChecksumError::NotFound);
            }
            Err(error) => return Looked::Failed(self.unavailable(format!("`{path}`: {error}"))),
        };
        match self.check(&answer).await {
            Looked::Proven(record) => {
                self.keep(path, answer).await;
                self.remember(path, record)
            }
            other => other,
        }
    }

    /// Verifies an answer: signature, head, record, in the order in which each makes the next worth looking at.
    async fn check(&self, answer: &Bytes) -> Looked {
        let Some((record, note)) = lookup::parse(answer) else {
            return Looked::Failed(self.unavailable("the answer is none to a lookup"));
        };
        let proven = async {
            self.log.admit(open_head(&self.database, &note)?).await?;
            self.log.prove(&record).await
        };
        match proven.await {
            Ok(()) => Looked::Proven(Arc::new(record)),
            Err(error @ ChecksumError::Unavailable(_)) => Looked::Unproven(answer.clone(), error),
            Err(error) => Looked::Failed(error),
        }
    }

    fn remember(&self, path: &str, record: Arc<Record>) -> Looked {
        self.proven.insert(path.to_owned(), record.clone());
        Looked::Proven(record)
    }

    fn on_disk(&self, path: &str) -> Option<Bytes> {
        let key = self.key(path);
        self.cache.read(&key).unwrap_or_else(|error| {
            tracing::warn!(file = key, %error, "checksum record cannot be read");
            None
        })
    }

    /// The tiles of the proof are already kept, and so is the head: a crash between them leaves a record unkept, never
    /// one that is kept without its proof.
    fn keep(&self, path: &str, answer: Bytes) -> impl Future<Output = ()> {
        let (cache, key) = (self.cache.clone(), self.key(path));
        let write = self.runtime.spawn_blocking(move || {
            if let Err(error) = cache.write(&key, &answer) {
                tracing::warn!(file = key, %error, "checksum record cannot be kept");
            }
        });
        async move { drop(write.await) }
    }

    fn key(&self, path: &str) -> String {
        format!("{}/{path}", self.database.name().0)
    }

    fn unavailable(&self, reason: impl Into<Arc<str>>) -> ChecksumError {
        ChecksumError::unavailable(self.database.name(), reason)
    }
}

/// Opens a head: what is no note at all is an outage (an error page, a cut answer), what is a note and not the database's
/// is misbehaviour.
pub(super) fn open_head(database: &Database, note: &Bytes) -> Result<TreeHead, ChecksumError> {
    TreeHead::open(database, note).map_err(|error| match error {
        HeadError::Malformed => ChecksumError::unavailable(database.name(), error.to_string()),
        HeadError::Signature(_) | HeadError::NoTree => {
            let note = String::from_utf8_lossy(note);
            ChecksumError::misbehaving(database.name(), format!("{error}:\n{note}"))
        }
    })
}
