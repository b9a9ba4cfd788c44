//! Where the store gets what it does not hold.

use crate::{
    goproxy::Target,
    source::{Fetched, SourceError, Sources},
};
use futures_util::future::BoxFuture;

/// A source of modules, as far as the store sees it. Called on the background runtime.
pub trait Origin: Send + Sync + 'static {
    /// Asks for the target. `private`: only a configured private source may be asked.
    ///
    /// The other side keeps its own time limits: a call or a body that never ends is a flight that never ends.
    fn fetch<'a>(&'a self, target: &'a Target, private: bool) -> BoxFuture<'a, Result<Fetched, SourceError>>;
}

impl Origin for Sources {
    fn fetch<'a>(&'a self, target: &'a Target, private: bool) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        Box::pin(Sources::fetch(self, target, private))
    }
}
