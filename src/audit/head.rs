//! The head of the journal: the segment that is appended to, and what to do when it takes no more.
//!
//! Failures are met in this order. A write that fails is undone, and the next append tries again: when space comes back,
//! so does service. A segment that cannot be trusted any more (the undoing failed, a sync failed, somebody removed or cut
//! the file) is sealed: nothing is appended to it, and the next append begins a new one. Whatever happened is told by an
//! act behind the first record that succeeds, so that an auditor sees from the journal alone when it was down.
//!
//! A write holds the lines of one thread's turn (`group.rs`). The first of them may be kept and the others not; then only
//! the others are refused.

use super::{
    AuditError, Record, Repair,
    repair::mend,
    segment::{Medium, Segment, numbers},
    sync::Due,
};
use crate::durability::sync_directory;
use jiff::Timestamp;
use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

/// Guarded by the appends' lock.
pub(super) struct Head {
    segment: Segment,
    /// Why the segment takes no more; the next append begins another.
    sealed: Option<String>,
    /// A segment is followed by another before it grows beyond this.
    segment_size: u64,
    /// As `segment_size`; later, while no other can be begun.
    full_at: u64,
    /// Former segments that are not synced yet.
    retired: Vec<Arc<dyn Medium>>,
    name_unsynced: bool,
    /// Whether the last sync failed: it seals a segment once, not one segment after the other.
    sync_failing: bool,
    /// Acts to be told behind the next record: name and detail.
    owed: Vec<(&'static str, String)>,
    outage: Option<Outage>,
    pub(super) closed: bool,
}

/// A time without records.
struct Outage {
    since: Timestamp,
    refused: u64,
    cause: String,
}

/// What became of an append.
#[derive(Default)]
pub(super) struct Appended {
    /// What was written, with what was owed.
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// How many of the lines given were kept, counted from the first.
    pub(super) kept: usize,
    /// Why the others were not.
    pub(super) error: Option<AuditError>,
}

/// Encoded records, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) count: usize,
    /// When the last of them was made.
    pub(super) time: Timestamp,
}

impl Head {
    /// Opens the last segment and mends it, or begins the first one.
    pub(super) fn open(dir: &Path, segment_size: u64) -> Result<(Self, Vec<Repair>), AuditError> {
        let last = numbers(dir).map_err(AuditError::file("list", dir))?.pop();
        let (segment, repairs) = match last {
            Some(number) => {
                let mut segment = Segment::open(dir, number)
                    .map_err(AuditError::file("open", dir.join(super::segment::name(number))))?;
                let repairs = mend(dir, &mut segment)?;
                (segment, repairs)
            }
            None => (Segment::create(dir, 1).map_err(AuditError::file("create a segment in", dir))?, Vec::new()),
        };
        let mut head = Self {
            segment,
            sealed: None,
            segment_size,
            full_at: segment_size,
            retired: Vec::new(),
            name_unsynced: false,
            sync_failing: false,
            owed: Vec::new(),
            outage: None,
            closed: false,
        };
        if repairs.iter().any(|repair| matches!(repair, Repair::Damaged { .. })) {
            head.rotate(dir).map_err(AuditError::file("create a segment in", dir))?;
        }
        sync_directory(dir).map_err(AuditError::file("sync", dir))?;
        Ok((head, repairs))
    }

    /// The number of the present segment.
    pub(super) fn number(&self) -> u64 {
        self.segment.number
    }

    /// Appends encoded records, and behind them what is owed.
    pub(super) fn append(&mut self, lines: Lines<'_>, dir: &Path) -> Appended {
        if self.closed {
            return Appended { error: Some(AuditError::Closed), ..Appended::default() };
        }
        if let Err(error) = self.make_room(lines.bytes.len(), dir) {
            self.refused(lines.time, lines.count, &error);
            return Appended { error: Some(error), ..Appended::default() };
        }
        let (bytes, error) = match self.write(lines.bytes) {
            Ok(()) => (lines.bytes, None),
            Err((kept, source)) => (
                lines.bytes.get(..kept).unwrap_or_default(),
                Some(AuditError::Append { path: self.segment.path.clone(), source }),
            ),
        };
        let kept = match error {
            None => lines.count,
            Some(_) => bytes.iter().filter(|byte| **byte == b'\n').count(),
        };
        let mut appended = Appended { bytes: bytes.len() as u64, records: kept as u64, kept, error: None };
        if kept > 0 {
            self.resumed();
        }
        if let Some(error) = error {
            self.refused(lines.time, lines.count - kept, &error);
            appended.error = Some(error);
        } else if !self.owed.is_empty() {
            self.tell(lines.time, &mut appended);
        }
        appended
    }

