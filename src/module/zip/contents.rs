//! The contents of a module zip: unpacked, compared with what was declared, and hashed.
//!
//! An entry is unpacked to nowhere, 64 KiB at a time, as `File.Open` in Go's `archive/zip` does it: from behind its
//! local header, exactly as many bytes as declared, whose CRC-32 is the directory's. That number is not compared if
//! it is zero and no data descriptor follows, as in Go. Deflate streams must end, and what
//! follows their end within the packed size does not matter.

use super::directory::{Directory, Entry};
use super::names::Names;
use super::section::{Fields, Filled, ReadAt, Section, fill};
use super::{Checked, ZipError};
use crate::module::hash::{H1, Summary};
use aws_lc_rs::digest::{Context, Digest, SHA256};
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Read;

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const LOCAL_LENGTH: usize = 30;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const DESCRIPTOR_LENGTH: i64 = 16;
const CHUNK: usize = 64 << 10;

/// Hashes every entry, in the order of the names (`dirhash.HashZip`).
pub(super) fn hash<R: ReadAt + ?Sized>(file: &R, directory: &Directory, names: &Names) -> Result<Checked, ZipError> {
    let mut order: Vec<(usize, &Entry)> = directory.entries.iter().enumerate().collect();
    order.sort_by_key(|&(_, entry)| directory.name(entry));
    let mut unpacker = Unpacker::new(file);
    let mut summary = Summary::new();
    let mut gomod = None;
    for same_name in order.chunk_by(|&(_, a), &(_, b)| directory.name(a) == directory.name(b)) {
        // Only entries of directories have a name twice; Go then opens the last one for each of them.
        let Some(&(position, entry)) = same_name.last() else {
            continue;
        };
        let name = directory.name(entry);
        let digest = unpacker.digest(name, entry)?;
        for _ in same_name {
            summary.add(digest.as_ref(), name);
        }
        if names.gomod == Some(position) {
            gomod = Some(H1::of_gomod_digest(digest.as_ref()));
        }
    }
    Ok(Checked { h1: summary.finish(), gomod, files: names.files, unpacked: names.unpacked })
}

/// Unpacks one entry after the other with the same buffers.
struct Unpacker<'a, R: ?Sized> {
    file: &'a R,
    inflater: Decompress,
    packed: Box<[u8]>,
    unpacked: Box<[u8]>,
}

impl<'a, R: ReadAt + ?Sized> Unpacker<'a, R> {
    fn new(file: &'a R) -> Self {
        let chunk = || vec![0; CHUNK].into_boxed_slice();
        Self { file, inflater: Decompress::new(false), packed: chunk(), unpacked: chunk() }
    }

    /// The SHA-256 of an entry's contents.
    fn digest(&mut self, name: &[u8], entry: &Entry) -> Result<Digest, ZipError> {
        let start = self.skip_local_header(entry)?.ok_or_else(|| ZipError::entry(name, "no local header"))?;
        let mut sink = Sink::new(entry);
        if name.ends_with(b"/") {
            // A directory's packed bytes, which some writers leave there, are not looked at.
            return sink.finish_directory().map_err(|reason| ZipError::entry(name, reason));
        }
        // As an int64, as Go does.
        let packed = entry.packed as i64;
        let mut source = Section::new(self.file, start, packed);
        let outcome = match entry.method {
            0 => self.copy(&mut source, &mut sink),
            8 => self.inflate(&mut source, &mut sink),
            _ => Err(Fault::Bad("unsupported compression method")),
        };
        outcome.map_err(|fault| fault.at(name))?;
        let descriptor = if entry.described {
            let mut descriptor = Section::new(self.file, start.wrapping_add(packed), DESCRIPTOR_LENGTH);
            Some(read_descriptor(&mut descriptor).map_err(|fault| fault.at(name))?)
        } else {
            None
        };
        sink.finish(descriptor).map_err(|reason| ZipError::entry(name, reason))
    }

