//! The lines of a segment, from either end, in bounded memory, while the server may be writing it.
//!
//! INVARIANT: a reader trusts only bytes that it read after it had seen a newline behind them. A write that fails halfway
//! is cut and written over a moment later, and half of the one with half of the other can look like a record that never
//! was. But such a half has no newline: once a newline is seen, all before it stays. So [`Extent::of`] looks for the last
//! newline first, and the lines up to there are read afterwards.

use super::segment::MAX_LINE;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// How much is read at once.
const BLOCK: usize = 256 << 10;
/// How much is read at first after a jump, which often is for one line.
const FIRST_BLOCK: usize = 4 << 10;

/// A line, or what is left at the end of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Where it begins, in bytes from the file's beginning.
    pub(super) offset: u64,
    /// Its bytes without the newline; empty if it is longer than [`MAX_LINE`].
    pub(super) bytes: &'a [u8],
    /// Its length on the disk, newline included.
    pub(super) length: u64,
    /// Whether a newline ends it.
    pub(super) whole: bool,
}

impl Line<'_> {
    /// Whether the line was too long to be kept in memory.
    pub(super) fn oversized(&self) -> bool {
        self.bytes.is_empty() && self.length > 1
    }
}

/// A segment's lines in one direction.
pub(super) enum Lines {
    /// From the first line on.
    Forward(Forward),
    /// From the last line back.
    Backward(Backward),
}

impl Lines {
    /// The next line in the reader's direction.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        match self {
            Self::Forward(lines) => lines.next(),
            Self::Backward(lines) => lines.next(),
        }
    }
}

/// How far a file can be trusted.
pub(super) struct Extent {
    pub(super) file: File,
    /// The end of its last whole line.
    pub(super) end: u64,
    /// Its length; what lies between is no line yet, or never will be.
    pub(super) length: u64,
}

impl Extent {
    /// Opens a file and looks for its last newline.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut block = vec![0; BLOCK];
        let mut end = length;
        while end > 0 {
            let start = end.saturating_sub(BLOCK as u64);
            let size = usize::try_from(end - start).unwrap_or(BLOCK);
            let read = read_at(&file, block.get_mut(..size).unwrap_or_default(), start)?;
            if let Some(at) = memchr::memrchr(b'\n', block.get(..read).unwrap_or_default()) {
                end = start + at as u64 + 1;
                break;
            }
            end = start;
        }
        Ok(Self { file, end, length })
    }
}

/// Reads lines from the beginning, or from wherever it is told to.
pub(super) struct Forward {
    file: File,
    /// What has been read and not been passed by: `buffer[from..]` begins at `offset`.
    buffer: Vec<u8>,
    from: usize,
    offset: u64,
    /// Nothing is read from here on.
    end: u64,
    /// How much is read at once.
    block: usize,
}

impl Forward {
    /// Reads up to `end`, which is any place from the last whole line's end on.
    pub(super) fn new(file: File, end: u64) -> Self {
        Self { file, buffer: Vec::new(), from: 0, offset: 0, end, block: BLOCK }
    }

