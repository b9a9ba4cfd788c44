//! The end of central directory record, by which a zip is read.
//!
//! ```text
//! PK\x05\x06  disks:4  entries on this disk:2  entries:2  size:4  offset:4  comment length:2  comment
//! ```
//!
//! It is the last such record whose comment ends within the file. Where a number does not fit, the zip64 record counts,
//! which a locator right before this one points to. Steps and tolerances are those of `readDirectoryEnd` in Go's
//! `archive/zip`.

use super::ZipError;
use super::directory::{Header, Next};
use super::section::{Fields, Filled, ReadAt, Section, fill};

const SIGNATURE: &[u8; 4] = b"PK\x05\x06";
const LENGTH: usize = 22;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const LOCATOR_LENGTH: i64 = 20;
const ZIP64_SIGNATURE: u32 = 0x0606_4b50;
const ZIP64_LENGTH: usize = 56;

/// Where the central directory is.
pub(super) struct End {
    /// How many entries it is said to have.
    pub(super) entries: u64,
    /// Where its first header is in the file.
    pub(super) start: i64,
    /// What is added to every offset in it: the length of what stands before the zip.
    pub(super) base: i64,
}

struct Record {
    entries: u64,
    size: u64,
    offset: u64,
}

/// Finds the central directory of a file of `size` bytes.
pub(super) fn find<R: ReadAt + ?Sized>(file: &R, size: i64) -> Result<End, ZipError> {
    const TRUNCATED: ZipError = ZipError::Format("no end of central directory: truncated, or no zip at all");
    let (mut at, mut record) = search(file, size)?.ok_or(TRUNCATED)?;
    // 0xffff for the size is Go's, too.
    let wide = record.entries == 0xffff || record.size == 0xffff || record.offset == 0xffff_ffff;
    if wide && let Some(zip64) = locate_zip64(file, at)? {
        record = read_zip64(file, zip64)?;
        at = zip64;
    }
    const OUTSIDE: ZipError = ZipError::Format("central directory outside the file");
    let (Ok(length), Ok(offset)) = (i64::try_from(record.size), i64::try_from(record.offset)) else {
        return Err(OUTSIDE);
    };
    let mut base = at.wrapping_sub(length).wrapping_sub(offset);
    let start = base.wrapping_add(offset);
    if start < 0 || start >= size {
        return Err(OUTSIDE);
    }
    // Some writers count wrongly. If a header is where the record says without a base, there is none.
    if base > 0 && Header::read(&mut Section::new(file, offset, size - offset))?.is_header() {
        base = 0;
    }
    Ok(End { entries: record.entries, start: base.wrapping_add(offset), base })
}

impl Next {
    fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }
}

/// Looks at the last 1 KiB, then at the last 65 KiB.
fn search<R: ReadAt + ?Sized>(file: &R, size: i64) -> Result<Option<(i64, Record)>, ZipError> {
    for window in [1024, 65 * 1024] {
        let length = size.min(window);
        let start = size - length;
        let mut tail = vec![0; usize::try_from(length).unwrap_or_default()];
        fill(&mut Section::new(file, start, length), &mut tail)?;
        if let Some((at, record)) = last_record(&tail) {
            return Ok(Some((start + at as i64, record)));
        }
    }
    Ok(None)
}

/// The last record in a block and where it is. None if the comment of the last one does not end within the block, even
/// if there is another before it.
fn last_record(block: &[u8]) -> Option<(usize, Record)> {
    let last_start = block.len().checked_sub(LENGTH)?;
    let at = memchr::memmem::rfind(block.get(..last_start + SIGNATURE.len())?, SIGNATURE)?;
    // Past signature, both disk numbers and the entries on this disk.
    let mut fields = Fields(block.get(at + 10..)?);
    let record = Record { entries: fields.u16()?.into(), size: fields.u32()?.into(), offset: fields.u32()?.into() };
    let comment = fields.u16()?;
    fields.bytes(comment.into())?;
    Some((at, record))
}

/// Where the zip64 record is, if a good locator stands before the record at `end`.
fn locate_zip64<R: ReadAt + ?Sized>(file: &R, end: i64) -> Result<Option<i64>, ZipError> {
    let start = end - LOCATOR_LENGTH;
    if start < 0 {
        return Ok(None);
    }
    let mut buffer = [0; LOCATOR_LENGTH as usize];
    fill(&mut Section::new(file, start, LOCATOR_LENGTH), &mut buffer)?;
    let mut fields = Fields(&buffer);
    let parts = (fields.u32(), fields.u32(), fields.u64(), fields.u32());
    let (Some(LOCATOR_SIGNATURE), Some(0), Some(offset), Some(1)) = parts else {
        return Ok(None);
    };
    Ok(i64::try_from(offset).ok())
}

fn read_zip64<R: ReadAt + ?Sized>(file: &R, at: i64) -> Result<Record, ZipError> {
    const BAD: ZipError = ZipError::Format("bad zip64 end of central directory");
    let mut buffer = [0; ZIP64_LENGTH];
    let Filled::Whole = fill(&mut Section::new(file, at, ZIP64_LENGTH as i64), &mut buffer)? else {
        return Err(BAD);
    };
    let mut fields = Fields(&buffer);
    if fields.u32() != Some(ZIP64_SIGNATURE) {
        return Err(BAD);
    }
    // Past its size, versions, disk numbers and the entries on this disk.
    fields.bytes(28).ok_or(BAD)?;
    let parts = (fields.u64(), fields.u64(), fields.u64());
    let (Some(entries), Some(size), Some(offset)) = parts else {
        return Err(BAD);
    };
    Ok(Record { entries, size, offset })
}
