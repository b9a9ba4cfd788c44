//! Where the files of a checksum database come from, seen from here: two ways to ask, three ways to fail.

use crate::goproxy::DatabaseName;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::Url;
use std::sync::Arc;

/// Fetches files of checksum databases. An answer is returned whole, decoded, and at most `cap` bytes long.
pub trait Wire: Send + Sync + 'static {
    /// `/sumdb/NAME/PATH` of the upstream list; `path` is `supported`, `latest`, `lookup/…` or `tile/…`, escaped.
    fn upstream(&self, name: &DatabaseName, path: &str, cap: u64) -> BoxFuture<'static, Result<Bytes, WireError>>;

    /// A URL of the database itself.
    fn direct(&self, url: Url, cap: u64) -> BoxFuture<'static, Result<Bytes, WireError>>;
}

/// Why a file was not fetched.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// 404 or 410 from everybody who was asked.
    #[error("not found")]
    NotFound,
    /// There is nobody to ask: no upstream is configured.
    #[error("no source is configured")]
    NoSource,
    /// Everything that says nothing about the file: an outage, a refusal, an answer that is too large.
    #[error("{0}")]
    Unavailable(Arc<str>),
}

impl WireError {
    /// With the inside text of what happened.
    pub fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable(reason.into())
    }
}
