//! Where a zip is written while it arrives.
//!
//! On the shelf's staging directory. When that has no room (or fails), what has come so far moves into memory and the
//! rest follows it; what is larger than [`StoreSettings::spool_memory`](super::StoreSettings::spool_memory), or finds
//! the memory for this used up, goes to a nameless file in the system's temporary directory. Such a zip is checked and
//! served like any other, but not kept.

use super::{StoreError, zip::finish};
use crate::shelf::{Shelf, ShelfError, Staged};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// All zips in memory together may take this many times what one may.
const TOGETHER: u64 = 4;

/// Memory in use by zips that the disk had no room for.
#[derive(Debug, Default)]
pub(super) struct SpoolMemory(AtomicU64);

/// A zip that is arriving: its file, and the hash of what has come.
pub(super) struct Spool {
    place: Place,
    hash: Context,
    written: u64,
    limit: u64,
    memory: Arc<SpoolMemory>,
}

/// Where the bytes are; and, off the shelf, why they are not there.
enum Place {
    Shelf(Staged),
    Memory(Arc<File>, Lease, ShelfError),
    Temporary(Arc<File>, ShelfError),
}

impl Spool {
    /// Begins on the shelf; elsewhere if that fails. Blocks, as everything here.
    pub(super) fn begin(shelf: &Shelf, memory: &Arc<SpoolMemory>, limit: u64) -> io::Result<Self> {
        let place = match shelf.stage() {
            Ok(staged) => Place::Shelf(staged),
            Err(error) => elsewhere(memory, limit, error)?,
        };
        let hash = Context::new(&SHA256);
        Ok(Self { place, hash, written: 0, limit, memory: memory.clone() })
    }

    /// The file, to be read with positioned reads up to [`Spool::written`].
    pub(super) fn file(&self) -> &Arc<File> {
        match &self.place {
            Place::Shelf(staged) => staged.file(),
            Place::Memory(file, ..) | Place::Temporary(file, _) => file,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Appends what has arrived.
    pub(super) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.write(chunk)?;
            self.hash.update(chunk);
            self.written += chunk.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, chunk: &Bytes) -> io::Result<()> {
        let moved = match &mut self.place {
            Place::Shelf(staged) => match staged.write(chunk) {
                Ok(()) => return Ok(()),
                Err(error) => elsewhere(&self.memory, self.limit, error)?,
            },
            Place::Memory(file, lease, why) => {
                if lease.grow(chunk.len() as u64) {
                    return (&**file).write_all(chunk);
                }
                Place::Temporary(nameless()?, why.clone())
            }
            Place::Temporary(file, _) => return (&**file).write_all(chunk),
        };
        self.move_to(moved)?;
        self.write(chunk)
    }

    /// Copies what was written so far. Readers are told of the new file with the next release.
    fn move_to(&mut self, mut place: Place) -> io::Result<()> {
        if let Place::Memory(_, lease, why) = &mut place
            && !lease.grow(self.written)
        {
            place = Place::Temporary(nameless()?, why.clone());
        }
        let (Place::Memory(to, ..) | Place::Temporary(to, _)) = &place else { return Ok(()) };
        let mut buffer = vec![0; 256 << 10];
        let mut offset = 0;
        while offset < self.written {
            // A failed write may have left a part of its chunk behind what counts.
            let left = usize::try_from(self.written - offset).unwrap_or(usize::MAX);
            let read = self.file().read_at(&mut buffer, offset)?;
            let piece = buffer.get(..read.min(left)).filter(|piece| !piece.is_empty());
            let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
            (&**to).write_all(piece)?;
            offset += piece.len() as u64;
        }
        self.place = place;
        Ok(())
    }

    /// All has come: the file, its SHA-256, and the staging file where it is one.
    pub(super) fn finish(self) -> Spooled {
        let (file, sha256) = (self.file().clone(), finish(self.hash));
        let (staged, lease) = match self.place {
            Place::Shelf(staged) => (Ok(staged), None),
            Place::Memory(_, lease, why) => (Err(why), Some(lease)),
            Place::Temporary(_, why) => (Err(why), None),
        };
        Spooled { file, sha256, size: self.written, staged, lease }
    }
}

/// A zip that has arrived whole; nothing has been verified.
pub(super) struct Spooled {
    pub(super) file: Arc<File>,
    pub(super) sha256: [u8; 32],
    pub(super) size: u64,
    /// The staging file; or why there is none.
    pub(super) staged: Result<Staged, ShelfError>,
    pub(super) lease: Option<Lease>,
}

/// A share of the memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    memory: Arc<SpoolMemory>,
    taken: u64,
    limit: u64,
}

impl Lease {
    fn grow(&mut self, bytes: u64) -> bool {
        if self.taken + bytes > self.limit {
            return false;
        }
        let all = self.memory.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > self.limit.saturating_mul(TOGETHER) {
            self.memory.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.taken += bytes;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

fn elsewhere(memory: &Arc<SpoolMemory>, limit: u64, why: ShelfError) -> io::Result<Place> {
    match in_memory() {
        Ok(file) => Ok(Place::Memory(Arc::new(file), Lease { memory: memory.clone(), taken: 0, limit }, why)),
        Err(_) => Ok(Place::Temporary(nameless()?, why)),
    }
}

/// A file that lives in memory: it can be read by position while it grows, like any other.
#[cfg(target_os = "linux")]
fn in_memory() -> io::Result<File> {
    let file = rustix::fs::memfd_create("modgate-zip", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file in the system's temporary directory that nobody else can open and that is gone with its last handle.
fn nameless() -> io::Result<Arc<File>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("modgate-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(Arc::new(file))
}

/// Neither place took it.
pub(super) fn no_room(key: String, error: &io::Error) -> StoreError {
    StoreError::NoRoom { key, cause: error.to_string().into() }
}
