//! A part of a file, read from its beginning to its end.

use super::MAX_ZIP;
use std::{fs::File, io};

/// Reading at an offset without moving one: as `pread(2)`.
pub trait ReadAt {
    /// Fills a part of the buffer from the offset on and says how much; 0 at or beyond the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        io::Read::read(&mut { rest }, buffer)
    }
}

/// The bytes of a source from an offset up to a limit, as Go's `io.SectionReader`.
pub(super) struct Section<'a, R: ?Sized> {
    source: &'a R,
    offset: i64,
    limit: i64,
}

impl<'a, R: ReadAt + ?Sized> Section<'a, R> {
    /// `length` bytes from `offset` on, or as many as there are.
    ///
    /// Lengths come from the zip. One that overflows, or is negative as an `int64`, means "to the end of the file" in
    /// Go, and so here.
    pub(super) fn new(source: &'a R, offset: i64, length: i64) -> Self {
        let limit = if offset <= i64::MAX.wrapping_sub(length) { offset.wrapping_add(length) } else { i64::MAX };
        Self { source, offset, limit }
    }
}

impl<R: ReadAt + ?Sized> io::Read for Section<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.limit.saturating_sub(self.offset);
        let (Ok(offset), Ok(left)) = (u64::try_from(self.offset), usize::try_from(left)) else {
            return Ok(0);
        };
        // No zip is larger, and kernels answer an offset near 2^63 with an error of their own.
        if offset >= MAX_ZIP {
            return Ok(0);
        }
        let wanted = buffer.len().min(left);
        let read = self.source.read_at(buffer.get_mut(..wanted).unwrap_or_default(), offset)?;
        self.offset += read as i64;
        Ok(read)
    }
}

/// How far a read got that wanted all of a buffer.
pub(super) enum Filled {
    /// All of it.
    Whole,
    /// Some of it: the source ended within.
    Part,
    /// None of it: the source had ended.
    None,
}

/// Fills the buffer, as Go's `io.ReadFull` (which takes an empty one for filled).
pub(super) fn fill(reader: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<Filled> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) if filled == 0 => return Ok(Filled::None),
            Ok(0) => return Ok(Filled::Part),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Filled::Whole)
}

/// Little-endian numbers, one after the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }
}
