//! What the store answers with.

use super::{Inner, Small, StoreError, flight::Flying, zip::HeldZip};
use crate::{shelf::Standing, source::Extent};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use std::{fmt, ops::Range, sync::Arc};

/// What [`super::Store::look`] found, without asking anyone.
#[derive(Debug)]
pub enum Look {
    /// It is held.
    Held(Held),
    /// A source said a moment ago that it does not exist, in these words.
    Absent {
        /// For the caller.
        text: Arc<str>,
    },
    /// A source has to be asked ([`super::Store::ask`]).
    Ask,
}

/// A held answer.
#[derive(Debug)]
pub struct Held {
    /// The answer, good to be served at once.
    pub content: Content,
    /// Whether the caller should have it refreshed ([`super::Store::refresh`]): a list that is no longer fresh, or a
    /// version that the checksum database has not vouched for yet.
    pub stale: bool,
    /// Whether the refresh should be given a moment before this is served ([`super::Store::refreshed`]).
    pub old: bool,
}

/// How the store came by an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// Held, and fresh.
    Hit,
    /// Held, and due for a refresh.
    Stale,
    /// A source was asked.
    Miss,
    /// Someone else's question to the source was joined.
    Joined,
    /// There is no store: it is handed on from the store behind ([`crate::forward`]).
    Forwarded,
}

/// An answer: verified, or verified before its last bytes are given out.
#[derive(Debug)]
pub struct Content {
    /// The bytes.
    pub body: Body,
    /// Their number, when it is known beforehand.
    pub length: Option<u64>,
    /// Strong entity tag with its quotes; none while the bytes are still arriving.
    pub etag: Option<Arc<str>>,
    /// When they were fetched or last found current.
    pub modified: Option<Timestamp>,
    /// Whether they are final: no longer arriving, and not waiting for the checksum database's word.
    pub settled: bool,
    /// How the store came by them.
    pub cache: CacheOutcome,
    /// Where they came from, printable.
    pub source: Option<Arc<str>>,
    /// `h1:` of a zip or go.mod, where it is known.
    pub h1: Option<Arc<str>>,
}

/// The bytes of an answer.
#[derive(Debug)]
pub enum Body {
    /// A list, an `.info`, a `.mod`: whole and in memory.
    Small(Arc<Small>),
    /// A zip.
    Zip(ZipBody),
}

/// The bytes of a zip.
pub struct ZipBody(Way);

enum Way {
    Held(Arc<HeldZip>, Arc<Inner>),
    Flying(Flying),
    Passing(Extent, BoxStream<'static, Result<Bytes, StoreError>>),
}

impl Content {
    pub(super) fn small(small: Arc<Small>, cache: CacheOutcome) -> Self {
        Self {
            length: Some(small.bytes().len() as u64),
            etag: Some(small.etag().clone()),
            modified: Some(small.meta().fetched),
            settled: small.meta().standing != Standing::Provisional,
            cache,
            source: Some(small.source().clone()),
            h1: small.h1().cloned(),
            body: Body::Small(small),
        }
    }

    pub(super) fn zip(zip: Arc<HeldZip>, inner: Arc<Inner>, cache: CacheOutcome) -> Self {
        Self {
            length: Some(zip.meta.size),
            etag: Some(zip.etag.clone()),
            modified: Some(zip.meta.fetched),
            settled: zip.meta.standing != Standing::Provisional,
            cache,
            source: Some(zip.source.clone()),
            h1: zip.h1.clone(),
            body: Body::Zip(ZipBody(Way::Held(zip, inner))),
        }
    }

    pub(super) fn flying(flying: Flying, length: Option<u64>, source: Arc<str>, cache: CacheOutcome) -> Self {
        let body = Body::Zip(ZipBody(Way::Flying(flying)));
        Self { body, length, etag: None, modified: None, settled: false, cache, source: Some(source), h1: None }
    }
}

impl ZipBody {
    /// A zip that is handed on as it comes and kept nowhere, or as much of it as `extent` says.
    pub fn passing(extent: Extent, bytes: BoxStream<'static, Result<Bytes, StoreError>>) -> Self {
        Self(Way::Passing(extent, bytes))
    }

    /// Whether [`ZipBody::range`] works: the zip is held, not still arriving; or it is a part that is handed on.
    pub fn has_ranges(&self) -> bool {
        match &self.0 {
            Way::Held(..) => true,
            Way::Flying(_) => false,
            Way::Passing(extent, _) => *extent != Extent::Whole,
        }
    }

    /// All bytes. An error in the stream means that the transfer must be broken off, so that no client takes what it
    /// got for whole. To be polled within a tokio runtime.
    pub fn stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        match self.0 {
            Way::Flying(flying) => flying.stream(),
            Way::Passing(Extent::Whole, bytes) => bytes,
            // A part is never all.
            Way::Passing(..) => futures_util::stream::iter([Err(StoreError::Aborted("it is a part"))]).boxed(),
            Way::Held(zip, inner) => match zip.stamp() {
                Ok(stamp) if inner.is_compared(&zip, &stamp) => {
                    let whole = 0..zip.meta.size;
                    zip.stream(whole)
                }
                Ok(stamp) => zip.compared(inner, stamp).boxed(),
                Err(error) => futures_util::stream::iter([Err(error)]).boxed(),
            },
        }
    }

    /// A part of the bytes; `None` while they are still arriving, for a range beyond the end, or for another part than the
    /// one that is handed on. The file is compared
    /// with its record first where that has not been done, which for a large zip takes a moment.
    pub async fn range(
        self,
        range: Range<u64>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let (zip, inner) = match self.0 {
            Way::Held(zip, inner) => (zip, inner),
            Way::Passing(Extent::Part { range: passing, .. }, bytes) if passing == range => return Ok(Some(bytes)),
            Way::Passing(..) | Way::Flying(_) => return Ok(None),
        };
        if range.end > zip.meta.size {
            return Ok(None);
        }
        inner.compare_whole(&zip).await?;
        Ok(Some(zip.stream(range)))
    }
}

impl fmt::Debug for ZipBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Held(zip, _) => f.debug_tuple("Held").field(zip).finish(),
            Way::Flying(_) => f.write_str("Flying"),
            Way::Passing(extent, _) => f.debug_tuple("Passing").field(extent).finish(),
        }
    }
}
