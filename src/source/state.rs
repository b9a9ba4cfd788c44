//! How the sources are doing, for the metrics and for readiness.

use super::circuit::Standing;
use std::sync::Arc;

/// One source of one list.
#[derive(Clone, Debug)]
pub struct SourceState {
    /// The configuration's key of the list: `upstream`, `source.0`, …; `checksum` for a database that is asked directly.
    pub list: Arc<str>,
    /// Its printable name.
    pub source: Arc<str>,
    /// Whether it is asked.
    pub standing: Standing,
    /// How often each standing was entered, in the order of [`Standing::ALL`].
    pub changes: [u64; Standing::ALL.len()],
    /// Requests that were answered without asking, because it was failing or wanted to be left alone.
    pub skipped: u64,
    /// Requests that were made again.
    pub retries: u64,
    /// Requests that were made a second time because the first took long.
    pub hedges: u64,
    /// Requests that were refused because too many waited, or that waited in vain.
    pub refused: u64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Requests that wait for one of those to end.
    pub waiting: usize,
}
