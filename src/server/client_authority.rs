//! The authorities whose client certificates are accepted, read again when their file changes.
//!
//! A client may show a certificate and need not: who shows none proves who they are in another way. One that is shown must be
//! good, or there is no connection. INVARIANT (design 7): authorities take effect only when all of the file was understood;
//! those in use stay otherwise.

use super::tls::{TlsError, provider, read, unusable};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The authorities in use.
#[derive(Debug)]
pub(super) struct ClientAuthority {
    file: PathBuf,
    current: ArcSwap<Loaded>,
}

/// What was read at one time.
#[derive(Debug)]
struct Loaded {
    pem: Vec<u8>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuthority {
    /// Reads the file: one or more certificates, PEM.
    pub(super) fn load(file: PathBuf) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(Loaded::read(&file)?);
        Ok(Arc::new(Self { file, current }))
    }

    /// Reads the file again; whether it was another.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let loaded = Loaded::read(&self.file)?;
        let changed = loaded.pem != self.current.load().pem;
        if changed {
            self.current.store(Arc::new(loaded));
        }
        Ok(changed)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

impl Loaded {
    fn read(file: &Path) -> Result<Self, TlsError> {
        let pem = read(file)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unusable(file, format!("malformed PEM: {error}")))?;
            roots.add(certificate).map_err(|error| unusable(file, error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| unusable(file, error.to_string()))?;
        Ok(Self { pem, verifier })
    }
}

/// Each handshake is judged by the authorities in use at that time.
impl ClientCertVerifier for ClientAuthority {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client with several certificates is configured with the one to show, and the hints would have to outlive the
    /// authorities that they are of.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.current.load().verifier.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.current.load().verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current.load().verifier.supported_verify_schemes()
    }
}
