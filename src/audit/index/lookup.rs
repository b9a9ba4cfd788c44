//! Asking: from a filter to places in the journal, segment by segment.
//!
//! Marks, terms and generation are read in one transaction at the beginning, and each window in one of its own that checks
//! the generation; so no transaction lasts while an answer is printed, and nothing that is fed meanwhile is missed: it lies
//! behind the marks of the beginning.

use super::{
    super::Filter,
    Backlog, IndexError,
    database::{self, Sight},
    mark::Mark,
    plan::Plan,
    rows::{generation, marks, places},
    term::FLAW,
};
use rusqlite::{Connection, params};
use std::{
    collections::BTreeMap,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
};

/// An index that is asked. Read only; it may be fed meanwhile.
pub struct Lookup {
    dir: PathBuf,
    path: PathBuf,
    connection: Connection,
    sight: Sight,
}

impl Lookup {
    /// Opens the index of the journal in `dir`; none if there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(dir: &Path) -> Result<Option<Self>, IndexError> {
        let path = database::path(dir);
        let opened = database::open_to_ask(&path)?;
        Ok(opened.map(|(connection, sight)| Self { dir: dir.into(), path, connection, sight }))
    }

    /// How far it is behind.
    ///
    /// # Errors
    /// When the journal cannot be listed or the file not be read.
    pub fn backlog(&self) -> Result<Backlog, IndexError> {
        let marks = marks(&self.connection).map_err(IndexError::database(&self.path))?;
        Ok(Backlog::of(&self.dir, &marks)?)
    }

    /// Works out where to look for what a filter admits.
    pub(in crate::audit) fn guide(&self, filter: &Filter) -> Result<Guide<'_>, IndexError> {
        let guide = self.try_guide(filter).map_err(IndexError::database(&self.path));
        guide.and_then(|mut guide| {
            guide.backlog = Backlog::of(&self.dir, &guide.marks)?;
            Ok(guide)
        })
    }

    fn try_guide(&self, filter: &Filter) -> rusqlite::Result<Guide<'_>> {
        let transaction = self.connection.unchecked_transaction()?;
        Ok(Guide {
            lookup: self,
            plan: Plan::of(filter, &transaction)?,
            marks: marks(&transaction)?,
            generation: generation(&transaction)?,
            backlog: Backlog::default(),
            unfit: 0,
            fault: None,
        })
    }
}

/// Where in a segment to read: some lines of `start..end`, in ascending order.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::audit) struct Window {
    pub(in crate::audit) start: u64,
    pub(in crate::audit) end: u64,
    /// Records between them, read or not.
    pub(in crate::audit) records: u64,
    pub(in crate::audit) pieces: Vec<Piece>,
}

/// A place to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Piece {
    /// The line that begins here.
    Line(u64),
    /// All lines in here.
    Run(Range<u64>),
}

/// The way to what one filter admits.
pub(in crate::audit) struct Guide<'a> {
    lookup: &'a Lookup,
    plan: Plan,
    marks: BTreeMap<u64, Mark>,
    generation: i64,
    /// How far the index was behind at the beginning.
    pub(in crate::audit) backlog: Backlog,
    /// Segments that are not those that were indexed.
    pub(in crate::audit) unfit: u64,
    /// What went wrong on the way; the rest was read.
    pub(in crate::audit) fault: Option<IndexError>,
}

/// So many stretches are looked up at once, which bounds what is held in memory.
const WINDOW: i64 = if cfg!(test) { 2 } else { 8 };

struct Stretch {
    range: Range<u64>,
    records: u64,
    /// None: no record is in it.
    times: Option<(i64, i64)>,
}

