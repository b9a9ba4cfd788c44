//! The bundle for SSL_CERT_FILE: that variable replaces the system's roots, so they are in it too.

use super::FirstRunError;
use super::file::{read, write_public};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};

const BUNDLE: &str = "bundle.pem";

/// Where systems keep their roots in one file.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The roots that the system trusts.
///
/// SSL_CERT_FILE is honoured unless it names our own bundle, which people were told to put there: reading it would make
/// the bundle its own source.
pub(in crate::cli) fn system_roots(data: &Path, ssl_cert_file: Option<&Path>) -> Vec<CertificateDer<'static>> {
    let own = data.join("tls").join(BUNDLE);
    if ssl_cert_file.is_none_or(|file| !same(file, &own)) {
        return rustls_native_certs::load_native_certs().certs;
    }
    let files = SYSTEM_FILES.iter().map(Path::new).chain([own.as_path()]);
    let read = |file| CertificateDer::pem_file_iter(file).ok().map(|found| found.flatten().collect::<Vec<_>>());
    files.filter_map(read).find(|roots| !roots.is_empty()).unwrap_or_default()
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// Writes the bundle if it is not there or has other content.
pub(super) fn ensure(
    directory: &Path,
    authority: &CertificateDer<'_>,
    roots: &[CertificateDer<'_>],
) -> Result<PathBuf, FirstRunError> {
    let path = directory.join(BUNDLE);
    let roots = roots.iter().filter(|root| *root != authority);
    let bundle: String = roots.chain([authority]).map(|certificate| pem(certificate)).collect();
    if read(&path)?.as_ref() != Some(&bundle) {
        write_public(&path, bundle.as_bytes())?;
    }
    Ok(path)
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (place, character) in text.char_indices() {
        if place > 0 && place % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}