    /// Goes on at the line that begins at `offset`, before or behind.
    pub(super) fn seek(&mut self, offset: u64) {
        let ahead = offset.checked_sub(self.offset).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|ahead| *ahead <= self.buffer.len() - self.from) {
            Some(ahead) => self.from += ahead,
            None => {
                self.buffer.clear();
                self.from = 0;
                self.block = FIRST_BLOCK;
            }
        }
        self.offset = offset;
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let offset = self.offset;
        let mut searched = 0;
        // Bytes of an oversized line that were dropped already.
        let mut dropped = 0;
        let (end, whole) = loop {
            let rest = self.buffer.get(self.from..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default()) {
                break (searched + at + 1, true);
            }
            searched = rest.len();
            if searched > MAX_LINE {
                dropped += searched as u64;
                self.offset += searched as u64;
                self.from = self.buffer.len();
                searched = 0;
            }
            if self.fill()? == 0 {
                break (self.buffer.len() - self.from, false);
            }
        };
        self.offset += end as u64;
        let start = self.from;
        self.from += end;
        let length = dropped + end as u64;
        if length == 0 {
            return Ok(None);
        }
        let kept = if length > MAX_LINE as u64 { start..start } else { start..self.from - usize::from(whole) };
        Ok(Some(Line { offset, bytes: self.buffer.get(kept).unwrap_or_default(), length, whole }))
    }

    /// Reads one more block behind what is there; zero at the end of the file.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.from);
        self.from = 0;
        let kept = self.buffer.len();
        let place = self.offset + kept as u64;
        let size = usize::try_from(self.end.saturating_sub(place)).map_or(self.block, |left| left.min(self.block));
        self.block = BLOCK.min(self.block * 2);
        self.buffer.resize(kept + size, 0);
        let read = read_at(&self.file, self.buffer.get_mut(kept..).unwrap_or_default(), place);
        self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
        read
    }
}

/// Reads lines from the last to the first.
pub(super) struct Backward {
    file: File,
    /// What has been read and not been passed by, up to `live`: begins at `start`.
    buffer: Vec<u8>,
    live: usize,
    start: u64,
    /// Nothing is read before this beginning of a line.
    floor: u64,
}

impl Backward {
    /// Begins with the line that ends at `end`, and ends with the one that begins at `floor`.
    pub(super) fn between(file: File, floor: u64, end: u64) -> Self {
        Self { file, buffer: Vec::new(), live: 0, start: end, floor }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.truncate(self.live);
        if self.buffer.is_empty() && self.fill()? == 0 {
            return Ok(None);
        }
        let whole = self.buffer.last() == Some(&b'\n');
        let line_end = self.start + self.buffer.len() as u64;
        let mut oversized = false;
        let begin = loop {
            // Not the line's own newline, unless that was dropped with the rest of it.
            let own = usize::from(whole && !oversized);
            let before = self.buffer.get(..self.buffer.len().saturating_sub(own)).unwrap_or_default();
            if let Some(at) = memchr::memrchr(b'\n', before) {
                break at + 1;
            }
            if self.buffer.len() > MAX_LINE {
                oversized = true;
                self.buffer.clear();
            }
            if self.fill()? == 0 {
                break 0;
            }
        };
        self.live = begin;
        let offset = self.start + begin as u64;
        let length = line_end - offset;
        let end = self.buffer.len() - usize::from(whole && !oversized);
        let kept = if oversized || length > MAX_LINE as u64 { begin..begin } else { begin..end };
        Ok(Some(Line { offset, bytes: self.buffer.get(kept).unwrap_or_default(), length, whole }))
    }

    /// Reads one more block before what is there; zero at the beginning of the file.
    fn fill(&mut self) -> io::Result<usize> {
        let size = self.start.saturating_sub(self.floor).min(BLOCK as u64);
        let mut block = vec![0; usize::try_from(size).unwrap_or(BLOCK)];
        let from = self.start - size;
        let read = read_at(&self.file, &mut block, from)?;
        if read < block.len() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut while it was read"));
        }
        block.append(&mut self.buffer);
        self.buffer = block;
        self.start = from;
        Ok(read)
    }
}

