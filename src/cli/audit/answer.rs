//! A query's answer: records as they come in, and what is said about them at the end.

use super::{
    meter::Meter,
    printer::Printer,
    query::{Console, Format},
};
use crate::audit::{
    Finding, Flaw, Reach, Summary,
    index::{Backlog, IndexError},
};
use jiff::Timestamp;
use std::{
    io::{self, Write},
    ops::ControlFlow,
};

/// So many flaws are shown each; the others are counted.
const SHOWN_FLAWS: u64 = 100;

/// A query's answer while it comes in.
pub(super) struct Answer<'a> {
    printer: Printer<'a>,
    notes: &'a mut dyn Write,
    meter: Meter,
    terminal: bool,
    left: u64,
    flaws: u64,
    failed: Option<io::Error>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(console: Console<'a>, format: Format, limit: u64) -> Self {
        let Console { out, notes, meter, terminal, width } = console;
        Self { printer: Printer::new(format, out, width), notes, meter, terminal, left: limit, flaws: 0, failed: None }
    }

    pub(super) fn take(&mut self, finding: Finding<'_>) -> ControlFlow<()> {
        let taken = match finding {
            Finding::Match(entry, line) => {
                self.left -= 1;
                if self.terminal && self.printer.prints_next() {
                    self.meter.clear();
                }
                self.printer.record(entry, line)
            }
            Finding::Flaw(flaw) => self.flaw(&flaw),
            Finding::Progress(progress) => {
                self.meter.show(progress);
                Ok(())
            }
        };
        self.failed = taken.err();
        if self.failed.is_some() || self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flaw(&mut self, flaw: &Flaw) -> io::Result<()> {
        self.flaws += 1;
        let notes = &mut *self.notes;
        match self.flaws {
            ..=SHOWN_FLAWS => self.meter.aside(|| writeln!(notes, "{flaw} (skipped)")),
            n if n == SHOWN_FLAWS + 1 => self.meter.aside(|| writeln!(notes, "further damage is only counted")),
            _ => Ok(()),
        }
    }

    /// Prints what is left, what there is to know about the index, and the closing line.
    pub(super) fn end(mut self, summary: &Summary, limited: bool, index: &str) -> io::Result<()> {
        self.meter.clear();
        match self.failed {
            Some(error) => return Err(error),
            None => self.printer.end()?,
        }
        let Summary { matched, records, segments, flaws } = summary;
        let stopped = if limited && self.left == 0 { ", stopped at --limit" } else { "" };
        writeln!(self.notes, "{index}")?;
        writeln!(
            self.notes,
            "{matched} of {records} records match; {segments} segments read, {flaws} flaws skipped{stopped}"
        )
    }
}

/// What there is to know about the index.
pub(super) enum Word {
    /// There is none.
    None,
    /// It was not to be asked.
    Unwanted,
    /// It cannot be opened.
    Unusable(IndexError),
    /// It was asked.
    Asked(Reach),
}

impl Word {
    /// One line. `now` is what the index is behind of.
    pub(super) fn tell(&self, now: Timestamp) -> String {
        let again = "`modgate audit reindex` makes it anew";
        match self {
            Self::None => "no index: the whole journal was read; `modgate audit reindex` makes one".into(),
            Self::Unwanted => "without the index: the whole journal was read".into(),
            Self::Unusable(error) => format!("{error}: the whole journal was read; {again}"),
            Self::Asked(Reach { fault: Some(fault), .. }) => format!("{fault}: the journal was read instead; {again}"),
            Self::Asked(Reach { useless: true, .. }) => {
                "the index knows nothing of these conditions: the whole journal was read".into()
            }
            Self::Asked(Reach { backlog, read, unfit, .. }) => {
                let unfit = match unfit {
                    0 => String::new(),
                    unfit => format!("; {unfit} segments are not as they were indexed and were read: {again}"),
                };
                format!("{}{unfit}", behind(backlog, *read, now))
            }
        }
    }
}

fn behind(backlog: &Backlog, read: u64, now: Timestamp) -> String {
    if backlog.bytes == 0 && read == 0 {
        return "by the index, which is level with the journal".into();
    }
    let seconds = backlog.since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
    format!(
        "by the index, which is {} bytes ({seconds} s) behind; {read} records were read from the journal",
        backlog.bytes
    )
}
