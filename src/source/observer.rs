//! Who is told how each request to a source ended, for the metrics.

use super::error::SourceError;
use std::sync::{Arc, OnceLock};

/// Called once for each request to a source: `None` for an answer, else what went wrong. A zip counts as answered when its
/// head came. Must neither block nor fail.
pub type Observer = Box<dyn Fn(Option<&SourceError>) + Send + Sync>;

/// The place of the observer, shared by all sources of an instance. Nobody is there until somebody is put there.
#[derive(Clone, Default)]
pub(super) struct Observed(Arc<OnceLock<Observer>>);

impl Observed {
    /// The first observer stays.
    pub(super) fn by(&self, observer: Observer) {
        let _ = self.0.set(observer);
    }

    /// Tells how a request ended, and hands the result on.
    pub(super) fn tell<T>(&self, result: Result<T, SourceError>) -> Result<T, SourceError> {
        if let Some(observer) = self.0.get() {
            observer(result.as_ref().err());
        }
        result
    }
}
