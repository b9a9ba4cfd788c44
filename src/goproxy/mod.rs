//! The GOPROXY protocol: the only place that knows its URLs and bodies.
//!
//! [`Target`] is what a URL path asks for, parsed once. The same value is authorized, served, cached and recorded.

pub mod answer;
pub mod info;
pub mod list;
pub mod negotiation;
mod percent;
pub mod refusal;
mod target;
mod tile;

pub use info::{Info, InfoError};
pub use target::{Asked, DatabaseName, SumdbAsk, Target, TargetError};
pub use tile::Tile;