/// Reads at a place until the space is full or the file ends.
fn read_at(file: &File, space: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = space.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    type Read = (u64, Vec<u8>, u64, bool);

    fn all(mut lines: Lines) -> Vec<Read> {
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push((line.offset, line.bytes.to_vec(), line.length, line.whole));
        }
        read
    }

    fn both(content: &[u8]) -> (Vec<Read>, Vec<Read>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (open, length) = (|| File::open(file.path()).unwrap(), content.len() as u64);
        let forward = all(Lines::Forward(Forward::new(open(), length)));
        let mut backward = all(Lines::Backward(Backward::between(open(), 0, length)));
        backward.reverse();
        (forward, backward)
    }

    fn expected(content: &[u8]) -> Vec<Read> {
        let mut offset = 0;
        let split = content.split_inclusive(|b| *b == b'\n');
        split
            .map(|line| {
                let (whole, length) = (line.ends_with(b"\n"), line.len() as u64);
                let kept = if line.len() > MAX_LINE { &[][..] } else { line.strip_suffix(b"\n").unwrap_or(line) };
                offset += length;
                (offset - length, kept.to_vec(), length, whole)
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn both_directions_see_the_same_lines(
            lengths in vec(prop_oneof![0..200_usize, 0..700_000_usize, Just(BLOCK), Just(BLOCK - 1), Just(MAX_LINE - 1), Just(MAX_LINE), Just(MAX_LINE + 1), Just(3 * MAX_LINE)], 0..8),
            tail in any::<bool>(),
        ) {
            let mut content = Vec::new();
            for length in lengths {
                content.extend(std::iter::repeat_n(b'x', length));
                content.push(b'\n');
            }
            if tail { content.pop(); }
            let (forward, backward) = both(&content);
            prop_assert!(forward == expected(&content), "forward");
            prop_assert!(backward == expected(&content), "backward");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_line_can_be_gone_to_and_any_run_of_lines_read_back(
            lengths in vec(prop_oneof![0..200_usize, 0..20_000_usize, Just(FIRST_BLOCK), Just(BLOCK), Just(MAX_LINE + 1)], 1..12),
            jumps in vec(any::<prop::sample::Index>(), 1..20),
        ) {
            let mut content = Vec::new();
            for (length, mark) in lengths.into_iter().zip(b'a'..) {
                content.extend(std::iter::repeat_n(mark, length));
                content.push(b'\n');
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &content).unwrap();
            let (open, expected) = (|| File::open(file.path()).unwrap(), expected(&content));
            let mut lines = Forward::new(open(), content.len() as u64);
            for jump in &jumps {
                let wanted = jump.get(&expected);
                lines.seek(wanted.0);
                let line = lines.next().unwrap().unwrap();
                prop_assert!((line.offset, line.bytes, line.length) == (wanted.0, &*wanted.1, wanted.2));
            }
            let (a, b) = (jumps[0].index(expected.len()), jumps[jumps.len() - 1].index(expected.len()));
            let run = &expected[a.min(b)..=a.max(b)];
            let end = run[run.len() - 1].0 + run[run.len() - 1].2;
            let mut back = all(Lines::Backward(Backward::between(open(), run[0].0, end)));
            back.reverse();
            prop_assert!(back == run);
        }
    }

    #[test]
    fn a_file_can_be_trusted_up_to_its_last_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let table =
            [(0, 0, false), (0, 5, false), (1, 0, true), (7, 3, true), (BLOCK, BLOCK + 1, true), (9, 3 * BLOCK, true)];
        for (lines, tail, newline) in table {
            let mut content = vec![b'x'; lines];
            if newline {
                *content.last_mut().unwrap() = b'\n';
            }
            content.resize(lines + tail, b'y');
            std::fs::write(file.path(), &content).unwrap();
            let extent = Extent::of(file.path()).unwrap();
            assert_eq!((extent.end, extent.length), (lines as u64, (lines + tail) as u64));
        }
    }

    #[test]
    fn a_file_that_is_cut_meanwhile_gives_an_error_or_an_unfinished_line_but_no_other_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        std::fs::write(file.path(), "one\ntw").unwrap();
        let (mut forward, mut backward) = (Forward::new(open(), 8), Backward::between(open(), 0, 8));
        assert_eq!(forward.next().unwrap().unwrap().bytes, b"one");
        assert!(!forward.next().unwrap().unwrap().whole);
        assert!(backward.next().is_err());
    }
}