    /// Writes lines; a segment with a rest that cannot be cut is sealed. The error says how many bytes are kept.
    fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.segment.append(lines).map_err(|fault| {
            if let Some(reason) = fault.unclean {
                self.seal(format!("a failed write could not be undone: {reason}"));
            }
            (fault.kept, fault.cause)
        })
    }

    /// Appends the acts that are owed. What fails stays owed: the record stands already, and the next one tries again.
    fn tell(&mut self, time: Timestamp, appended: &mut Appended) {
        let mut line = Vec::new();
        while let Some((name, detail)) = self.owed.first() {
            line.clear();
            Record::act(time, name, detail.as_bytes()).encode(&mut line);
            if self.sealed.is_some() || self.write(&line).is_err() {
                return;
            }
            self.owed.remove(0);
            appended.bytes += line.len() as u64;
            appended.records += 1;
        }
    }

    /// Closes the present segment for good: the next append begins another.
    pub(super) fn seal(&mut self, reason: String) {
        if self.sealed.is_some() {
            return;
        }
        tracing::error!(segment = %self.segment.path.display(), reason, "a journal segment is sealed");
        let segment = super::segment::name(self.segment.number);
        self.owed.push(("journal.segment_sealed", format!("nothing is appended to {segment} any more: {reason}")));
        self.sealed = Some(reason);
    }

    /// Seals the segment of that number, if it is still the present one.
    pub(super) fn distrust(&mut self, number: u64, reason: &str) {
        if self.segment.number == number {
            self.seal(reason.into());
        }
    }

    /// What there is to sync; it counts as being synced from now on.
    pub(super) fn due(&mut self) -> Due {
        Due {
            current: self.segment.medium.clone(),
            number: self.segment.number,
            length: self.segment.length,
            retired: std::mem::take(&mut self.retired),
            name: std::mem::take(&mut self.name_unsynced),
        }
    }

    /// After a failed fdatasync the kernel may have dropped what it could not write and call the rest clean: syncing again
    /// would prove nothing. The first failure seals; a disk on which every sync fails does not get ever more segments.
    pub(super) fn sync_failed(&mut self, number: u64, error: &io::Error) {
        if !std::mem::replace(&mut self.sync_failing, true) {
            self.distrust(number, &format!("it could not be synced: {error}"));
        }
    }

    /// The disk keeps what it is given.
    pub(super) fn sync_succeeded(&mut self) {
        self.sync_failing = false;
    }

    /// Begins another segment if this one is sealed (or fails) or full (or stays).
    fn make_room(&mut self, bytes: usize, dir: &Path) -> Result<(), AuditError> {
        if let Some(reason) = self.sealed.clone() {
            let path = self.segment.path.clone();
            return self.rotate(dir).map_err(|source| AuditError::Sealed { path, reason, source });
        }
        let length = self.segment.length + bytes as u64;
        if self.segment.length == 0 || length <= self.full_at {
            return Ok(());
        }
        if let Err(error) = self.rotate(dir) {
            // Too long a segment serves better than none.
            tracing::warn!(error = &error as &dyn std::error::Error, "no new journal segment can be begun");
            self.full_at = length + self.segment_size / 16;
        }
        Ok(())
    }

    fn rotate(&mut self, dir: &Path) -> io::Result<()> {
        let next = begin_next(dir, self.segment.number)?;
        let former = std::mem::replace(&mut self.segment, next);
        self.retired.push(former.medium);
        self.name_unsynced = true;
        self.sealed = None;
        self.full_at = self.segment_size;
        Ok(())
    }

    fn refused(&mut self, time: Timestamp, records: usize, error: &AuditError) {
        let cause = match std::error::Error::source(error) {
            Some(source) => source.to_string(),
            None => error.to_string(),
        };
        let outage = self.outage.get_or_insert_with(|| {
            tracing::error!(error = error as &dyn std::error::Error, "the journal takes no records");
            Outage { since: time, refused: 0, cause }
        });
        outage.refused += records as u64;
    }

    fn resumed(&mut self) {
        if let Some(Outage { since, refused, cause }) = self.outage.take() {
            tracing::info!(refused, "the journal takes records again");
            self.owed.push(("journal.resumed", format!("{refused} records could not be kept since {since}: {cause}")));
        }
    }
}

/// The next free number is taken: somebody may have put a file where the next segment belongs.
fn begin_next(dir: &Path, number: u64) -> io::Result<Segment> {
    let mut next = number;
    loop {
        next = next.checked_add(1).ok_or(ErrorKind::StorageFull)?;
        match Segment::create(dir, next) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
}

#[cfg(test)]
impl Head {
    /// Lets the present segment's file fail as a test wants.
    pub(super) fn replace_medium(&mut self, with: impl FnOnce(Arc<dyn Medium>) -> Arc<dyn Medium>) {
        let medium = self.segment.medium.clone();
        self.segment.medium = with(medium);
    }
}
