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
//! to their caller (docs/adr/0010). Keys come from files, which [`Issuers::reread`] reads again, or from where the issuer
//! publishes them ([`publication`]): fetched ahead and on a schedule by the [`follower`], and once more when a token names a key that
//! nobody knows ([`Issuers::inquire`], docs/adr/0017). The tokens of workloads are accepted by rules ([`trust`]). What is
//! deliberately elsewhere: watching the files (the pipeline), and what a group means (the policy).

mod algorithm;
mod claim_path;
mod claim_pattern;
mod claims;
mod compact;
mod follower;
mod id_token;
mod identity;
mod issuer;
mod issuers;
mod jwk;
mod key;
mod key_file;
mod key_set;
mod key_source;
mod keyring;
mod metadata;
mod pem;
mod publication;
mod refusal;
mod strict_json;
mod trust;

pub(crate) use id_token::read_id_token;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claim_path::{ClaimPath, ClaimPathError};
pub use claim_pattern::{ClaimPattern, TextPattern, TextPatternError};
pub use follower::{KeyStanding, KeyState};
pub use issuer::{Alias, AliasError, Issuer, IssuerError, IssuerSettings, KeyNews, Reread};
pub use issuers::Issuers;
pub use key_file::{KeyFile, KeyFileError};
pub use key_source::{KeySource, KeysAt, Published};
pub use refusal::{Reason, Refusal, Unproved};
pub use trust::{GroupName, SubjectTemplate, SubjectTemplateError, TrustRule};

#[cfg(test)]
mod tests;
