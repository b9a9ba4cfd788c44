//! The configured databases: what the rest of modgate asks.

use super::{
    cache::{Cache, Directory},
    courier::Courier,
    database::Database,
    error::ChecksumError,
    flight::Flights,
    log::{Log, kept_head},
    lookup,
    records::{Looked, Records, open_head},
    sums::Sums,
    tile::HashTile,
    tiles::Tiles,
    wire::{Wire, WireError},
};
use crate::{
    goproxy::{DatabaseName, SumdbAsk},
    module::{H1, ModulePath, Version},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::runtime::Handle;

/// Tells the time; tests turn it themselves.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// For how long `/latest` is answered from memory. The `go` command never asks for it, witnesses do.
const LATEST_HOLDS: SignedDuration = SignedDuration::from_secs(60);

/// The configured checksum databases, in order.
pub struct Databases {
    names: Vec<DatabaseName>,
    desks: Vec<Arc<Desk>>,
}

/// A version's hashes, as a database recorded them for everybody and for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vouched {
    /// Which database.
    pub database: DatabaseName,
    /// The hash of the module zip.
    pub zip: H1,
    /// The hash of the go.mod.
    pub gomod: H1,
}

/// Why the databases could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Two of them have the same name.
    #[error("checksum database `{}` is configured twice", .0.0)]
    Twice(DatabaseName),
    /// The head that was accepted last cannot be read or is not the database's.
    #[error(
        "`{}/latest`: {error} (if the database's key was changed on purpose, remove the directory of the database; \
         never remove `latest` alone)",
        .name.0
    )]
    Head {
        /// The database.
        name: DatabaseName,
        /// What is wrong.
        error: io::Error,
    },
}

/// One database.
struct Desk {
    database: Database,
    log: Arc<Log>,
    records: Arc<Records>,
    tiles: Arc<Tiles>,
    courier: Arc<Courier>,
    clock: Clock,
    latest: Mutex<Option<(Bytes, Timestamp)>>,
    flights: Flights<Result<Bytes, ChecksumError>>,
}

impl Databases {
    /// Opens the databases over what is kept of them; asks nobody. Fetching and proving run on `runtime`, whoever asks.
    pub fn open(
        databases: Vec<Database>,
        cache: Arc<dyn Cache>,
        wire: Arc<dyn Wire>,
        clock: Clock,
        runtime: Handle,
    ) -> Result<Self, OpenError> {
        let mut opened = Self { names: Vec::new(), desks: Vec::new() };
        for database in databases {
            let name = database.name().clone();
            if opened.names.contains(&name) {
                return Err(OpenError::Twice(name));
            }
            let desk = Desk::open(database, &cache, &wire, &clock, &runtime);
            let desk = desk.map_err(|error| OpenError::Head { name: name.clone(), error })?;
            opened.names.push(name);
            opened.desks.push(Arc::new(desk));
        }
        Ok(opened)
    }

    /// What [`Databases::open`] would find wrong with what is kept under `root`. Changes nothing.
    pub fn examine(databases: &[Database], root: &Path) -> Vec<OpenError> {
        let kept = Directory::look(root);
        let head = |database: &Database| {
            let error = kept_head(database, &kept).err()?;
            Some(OpenError::Head { name: database.name().clone(), error })
        };
        databases.iter().filter_map(head).collect()
    }

    /// The names, in order, for [`Target::parse`](crate::goproxy::Target::parse).
    pub fn names(&self) -> &[DatabaseName] {
        &self.names
    }

    /// Whether there is a database to verify against.
    pub fn verifies(&self) -> bool {
        !self.desks.is_empty()
    }

    /// The hashes of a version, from the first database that knows it: signed, in the log, and the log consistent with
    /// all that was seen of it before.
    ///
    /// The name of the module goes to the databases, so a private module must not come here (the policy says which are).
    ///
    /// # Errors
    /// [`ChecksumError::NotFound`] if every database says so; any other trouble with one of them ends the search, for
    /// the next might say less than the one in trouble would have said.
    pub async fn vouch(&self, path: &ModulePath, version: &Version) -> Result<Vouched, ChecksumError> {
        for desk in &self.desks {
            match desk.vouch(path, version).await {
                Err(ChecksumError::NotFound) => {}
                other => return other,
            }
        }
        Err(ChecksumError::NotFound)
    }

    /// What a client asks for, if it is at hand: from memory or a small file (blocking, 8 KiB at most), else `None`.
    pub fn held(&self, name: &DatabaseName, ask: &SumdbAsk, now: Timestamp) -> Option<Bytes> {
        let desk = self.desk(name)?;
        match ask {
            SumdbAsk::Supported => Some(Bytes::new()),
            SumdbAsk::Latest => desk.fresh_latest(now),
            SumdbAsk::Lookup(path, version) => desk.records.held(&lookup::path(path, version)),
            SumdbAsk::Tile(tile) => desk.tiles.held(&HashTile::parse(tile.as_str())?),
        }
    }