impl Guide<'_> {
    /// Whether no condition is one that the index knows, so that everything has to be read.
    pub(in crate::audit) fn is_useless(&self) -> bool {
        self.plan.is_everything()
    }

    /// How far the segment that this file is can be looked up.
    pub(in crate::audit) fn indexed(&mut self, number: u64, file: &File) -> u64 {
        let Some(mark) = self.marks.get(&number).filter(|mark| mark.bytes > 0) else {
            return 0;
        };
        if self.fault.is_some() {
            return 0;
        }
        // Whatever cannot be compared is read, and reading tells what is wrong with it.
        if mark.fits(file).unwrap_or(false) {
            return mark.bytes;
        }
        self.unfit += 1;
        0
    }

    /// The window that begins at `at`. None: the rest of the segment has to be read.
    pub(in crate::audit) fn from(&mut self, number: u64, at: u64) -> Option<Window> {
        let text = "SELECT start, end, records, earliest, latest FROM stretch WHERE segment = ?1 AND start >= ?2
                    ORDER BY start LIMIT ?3";
        self.window(number, |stretches: &[Stretch]| stretches.first().is_some_and(|s| s.range.start == at), text, at)
    }

    /// The window that ends at `at`. None: the segment has to be read up to there.
    pub(in crate::audit) fn before(&mut self, number: u64, at: u64) -> Option<Window> {
        let text = "SELECT start, end, records, earliest, latest FROM stretch WHERE segment = ?1 AND start < ?2
                    ORDER BY start DESC LIMIT ?3";
        self.window(number, |stretches: &[Stretch]| stretches.last().is_some_and(|s| s.range.end == at), text, at)
    }

    fn window(&mut self, number: u64, fits: impl Fn(&[Stretch]) -> bool, text: &str, at: u64) -> Option<Window> {
        let limit = *self.marks.get(&number)?;
        let found = self.try_window(number, &limit, fits, text, at).map_err(IndexError::database(&self.lookup.path));
        match found {
            Ok(window) if self.lookup.sight.holds() => window,
            Ok(_) => None,
            Err(error) => {
                self.fault.get_or_insert(error);
                None
            }
        }
    }

    fn try_window(
        &self,
        number: u64,
        limit: &Mark,
        fits: impl Fn(&[Stretch]) -> bool,
        text: &str,
        at: u64,
    ) -> rusqlite::Result<Option<Window>> {
        let transaction = self.lookup.connection.unchecked_transaction()?;
        if generation(&transaction)? != self.generation {
            return Ok(None);
        }
        let mut stretches = stretches(&transaction, text, number, at)?;
        clamp(&transaction, number, limit, &mut stretches)?;
        let joined = stretches.windows(2).all(|pair| matches!(pair, [a, b] if a.range.end == b.range.start));
        let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else {
            return Ok(None);
        };
        if !joined || !fits(&stretches) {
            return Ok(None);
        }
        let (start, end) = (first.range.start, last.range.end);
        let records = stretches.iter().map(|stretch| stretch.records).sum();
        let asked = self.asked(&stretches);
        let flaws = places(&transaction, number, FLAW, &(start..end))?;
        let pieces = if self.plan.conditions.is_empty() {
            let outside = flaws.into_iter().filter(|flaw| !asked.iter().any(|run| run.contains(flaw)));
            let outside: Vec<u64> = outside.collect();
            merged(asked.into_iter().map(Piece::Run).collect(), outside)
        } else {
            merged(Vec::new(), [self.lines(&transaction, number, &asked)?, flaws].concat())
        };
        Ok(Some(Window { start, end, records, pieces }))
    }

    /// The stretches whose times are asked for, neighbours joined.
    fn asked(&self, stretches: &[Stretch]) -> Vec<Range<u64>> {
        let mut asked: Vec<Range<u64>> = Vec::new();
        for stretch in stretches {
            if !stretch.times.is_some_and(|(earliest, latest)| self.plan.meets(earliest, latest)) {
                continue;
            }
            match asked.last_mut() {
                Some(last) if last.end == stretch.range.start => last.end = stretch.range.end,
                _ => asked.push(stretch.range.clone()),
            }
        }
        asked
    }

    /// The lines that have a term of every condition.
    fn lines(&self, connection: &Connection, number: u64, asked: &[Range<u64>]) -> rusqlite::Result<Vec<u64>> {
        let mut lines = Vec::new();
        for range in asked {
            let mut common: Option<Vec<u64>> = None;
            for terms in &self.plan.conditions {
                let mut met = Vec::new();
                for term in terms {
                    met.extend(places(connection, number, *term, range)?);
                }
                met.sort_unstable();
                met.dedup();
                if let Some(common) = common {
                    met.retain(|place| common.binary_search(place).is_ok());
                }
                if met.is_empty() {
                    common = None;
                    break;
                }
                common = Some(met);
            }
            lines.extend(common.unwrap_or_default());
        }
        Ok(lines)
    }
}

fn stretches(connection: &Connection, text: &str, number: u64, at: u64) -> rusqlite::Result<Vec<Stretch>> {
    let mut statement = connection.prepare_cached(text)?;
    let rows = statement.query_map(params![number.cast_signed(), at.cast_signed(), WINDOW], |row| {
        let place = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let times = row.get::<_, Option<i64>>(3)?.zip(row.get::<_, Option<i64>>(4)?);
        Ok(Stretch { range: place(0)?..place(1)?, records: place(2)?, times })
    })?;
    let mut stretches = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    stretches.sort_by_key(|stretch| stretch.range.start);
    Ok(stretches)
}

/// What was indexed since the beginning counts as not indexed.
fn clamp(connection: &Connection, number: u64, mark: &Mark, stretches: &mut Vec<Stretch>) -> rusqlite::Result<()> {
    stretches.retain(|stretch| stretch.range.start < mark.bytes);
    if let Some(last) = stretches.last_mut().filter(|last| last.range.end > mark.bytes) {
        let text = "SELECT coalesce(sum(records), 0) FROM stretch WHERE segment = ?1 AND start < ?2";
        let mut statement = connection.prepare_cached(text)?;
        let values = [number.cast_signed(), last.range.start.cast_signed()];
        let before: i64 = statement.query_row(values, |row| row.get(0))?;
        last.range.end = mark.bytes;
        last.records = mark.records.saturating_sub(before.cast_unsigned());
    }
    Ok(())
}

/// Runs, and lines outside of them, in ascending order.
fn merged(runs: Vec<Piece>, mut lines: Vec<u64>) -> Vec<Piece> {
    lines.sort_unstable();
    lines.dedup();
    let mut pieces = runs;
    pieces.extend(lines.into_iter().map(Piece::Line));
    pieces.sort_by_key(|piece| match piece {
        Piece::Line(place) => *place,
        Piece::Run(run) => run.start,
    });
    pieces
}
