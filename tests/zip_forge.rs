//! A writer of zip files that writes whatever it is told to, also what no zip library would.

use flate2::{Compression, write::DeflateEncoder};
use std::io::Write;

/// One entry: what its name says, and what its headers claim.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The bytes in the file, packed already.
    pub(crate) packed: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) claimed_packed: u64,
    pub(crate) claimed_unpacked: u64,
    /// Unix mode, in the upper half of the external attributes.
    pub(crate) mode: u32,
    /// Right after the contents.
    pub(crate) descriptor: Vec<u8>,
    /// Sizes and offset in a zip64 extra field.
    pub(crate) zip64: bool,
    /// Instead of the extra field that the above makes.
    pub(crate) extra: Option<Vec<u8>>,
    pub(crate) comment: Vec<u8>,
    pub(crate) local_signature: [u8; 4],
    /// In the local header, which readers skip.
    pub(crate) local_extra: Vec<u8>,
    /// Instead of where the entry is.
    pub(crate) offset: Option<u64>,
}

impl Entry {
    /// A deflated file.
    pub(crate) fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content.as_ref()).expect("memory");
        let packed = encoder.finish().expect("memory");
        Self { packed, method: 8, ..Self::stored(name, content) }.sized()
    }

    /// A file as it is.
    pub(crate) fn stored(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        Self {
            name: name.as_ref().to_vec(),
            packed: content.to_vec(),
            method: 0,
            flags: 0x800,
            crc: crc32fast::hash(content),
            claimed_packed: 0,
            claimed_unpacked: content.len() as u64,
            mode: 0o100_644,
            descriptor: Vec::new(),
            zip64: false,
            extra: None,
            comment: Vec::new(),
            local_signature: *b"PK\x03\x04",
            local_extra: Vec::new(),
            offset: None,
        }
        .sized()
    }

    /// The same with a change.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The same with a data descriptor of the given words.
    pub(crate) fn described(self, words: &[u32]) -> Self {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.with(|entry| {
            entry.flags |= 8;
            entry.descriptor = bytes;
        })
    }

    fn sized(mut self) -> Self {
        self.claimed_packed = self.packed.len() as u64;
        self
    }

    fn local(&self) -> Vec<u8> {
        let mut out = self.local_signature.to_vec();
        put(&mut out, &[20, self.flags, self.method, 0, 0]);
        out.extend([0; 12]);
        put(&mut out, &[self.name.len() as u16, self.local_extra.len() as u16]);
        out.extend(&self.name);
        out.extend(&self.local_extra);
        out.extend(&self.packed);
        out.extend(&self.descriptor);
        out
    }

    fn central(&self, at: u64) -> Vec<u8> {
        let offset = self.offset.unwrap_or(at);
        let narrow = |number: u64| if self.zip64 { u32::MAX } else { number as u32 };
        let extra = self.extra.clone().unwrap_or_else(|| if self.zip64 { self.wide(offset) } else { Vec::new() });
        let mut out = b"PK\x01\x02".to_vec();
        put(&mut out, &[3 << 8 | 20, 20, self.flags, self.method, 0, 0]);
        for word in [self.crc, narrow(self.claimed_packed), narrow(self.claimed_unpacked)] {
            out.extend(word.to_le_bytes());
        }
        put(&mut out, &[self.name.len() as u16, extra.len() as u16, self.comment.len() as u16, 0, 0]);
        out.extend((self.mode << 16).to_le_bytes());
        out.extend(narrow(offset).to_le_bytes());
        for part in [&self.name, &extra, &self.comment] {
            out.extend(part);
        }
        out
    }

    fn wide(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, &[1, 24]);
        for number in [self.claimed_unpacked, self.claimed_packed, offset] {
            out.extend(number.to_le_bytes());
        }
        out
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u16]) {
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// How the archive ends, and what surrounds it.
#[derive(Default, Clone)]
pub(crate) struct Ending {
    /// In front of the zip.
    pub(crate) before: Vec<u8>,
    /// Count the bytes in front in the offsets.
    pub(crate) count_before: bool,
    /// Between the last entry and the directory.
    pub(crate) gap: Vec<u8>,
    pub(crate) zip64: bool,
    /// What the old record says beside the one of zip64: entries, size, offset.
    pub(crate) narrow: Option<(u16, u32, u32)>,
    pub(crate) comment: Vec<u8>,
    /// Behind the comment.
    pub(crate) after: Vec<u8>,
    pub(crate) entries: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) offset: Option<u64>,
}

/// The file of these entries.
pub(crate) fn archive(entries: &[Entry], ending: &Ending) -> Vec<u8> {
    let base = if ending.count_before { 0 } else { ending.before.len() };
    let mut out = ending.before.clone();
    let mut directory = Vec::new();
    for entry in entries {
        directory.extend(entry.central((out.len() - base) as u64));
        out.extend(entry.local());
    }
    out.extend(&ending.gap);
    let offset = ending.offset.unwrap_or((out.len() - base) as u64);
    let size = ending.size.unwrap_or(directory.len() as u64);
    let count = ending.entries.unwrap_or(entries.len() as u64);
    out.extend(directory);
    if ending.zip64 {
        let at = (out.len() - base) as u64;
        out.extend(b"PK\x06\x06");
        out.extend(44_u64.to_le_bytes());
        out.extend([0; 12]);
        for number in [count, count, size, offset] {
            out.extend(number.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        out.extend([0; 4]);
        out.extend(at.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
    }
    let wide = (u16::MAX, u32::MAX, u32::MAX);
    let plain = (count as u16, size as u32, offset as u32);
    let (count, size, offset) = ending.narrow.unwrap_or(if ending.zip64 { wide } else { plain });
    out.extend(b"PK\x05\x06");
    put(&mut out, &[0, 0, count, count]);
    out.extend(size.to_le_bytes());
    out.extend(offset.to_le_bytes());
    put(&mut out, &[ending.comment.len() as u16]);
    out.extend(&ending.comment);
    out.extend(&ending.after);
    out
}
