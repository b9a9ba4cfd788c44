//! JSON Web Tokens of configured issuers: from the text to a principal.
//!
//! ```text
//! text ── remembered? ── compact ── issuer by `iss` ── type, algorithm ── key, signature ── claims ── names ── remembered
//!         memory         refuse     exactly one         pinned             key_set, key      claims    identity
//! ```
//!
//! INVARIANT: a token chooses nothing. The algorithm must be one that is configured for its issuer, the key is one
//! of that issuer's and of a kind for that algorithm, and there is exactly one issuer for an `iss`. Until the signature was
//! verified nothing that the token says is used for anything but finding that key, and refusing.
//!
//! INVARIANT: every check must pass, each failure has a [`Reason`] of its own for the log, and none of them is told outside.
//!
//! The signatures are verified by aws-lc; the rest is read here, because each of these checks is one that libraries leave
//! to their caller (docs/adr/0010). Keys come from files, which [`Issuers::reread`] reads again. Where they will come from
//! a URL, whoever fetches them puts a new [`key_set`] in force in the same way, and [`Reason::KidUnknown`]
//! is what tells it that a look is worth while. What is deliberately elsewhere: watching the files (the pipeline), and what a
//! group means (the policy).

mod algorithm;
mod claim_path;
mod claims;
mod compact;
mod identity;
mod issuer;
mod issuers;
mod jwk;
mod key;
mod key_file;
mod key_set;
mod pem;
mod refusal;
mod strict_json;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claim_path::{ClaimPath, ClaimPathError};
pub use issuer::{Alias, AliasError, Issuer, IssuerSettings, Reread};
pub use issuers::Issuers;
pub use key_file::{KeyFile, KeyFileError};
pub use refusal::{Reason, Refusal};

#[cfg(test)]
mod tests;
