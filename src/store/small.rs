//! A small answer in memory: a list, an `.info`, a `.mod`.

use crate::shelf::{Meta, Standing, hex};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

/// Below, compression saves less than it costs; above, it would hold up the runtime's thread.
const WORTH_COMPRESSING: std::ops::RangeInclusive<usize> = 256..=256 << 10;

/// A verified small answer. Shared: everyone who is given it reads the same bytes.
#[derive(Debug)]
pub struct Small {
    bytes: Bytes,
    etag: Arc<str>,
    source: Arc<str>,
    h1: Option<Arc<str>>,
    meta: Meta,
    gzip: OnceLock<Option<Bytes>>,
}

impl Small {
    pub(super) fn new(bytes: Bytes, meta: Meta) -> Self {
        let (etag, source, h1) = (etag(&meta), meta.source.as_str().into(), meta.h1.as_deref().map(Arc::from));
        Self { bytes, etag, source, h1, meta, gzip: OnceLock::new() }
    }

    /// An answer that is handed on and kept nowhere; `now` is when it came.
    pub fn passing(bytes: Bytes, h1: Option<String>, source: &str, now: Timestamp) -> Self {
        let meta = Meta::of(&bytes, Standing::Unverified, source, now).with_h1(h1);
        Self::new(bytes, meta)
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same, gzip-compressed once and kept; none where that does not pay.
    pub fn gzip(&self) -> Option<&Bytes> {
        self.gzip.get_or_init(|| compress(&self.bytes)).as_ref()
    }

    /// A strong entity tag, quotes included.
    pub fn etag(&self) -> &Arc<str> {
        &self.etag
    }

    /// `h1:` of a go.mod.
    pub fn h1(&self) -> Option<&Arc<str>> {
        self.h1.as_ref()
    }

    pub(super) fn source(&self) -> &Arc<str> {
        &self.source
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What it takes of the memory, in bytes; the compressed form is reckoned in from the start.
    pub(super) fn weight(&self) -> u64 {
        let compressed = if WORTH_COMPRESSING.contains(&self.bytes.len()) { self.bytes.len() / 2 } else { 0 };
        (self.bytes.len() + compressed + 512) as u64
    }
}

/// The entity tag of an entry: the first half of its SHA-256.
pub(super) fn etag(meta: &Meta) -> Arc<str> {
    let (half, _) = meta.sha256.split_at(16);
    format!("\"{}\"", hex(half)).into()
}

fn compress(bytes: &Bytes) -> Option<Bytes> {
    if !WORTH_COMPRESSING.contains(&bytes.len()) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::default());
    encoder.write_all(bytes).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < bytes.len() * 9 / 10).then(|| compressed.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn small(bytes: Vec<u8>) -> Small {
        let meta = Meta::of(&bytes, Standing::Private, "x", Timestamp::UNIX_EPOCH);
        Small::new(bytes.into(), meta)
    }

    #[test]
    fn it_is_compressed_where_that_pays() {
        let list = small("v1.2.3\n".repeat(1000).into());
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&list.gzip().unwrap()[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, list.bytes().to_vec());
        assert!(small(b"module x\n".to_vec()).gzip().is_none());
        let noise: Vec<u8> = (0u32..64).flat_map(|n| crate::shelf::sha256(&n.to_le_bytes())).collect();
        assert!(small(noise).gzip().is_none());
    }

    #[test]
    fn the_tag_is_of_the_bytes() {
        assert_eq!(&**small(b"abc".to_vec()).etag(), "\"ba7816bf8f01cfea414140de5dae2223\"");
    }
}
