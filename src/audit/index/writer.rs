//! Feeding: batch by batch from the journal into the file.

use super::{
    super::{
        AuditError,
        lock::WriterLock,
        segment::{name, numbers},
    },
    Backlog, IndexError,
    batch::Batch,
    database,
    mark::{Look, Mark},
    rows::{Numbers, generation, mark_of, marks, number_terms, write_mark, write_postings, write_stretch},
};
use rusqlite::{Connection, TransactionBehavior};
use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The most lines that are indexed at once: SQLite costs a third of what it costs in batches of a hundred.
pub const BATCH: usize = 10_000;
/// So many terms are remembered with their numbers.
const REMEMBERED: usize = 100_000;

/// An index that is fed. A process that is killed leaves it as it was after the last step.
pub struct Index {
    dir: PathBuf,
    path: PathBuf,
    inode: u64,
    connection: Connection,
    /// Numbers of terms, as of `generation`.
    terms: Numbers,
    generation: i64,
    /// The segment that is being read, whose indexed bytes were compared with the file. It is held open so that no other
    /// file can get its inode.
    reading: Option<(u64, File)>,
    lock: Option<WriterLock>,
}

/// What a step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing: all whole lines are indexed.
    Level,
    /// So many records were indexed; `more` follow at once.
    Indexed {
        /// Records.
        records: u64,
        /// Whether there is more to be indexed.
        more: bool,
    },
    /// A segment is forgotten, because it is gone or is not the one that was indexed; it is read again if it is there.
    Forgotten {
        /// The segment's file name.
        segment: String,
        /// Why.
        reason: &'static str,
    },
    /// Another process has indexed the same lines meanwhile.
    Overtaken,
}

impl Index {
    /// Opens the index of the journal in `dir` for the one who keeps it; makes it if there is none, and anew if it cannot be
    /// used. The second value says why that was.
    ///
    /// # Errors
    /// [`IndexError::Held`] if another process keeps it, and when it cannot be opened or made.
    pub fn open(dir: &Path) -> Result<(Self, Option<IndexError>), IndexError> {
        let lock = take_lock(dir)?;
        let path = database::path(dir);
        let opened = database::open_to_feed(&path).and_then(|connection| Self::over(dir, connection, None));
        let (mut index, replaced) = match opened {
            Ok(index) => (index, None),
            Err(error) if error.is_damage() => {
                database::remove(&path)?;
                (Self::over(dir, database::open_to_feed(&path)?, None)?, Some(error))
            }
            Err(error) => return Err(error),
        };
        index.lock = Some(lock);
        Ok((index, replaced))
    }

    /// Makes it anew, whatever is there. If another process keeps it, it is emptied instead and both feed it.
    ///
    /// # Errors
    /// When it cannot be made or emptied.
    pub fn anew(dir: &Path) -> Result<Self, IndexError> {
        let path = database::path(dir);
        match take_lock(dir) {
            Ok(lock) => {
                database::remove(&path)?;
                Self::over(dir, database::open_to_feed(&path)?, Some(lock))
            }
            Err(IndexError::Held(_)) => {
                let mut index = Self::over(dir, database::open_to_feed(&path)?, None)?;
                index.empty()?;
                Ok(index)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the file still has its name: somebody may have removed it, which is allowed.
    pub fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode)
    }

    fn over(dir: &Path, connection: Connection, lock: Option<WriterLock>) -> Result<Self, IndexError> {
        let path = database::path(dir);
        let generation = generation(&connection).map_err(IndexError::database(&path))?;
        let inode = std::fs::metadata(&path).map_err(AuditError::file("read", &path))?.ino();
        let terms = Numbers::default();
        Ok(Self { dir: dir.into(), path, inode, connection, terms, generation, reading: None, lock })
    }

    /// Whether this process keeps it.
    pub fn is_kept(&self) -> bool {
        self.lock.is_some()
    }

    /// Does the next piece of work: at most `limit` lines, or one segment forgotten.
    ///
    /// # Errors
    /// When the journal cannot be read or the file not be written; the index is then as it was before.
    pub fn step(&mut self, limit: usize) -> Result<Step, IndexError> {
        let marks = self.marks()?;
        let numbers = numbers(&self.dir).map_err(AuditError::file("list", &self.dir))?;
        if let Some(gone) = marks.keys().find(|number| numbers.binary_search(number).is_err()) {
            return self.forget(*gone, "it is gone");
        }
        if let Some(number) = self.left_behind(&numbers)
            && !self.fits(number, &marks)?
        {
            return self.forget(number, "it was changed while it was indexed");
        }
        for number in &numbers {
            let path = self.segment_path(*number);
            let metadata = std::fs::metadata(&path).map_err(AuditError::file("read", &path))?;
            let mark = marks.get(number).copied().unwrap_or_default();
            if !mark.is_level_with(Look::of(&metadata)) {
                return self.go_on(*number, &mark, &metadata, &marks, limit, numbers.last() != Some(number));
            }
        }
        Ok(Step::Level)
    }

    fn go_on(
        &mut self,
        number: u64,
        mark: &Mark,
        metadata: &Metadata,
        marks: &BTreeMap<u64, Mark>,
        limit: usize,
        others_follow: bool,
    ) -> Result<Step, IndexError> {
        if !self.is_reading(number, metadata) {
            if !self.fits(number, marks)? {
                return self.forget(number, "it is not the file that was indexed");
            }
            let path = self.segment_path(number);
            self.reading = Some((number, File::open(&path).map_err(AuditError::file("open", path))?));
        }
        if metadata.len() < mark.bytes {
            return self.forget(number, "it was cut");
        }
        let path = self.segment_path(number);
        let batch = match Batch::read(number, &path, *mark, limit) {
            Ok(batch) => batch,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return self.forget(number, "it was cut"),
            Err(error) => return Err(AuditError::file("read", &path)(error).into()),
        };
        if !self.commit(&batch)? {
            return Ok(Step::Overtaken);
        }
        Ok(Step::Indexed { records: batch.records(), more: batch.to.look.is_none() || others_follow })
    }

    fn is_reading(&self, number: u64, metadata: &Metadata) -> bool {
        let of = |(segment, file): &(u64, File)| *segment == number && same_file(file, metadata);
        self.reading.as_ref().is_some_and(of)
    }

    /// A segment that was read and is no longer the last one is compared once more: from now on only its length and time of
    /// change are looked at.
    fn left_behind(&mut self, numbers: &[u64]) -> Option<u64> {
        let number = self.reading.as_ref().map(|(number, _)| *number)?;
        if numbers.last() == Some(&number) {
            return None;
        }
        self.reading = None;
        Some(number)
    }

    fn fits(&self, number: u64, marks: &BTreeMap<u64, Mark>) -> Result<bool, IndexError> {
        let Some(mark) = marks.get(&number).filter(|mark| mark.bytes > 0) else {
            return Ok(true);
        };
        let path = self.segment_path(number);
        // The look is left out: it is what is in question.
        let mark = Mark { look: None, ..*mark };
        let fits = File::open(&path).and_then(|file| mark.fits(&file));
        Ok(fits.map_err(AuditError::file("read", &path))?)
    }

    /// How far it is behind.
    ///
    /// # Errors
    /// When the journal cannot be listed or the file not be read.
    pub fn backlog(&self) -> Result<Backlog, IndexError> {
        Ok(Backlog::of(&self.dir, &self.marks()?)?)
    }

    /// The bytes of the journal that are indexed, and the records in them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn extent(&self) -> Result<(u64, u64), IndexError> {
        let sum = |(bytes, records), mark: &Mark| (bytes + mark.bytes, records + mark.records);
        Ok(self.marks()?.values().fold((0, 0), sum))
    }

