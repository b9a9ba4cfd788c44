//! Finding records: the segments are read, in bounded memory, while the server may be writing, and an index says which
//! lines need not be.
//!
//! Segments are taken as they are listed at the beginning, each as far as its last newline when its turn comes. Records
//! that are appended meanwhile may or may not be found. Times are not in strict order within a journal (threads race,
//! clocks are set), so nothing ends early on account of a time.
//!
//! INVARIANT: [`search`] finds what [`scan`] finds, in the same order, flaws included. The index only says where to read;
//! what it does not cover, or cannot say any more, is read, and the filter judges every line.

use super::{
    AuditError, Entry, EntryError, Filter,
    finding::{Finding, Flaw, Order, Progress, Reach, Summary},
    index::{Guide, Lookup, Piece, Window},
    lines::{Backward, Extent, Forward, Line, Lines},
    segment::{name, numbers},
};
use std::{
    fs::File,
    io::{self, ErrorKind},
    ops::ControlFlow,
    path::Path,
};

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
    Scan::of(dir, filter, order, None, found).map(|scan| scan.summary)
}

/// Finds the same as [`scan`], reading only what the index does not rule out.
///
/// # Errors
///
/// As [`scan`]; what is wrong with the index is in the [`Reach`].
pub fn search(
    dir: &Path,
    index: &Lookup,
    filter: &Filter,
    order: Order,
    found: &mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
) -> Result<(Summary, Reach), AuditError> {
    let guide = match index.guide(filter) {
        Ok(guide) => guide,
        Err(fault) => {
            let summary = scan(dir, filter, order, found)?;
            return Ok((summary, Reach { read: summary.records, fault: Some(fault), ..Reach::default() }));
        }
    };
    if guide.is_useless() {
        let summary = scan(dir, filter, order, found)?;
        return Ok((
            summary,
            Reach { useless: true, read: summary.records, backlog: guide.backlog, ..Reach::default() },
        ));
    }
    let Scan { guide, summary, read, .. } = Scan::of(dir, filter, order, Some(guide), found)?;
    let reach = guide.map(|Guide { backlog, unfit, fault, .. }| Reach { backlog, read, unfit, useless: false, fault });
    Ok((summary, reach.unwrap_or_default()))
}

/// How many bytes lie between two reports of progress.
const STEP: u64 = 512 << 10;

struct Scan<'a> {
    filter: &'a Filter,
    order: Order,
    found: &'a mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
    progress: Progress,
    summary: Summary,
    /// What the index says; none: everything is read.
    guide: Option<Guide<'a>>,
    /// Records that were read one after the other.
    read: u64,
}

/// A segment as it is being read.
struct Reading<'p> {
    path: &'p Path,
    number: u64,
    file: File,
    /// The end of its last whole line.
    end: u64,
}

impl Reading<'_> {
    fn forward(&self, from: u64, end: u64) -> io::Result<Forward> {
        let mut lines = Forward::new(self.file.try_clone()?, end);
        lines.seek(from);
        Ok(lines)
    }

    fn lines(&self, order: Order, from: u64, end: u64) -> io::Result<Lines> {
        Ok(match order {
            Order::OldestFirst => Lines::Forward(self.forward(from, end)?),
            Order::NewestFirst => Lines::Backward(Backward::between(self.file.try_clone()?, from, end)),
        })
    }
}

impl<'a> Scan<'a> {
    /// Goes through the whole journal.
    fn of(
        dir: &Path,
        filter: &'a Filter,
        order: Order,
        guide: Option<Guide<'a>>,
        found: &'a mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
    ) -> Result<Self, AuditError> {
        let numbers = numbers(dir).map_err(AuditError::file("list", dir))?;
        let size = |number: &u64| std::fs::metadata(dir.join(name(*number))).map_or(0, |metadata| metadata.len());
        let progress = Progress { done: 0, total: numbers.iter().map(size).sum() };
        let mut scan = Self { filter, order, found, progress, summary: Summary::default(), guide, read: 0 };
        // A break is the caller's wish, not an error.
        let _ = scan.journal(dir, &numbers);
        Ok(scan)
    }

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
            self.segment(&dir.join(name(number)), number, Some(number) == last)?;
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

