//! The audit journal: who asked for which module, when, from where, and under which rule.
//!
//! # Format
//!
//! A journal is a directory (0700) of append-only segments, `journal-00000001.jsonl` (0600), numbered from 1 without a
//! gap. A segment is one JSON object a line, each line ended by a newline and at most [`MAX_LINE`] bytes; `docs/audit.md`
//! has the fields. Beside the segments lie `journal.lock`, which the one writing process holds, and whatever was cut
//! off a segment's end at a start (`journal-00000001.torn-OFFSET`). Segments are only ever appended to: nothing here
//! rewrites a record, and only bytes that never were a whole record are cut.
//!
//! # What it promises
//!
//! When [`Journal::append`] returns `Ok`, the whole line has been handed to the kernel: it outlives the process. It is
//! on its way to the disk within 100 ms. When it returns `Err`, no part of the line stays, and the caller must neither
//! ask a source nor serve (invariant 3 of the design): the request fails with 503.
//!
//! # Reading order
//!
//! [`Record`] is what is written and [`Entry`] what is read; [`Journal`] appends, a [`Group`] the records of a thread's turn
//! together, [`scan`] finds, and [`search`] finds with an [`index`], which is derived from the segments and lies beside them.
//!
//! What is deliberately elsewhere: the pipeline decides when to record what, the server exports [`Counters`], `cli/audit.rs`
//! prints. This module takes plain values and knows no principal, policy or target. A tree over the records is not built yet.

mod entry;
mod error;
mod filter;
mod finding;
mod group;
mod head;
pub mod index;
mod journal;
mod json;
mod lines;
mod lock;
mod query;
mod record;
mod repair;
mod segment;
mod sync;

pub use entry::{Entry, EntryError};
pub use error::AuditError;
pub use filter::{Filter, ModulePattern, StatusPattern, SubjectPattern};
pub use finding::{Finding, Flaw, Order, Progress, Reach, Summary};
pub use group::{Appending, Group};
pub use journal::{Counters, Journal, Settings};
pub use json::could_mislead;
pub use query::{scan, search};
pub use record::{Act, Cache, Decision, Kind, Record, RuleRef, SCHEMA, Target};
pub use repair::Repair;
pub use segment::MAX_LINE;
