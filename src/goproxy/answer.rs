//! A successful answer: headers by kind of target, and the form that the request asked for.
//!
//! Content types are those of the public proxy (the `go` command ignores them on success). Whether a shared cache may
//! keep an answer depends on the permit: `private` unless anyone would get the same. What never changes may be kept for a
//! week, but only once it is settled: what is still arriving or not vouched for yet may turn out to be wrong. Everything
//! else may be kept for a minute.

use super::{Asked, SumdbAsk, Target, negotiation};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use jiff::{Timestamp, fmt::rfc2822};
use std::ops::Range;

/// gzip saves nothing worth its price below this size, in bytes.
pub const GZIP_FROM: usize = 1024;

/// Room for all headers of an answer, those of the walk and of HTTP included.
const HEADERS: usize = 12;

/// What is known of an answer beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What was asked for.
    pub target: &'a Target,
    /// Whether somebody without a credential would get the same.
    pub public: bool,
    /// Whether the bytes are final.
    pub settled: bool,
    /// Strong entity tag with its quotes, where the bytes are known beforehand.
    pub etag: Option<&'a str>,
    /// When the bytes were fetched.
    pub modified: Option<Timestamp>,
}

/// The parts of a request that decide an answer's form.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// GET or HEAD.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

impl About<'_> {
    /// An answer of bytes in memory; `gzip` gives their compressed form, where there is one.
    pub fn small(&self, wish: Wish<'_>, bytes: Bytes, gzip: impl FnOnce() -> Option<Bytes>) -> Response<Body> {
        let compressed = if negotiation::accepts_gzip(wish.headers) { gzip() } else { None };
        if self.is_known(wish) {
            return self.not_modified(compressed.is_some());
        }
        let mut answer = self.head(StatusCode::OK, compressed.is_some());
        if compressed.is_some() {
            answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let bytes = compressed.unwrap_or(bytes);
        of_length(answer, wish, bytes.len() as u64, || bytes.into())
    }

    /// An answer of bytes that stream; `body` gives the whole of them. `length` is unknown while a source keeps it to itself.
    pub fn streamed(&self, wish: Wish<'_>, length: Option<u64>, body: impl FnOnce() -> Body) -> Response<Body> {
        if let Some(unchanged) = self.unchanged(wish) {
            return unchanged;
        }
        let answer = self.head(StatusCode::OK, false);
        match length {
            Some(length) => of_length(answer, wish, length, body),
            None if wish.method == Method::HEAD => answer,
            None => answer.map(|_| body()),
        }
    }

    /// Part of an answer whose length is known.
    pub fn part(&self, wish: Wish<'_>, part: &Range<u64>, length: u64, body: impl FnOnce() -> Body) -> Response<Body> {
        let last = part.end.saturating_sub(1);
        let mut answer = self.head(StatusCode::PARTIAL_CONTENT, false);
        content_range(&mut answer, &format!("bytes {}-{last}/{length}", part.start));
        of_length(answer, wish, part.end.saturating_sub(part.start), body)
    }

    /// 304, where the caller has these bytes already.
    pub fn unchanged(&self, wish: Wish<'_>) -> Option<Response<Body>> {
        self.is_known(wish).then(|| self.not_modified(false))
    }

    /// 416: the part that is asked for lies outside the `length` bytes that there are.
    pub fn outside(&self, wish: Wish<'_>, length: u64) -> Response<Body> {
        let text = format!("the range lies outside the module zip of {length} bytes\n");
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        content_range(&mut answer, &format!("bytes */{length}"));
        of_length(answer, wish, text.len() as u64, || text.into())
    }

    fn is_known(&self, wish: Wish<'_>) -> bool {
        self.etag.is_some_and(|etag| negotiation::is_unchanged(wish.headers, etag))
    }

    fn not_modified(&self, gzip: bool) -> Response<Body> {
        self.head(StatusCode::NOT_MODIFIED, gzip)
    }

    /// Status and headers but for the length; no body.
    fn head(&self, status: StatusCode, gzip: bool) -> Response<Body> {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(self.target)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control()));
        headers.insert(header::VARY, HeaderValue::from_static("Authorization, Accept-Encoding"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(etag) = self.etag.and_then(|etag| tag(etag, gzip)) {
            headers.insert(header::ETAG, etag);
        }
        if let Some(date) = self.modified.and_then(http_date) {
            headers.insert(header::LAST_MODIFIED, date);
        }
        if matches!(self.target, Target::Module { asked: Asked::Zip(_), .. }) {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        answer
    }

    fn cache_control(&self) -> &'static str {
        match (self.target.is_immutable() && self.settled, self.public) {
            (true, true) => "public, max-age=604800, immutable",
            (true, false) => "private, max-age=604800, immutable",
            (false, true) => "public, max-age=60",
            (false, false) => "private, max-age=60",
        }
    }
}

/// The answer with its length and body; HEAD gets no body.
fn of_length(mut answer: Response<Body>, wish: Wish<'_>, length: u64, body: impl FnOnce() -> Body) -> Response<Body> {
    answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    if wish.method != Method::HEAD {
        *answer.body_mut() = body();
    }
    answer
}

fn content_range(answer: &mut Response<Body>, range: &str) {
    if let Ok(range) = HeaderValue::from_str(range) {
        answer.headers_mut().insert(header::CONTENT_RANGE, range);
    }
}

/// The entity tag as a header; another one for the gzip form, since they are other bytes.
fn tag(etag: &str, gzip: bool) -> Option<HeaderValue> {
    match etag.strip_suffix('"') {
        Some(open) if gzip => HeaderValue::try_from(format!("{open}{}", negotiation::GZIP_TAG)).ok(),
        _ => HeaderValue::from_str(etag).ok(),
    }
}

fn http_date(time: Timestamp) -> Option<HeaderValue> {
    HeaderValue::try_from(rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?).ok()
}

fn content_type(target: &Target) -> &'static str {
    match target {
        Target::Root => "text/plain; charset=utf-8",
        Target::Module { asked, .. } => match asked {
            Asked::List | Asked::Mod(_) => "text/plain; charset=utf-8",
            Asked::Latest | Asked::Query(_) | Asked::Info(_) => "application/json",
            Asked::Zip(_) => "application/zip",
        },
        Target::Sumdb { asked, .. } => match asked {
            SumdbAsk::Supported | SumdbAsk::Latest | SumdbAsk::Lookup(..) => "text/plain; charset=utf-8",
            SumdbAsk::Tile(_) => "application/octet-stream",
        },
    }
}
