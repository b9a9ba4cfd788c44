//! By which certificates the directory's servers are known.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The certificates that are trusted, ready for use.
#[derive(Clone, Debug)]
pub struct Roots(pub(super) Arc<ClientConfig>);

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file.
    #[error("`{}`: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The TLS library.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Roots {
    /// The certificates of a file (PEM) and no others; without one the system's.
    ///
    /// # Errors
    /// When the file cannot be read, or has something in it that is no certificate, or none.
    pub fn read(path: Option<&Path>) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        match path {
            Some(path) => {
                let failed = |cause: String| RootsError::File { path: path.to_owned(), cause };
                let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                    store.add(certificate).map_err(|error| failed(error.to_string()))?;
                }
                if store.is_empty() {
                    return Err(failed("there is no certificate in it".to_owned()));
                }
            }
            // Some of what systems collect does not parse.
            None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self(Arc::new(config.with_root_certificates(store).with_no_client_auth())))
    }
}
