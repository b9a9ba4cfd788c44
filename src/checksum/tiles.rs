//! The hash tiles of one database: from memory, from disk, or fetched; kept once they are proved.
//!
//! A tile that is not there in its own width may be there complete, here or at the database, which need not keep partial
//! tiles once it has the full ones. Its prefix is the partial tile.

use super::{cache::Cache, courier::Courier, tile::HashTile, wire::WireError};
use crate::goproxy::DatabaseName;
use bytes::Bytes;
use futures_util::future;
use std::{collections::BTreeMap, sync::Arc};
use tokio::runtime::Handle;

/// Tiles in memory: at most 16 MiB for each database.
const REMEMBERED: usize = 2048;

/// Whether what is kept may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// Memory or disk, then the database.
    Kept,
    /// The database only: what is kept is in doubt.
    Database,
}

/// Tiles as read, not proved yet.
#[derive(Debug)]
pub(super) struct Unproved {
    /// All that were asked for, each of its exact length.
    pub(super) all: BTreeMap<HashTile, Bytes>,
    /// Those of them that were fetched and are not kept yet.
    pub(super) fetched: Vec<(HashTile, Bytes)>,
}

/// Why a tile could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{path}`: {error}")]
pub(super) struct TileError {
    path: String,
    error: WireError,
}

/// The tiles of one database.
pub(super) struct Tiles {
    name: DatabaseName,
    courier: Arc<Courier>,
    cache: Arc<dyn Cache>,
    runtime: Handle,
    memory: quick_cache::sync::Cache<HashTile, Bytes>,
}

impl Tiles {
    pub(super) fn new(name: DatabaseName, courier: Arc<Courier>, cache: Arc<dyn Cache>, runtime: Handle) -> Self {
        Self { name, courier, cache, runtime, memory: quick_cache::sync::Cache::new(REMEMBERED) }
    }

    /// Reads tiles, all at once.
    pub(super) async fn read(self: &Arc<Self>, wanted: Vec<HashTile>, from: Origin) -> Result<Unproved, TileError> {
        let mut all = match from {
            Origin::Kept => self.kept(wanted.clone()).await,
            Origin::Database => BTreeMap::new(),
        };
        let missing = wanted.into_iter().filter(|tile| !all.contains_key(tile));
        let fetch = async |tile: HashTile| Ok((tile, self.fetch(&tile).await?));
        let fetched = future::try_join_all(missing.map(fetch)).await?;
        all.extend(fetched.iter().cloned());
        Ok(Unproved { all, fetched })
    }

    /// Those of the tiles that are kept. The disk is read where blocking is allowed.
    async fn kept(self: &Arc<Self>, wanted: Vec<HashTile>) -> BTreeMap<HashTile, Bytes> {
        let remembered = |tile: &HashTile| Some((*tile, self.memory.get(tile)?));
        let mut kept: BTreeMap<_, _> = wanted.iter().filter_map(remembered).collect();
        if kept.len() < wanted.len() {
            let (tiles, missing) = (self.clone(), wanted.into_iter().filter(|tile| !kept.contains_key(tile)));
            let missing: Vec<_> = missing.collect();
            let read = move || missing.into_iter().filter_map(|tile| Some((tile, tiles.held(&tile)?))).collect();
            let read: BTreeMap<_, _> = self.runtime.spawn_blocking(read).await.unwrap_or_default();
            kept.extend(read);
        }
        kept
    }

    /// A proved tile from memory or disk, or from the full tile at its place. Blocking, a file or two of 8 KiB.
    pub(super) fn held(&self, tile: &HashTile) -> Option<Bytes> {
        let exact = || self.memory.get(tile).or_else(|| self.on_disk(tile));
        let wider = || {
            let full = tile.full();
            tile.narrowed(&full, &self.memory.get(&full).or_else(|| self.on_disk(&full))?)
        };
        exact().or_else(wider)
    }

    fn on_disk(&self, tile: &HashTile) -> Option<Bytes> {
        let key = self.key(tile);
        let read = self.cache.read(&key).unwrap_or_else(|error| {
            tracing::warn!(file = key, %error, "checksum tile cannot be read");
            None
        });
        let bytes = read.filter(|bytes| bytes.len() == tile.length())?;
        self.memory.insert(*tile, bytes.clone());
        Some(bytes)
    }

    /// Fetches a tile; its length is right, its content unproved.
    pub(super) async fn fetch(&self, tile: &HashTile) -> Result<Bytes, TileError> {
        let failed = |error| TileError { path: tile.path(), error };
        let full = tile.full();
        match self.courier.fetch(&tile.path()).await {
            Err(WireError::NotFound) if !tile.is_full() => {
                // If not even that is there, the answer about the tile that was asked for stands.
                let bytes = self.courier.fetch(&full.path()).await.map_err(|_| failed(WireError::NotFound))?;
                tile.narrowed(&full, &bytes)
            }
            answer => answer.map(Some).map_err(failed)?.filter(|bytes| bytes.len() == tile.length()),
        }
        .ok_or_else(|| failed(WireError::unavailable("the answer has not the length of the tile")))
    }

    /// Keeps proved tiles. A disk that takes none costs fetching them again, nothing else.
    pub(super) async fn keep(self: &Arc<Self>, proved: Vec<(HashTile, Bytes)>) {
        for (tile, bytes) in &proved {
            self.memory.insert(*tile, bytes.clone());
        }
        if proved.is_empty() {
            return;
        }
        let tiles = self.clone();
        let write = move || {
            for (tile, bytes) in proved {
                let key = tiles.key(&tile);
                if let Err(error) = tiles.cache.write(&key, &bytes) {
                    tracing::warn!(file = key, %error, "checksum tile cannot be kept");
                }
            }
        };
        let _ = self.runtime.spawn_blocking(write).await;
    }

    fn key(&self, tile: &HashTile) -> String {
        format!("{}/{}", self.name.0, tile.path())
    }
}

impl TileError {
    /// What the database said.
    pub(super) fn wire(self) -> WireError {
        self.error
    }
}
