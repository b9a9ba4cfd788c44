//! The first start on a developer's machine: all that is needed is made under the data directory.
//!
//! ```text
//! DATA/tls/ca.pem  ca-key.pem (0600)          a certificate authority that can sign for this machine only
//! DATA/tls/localhost.pem  localhost-key.pem   the server's certificate, a year; renewed 30 days before its end
//! DATA/tls/bundle.pem                         the system's roots and ca.pem, for SSL_CERT_FILE
//! DATA/policies/                              the shipped policy; never touched again once it is there
//! DATA/first-token (0600)                     the token that was issued at the first start
//! ```
//!
//! Every later start finds what is there and changes nothing that is still good. Each file appears whole or not at all.

mod authority;
mod bundle;
mod file;
mod instructions;

pub(super) use bundle::system_roots;
pub(super) use file::{private_directory, write_private};
pub(super) use instructions::Instructions;

use crate::server::CertificateFiles;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum FirstRunError {
    #[error("cannot write `{}`: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("cannot read `{}`: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("the time {0} is out of range")]
    Time(Timestamp),
}

/// The development certificate and what clients need to trust it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Development {
    /// For the server.
    pub(super) files: CertificateFiles,
    /// To be trusted.
    pub(super) authority: PathBuf,
    /// The system's roots and the authority.
    pub(super) bundle: PathBuf,
}

/// Makes or renews the certificates under `data`.
pub(super) fn certificates(
    data: &Path,
    roots: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<Development, FirstRunError> {
    let directory = data.join("tls");
    private_directory(&directory)?;
    let authority = authority::ensure(&directory, now)?;
    let bundle = bundle::ensure(&directory, &authority, roots)?;
    let files =
        CertificateFiles { certificate: directory.join(authority::LEAF), key: directory.join(authority::LEAF_KEY) };
    Ok(Development { files, authority: directory.join(authority::CA), bundle })
}

/// Writes the shipped policy to `directory` if there is none: all files, or none if one cannot be written.
pub(super) fn policies(directory: &Path, shipped: &[(&str, &str)]) -> Result<(), FirstRunError> {
    if directory.exists() || shipped.is_empty() {
        return Ok(());
    }
    let new = directory.with_extension("new");
    let error = |cause| FirstRunError::Write { path: new.clone(), cause };
    if new.exists() {
        fs::remove_dir_all(&new).map_err(error)?;
    }
    for (name, content) in shipped {
        let path = new.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(error)?;
        }
        fs::write(&path, content).map_err(error)?;
    }
    fs::rename(&new, directory).map_err(error)
}

/// The file with the first token, and the token itself if it was issued just now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FirstToken {
    pub(super) file: PathBuf,
    pub(super) issued: Option<String>,
}

/// Has a token issued if there never was one. `issue` says `None` if there are tokens already; then there is nothing to
/// tell, unless the first one's file is still there.
pub(super) fn token<E: From<FirstRunError>>(
    data: &Path,
    issue: impl FnOnce() -> Result<Option<String>, E>,
) -> Result<Option<FirstToken>, E> {
    let file = data.join("first-token");
    if file.exists() {
        return Ok(Some(FirstToken { file, issued: None }));
    }
    let Some(token) = issue()? else {
        return Ok(None);
    };
    write_private(&file, format!("{token}\n").as_bytes())?;
    Ok(Some(FirstToken { file, issued: Some(token) }))
}

#[cfg(test)]
mod tests;
