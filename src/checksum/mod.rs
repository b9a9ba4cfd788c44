//! Checksum databases: is a module version the one that everybody else gets?
//!
//! A checksum database is a transparency log of module hashes (<https://go.dev/design/25530-sumdb>). Its record of a
//! version, `PATH VERSION h1:…` and `PATH VERSION/go.mod h1:…`, is worth something only with the proof that the record
//! is in the one log that everybody sees. This module does what `golang.org/x/mod/sumdb.Client` does, for the store
//! ([`Databases::vouch`]), and answers the same requests for the `go` command ([`Databases::held`],
//! [`Databases::ask`]), which checks them itself.
//!
//! In the order in which a lookup passes them:
//!
//! * `database` – a database's name and key, as GOSUMDB spells them; `error` – what can go wrong.
//! * `wire` and `courier` – how its files are fetched: through the upstream list, or directly; one fetch per file.
//! * `lookup`, `head`, `sums` – the three nested texts of a lookup answer: record, signed tree head, hashes.
//! * `tile`, `proof` – which tiles prove what, and the arithmetic of the proof: pure.
//! * `tiles`, `log`, `records` – one database's tiles, its head (which only ever advances, over a proof) and its records.
//! * `cache` – the files on disk, in the layout of the database's own URLs.
//!
//! INVARIANT: nothing is kept that was not proved to belong to the tree of a signed head that is consistent with every
//! head seen before. Elsewhere: whether a module may be looked up at all (private ones never are) is the policy's to
//! say, and comparing a zip with its record is the store's.

mod cache;
mod courier;
mod database;
mod databases;
mod error;
mod flight;
mod head;
mod log;
mod lookup;
mod proof;
mod records;
mod sources;
mod sums;
mod tile;
mod tiles;
mod wire;

#[cfg(test)]
mod testlog;

pub use cache::{Cache, Directory};
pub use database::{Database, DatabaseError};
pub use databases::{Clock, Databases, OpenError, Vouched};
pub use error::{ChecksumError, Trouble};
pub use sources::SourceWire;
pub use wire::{Wire, WireError};
