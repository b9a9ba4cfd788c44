//! Makes the certificate that all servers show: ECDSA P-256, for localhost, its own authority. One key for all, because
//! signing is part of a handshake's cost.

use crate::failure::Failure;
use std::{fs, path::Path};

/// Writes `certificate.pem` and `key.pem` below `folder`.
pub(crate) fn write_pair(folder: &Path) -> Result<(), Failure> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    let certificate = folder.join("certificate.pem");
    fs::write(&certificate, made.cert.pem()).map_err(Failure::file(certificate))?;
    let key = folder.join("key.pem");
    fs::write(&key, made.signing_key.serialize_pem()).map_err(Failure::file(&key))?;
    only_owner(&key).map_err(Failure::file(key))
}

#[cfg(unix)]
fn only_owner(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn only_owner(_: &Path) -> std::io::Result<()> {
    Ok(())
}
