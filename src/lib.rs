//! modgate: the gateway between the `go` command and the code that a company depends on.

pub mod audit;
pub mod checksum;
pub mod config;
pub mod error;
pub mod goproxy;
pub mod module;
pub mod policy;
pub mod server;
pub mod shelf;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod watch;
