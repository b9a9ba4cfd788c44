//! modgate: the gateway between the `go` command and the code that a company depends on.
//!
//! # The walk of a request
//!
//! A connection is accepted by a worker thread of the [`server`], which speaks TLS, HTTP/1.1 and HTTP/2, keeps slow and
//! greedy peers in bounds, and hands each request to the [`pipeline`]. There it gets an id and is *met*: one Host, no
//! body, no credential in clear, and the client's address as the trusted proxies tell it.
//!
//! Its URL path is *parsed* once, by [`goproxy`], into a `Target`: a list, a version's `.info`, `.mod` or `.zip`, a
//! lookup in a checksum database. What a module path and a version are is [`module`]'s to say, in the words of
//! `golang.org/x/mod`. Nothing after this looks at the URL again, so what is decided on is what is served.
//!
//! The crate `auth` *authenticates* the credential, chosen by its shape, into a principal. The [`policy`] *authorizes*
//! the principal for the target: a decision with the rule that made it and, if it is favourable, a `Permit`. Serving
//! takes a permit, and only the policy makes one.
//!
//! Who has asked for more than their share of the [`limit`] waits, and is refused if the wait would be too long.
//!
//! Then the request is *recorded* in the [`audit`] journal: `answered` before the first byte leaves, and `asked` before
//! that if a source has to be asked. What cannot be recorded does not happen.
//!
//! The permit's target is *served* by the [`store`], from memory or from the [`shelf`], which keeps files whole or not at
//! all. What is not held comes from a [`source`], once however many wait for it, and is verified before it counts: by the
//! rules for module zips, and against a [`checksum`] database, whose tiles prove what it says. In [`forward`] mode there is
//! no store: the target is handed on from a store behind as it comes.
//!
//! A path below `/-/`, where no module can be, is a visit: met, authenticated and recorded in the same way, and answered by the
//! [`console`], whose pages and interface for programs are about the callers themselves.
//!
//! What is refused on the way becomes an [`error::RequestError`], which has a status, a text for the terminal of whoever
//! ran `go`, and a cause for the log.
//!
//! # Around it
//!
//! [`config`] reads the settings, [`cli`] is the command line, [`telemetry`] is logs and metrics; what must survive a power cut is
//! written by `durability`.

pub mod audit;
pub mod checksum;
pub mod cli;
pub mod config;
pub mod console;
mod durability;
pub mod error;
pub mod forward;
pub mod goproxy;
pub mod limit;
pub mod module;
pub mod pipeline;
pub mod policy;
pub mod randomness;
pub mod server;
pub mod shelf;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod watch;
