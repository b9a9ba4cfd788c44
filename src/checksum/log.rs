//! One database's log: the newest head that was accepted, and what is proved under it.
//!
//! Heads come with lookups, in any order. A smaller one must be a prefix of the accepted one; a larger one must have the
//! accepted one as its prefix, and takes its place. Two heads of which neither is a prefix of the other are a fork: the
//! database shows different logs to different people, which is what all of this is there to find out.
//!
//! Heads are compared without a lock, for that may need the network; only taking the place of the accepted one is done
//! in turn, and whoever finds it taken compares again.
//!
//! INVARIANT: the accepted head is replaced only by one of which it was proved to be a prefix, on disk before in memory;
//! and only tiles that belong to the tree of an accepted head are kept.
//!
//! Because every record is proved under the accepted head, and every step from one accepted head to the next reads the
//! tiles at the right edge of the old tree as they are in the new one, the tiles that are kept prove every record
//! that is kept under the head that is accepted *now*. That is why clients are answered with that head, and can check
//! the answer while no database is in reach (docs/adr/0007).

use super::{
    cache::Cache,
    database::Database,
    error::ChecksumError,
    head::TreeHead,
    lookup::Record,
    proof::{Grove, Node, Plan},
    tile::HashTile,
    tiles::{Origin, TileError, Tiles, Unproved},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::{io, sync::Arc};
use tlog_tiles::{EMPTY_HASH, record_hash};
use tokio::{runtime::Handle, sync::Mutex};

/// The log of one database.
pub(super) struct Log {
    database: Database,
    tiles: Arc<Tiles>,
    cache: Arc<dyn Cache>,
    runtime: Handle,
    accepted: ArcSwap<TreeHead>,
    /// Held while the accepted head is replaced.
    turn: Mutex<()>,
}

/// Proved tiles, and those of them that are to be kept if the head is accepted.
struct Proved {
    grove: Grove,
    fetched: Vec<(HashTile, Bytes)>,
}

/// Why tiles prove nothing.
enum Unproven {
    Unreadable(TileError),
    /// They were fetched anew and still contradict the head.
    Contradiction(String),
}

impl Log {
    /// Opens the log at the head that was accepted last. A kept head that the key did not sign is an error: starting
    /// over would accept any fork.
    pub(super) fn open(
        database: Database,
        tiles: Arc<Tiles>,
        cache: Arc<dyn Cache>,
        runtime: Handle,
    ) -> io::Result<Self> {
        let accepted = kept_head(&database, &*cache)?;
        Ok(Self { database, tiles, cache, runtime, accepted: ArcSwap::from_pointee(accepted), turn: Mutex::new(()) })
    }

    /// The accepted head.
    pub(super) fn head(&self) -> Arc<TreeHead> {
        self.accepted.load_full()
    }

    /// Compares a signed head with the accepted one, and accepts it if it is a newer state of the same log.
    pub(super) async fn admit(&self, offered: TreeHead) -> Result<(), ChecksumError> {
        loop {
            let accepted = self.head();
            if offered.size <= accepted.size {
                return self.prefix(&offered, &accepted).await;
            }
            self.prefix(&accepted, &offered).await?;
            if self.replace(&accepted, &offered).await {
                return Ok(());
            }
        }
    }

    /// Proves that a record is in the accepted tree.
    pub(super) async fn prove(&self, record: &Record) -> Result<(), ChecksumError> {
        let head = self.head();
        let leaf = Node::leaf(record.id);
        let Some(plan) = Plan::new(head.size, [leaf]) else {
            return Err(self.misbehaving(format!("record {} is beyond its head:\n{}", record.id, quote(&head))));
        };
        let proved = self.proved(plan, &head).await.map_err(|why| self.refused(why, &head))?;
        if proved.grove.hash(leaf) != Some(record_hash(&record.text)) {
            let text = String::from_utf8_lossy(&record.text).into_owned();
            return Err(self.misbehaving(format!("record {} is not in the log:\n{text}{}", record.id, quote(&head))));
        }
        self.tiles.keep(proved.fetched).await;
        Ok(())
    }

    /// A tile, proved to be of the accepted tree; `None` if that cannot be said: it is (yet) beyond that tree, or the
    /// tiles around it are out of reach.
    pub(super) async fn tile(&self, tile: HashTile) -> Result<Option<Bytes>, ChecksumError> {
        let head = self.head();
        let place = tile.widened(head.size).and_then(|wide| Some((wide, Node::in_tile(&wide)?)));
        let Some((wide, node)) = place else { return Ok(None) };
        let Some(plan) = Plan::new(head.size, [node]) else { return Ok(None) };
        let Proved { grove, mut fetched } = match self.proved(plan, &head).await {
            Ok(proved) => proved,
            Err(Unproven::Unreadable(_)) => return Ok(None),
            Err(why) => return Err(self.refused(why, &head)),
        };
        let bytes = grove.tile(&wide).and_then(|bytes| tile.narrowed(&wide, bytes));
        if let Some(bytes) = &bytes
            && tile != wide
        {
            fetched.push((tile, bytes.clone()));
        }
        self.tiles.keep(fetched).await;
        Ok(bytes)
    }

    /// Proves that `older` is an earlier state of `newer`.
    async fn prefix(&self, older: &TreeHead, newer: &TreeHead) -> Result<(), ChecksumError> {
        let fork = |what: &str| self.misbehaving(format!("{what}\nold:\n{}\nnew:\n{}", quote(older), quote(newer)));
        let (then, fetched) = match Plan::for_prefix(newer.size, older.size) {
            _ if older.size == newer.size => (Some(newer.hash), Vec::new()),
            _ if older.size == 0 => (Some(EMPTY_HASH), Vec::new()),
            None => (None, Vec::new()),
            Some(plan) => match self.proved(plan, newer).await {
                Ok(proved) => (proved.grove.prefix(older.size), proved.fetched),
                Err(Unproven::Contradiction(what)) => return Err(fork(&what)),
                Err(why) => return Err(self.refused(why, newer)),
            },
        };
        match then {
            Some(hash) if hash == older.hash => {
                self.tiles.keep(fetched).await;
                Ok(())
            }
            Some(hash) => Err(fork(&format!("the log was forked: the new tree has {hash} at size {}", older.size))),
            None => Err(fork("the log was forked")),
        }
    }

    /// Reads and authenticates the tiles of a plan. Kept tiles that contradict the head are in doubt themselves (a
    /// bad disk, an older fork), so then all are fetched anew once.
    async fn proved(&self, plan: Plan, head: &TreeHead) -> Result<Proved, Unproven> {
        let mut contradiction = String::new();
        for origin in [Origin::Kept, Origin::Database] {
            let Unproved { all, fetched } =
                self.tiles.read(plan.tiles(), origin).await.map_err(Unproven::Unreadable)?;
            let only_fetched = fetched.len() == all.len();
            match plan.authenticate(head.hash, all) {
                Ok(grove) => return Ok(Proved { grove, fetched }),
                Err(error) => contradiction = error.to_string(),
            }
            if only_fetched {
                break;
            }
            tracing::warn!(database = %self.database.name().0, "kept checksum tiles do not fit, fetching them anew");
        }
        Err(Unproven::Contradiction(contradiction))
    }

    /// Puts a proved head in the place of the accepted one, unless another has taken it meanwhile.
    async fn replace(&self, accepted: &Arc<TreeHead>, by: &TreeHead) -> bool {
        let _turn = self.turn.lock().await;
        if !Arc::ptr_eq(&self.head(), accepted) {
            return false;
        }
        let (cache, key, note) = (self.cache.clone(), head_key(&self.database), by.note.clone());
        let written = self.runtime.spawn_blocking(move || cache.write_durably(&key, &note)).await;
        // A crash here: the disk is ahead of memory, with a head that is proved all the same.
        if let Err(error) = written.unwrap_or_else(|crashed| Err(io::Error::other(crashed))) {
            // A full disk does not stop verifying: this process knows the head, and the next one an earlier state of it.
            tracing::warn!(database = %self.database.name().0, %error, "newest checksum tree head cannot be kept");
        }
        self.accepted.store(Arc::new(by.clone()));
        true
    }

    fn refused(&self, why: Unproven, head: &TreeHead) -> ChecksumError {
        match why {
            Unproven::Unreadable(error) => ChecksumError::unavailable(self.database.name(), error.to_string()),
            Unproven::Contradiction(what) => self.misbehaving(format!("{what}:\n{}", quote(head))),
        }
    }

    fn misbehaving(&self, reason: String) -> ChecksumError {
        ChecksumError::misbehaving(self.database.name(), reason)
    }
}

/// The head that was accepted last; the empty one if there is none yet.
pub(super) fn kept_head(database: &Database, cache: &dyn Cache) -> io::Result<TreeHead> {
    match cache.read(&head_key(database))? {
        None => Ok(TreeHead::empty()),
        Some(note) => TreeHead::open(database, &note)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
    }
}

fn head_key(database: &Database) -> String {
    format!("{}/latest", database.name().0)
}

/// The note of a head: who reports a fork needs both, for they are signed.
fn quote(head: &TreeHead) -> String {
    String::from_utf8_lossy(&head.note).into_owned()
}
