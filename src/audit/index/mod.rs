//! The index: where in the journal the records lie that an auditor asks for.
//!
//! The journal is the truth; the index is derived from it, may be deleted at any time and is made again. It never holds
//! an answer, only places: whoever asks reads the lines from the journal and judges them by the filter again.
//!
//! # Format
//!
//! One SQLite file, `index.sqlite` (0600) beside the segments, in WAL mode. `user_version` is the schema; a file of
//! another schema, older or newer, is made anew. `index.lock` is held by whoever keeps it, and only the holder replaces
//! the file.
//!
//! * `segment`: how far each segment is indexed (`bytes`, `records`), the CRC-32 of those bytes, and the file's length and
//!   time of change when its last whole line had been indexed.
//! * `stretch`: a run of some thousand lines, and the earliest and latest time in it. A condition on time chooses stretches.
//! * `term`: the texts that are looked up, each with a number: subjects, modules with versions, rare decisions and kinds.
//! * `posting`: segment, bucket (which 4 MiB of it), term, offset of the line. All that is written at a time lies in one or
//!   two buckets, on few pages, however long the journal is; and a segment is forgotten by one range.
//! * `state`: `generation`, which changes whenever something was forgotten; the number of terms; the file's own inode.
//!
//! # Invariants
//!
//! INVARIANT: the rows of a batch and the cursor behind it (`segment.bytes`) are committed together, and only if the cursor
//! is still where the batch began. So a record is never indexed twice or left out, whoever is killed and however many feed.
//!
//! INVARIANT: an answer is complete. A segment is looked up only if its bytes are those that were indexed (`mark.rs`); what
//! lies behind the cursor, and every segment that does not fit, is read from the journal; a fault of the index on the way
//! has the rest read.
//!
//! INVARIANT: feeding takes no lock of the journal and writes none of its files.
//!
//! # Reading order
//!
//! `term` (what is looked up), `mark` (how far), `batch` (reading), [`Index`] (writing), [`Feeder`] (when), [`Lookup`] (asking).
//! What is deliberately elsewhere: `query.rs` merges what is looked up with what is scanned.

mod backlog;
mod batch;
mod database;
mod error;
mod feeder;
mod lookup;
mod mark;
mod plan;
mod rebuild;
mod rows;
mod term;
mod writer;

pub use backlog::Backlog;
pub use error::IndexError;
pub use feeder::{FeedCounters, Feeder};
pub use lookup::Lookup;
pub(super) use lookup::{Guide, Piece, Window};
pub use rebuild::{Rebuilt, rebuild};
pub use writer::{BATCH, Index, Step};

#[cfg(test)]
mod tests;