    /// What a client asks for, from the database.
    ///
    /// What can be proved is proved and kept. What cannot, because the rest of the log is out of reach or the client
    /// is ahead of us, is passed on as it came, for the client verifies it itself, and is not kept.
    ///
    /// # Errors
    /// As [`Databases::vouch`]; a database that is caught misbehaving is not passed on.
    pub async fn ask(&self, name: &DatabaseName, ask: &SumdbAsk) -> Result<Bytes, ChecksumError> {
        let Some(desk) = self.desk(name) else {
            return Err(ChecksumError::unavailable(name, "not configured"));
        };
        match ask {
            SumdbAsk::Supported => Ok(Bytes::new()),
            SumdbAsk::Latest => desk.latest().await,
            SumdbAsk::Lookup(path, version) => desk.lookup(&lookup::path(path, version)).await,
            SumdbAsk::Tile(tile) => desk.tile(tile.as_str()).await,
        }
    }

    fn desk(&self, name: &DatabaseName) -> Option<&Arc<Desk>> {
        self.desks.iter().find(|desk| desk.database.name() == name)
    }
}

impl Desk {
    fn open(
        database: Database,
        cache: &Arc<dyn Cache>,
        wire: &Arc<dyn Wire>,
        clock: &Clock,
        runtime: &Handle,
    ) -> io::Result<Self> {
        let courier = Arc::new(Courier::new(database.clone(), wire.clone(), clock.clone(), runtime.clone()));
        let tiles = Tiles::new(database.name().clone(), courier.clone(), cache.clone(), runtime.clone());
        let tiles = Arc::new(tiles);
        let log = Arc::new(Log::open(database.clone(), tiles.clone(), cache.clone(), runtime.clone())?);
        let records =
            Records::new(database.clone(), log.clone(), courier.clone(), cache.clone(), clock.clone(), runtime.clone());
        Ok(Self {
            database,
            log,
            records: Arc::new(records),
            tiles,
            courier,
            clock: clock.clone(),
            latest: Mutex::new(None),
            flights: Flights::new(runtime.clone()),
        })
    }

    async fn vouch(&self, path: &ModulePath, version: &Version) -> Result<Vouched, ChecksumError> {
        let record = match self.records.look(&lookup::path(path, version)).await {
            Looked::Proven(record) => record,
            Looked::Unproven(_, error) | Looked::Failed(error) => return Err(error),
        };
        let sums = Sums::parse(&record.text, path, version);
        // It is in the log for all to see, and still not what a record has to be.
        let sums = sums.map_err(|error| {
            ChecksumError::misbehaving(self.database.name(), format!("record {}: {error}", record.id))
        })?;
        Ok(Vouched { database: self.database.name().clone(), zip: sums.zip, gomod: sums.gomod })
    }

    async fn lookup(&self, path: &str) -> Result<Bytes, ChecksumError> {
        match self.records.look(path).await {
            Looked::Proven(record) => Ok(record.under(&self.log.head())),
            Looked::Unproven(answer, _) => Ok(answer),
            Looked::Failed(error) => Err(error),
        }
    }

    async fn tile(&self, path: &str) -> Result<Bytes, ChecksumError> {
        // Data tiles are for auditors: passed on, never kept.
        let Some(tile) = HashTile::parse(path) else {
            return self.courier.fetch(path).await.map_err(|error| self.wire_error(path, error));
        };
        match self.log.tile(tile).await? {
            Some(bytes) => Ok(bytes),
            None => self.tiles.fetch(&tile).await.map_err(|error| self.wire_error(path, error.wire())),
        }
    }

    fn fresh_latest(&self, now: Timestamp) -> Option<Bytes> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().filter(|(_, since)| now.duration_since(*since) < LATEST_HOLDS).map(|(note, _)| note.clone())
    }

    async fn latest(self: &Arc<Self>) -> Result<Bytes, ChecksumError> {
        let work = || {
            let desk = self.clone();
            async move { desk.fetch_latest().await }
        };
        let crashed = || Err(ChecksumError::unavailable(self.database.name(), "the fetch was broken off"));
        self.flights.join("latest", work).await.unwrap_or_else(crashed)
    }

    async fn fetch_latest(&self) -> Result<Bytes, ChecksumError> {
        let note = self.courier.fetch("latest").await.map_err(|error| self.wire_error("latest", error))?;
        let head = open_head(&self.database, &note)?;
        match self.log.admit(head).await {
            Ok(()) => {
                let now = (self.clock)();
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((note.clone(), now));
                Ok(note)
            }
            Err(ChecksumError::Unavailable(_)) => Ok(note),
            Err(error) => Err(error),
        }
    }

    fn wire_error(&self, path: &str, error: WireError) -> ChecksumError {
        match error {
            WireError::NotFound => ChecksumError::NotFound,
            error => ChecksumError::unavailable(self.database.name(), format!("`{path}`: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;
