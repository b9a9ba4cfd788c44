//! Who vouches for a public version's bytes.

use crate::{
    checksum::{ChecksumError, Databases},
    module::{ModulePath, Version},
};
use futures_util::future::BoxFuture;

/// The checksum databases, as far as the store sees them. Called on the background runtime.
pub trait Vouch: Send + Sync + 'static {
    /// Whether any database is configured; if not, public versions are stored unverified.
    fn verifies(&self) -> bool;
    /// The signed record's sums.
    fn vouch<'a>(&'a self, path: &'a ModulePath, version: &'a Version) -> BoxFuture<'a, Result<Sums, ChecksumError>>;
}

/// A signed record's sums, each `h1:` and base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The database's name.
    pub database: String,
    /// Of the zip.
    pub zip: String,
    /// Of the go.mod.
    pub gomod: String,
}

impl Vouch for Databases {
    fn verifies(&self) -> bool {
        Databases::verifies(self)
    }

    fn vouch<'a>(&'a self, path: &'a ModulePath, version: &'a Version) -> BoxFuture<'a, Result<Sums, ChecksumError>> {
        Box::pin(async move {
            let vouched = Databases::vouch(self, path, version).await?;
            let database = vouched.database.0.to_string();
            Ok(Sums { database, zip: vouched.zip.to_string(), gomod: vouched.gomod.to_string() })
        })
    }
}
