//! A held zip: an open file, what its record says, and its bytes as streams.
//!
//! INVARIANT: no client can take a changed file for whole. A file whose bytes this process has not compared with the
//! record (since the start, or since its stamp changed) is hashed while it is sent, and its last piece is held back
//! until the hash agrees. A file that was compared and whose stamp (one fstat) is the same is sent as it is.

use super::{Inner, StoreError, pieces, small, spool::Lease};
use crate::shelf::{Meta, Stamp};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use std::{fs::File, ops::Range, os::unix::fs::FileExt, sync::Arc};

/// A zip on the shelf (or, with a full disk, off it). Cloning shares the file.
#[derive(Debug)]
pub(super) struct HeldZip {
    pub(super) key: String,
    pub(super) file: Arc<File>,
    pub(super) meta: Meta,
    pub(super) etag: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) h1: Option<Arc<str>>,
    /// The memory that the file takes, where that is its place.
    _lease: Option<Lease>,
}

impl HeldZip {
    pub(super) fn new(key: String, file: Arc<File>, meta: Meta, lease: Option<Lease>) -> Self {
        let (etag, source) = (small::etag(&meta), meta.source.as_str().into());
        let h1 = meta.h1.as_deref().map(Arc::from);
        Self { key, file, meta, etag, source, h1, _lease: lease }
    }

    pub(super) fn stamp(&self) -> Result<Stamp, StoreError> {
        Stamp::of(&self.file).map_err(|error| self.read_error(error))
    }

    fn read_error(&self, error: std::io::Error) -> StoreError {
        StoreError::Read { key: self.key.clone(), cause: Arc::new(error) }
    }

    /// The bytes of a range of a file that was compared.
    pub(super) fn stream(self: Arc<Self>, range: Range<u64>) -> BoxStream<'static, Result<Bytes, StoreError>> {
        let state = (self, range);
        futures_util::stream::try_unfold(state, |(zip, range)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let piece = pieces::read_at(&zip.file, range.start, range.end - range.start).await;
            let piece = piece.map_err(|error| zip.read_error(error))?;
            let rest = range.start + piece.len() as u64..range.end;
            Ok(Some((piece, (zip, rest))))
        })
        .boxed()
    }

    /// All bytes of a file that has to be compared while it is sent.
    pub(super) fn compared(
        self: Arc<Self>,
        inner: Arc<Inner>,
        stamp: Stamp,
    ) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
        let compare = Compare { hash: Context::new(&SHA256), offset: 0, held_back: None, zip: self, inner, stamp };
        futures_util::stream::try_unfold(Some(compare), |compare| async move {
            match compare {
                Some(compare) => compare.next().await,
                None => Ok(None),
            }
        })
    }

    /// Compares the whole file with its record. Blocks.
    pub(super) fn hash(&self) -> std::io::Result<[u8; 32]> {
        let mut hash = Context::new(&SHA256);
        let mut buffer = vec![0; 256 << 10];
        let mut offset = 0;
        loop {
            let read = self.file.read_at(&mut buffer, offset)?;
            let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
            hash.update(piece);
            offset += read as u64;
        }
        Ok(finish(hash))
    }
}

/// A comparison under way.
struct Compare {
    zip: Arc<HeldZip>,
    inner: Arc<Inner>,
    stamp: Stamp,
    hash: Context,
    offset: u64,
    held_back: Option<Bytes>,
}

impl Compare {
    /// One piece further; the last one only after the hash agreed.
    async fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, StoreError> {
        while self.offset < self.zip.meta.size {
            let piece = pieces::read_at(&self.zip.file, self.offset, self.zip.meta.size - self.offset).await;
            let piece = piece.map_err(|error| self.zip.read_error(error))?;
            self.hash.update(&piece);
            self.offset += piece.len() as u64;
            if let Some(before) = self.held_back.replace(piece) {
                return Ok(Some((before, Some(self))));
            }
        }
        let found = finish(self.hash);
        if found != self.zip.meta.sha256 {
            let key = self.zip.key.clone();
            self.inner.changed(&self.zip, self.stamp, &found).await;
            return Err(StoreError::Changed { key });
        }
        self.inner.compared(&self.zip, self.stamp);
        Ok(self.held_back.map(|last| (last, None)))
    }
}

pub(super) fn finish(hash: Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}
