//! The central directory: a header for each entry.
//!
//! ```text
//! PK\x01\x02  made by:2  needs:2  flags:2  method:2  time:2  date:2  CRC-32:4  packed:4  unpacked:4
//!   name length:2  extra length:2  comment length:2  disk:2  internal:2  external:4  offset:4  name  extra  comment
//! ```
//!
//! Entries are read from here alone; what stands before their contents is only skipped. Headers are read until there
//! is none, then their number is compared (its lowest 16 bits), as `Reader.init` in Go's `archive/zip` does. Unlike the
//! zip crates, which keep entries by name, this keeps every one: two of the same name are what must be found.

use super::end::{self, End};
use super::section::{Fields, Filled, ReadAt, Section, fill};
use super::{MAX_NAMES, ZipError};
use std::io::{BufReader, Read};
use std::ops::Range;

const SIGNATURE: u32 = 0x0201_4b50;
const LENGTH: usize = 46;
const ZIP64_EXTRA: u16 = 1;

/// All names together, in bytes.
const MAX_NAME_BYTES: usize = 64 << 20;

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    name: Range<u32>,
    /// Whether a data descriptor follows the contents.
    pub(super) described: bool,
    /// How the contents are packed: 0 stored, 8 deflated.
    pub(super) method: u16,
    /// The CRC-32 of the contents.
    pub(super) crc: u32,
    /// The packed size. As an `int64` it may be negative; see [`Section::new`].
    pub(super) packed: u64,
    /// The unpacked size.
    pub(super) unpacked: u64,
    /// Where the entry's local header is in the file; may be outside.
    pub(super) offset: i64,
}

/// All entries, in the order of the file.
pub(super) struct Directory {
    names: Vec<u8>,
    pub(super) entries: Vec<Entry>,
}

impl Directory {
    /// Reads the directory of a file of `size` bytes.
    pub(super) fn read<R: ReadAt + ?Sized>(file: &R, size: i64) -> Result<Self, ZipError> {
        let End { entries: declared, start, base } = end::find(file, size)?;
        let mut reader = BufReader::with_capacity(64 << 10, Section::new(file, start, size - start));
        let mut directory = Self { names: Vec::new(), entries: Vec::new() };
        loop {
            match Header::read(&mut reader)? {
                Next::Header(header) => directory.push(header, base)?,
                Next::NoHeader => break,
                Next::EndOfFile => {
                    return Err(ZipError::Format("central directory ends with the file"));
                }
            }
        }
        // The number is cut to 16 bits where zip64 was not used.
        if directory.entries.len() as u16 == declared as u16 {
            Ok(directory)
        } else {
            Err(ZipError::Format("central directory has not as many entries as declared"))
        }
    }

    /// An entry's name, as it is in the file.
    pub(super) fn name(&self, entry: &Entry) -> &[u8] {
        self.names.get(entry.name.start as usize..entry.name.end as usize).unwrap_or_default()
    }

    fn push(&mut self, header: Header, base: i64) -> Result<(), ZipError> {
        let start = self.names.len();
        self.names.extend_from_slice(&header.name);
        if self.names.len() > MAX_NAME_BYTES || self.entries.len() == MAX_NAMES {
            return Err(ZipError::TooLarge("more than 1,000,000 entries or 64 MiB of names"));
        }
        // INVARIANT: names stay below 64 MiB, so positions in them fit.
        let mut entry = header.entry;
        entry.name = start as u32..self.names.len() as u32;
        entry.offset = entry.offset.wrapping_add(base);
        self.entries.push(entry);
        Ok(())
    }
}

/// One header of the directory. The entry's name is not placed yet, nor its offset moved by the base.
pub(super) struct Header {
    name: Vec<u8>,
    entry: Entry,
}

/// What was found where a header may be.
pub(super) enum Next {
    /// A header.
    Header(Header),
    /// Something else, or a part of one.
    NoHeader,
    /// Nothing, right at the end of the file. Go tells this from a part of a header, and does not take it for the end of
    /// the directory.
    EndOfFile,
}

impl Header {
    /// Reads the next header (`readDirectoryHeader` in Go's `archive/zip`).
    pub(super) fn read(reader: &mut impl Read) -> Result<Next, ZipError> {
        let mut fixed = [0; LENGTH];
        match fill(reader, &mut fixed)? {
            Filled::Whole => {}
            Filled::Part => return Ok(Next::NoHeader),
            Filled::None => return Ok(Next::EndOfFile),
        }
        let Some((mut entry, lengths)) = parse_fixed(&fixed) else {
            return Ok(Next::NoHeader);
        };
        let mut variable = vec![0; lengths.iter().sum()];
        match fill(reader, &mut variable)? {
            Filled::Whole => {}
            Filled::Part => return Ok(Next::NoHeader),
            Filled::None => return Ok(Next::EndOfFile),
        }
        let [name, extra, _comment] = lengths;
        let extra = variable.get(name..name + extra).unwrap_or_default();
        if widen(&mut entry, extra).is_none() {
            return Ok(Next::NoHeader);
        }
        variable.truncate(name);
        Ok(Next::Header(Self { name: variable, entry }))
    }
}

/// The fixed part of a header, and the lengths of name, extra and comment after it.
fn parse_fixed(fixed: &[u8; LENGTH]) -> Option<(Entry, [usize; 3])> {
    let mut fields = Fields(fixed);
    if fields.u32()? != SIGNATURE {
        return None;
    }
    fields.bytes(4)?; // made by, needs
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.bytes(4)?; // time, date
    let (crc, packed, unpacked) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let lengths = [fields.u16()?.into(), fields.u16()?.into(), fields.u16()?.into()];
    fields.bytes(8)?; // disk, internal and external attributes
    let offset = fields.u32()?.into();
    let described = flags & 8 != 0;
    let entry = Entry { name: 0..0, described, method, crc, packed: packed.into(), unpacked: unpacked.into(), offset };
    Some((entry, lengths))
}

/// Takes the numbers that did not fit from the zip64 extra field. `None` if a packed size or an offset is nowhere;
/// an unpacked size of 2^32-1 may be meant.
fn widen(entry: &mut Entry, extra: &[u8]) -> Option<()> {
    const MAX: u64 = u32::MAX as u64;
    let mut need_unpacked = entry.unpacked == MAX;
    let mut need_packed = entry.packed == MAX;
    let mut need_offset = entry.offset == MAX as i64;
    let mut fields = Fields(extra);
    while let (Some(tag), Some(length)) = (fields.u16(), fields.u16()) {
        let Some(value) = fields.bytes(length.into()) else {
            break;
        };
        if tag != ZIP64_EXTRA {
            continue;
        }
        let mut wide = Fields(value);
        if std::mem::take(&mut need_unpacked) {
            entry.unpacked = wide.u64()?;
        }
        if std::mem::take(&mut need_packed) {
            entry.packed = wide.u64()?;
        }
        if std::mem::take(&mut need_offset) {
            entry.offset = wide.u64()? as i64;
        }
    }
    (!need_packed && !need_offset).then_some(())
}
