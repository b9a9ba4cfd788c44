//! Staging and committing: how an entry comes to be, and what a crash at each step leaves.
//!
//! The steps of a commit, under the key's lock:
//!
//! 1. the body is in a staging file; it is synced. *Crash: a file in `.tmp`, swept at the next open.*
//! 2. the side record is staged and synced. *Crash: two files in `.tmp`.*
//! 3. the side record is renamed into place. *Crash: a record without a body, "known bytes, not held": the bytes were
//!    verified before, so it is right that no others take the key. For an entry that is replaced: the new record
//!    beside the old body, which the record names in `replaces`, so a reader finds the old entry whole.*
//! 4. the body is renamed into place. *Crash of the process: the entry is there. Power cut before the directories are
//!    synced: either rename may be lost; without the record the body is verified anew, without the body see 3.*
//! 5. the directories are synced in the background; then the [`Ticket`] is honoured and the entry counts as stored.
//!
//! The order 3, 4 matters: the other way round a crash would leave a body of which nothing is known.

use super::{
    Meta, Shelf, ShelfError, Stamp, Ticket,
    aside::Record,
    fault::Point,
    key::is_immutable,
    meta,
    root::{Root, make_directories},
};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file that is being written and is not an entry yet. Dropped without a commit it is removed.
#[derive(Debug)]
pub struct Staged {
    root: Shelf,
    file: Arc<File>,
    path: PathBuf,
}

/// What became of a commit.
#[derive(Debug)]
pub struct Committed {
    /// Whether these bytes are the entry now.
    pub outcome: Outcome,
    /// When the entry counts as stored.
    pub ticket: Ticket,
}

/// Whether the committed bytes took the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They did.
    Stored,
    /// The entry was there already and is immutable: it stands, the new bytes are gone.
    Stands,
}

impl Shelf {
    /// A new staging file.
    pub fn stage(&self) -> Result<Staged, ShelfError> {
        self.root.step(Point::Stage)?;
        let (file, path) = self.root.staging_file().map_err(ShelfError::io("create a staging file"))?;
        Ok(Staged { root: self.clone(), file: Arc::new(file), path })
    }

    /// Stores bytes that are in memory: whole or nothing. Replaces the entry unless it is immutable.
    pub fn put(&self, key: &str, bytes: &[u8], meta: Meta) -> Result<Committed, ShelfError> {
        let staged = self.stage()?;
        staged.write(bytes)?;
        staged.commit(key, meta)
    }

    /// Replaces the side record of an entry whose bytes are those of `meta`. False when there is no such entry.
    pub fn amend(&self, key: &str, meta: &Meta) -> Result<bool, ShelfError> {
        let _key = self.root.lock_key(key);
        let same = self.record(key)?.is_some_and(|held| held.sha256 == meta.sha256);
        if same {
            // Crash: the old record or the new one, both about the same bytes.
            stage_record(self, key, meta)?.rename(&self.root.meta(key)?)?;
        }
        Ok(same)
    }

    /// Gives a body that someone else put there its side record, after its bytes were verified. False when the file is
    /// not the one that was verified, or is an entry already.
    pub fn adopt(&self, key: &str, verified: &Stamp, meta: &Meta) -> Result<bool, ShelfError> {
        let _key = self.root.lock_key(key);
        let body = self.root.body(key)?;
        let same = File::open(&body).and_then(|file| Stamp::of(&file)).is_ok_and(|stamp| stamp == *verified);
        if !same || self.record(key)?.is_some() {
            return Ok(false);
        }
        let path = self.root.meta(key)?;
        if let Some(parent) = path.parent() {
            make_directories(parent).map_err(ShelfError::io(format!("create the directory of `{key}`")))?;
        }
        // Crash: the body is still a stranger, and verified again.
        stage_record(self, key, meta)?.rename(&path)?;
        Ok(true)
    }
}

impl Staged {
    /// The file, open for reading and writing; its name goes away with the commit, the file does not.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Appends bytes.
    pub fn write(&self, bytes: &[u8]) -> Result<(), ShelfError> {
        self.root.root.step(Point::Write)?;
        (&*self.file).write_all(bytes).map_err(ShelfError::io("write a staging file"))
    }

    /// Makes the file the body of `key`, with its side record. See the module's text for the order and the crashes.
    pub fn commit(self, key: &str, mut meta: Meta) -> Result<Committed, ShelfError> {
        let shelf = self.root.clone();
        let root: &Root = &shelf.root;
        let (body, record) = (root.body(key)?, root.meta(key)?);
        let size = self.file.metadata().map_err(ShelfError::io(format!("stat `{key}`")))?.len();
        if size != meta.size {
            return Err(ShelfError::Unequal { key: key.into(), size, recorded: meta.size });
        }
        let _key = root.lock_key(key);
        if body.exists() {
            let known = shelf.record(key)?;
            match (is_immutable(key), known) {
                // INVARIANT: an entry that is immutable and whole is never replaced.
                (true, Some(_)) => {
                    return Ok(Committed { outcome: Outcome::Stands, ticket: Ticket::kept() });
                }
                (true, None) => {
                    shelf.set_aside_locked(key, "of unknown origin; verified bytes took its place", Record::Move)?;
                }
                (false, Some(known)) => meta.replaces = replaced(&body, &known),
                (false, None) => {}
            }
        }
        root.step(Point::SyncBody)?;
        self.file.sync_data().map_err(ShelfError::io(format!("sync `{key}`")))?; // step 1
        let staged_record = stage_record(&shelf, key, &meta)?; // step 2
        let mut changed = Vec::new();
        for parent in [body.parent(), record.parent()].into_iter().flatten() {
            let made = make_directories(parent).map_err(ShelfError::io(format!("create the directory of `{key}`")))?;
            changed.extend(made);
            changed.push(parent.to_owned());
        }
        root.step(Point::RenameRecord)?;
        staged_record.rename(&record)?; // step 3
        root.step(Point::RenameBody)?;
        if is_immutable(key) {
            self.rename_new(&body)?
        } else {
            self.rename(&body)?
        } // step 4
        root.step(Point::Renamed)?;
        let ticket = root.syncs.mark(changed); // step 5
        Ok(Committed { outcome: Outcome::Stored, ticket })
    }

    /// Renames over whatever is there.
    fn rename(self, to: &Path) -> Result<(), ShelfError> {
        fs::rename(&self.path, to).map_err(ShelfError::io(format!("rename into `{}`", to.display())))
    }

    /// Renames, never over a file that is there: the kernel checks once more what the key's lock ensures already.
    fn rename_new(self, to: &Path) -> Result<(), ShelfError> {
        match renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            // A file system without the flag.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.rename(to),
            other => other.map_err(ShelfError::io(format!("rename into `{}`", to.display()))),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.root.root.crashed() {
            return;
        }
        // After a rename the name is gone, which is no error; anything else the next open sweeps.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes and syncs a side record in the staging directory.
fn stage_record(shelf: &Shelf, key: &str, meta: &Meta) -> Result<Staged, ShelfError> {
    let staged = shelf.stage()?;
    staged.write(&meta.encode())?;
    shelf.root.step(Point::SyncRecord)?;
    staged.file.sync_data().map_err(ShelfError::io(format!("sync the record of `{key}`")))?;
    Ok(staged)
}

/// The hash of the body that is about to be replaced, if it is what its record says it should be.
fn replaced(body: &Path, known: &Meta) -> Option<[u8; 32]> {
    let sha256 = meta::sha256(&fs::read(body).ok()?);
    (sha256 == known.sha256 || Some(sha256) == known.replaces).then_some(sha256)
}
