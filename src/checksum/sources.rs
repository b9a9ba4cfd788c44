//! [`Wire`] over the sources of this instance: the only place here that knows them.

use super::wire::{Wire, WireError};
use crate::{
    goproxy::{DatabaseName, Target},
    source::{SourceError, Sources},
};
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, TryStreamExt, future::BoxFuture};
use reqwest::Url;
use std::sync::Arc;

/// Fetches through the upstream list's own `/sumdb/`, or from a database's URL.
pub struct SourceWire {
    sources: ArcSwap<Sources>,
}

impl SourceWire {
    /// Over the sources in force.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources: ArcSwap::new(sources) }
    }

    /// Takes other sources into force. The databases stay open: two instances over one directory must not be.
    pub fn replace(&self, sources: Arc<Sources>) {
        self.sources.store(sources);
    }
}

impl Wire for SourceWire {
    fn upstream(&self, name: &DatabaseName, path: &str, cap: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        let sources = self.sources.load_full();
        let target = Target::parse(&format!("/sumdb/{}/{path}", name.0), std::slice::from_ref(name));
        async move {
            let target = target.map_err(|error| WireError::unavailable(error.to_string()))?;
            let mut body = sources.fetch(&target, false).await?.body;
            let mut whole = BytesMut::new();
            while let Some(chunk) = body.try_next().await? {
                if (whole.len() + chunk.len()) as u64 > cap {
                    return Err(WireError::unavailable(format!("more than {cap} bytes")));
                }
                whole.extend_from_slice(&chunk);
            }
            Ok(whole.freeze())
        }
        .boxed()
    }

    fn direct(&self, url: Url, cap: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        let sources = self.sources.load_full();
        async move { Ok(sources.get(&url, cap).await?) }.boxed()
    }
}

impl From<SourceError> for WireError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Absent { .. } => Self::NotFound,
            SourceError::NoSource { .. } => Self::NoSource,
            other => Self::unavailable(other.to_string()),
        }
    }
}
