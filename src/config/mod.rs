//! Configuration: one TOML file, the environment over it, command-line options over both.
//!
//! ```text
//! file ─┐
//! env  ─┼→ Section (raw: keys with their places) → load → Settings (validated) → other parts' settings
//! flags ┘                    └→ problems, all at once          └→ InForce (what `check --print` shows)
//! ```
//!
//! [`Section`](section::Section) is the raw form: it hands out the value of each key with the place where it was
//! written, takes it out of the table, and at the end reports whatever is left as unknown, with the nearest of the keys
//! that were asked for. So the list of keys exists once, in [`load`](mod@load), and a file with five mistakes is told
//! all five. (Structs derived with serde stop at the first.)
//!
//! Secrets are never in the file nor in the environment, only in files that it names; [`Secret`] has no text form.
//! `deploy/modgate.example.toml` documents every key, and a test loads it.

mod directory;
mod environment;
mod failures;
mod forward;
mod issuers;
mod limits;
mod list;
mod listener;
mod load;
mod login;
mod origins;
mod place;
mod quantity;
mod report;
mod secret;
mod section;
mod settings;
mod tokens;
mod trust;

pub use load::{Inputs, Loaded, load};
pub use place::{ConfigError, InForce, Place, Problem};
pub use quantity::Size;
pub use secret::Secret;
pub use settings::{
    Admin, Audit, Checksum, Credential, Database, DatabaseKey, Failures, Forward, Hedge, Identity, Listen, Login, Mode,
    Policy, Settings, Source, Store, Tls, Upstream,
};
pub use tokens::Tokens;

#[cfg(test)]
mod tests;
