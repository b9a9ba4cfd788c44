//! What a scan or a search hands over: records, flaws, how far it is, and what it came to.

use super::{
    Entry, EntryError,
    index::{Backlog, IndexError},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
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

/// What a scan or search has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Records that the filter admitted.
    pub matched: u64,
    /// Records read, or passed over because the index says that they do not match.
    pub records: u64,
    /// Segments begun.
    pub segments: u64,
    /// Flaws met.
    pub flaws: u64,
}

/// How an index served a search.
#[derive(Debug, Default)]
pub struct Reach {
    /// How far it was behind when the search began.
    pub backlog: Backlog,
    /// Records that were read because it does not cover them.
    pub read: u64,
    /// Segments that are no longer those that were indexed; they were read.
    pub unfit: u64,
    /// No condition is one that an index can say anything about: everything was read.
    pub useless: bool,
    /// What went wrong with it; from there on the journal was read.
    pub fault: Option<IndexError>,
}

/// The number of the line that begins at `offset`, from 1; 0 if the file cannot be read any more.
fn line_number(path: &Path, offset: u64) -> u64 {
    let count = || -> io::Result<u64> {
        let mut before = File::open(path)?.take(offset);
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