    /// Where the contents of an entry begin; `None` if its local header is not there.
    fn skip_local_header(&self, entry: &Entry) -> Result<Option<i64>, ZipError> {
        let mut header = [0; LOCAL_LENGTH];
        let mut section = Section::new(self.file, entry.offset, LOCAL_LENGTH as i64);
        let Filled::Whole = fill(&mut section, &mut header)? else {
            return Ok(None);
        };
        let mut fields = Fields(&header);
        if fields.u32() != Some(LOCAL_SIGNATURE) {
            return Ok(None);
        }
        // Past all that the directory has told already.
        let lengths = fields.bytes(22).and_then(|_| Some(i64::from(fields.u16()?) + i64::from(fields.u16()?)));
        Ok(lengths.map(|lengths| entry.offset + LOCAL_LENGTH as i64 + lengths))
    }

    fn copy(&mut self, source: &mut impl Read, sink: &mut Sink<'_>) -> Result<(), Fault> {
        loop {
            let read = read_some(source, &mut self.packed)?;
            if read == 0 {
                return Ok(());
            }
            sink.take(self.packed.get(..read).unwrap_or_default())?;
        }
    }

    fn inflate(&mut self, source: &mut impl Read, sink: &mut Sink<'_>) -> Result<(), Fault> {
        self.inflater.reset(false);
        let (mut from, mut to) = (0, 0);
        loop {
            if from == to {
                (from, to) = (0, read_some(source, &mut self.packed)?);
            }
            let input = self.packed.get(from..to).unwrap_or_default();
            let (consumed, produced) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self
                .inflater
                .decompress(input, &mut self.unpacked, FlushDecompress::None)
                .map_err(|_| Fault::Bad("corrupt deflate stream"))?;
            let consumed = (self.inflater.total_in() - consumed) as usize;
            let produced = (self.inflater.total_out() - produced) as usize;
            from += consumed;
            sink.take(self.unpacked.get(..produced).unwrap_or_default())?;
            match status {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError if consumed == 0 && produced == 0 => {
                    return Err(Fault::Bad("truncated deflate stream"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

/// What went wrong within one entry.
enum Fault {
    Bad(&'static str),
    Read(std::io::Error),
}

impl Fault {
    fn at(self, name: &[u8]) -> ZipError {
        match self {
            Self::Bad(reason) => ZipError::entry(name, reason),
            Self::Read(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error)
    }
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Fault> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => return Ok(other?),
        }
    }
}

/// The CRC-32 in a data descriptor, with or without a signature before it. The sizes after it may be of 32 or 64 bits
/// and are not looked at, but eight bytes must be there.
fn read_descriptor(source: &mut impl Read) -> Result<u32, Fault> {
    const CUT: Fault = Fault::Bad("truncated data descriptor");
    let mut first = [0; 4];
    let Filled::Whole = fill(source, &mut first)? else {
        return Err(CUT);
    };
    let mut crc = first;
    if u32::from_le_bytes(first) == DESCRIPTOR_SIGNATURE {
        let Filled::Whole = fill(source, &mut crc)? else {
            return Err(CUT);
        };
    }
    let Filled::Whole = fill(source, &mut [0; 8])? else {
        return Err(CUT);
    };
    Ok(u32::from_le_bytes(crc))
}

/// Takes the contents of an entry and judges them.
struct Sink<'a> {
    entry: &'a Entry,
    taken: u64,
    crc: crc32fast::Hasher,
    sha256: Context,
}

impl<'a> Sink<'a> {
    fn new(entry: &'a Entry) -> Self {
        Self { entry, taken: 0, crc: crc32fast::Hasher::new(), sha256: Context::new(&SHA256) }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.taken += bytes.len() as u64;
        if self.taken > self.entry.unpacked {
            // INVARIANT: no more is ever unpacked than was declared, and the sum of that is limited.
            return Err(Fault::Bad("contents larger than declared"));
        }
        self.crc.update(bytes);
        self.sha256.update(bytes);
        Ok(())
    }

    fn finish_directory(self) -> Result<Digest, &'static str> {
        if self.entry.unpacked == 0 { Ok(self.sha256.finish()) } else { Err("directory with contents") }
    }

    fn finish(self, descriptor: Option<u32>) -> Result<Digest, &'static str> {
        if self.taken != self.entry.unpacked {
            return Err("contents smaller than declared");
        }
        let expected = self.entry.crc;
        if descriptor.is_some_and(|crc| crc != expected) {
            return Err("data descriptor with another checksum");
        }
        let compared = descriptor.is_some() || expected != 0;
        if compared && self.crc.finalize() != expected { Err("checksum error") } else { Ok(self.sha256.finish()) }
    }
}
