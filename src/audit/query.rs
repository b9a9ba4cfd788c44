//! Finding records: a scan of the segments, in bounded memory, while the server may be writing.
//!
//! Segments are taken as they are listed at the beginning, each as far as its last newline when its turn comes. Records that are appended during the scan may or may not be
//! found. Times are not in strict order within a journal (threads race, clocks are set), so a scan never ends early on
//! account of a time.

use super::{
    AuditError, Entry, EntryError, Filter,
    lines::{Backward, Extent, Forward, Line, Lines},
    segment::{name, numbers},
};
use std::{
    fmt,
    io::{self, ErrorKind, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// In which order records are found: that of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// From the first record on.
    OldestFirst,
    /// From the last record back.
    NewestFirst,
}

/// What a scan comes upon.
#[derive(Debug)]
pub enum Finding<'a> {
    /// A record that the filter admits, and its line as it stands in the journal.
    Match(&'a Entry, &'a [u8]),
    /// Something that cannot be read; the scan goes on behind it.
    Flaw(Flaw),
    /// This much of the journal is read now; comes every few hundred kilobytes.
    Progress(Progress),
}

/// How far a scan is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes read.
    pub done: u64,
    /// Bytes that there were when the scan began.
    pub total: u64,
}

/// A place of the journal that cannot be read.
#[derive(Debug)]
pub enum Flaw {
    /// A line is no record.
    Line {
        /// The segment.
        path: PathBuf,
        /// Where it begins, in bytes. [`Flaw`] prints the line's number, and counts lines only then.
        offset: u64,
        /// What is wrong with it.
        reason: EntryError,
    },
    /// A segment is missing between others.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The rest of a segment cannot be read.
    Unreadable {
        /// The segment.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { path, offset, reason } => {
                write!(f, "{}:{}: {reason}", path.display(), line_number(path, *offset))
            }
            Self::Missing { path } => write!(f, "{}: missing, though later segments exist", path.display()),
            Self::Unreadable { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

/// What a scan has read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Records that the filter admitted.
    pub matched: u64,
    /// Records read.
    pub records: u64,
    /// Segments begun.
    pub segments: u64,
    /// Flaws met.
    pub flaws: u64,
}

/// Scans the journal in `dir` and hands over what it comes upon, until the end or until `found` breaks.
///
/// # Errors
///
/// Only if the directory cannot be listed; all else is a [`Flaw`].
pub fn scan(
    dir: &Path,
    filter: &Filter,
    order: Order,
    found: &mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
) -> Result<Summary, AuditError> {
    let numbers = numbers(dir).map_err(AuditError::file("list", dir))?;
    let size = |number: &u64| std::fs::metadata(dir.join(name(*number))).map_or(0, |metadata| metadata.len());
    let mut scan = Scan {
        filter,
        order,
        found,
        progress: Progress { done: 0, total: numbers.iter().map(size).sum() },
        summary: Summary::default(),
    };
    // A break is the caller's wish, not an error.
    let _ = scan.journal(dir, &numbers);
    Ok(scan.summary)
}

/// How many bytes lie between two reports of progress.
const STEP: u64 = 512 << 10;

struct Scan<'a> {
    filter: &'a Filter,
    order: Order,
    found: &'a mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
    progress: Progress,
    summary: Summary,
}

impl Scan<'_> {
    fn journal(&mut self, dir: &Path, numbers: &[u64]) -> ControlFlow<()> {
        let last = numbers.last().copied();
        let mut ordered = numbers.to_vec();
        if self.order == Order::NewestFirst {
            ordered.reverse();
        }
        let mut former = None;
        for number in ordered {
            if let Some(former) = former.replace(number) {
                self.gap(dir, former, number)?;
            }
            self.segment(&dir.join(name(number)), Some(number) == last)?;
        }
        ControlFlow::Continue(())
    }

    /// Reports the first segment that is missing between two neighbours.
    fn gap(&mut self, dir: &Path, a: u64, b: u64) -> ControlFlow<()> {
        let expected = a.min(b) + 1;
        if expected == a.max(b) {
            return ControlFlow::Continue(());
        }
        self.flaw(Flaw::Missing { path: dir.join(name(expected)) })
    }

    fn segment(&mut self, path: &Path, is_last: bool) -> ControlFlow<()> {
        self.summary.segments += 1;
        let Extent { file, end, length } = match Extent::of(path) {
            Ok(extent) => extent,
            // Removed since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.flaw(Flaw::Missing { path: path.into() });
            }
            Err(reason) => {
                return self.flaw(Flaw::Unreadable { path: path.into(), reason });
            }
        };
        // At the end of the last segment the writer is in the middle of a record, or a crash was: no record yet.
        let unfinished = (end < length && !is_last).then(|| Flaw::Line {
            path: path.into(),
            offset: end,
            reason: EntryError::Damaged("the line is not finished".into()),
        });
        match self.order {
            Order::OldestFirst => {
                self.lines(path, Lines::Forward(Forward::new(file, end)))?;
                unfinished.map_or(ControlFlow::Continue(()), |flaw| self.flaw(flaw))
            }
            Order::NewestFirst => {
                unfinished.map_or(ControlFlow::Continue(()), |flaw| self.flaw(flaw))?;
                self.lines(path, Lines::Backward(Backward::new(file, end)))
            }
        }
    }

    fn lines(&mut self, path: &Path, mut lines: Lines) -> ControlFlow<()> {
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return ControlFlow::Continue(()),
                Err(reason) => {
                    return self.flaw(Flaw::Unreadable { path: path.into(), reason });
                }
            };
            let (offset, length) = (line.offset, line.length);
            match parse(&line) {
                Ok(entry) => self.record(&entry, line.bytes)?,
                Err(reason) => self.flaw(Flaw::Line { path: path.into(), offset, reason })?,
            }
            self.passed(length)?;
        }
    }

    fn record(&mut self, entry: &Entry, line: &[u8]) -> ControlFlow<()> {
        self.summary.records += 1;
        if !self.filter.admits(entry) {
            return ControlFlow::Continue(());
        }
        self.summary.matched += 1;
        (self.found)(Finding::Match(entry, line))
    }

    fn flaw(&mut self, flaw: Flaw) -> ControlFlow<()> {
        self.summary.flaws += 1;
        (self.found)(Finding::Flaw(flaw))
    }

    fn passed(&mut self, bytes: u64) -> ControlFlow<()> {
        let before = self.progress.done;
        self.progress.done += bytes;
        if before / STEP == self.progress.done / STEP {
            return ControlFlow::Continue(());
        }
        // The last segment may have grown.
        let done = self.progress.done.min(self.progress.total);
        (self.found)(Finding::Progress(Progress { done, ..self.progress }))
    }
}

fn parse(line: &Line<'_>) -> Result<Entry, EntryError> {
    if line.oversized() {
        return Err(EntryError::Damaged(format!("a line of {} bytes", line.length)));
    }
    if !line.whole {
        return Err(EntryError::Damaged("the file was cut while it was read".into()));
    }
    Entry::parse(line.bytes)
}

/// The number of the line that begins at `offset`, from 1; 0 if the file cannot be read any more.
fn line_number(path: &Path, offset: u64) -> u64 {
    let count = || -> io::Result<u64> {
        let mut before = std::fs::File::open(path)?.take(offset);
        let mut block = vec![0; 64 << 10];
        let mut lines = 1;
        loop {
            match before.read(&mut block)? {
                0 => return Ok(lines),
                read => lines += memchr::memchr_iter(b'\n', block.get(..read).unwrap_or_default()).count() as u64,
            }
        }
    };
    count().unwrap_or(0)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
