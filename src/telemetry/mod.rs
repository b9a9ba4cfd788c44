//! Seeing modgate run: structured logs and Prometheus metrics.
//!
//! [`Metrics`] lists every metric there is; its labels are enums ([`label`]), so that their number is bounded by the
//! code and never by what a caller sends. Recording is an addition to a counter whose place is computed from those
//! enums: nothing is hashed, locked or allocated on the way of a request.
//!
//! [`log`] sets up `tracing`. A line about a request carries the field [`REQUEST_ID`]; query strings, credentials and
//! header values are never logged.

mod cells;
mod issuers;
pub mod label;
pub mod log;
mod metrics;
mod reading;
mod sources;

pub use issuers::IssuerReading;
pub use metrics::{Answered, Metrics, OpenConnection};
pub use reading::Reading;
pub use sources::SourceReading;

/// The field of a log line that carries the request id, which the answer, the denial and the audit record carry too.
pub const REQUEST_ID: &str = "request_id";
