//! Taking an entry out of service without destroying the evidence.
//!
//! `ROOT/.aside/N/` gets four files: `key`, `reason`, `body`, `meta`. N counts up.

use super::{
    Shelf, ShelfError, Stamp,
    read::present,
    root::{ASIDE, make_directories},
};
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::atomic::Ordering,
};

/// What becomes of the side record of an entry that is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It stays: the bytes are known, and only they may take the key again (a changed byte on disk).
    Keep,
    /// It goes too: the bytes should never have had the key (not what the checksum database has).
    Move,
}

impl Shelf {
    /// Takes an entry out of service. With `only`, nothing happens unless the body is still that very file: two readers
    /// that find the same damage must not set aside what was fetched anew in between. True when something was moved.
    pub fn set_aside(&self, key: &str, reason: &str, only: Option<&Stamp>, record: Record) -> Result<bool, ShelfError> {
        let body = self.root.body(key)?;
        let _key = self.root.lock_key(key);
        let there = present(File::open(&body).and_then(|file| Stamp::of(&file)));
        let there = there.map_err(ShelfError::io(format!("open `{key}`")))?;
        match (there, only) {
            (Some(there), Some(only)) if there != *only => Ok(false),
            (None, Some(_)) => Ok(false),
            _ => self.set_aside_locked(key, reason, record),
        }
    }

    /// As [`Shelf::set_aside`], by the holder of the key's lock.
    pub(super) fn set_aside_locked(&self, key: &str, reason: &str, record: Record) -> Result<bool, ShelfError> {
        let (body, meta) = (self.root.body(key)?, self.root.meta(key)?);
        let number = self.root.next_aside.fetch_add(1, Ordering::Relaxed);
        let incident = self.root.directory(ASIDE).join(number.to_string());
        let moved = (|| {
            make_directories(&incident)?;
            fs::write(incident.join("key"), key)?;
            fs::write(incident.join("reason"), reason)?;
            // The record first. Crash after it, when it moves: the body is a stranger, to be verified before it is
            // served. The other way round the record of bad bytes would keep the right ones out.
            let record = match record {
                Record::Keep => present(fs::copy(&meta, incident.join("meta")).map(|_| ())),
                Record::Move => present(fs::rename(&meta, incident.join("meta"))),
            }?;
            Ok(record.is_some() | move_body(&body, &incident)?)
        })();
        let moved = moved.map_err(ShelfError::io(format!("set `{key}` aside")))?;
        let parents = [body.parent(), meta.parent()].into_iter().flatten().map(Path::to_owned);
        drop(self.root.syncs.mark(parents));
        Ok(moved)
    }

    /// Removes an entry that may change and no longer exists at its source.
    pub fn forget(&self, key: &str) -> Result<(), ShelfError> {
        let (body, meta) = (self.root.body(key)?, self.root.meta(key)?);
        let _key = self.root.lock_key(key);
        // Crash between: a stranger, which is ignored for what may change.
        let removed = present(fs::remove_file(meta)).and_then(|_| present(fs::remove_file(body)));
        removed.map(|_| ()).map_err(ShelfError::io(format!("remove `{key}`")))
    }
}

/// Moves the body; where the disk is so full that not even that works, removes it: it must not be served.
fn move_body(body: &Path, incident: &Path) -> io::Result<bool> {
    match present(fs::rename(body, incident.join("body"))) {
        Ok(moved) => Ok(moved.is_some()),
        Err(_) => present(fs::remove_file(body)).map(|removed| removed.is_some()),
    }
}
