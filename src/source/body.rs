//! The body of a 200: counted, timed, and never ended early without an error.
//!
//! INVARIANT: it ends. A source that sends a byte now and then passes for one that is alive, and whoever asked for the
//! same meanwhile waits with the first; so beside the pause between two pieces its [`Pace`] is limited.

use super::{
    allowance::Allowance,
    ask::Extent,
    error::SourceError,
    transport::{Timeouts, failure},
};
use crate::goproxy::negotiation::EntityTag;
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use http::{
    HeaderMap, Version,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, LAST_MODIFIED, TRANSFER_ENCODING},
};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::Response;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The slowest that a body may come, in bytes for each second that we waited for it.
const SLOWEST: f64 = 512.0;

/// What a source gave.
pub(super) struct Body {
    /// Its length in bytes, when that is known beforehand (it is not for what comes compressed).
    pub(super) length: Option<u64>,
    /// The bytes. After an error nothing follows; an end without one means that all of it came.
    pub(super) bytes: BoxStream<'static, Result<Bytes, SourceError>>,
    /// What was said of them.
    pub(super) told: Told,
}

/// What a source said of what it gave, beside the bytes.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// How much of the thing it is.
    pub extent: Extent,
    /// Its strong entity tag, if the bytes came as they are and their number was announced.
    pub etag: Option<EntityTag>,
    /// When it last changed.
    pub modified: Option<Timestamp>,
    /// The end cannot be told from a break: neither a length was announced, nor do the bytes come in counted pieces.
    pub endless: bool,
}

impl Told {
    fn of(headers: &HeaderMap, version: Version) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let counted = headers.contains_key(CONTENT_LENGTH);
        let pieces = version >= Version::HTTP_2 || headers.contains_key(TRANSFER_ENCODING);
        let date = |text: &str| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        Self {
            extent: Extent::Whole,
            etag: text(ETAG).filter(|_| counted).and_then(EntityTag::parse),
            modified: text(LAST_MODIFIED).and_then(date),
            endless: !counted && !pieces,
        }
    }
}

impl Body {
    /// A body that is in memory.
    pub(super) fn of(bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        Self { length, bytes: stream::once(async { Ok(bytes) }).boxed(), told: Told::default() }
    }

    /// No body, because the source need not send any: it has the tag `etag` still, or the part lies outside.
    pub(super) fn none(extent: Extent, etag: Option<EntityTag>, response: &Response) -> Self {
        let told = Told { extent, etag, ..Told::of(response.headers(), response.version()) };
        Self { length: None, bytes: stream::empty().boxed(), told }
    }

    /// The same bytes, of which a source said this.
    pub(super) fn told(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// The body of `response`, of which no more than `allowance` is taken.
    pub(super) fn of_response(
        at: &Arc<str>,
        response: Response,
        allowance: Allowance,
        timeouts: &Timeouts,
    ) -> Result<Self, SourceError> {
        // The client undid gzip and took the header away; what is left was not asked for.
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|value| *value != "identity") {
            return Err(SourceError::invalid(at, format!("an unexpected Content-Encoding {encoding:?}")));
        }
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
        if length.is_some_and(|length| length > allowance.bytes) {
            return Err(SourceError::TooLarge { at: at.clone(), limit: allowance.bytes });
        }
        let told = Told::of(response.headers(), response.version());
        let (limit, patience) = (allowance.bytes, timeouts.read);
        let reading = Reading { at: at.clone(), response, length, taken: 0, limit, patience, pace: Pace::default() };
        let bytes = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|chunk| (chunk, reading)))
        });
        Ok(Self { length, bytes: bytes.boxed(), told })
    }

    /// All of it at once, within `patience`.
    pub(super) async fn whole(self, at: &Arc<str>, patience: Duration) -> Result<Bytes, SourceError> {
        let mut bytes = self.bytes;
        let reading = async {
            let Some(first) = bytes.try_next().await? else { return Ok(Bytes::new()) };
            let Some(second) = bytes.try_next().await? else { return Ok(first) };
            let mut all = BytesMut::from(first);
            all.extend_from_slice(&second);
            while let Some(chunk) = bytes.try_next().await? {
                all.extend_from_slice(&chunk);
            }
            Ok(all.freeze())
        };
        let late = |_| SourceError::TimedOut { at: at.clone(), waiting: "the end of the answer" };
        tokio::time::timeout(patience, reading).await.map_err(late)?
    }
}

struct Reading {
    at: Arc<str>,
    response: Response,
    length: Option<u64>,
    taken: u64,
    limit: u64,
    patience: Duration,
    pace: Pace,
}

/// How fast a body came of late.
#[derive(Default)]
struct Pace {
    waited: Duration,
    came: usize,
}

impl Pace {
    /// Counts a piece; false if, over more than twice `patience`, it was too slow. Only waiting counts, so a disk of ours
    /// that stalls is not laid at the source's door.
    fn is_bearable(&mut self, piece: usize, waited: Duration, patience: Duration) -> bool {
        self.came = self.came.saturating_add(piece);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < patience.saturating_mul(2) {
            return true;
        }
        let Self { waited, came } = std::mem::take(self);
        came as f64 >= waited.as_secs_f64() * SLOWEST
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        let at = &self.at;
        let late = |waiting| SourceError::TimedOut { at: at.clone(), waiting };
        let began = Instant::now();
        let chunk = tokio::time::timeout(self.patience, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| late("more of the body"))?;
        let Some(chunk) = chunk.map_err(|error| failure(at, error))? else {
            // INVARIANT: a body shorter than announced is an error. The client sees to it for what it announced to
            // us; this is the same sum once more, because a short zip that passes for a whole one is never found out.
            return match self.length.filter(|&length| length != self.taken) {
                Some(length) => Err(SourceError::failed(at, format!("{} of {length} bytes came", self.taken))),
                None => Ok(None),
            };
        };
        self.taken = self.taken.saturating_add(chunk.len() as u64);
        if self.taken > self.limit {
            return Err(SourceError::TooLarge { at: at.clone(), limit: self.limit });
        }
        if !self.pace.is_bearable(chunk.len(), began.elapsed(), self.patience) {
            return Err(late("a body that hardly moves"));
        }
        Ok(Some(chunk))
    }
}