    fn segment(&mut self, path: &Path, number: u64, is_last: bool) -> ControlFlow<()> {
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
        let indexed = self.guide.as_mut().map_or(0, |guide| guide.indexed(number, &file)).min(end);
        let reading = Reading { path, number, file, end };
        match self.order {
            Order::OldestFirst => {
                let at = self.windows_up(&reading, indexed)?;
                self.lines(&reading, at, end)?;
                unfinished.map_or(ControlFlow::Continue(()), |flaw| self.flaw(flaw))
            }
            Order::NewestFirst => {
                unfinished.map_or(ControlFlow::Continue(()), |flaw| self.flaw(flaw))?;
                self.lines(&reading, indexed, end)?;
                let at = self.windows_down(&reading, indexed)?;
                self.lines(&reading, 0, at)
            }
        }
    }

    /// Reads what the index says, from the segment's beginning on; returns where it had nothing more to say.
    fn windows_up(&mut self, reading: &Reading<'_>, indexed: u64) -> ControlFlow<(), u64> {
        let mut at = 0;
        while at < indexed
            && let Some(window) = self.guide.as_mut().and_then(|guide| guide.from(reading.number, at))
        {
            self.window(reading, &window)?;
            at = window.end;
        }
        ControlFlow::Continue(at)
    }

    /// The same from the end of what is indexed back; returns up to where everything has to be read.
    fn windows_down(&mut self, reading: &Reading<'_>, indexed: u64) -> ControlFlow<(), u64> {
        let mut at = indexed;
        while at > 0
            && let Some(window) = self.guide.as_mut().and_then(|guide| guide.before(reading.number, at))
        {
            self.window(reading, &window)?;
            at = window.start;
        }
        ControlFlow::Continue(at)
    }

    fn window(&mut self, reading: &Reading<'_>, window: &Window) -> ControlFlow<()> {
        match self.order {
            Order::OldestFirst => self.pieces(reading, window.pieces.iter())?,
            Order::NewestFirst => self.pieces(reading, window.pieces.iter().rev())?,
        }
        self.summary.records += window.records;
        self.passed(window.end - window.start)
    }

    fn pieces<'w>(&mut self, reading: &Reading<'_>, pieces: impl Iterator<Item = &'w Piece>) -> ControlFlow<()> {
        let path = reading.path;
        let mut single = match reading.forward(0, reading.end) {
            Ok(lines) => lines,
            Err(reason) => return self.flaw(Flaw::Unreadable { path: path.into(), reason }),
        };
        for piece in pieces {
            match piece {
                Piece::Line(place) => {
                    single.seek(*place);
                    match single.next() {
                        Ok(Some(line)) => self.line(path, &line, true)?,
                        Ok(None) => {}
                        Err(reason) => self.flaw(Flaw::Unreadable { path: path.into(), reason })?,
                    }
                }
                Piece::Run(run) => self.run(reading, run.start, run.end, true)?,
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads what the index says nothing about.
    fn lines(&mut self, reading: &Reading<'_>, from: u64, end: u64) -> ControlFlow<()> {
        self.run(reading, from, end, false)
    }

    /// Reads the lines from `from` to `end`; those of a window are counted with it.
    fn run(&mut self, reading: &Reading<'_>, from: u64, end: u64, in_window: bool) -> ControlFlow<()> {
        let unreadable = |reason| Flaw::Unreadable { path: reading.path.into(), reason };
        let mut lines = match reading.lines(self.order, from, end) {
            Ok(lines) => lines,
            Err(reason) => return self.flaw(unreadable(reason)),
        };
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return ControlFlow::Continue(()),
                Err(reason) => return self.flaw(unreadable(reason)),
            };
            self.line(reading.path, &line, in_window)?;
            if !in_window {
                self.passed(line.length)?;
            }
        }
    }

    fn line(&mut self, path: &Path, line: &Line<'_>, in_window: bool) -> ControlFlow<()> {
        match parse(line) {
            Ok(entry) => {
                self.summary.records += u64::from(!in_window);
                self.read += u64::from(!in_window);
                self.record(&entry, line.bytes)
            }
            Err(reason) => self.flaw(Flaw::Line { path: path.into(), offset: line.offset, reason }),
        }
    }

    fn record(&mut self, entry: &Entry, line: &[u8]) -> ControlFlow<()> {
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

/// The record that a line is.
pub(super) fn parse(line: &Line<'_>) -> Result<Entry, EntryError> {
    if line.oversized() {
        return Err(EntryError::Damaged(format!("a line of {} bytes", line.length)));
    }
    if !line.whole {
        return Err(EntryError::Damaged("the file was cut while it was read".into()));
    }
    Entry::parse(line.bytes)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