    fn marks(&self) -> Result<BTreeMap<u64, Mark>, IndexError> {
        marks(&self.connection).map_err(IndexError::database(&self.path))
    }

    fn segment_path(&self, number: u64) -> PathBuf {
        self.dir.join(name(number))
    }

    /// False: the cursor is not where the batch began.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<bool, IndexError> {
        let committed = self.try_commit(batch).map_err(IndexError::database(&self.path));
        if !matches!(committed, Ok(true)) {
            // Numbers that were given in a transaction that did not stay.
            self.terms.clear();
        }
        committed
    }

    // A crash before the commit leaves the cursor and no row of the batch, a crash after it both.
    fn try_commit(&mut self, batch: &Batch) -> rusqlite::Result<bool> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let generation = generation(&transaction)?;
        if generation != self.generation || self.terms.len() > REMEMBERED {
            self.terms.clear();
            self.generation = generation;
        }
        let stored = mark_of(&transaction, batch.segment)?.unwrap_or_default();
        if (stored.bytes, stored.checksum) != (batch.from.bytes, batch.from.checksum) {
            return Ok(false);
        }
        let numbers = number_terms(&transaction, &mut self.terms, &batch.texts)?;
        write_postings(&transaction, batch, &numbers)?;
        if batch.to.bytes > batch.from.bytes {
            write_stretch(&transaction, batch)?;
        }
        write_mark(&transaction, batch.segment, &batch.to)?;
        transaction.commit()?;
        Ok(true)
    }

    fn forget(&mut self, number: u64, reason: &'static str) -> Result<Step, IndexError> {
        self.reading = None;
        self.try_forget(number).map_err(IndexError::database(&self.path))?;
        Ok(Step::Forgotten { segment: name(number), reason })
    }

    fn try_forget(&mut self, number: u64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = number.cast_signed();
        transaction.execute("DELETE FROM posting WHERE segment = ?1", [number])?;
        transaction.execute("DELETE FROM stretch WHERE segment = ?1", [number])?;
        transaction.execute("DELETE FROM segment WHERE number = ?1", [number])?;
        transaction.execute("UPDATE state SET generation = generation + 1", ())?;
        transaction.commit()
    }

    fn empty(&mut self) -> Result<(), IndexError> {
        self.reading = None;
        let emptied = self.connection.execute_batch(
            "BEGIN IMMEDIATE; DELETE FROM posting; DELETE FROM stretch; DELETE FROM segment; DELETE FROM term;
             UPDATE state SET generation = generation + 1, terms = 0; COMMIT;",
        );
        emptied.map_err(IndexError::database(&self.path))
    }
}

fn same_file(file: &File, metadata: &Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
}

fn take_lock(dir: &Path) -> Result<WriterLock, IndexError> {
    WriterLock::take_file(dir, "index.lock").map_err(|error| match error {
        AuditError::Locked { holder, .. } => IndexError::Held(holder),
        error => error.into(),
    })
}
