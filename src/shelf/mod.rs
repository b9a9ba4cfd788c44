//! The shelf: files on a local disk, each whole or not there at all, each with a record of what its bytes were.
//!
//! It knows nothing of sources, policies or principals: a key names an entry, bytes go in, the same bytes come out.
//!
//! # Layout
//!
//! ```text
//! ROOT/github.com/!burnt!sushi/toml/@v/v1.3.2.zip        the body: GOPROXY's own layout, so ROOT is a file:// proxy
//! ROOT/.meta/github.com/!burnt!sushi/toml/@v/v1.3.2.zip  its side record, JSON (see [`Meta`])
//! ROOT/.tmp/N                                            staging; emptied by [`Shelf::open`]
//! ROOT/.aside/N/{key,reason,body,meta}                   what was taken out of service, for people to look at
//! ROOT/.lock                                             held by the one process that has the shelf open
//! ```
//!
//! A key is the layout's path: relative, `/`-separated, at most 255 bytes an element. No module path element begins
//! with a dot, so the four names above cannot be taken. Directories are 0750, files 0640 (and less by the umask).
//!
//! # What the pair of files means
//!
//! | body | side record | meaning |
//! |---|---|---|
//! | yes | yes | an entry ([`Shelved::Held`]) |
//! | no | yes | known bytes, not held ([`Shelved::Known`]): other bytes must not take the key |
//! | yes | no | put there by someone else ([`Shelved::Strange`]): nothing is known of it, it must be verified first |
//!
//! INVARIANT (whole or nothing): a body appears under its key by one rename of a file that was synced before, and a
//! `.mod` or `.zip` under `@v` is never replaced ([`commit`] argues each step). INVARIANT (one process): the root is
//! locked, so the per-key locks in memory are enough.
//!
//! Everything here blocks; callers on a runtime use its blocking threads. Time is an argument.

mod aside;
mod commit;
mod error;
mod fault;
mod key;
mod meta;
mod read;
mod root;
mod sync;
mod walk;

pub use aside::Record;
pub use commit::{Committed, Outcome, Staged};
pub use error::ShelfError;
#[cfg(test)]
pub(crate) use fault::{Fault, Point};
pub use key::check as check_key;
pub(crate) use meta::hex;
#[cfg(test)]
pub(crate) use meta::sha256;
pub use meta::{Meta, Standing};
pub use read::{Shelved, Stamp};
pub use root::{Shelf, Swept};
pub use sync::Ticket;
pub use walk::Keys;

#[cfg(test)]
mod tests;
