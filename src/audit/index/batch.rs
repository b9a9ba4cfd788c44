//! A batch: the next lines of one segment, read and taken apart, not yet written to the index.

use super::{
    super::{
        lines::{Extent, Forward},
        query::parse,
    },
    mark::{Look, Mark, checksum},
    term,
};
use std::{collections::HashMap, io, path::Path};

/// The times of a run of lines, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl Span {
    fn with(span: Option<Self>, time: i64) -> Self {
        let Self { earliest, latest } = span.unwrap_or(Self { earliest: time, latest: time });
        Self { earliest: earliest.min(time), latest: latest.max(time) }
    }
}

/// A term of a batch: its number, or which of the batch's texts it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Term {
    Number(i64),
    Text(usize),
}

/// Lines of a segment that follow one another.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) segment: u64,
    /// The mark that it follows, and the one that holds with it.
    pub(super) from: Mark,
    pub(super) to: Mark,
    /// None: no line among them is a record.
    pub(super) span: Option<Span>,
    pub(super) postings: Vec<(Term, u64)>,
    pub(super) texts: Vec<Box<[u8]>>,
    known: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
}

impl Batch {
    /// Reads at most `limit` lines behind `from`; only whole ones, as far as the last newline that is seen first.
    pub(super) fn read(segment: u64, path: &Path, from: Mark, limit: usize) -> io::Result<Self> {
        let (postings, texts, known) = Default::default();
        let mut batch = Self { segment, from, to: Mark { look: None, ..from }, span: None, postings, texts, known };
        let Extent { file, end, length } = Extent::of(path)?;
        if end < from.bytes {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the segment was cut"));
        }
        let whole = file.try_clone()?;
        let mut lines = Forward::new(file, end);
        lines.seek(from.bytes);
        let mut key = Vec::with_capacity(256);
        for _ in 0..limit {
            let Some(line) = lines.next()? else {
                break;
            };
            batch.to.bytes = line.offset + line.length;
            match parse(&line) {
                Ok(entry) => {
                    batch.to.records += 1;
                    batch.span = Some(Span::with(batch.span, entry.time.as_microsecond()));
                    if !entry.request.is_empty() {
                        batch.postings.push((Term::Number(term::request(&entry.request)), line.offset));
                    }
                    term::each(&entry, &mut key, |key| batch.post(key, line.offset));
                }
                Err(_) => batch.postings.push((Term::Number(term::FLAW), line.offset)),
            }
        }
        batch.to.checksum = checksum(&whole, from.bytes, batch.to.bytes, from.checksum)?;
        if batch.to.bytes == end {
            // Taken after the length: if more was appended since, the two do not go together, and it is looked at again.
            let Look { modified, .. } = Look::of(&whole.metadata()?);
            batch.to.look = Some(Look { length, modified });
        }
        Ok(batch)
    }

    fn post(&mut self, key: &[u8], offset: u64) {
        let text = match self.known.get(key) {
            Some(text) => *text,
            None => {
                let text = self.texts.len();
                self.texts.push(key.into());
                self.known.insert(key.into(), text);
                text
            }
        };
        self.postings.push((Term::Text(text), offset));
    }

    /// Records in it.
    pub(super) fn records(&self) -> u64 {
        self.to.records - self.from.records
    }
}
