//! Module paths, versions, module zips and their hashes: pure values, no I/O beyond reading a zip that is handed in.
//!
//! The rules are those of `golang.org/x/mod` (`module`, `semver`, `zip`, `sumdb/dirhash`), which the tests hold this
//! module against, answer by answer. Nothing here imports anything of ours.

mod element;
mod escape;
mod glob;
pub mod gomod;
mod hash;
mod path;
mod query;
mod semver;
mod unicode;
mod version;
pub mod zip;

pub use glob::{Glob, GlobError};
pub use hash::H1;
pub use path::{ModulePath, PathError};
pub use query::Query;
pub(crate) use unicode::fold;
pub use version::{Version, VersionError};
