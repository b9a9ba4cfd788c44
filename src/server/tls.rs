//! TLS: a certificate and its key, read again when they change.
//!
//! INVARIANT (design 7): a pair takes effect only after it was read whole and found to belong together; whatever is
//! wrong with a new one is reported with the file, and the one in use stays.

use super::client_authority::ClientAuthority;
use super::settings::CertificateFiles;
use super::validity::Validity;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("`{}`: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Certificate and key do not belong together.
    #[error("the key in `{}` is not the key of the certificate in `{}`", key.display(), certificate.display())]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificate {
    files: CertificateFiles,
    current: ArcSwap<Loaded>,
    clients: Option<Arc<ClientAuthority>>,
}

/// Checks that a file holds authorities of client certificates.
pub fn check_client_authority(file: &Path) -> Result<(), TlsError> {
    ClientAuthority::load(file.to_owned()).map(drop)
}

/// Checks that the files hold a certificate and its key; `Ok(Some)` is a warning about its validity at `now`.
pub fn check_certificate(files: &CertificateFiles, now: Timestamp) -> Result<Option<String>, TlsError> {
    Ok(Certificate::load(files.clone(), None)?.warning(now))
}

/// One certificate with its key.
#[derive(Debug)]
struct Loaded {
    pair: Arc<CertifiedKey>,
    validity: Option<Validity>,
}

/// What a reload did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reload {
    /// The files hold what is in use.
    Unchanged,
    /// The new certificate is in use.
    Replaced,
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(files: CertificateFiles, client_ca: Option<PathBuf>) -> Result<Arc<Self>, TlsError> {
        let current = ArcSwap::from_pointee(Loaded::read(&files)?);
        let clients = client_ca.map(ClientAuthority::load).transpose()?;
        Ok(Arc::new(Self { files, current, clients }))
    }

    /// Reads the files again.
    pub(super) fn reload(&self) -> Result<Reload, TlsError> {
        let loaded = Loaded::read(&self.files)?;
        let clients = self.clients.as_ref().map_or(Ok(false), |clients| clients.reload())?;
        if loaded.pair.cert == self.current.load().pair.cert {
            return Ok(if clients { Reload::Replaced } else { Reload::Unchanged });
        }
        self.current.store(Arc::new(loaded));
        Ok(Reload::Replaced)
    }

    /// The files.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let clients = self.clients.as_ref().map(|clients| clients.path());
        [&*self.files.certificate, &self.files.key].into_iter().chain(clients).map(Path::to_owned).collect()
    }

    /// When the certificate in use expires.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        self.current.load().validity.map(|validity| validity.not_after)
    }

    /// What a person should know about the certificate in use at `now`.
    pub(super) fn warning(&self, now: Timestamp) -> Option<String> {
        let validity = self.current.load().validity?;
        let file = self.files.certificate.display();
        if now > validity.not_after {
            Some(format!("the certificate in `{file}` expired at {}", validity.not_after))
        } else if now < validity.not_before {
            Some(format!("the certificate in `{file}` is not valid before {}", validity.not_before))
        } else {
            None
        }
    }

    /// The TLS side of the listener: TLS 1.2 and 1.3, h2 and http/1.1, tickets instead of a session cache. Where clients show
    /// certificates no session is resumed: it would go on with a certificate whose authority was taken out since.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let resolver = Arc::new(Resolver(self.clone()));
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let config = match &self.clients {
            Some(clients) => config.with_client_cert_verifier(Arc::clone(clients) as _),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        match &self.clients {
            Some(_) => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
            None => config.ticketer = aws_lc_rs::Ticketer::new()?,
        }
        Ok(Arc::new(config))
    }
}

impl Loaded {
    fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|error| unusable(&files.certificate, pem_problem(&error, "certificate")))?;
        let Some(first) = chain.first() else {
            return Err(unusable(&files.certificate, "there is no PEM certificate in it".to_owned()));
        };
        let validity = Validity::of(first).ok();
        let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
            .map_err(|error| unusable(&files.key, pem_problem(&error, "private key")))?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| unusable(&files.key, format!("unusable private key: {error}")))?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() });
            }
            Err(error) => {
                return Err(unusable(&files.certificate, format!("unusable certificate: {error}")));
            }
        }
        Ok(Self { pair: Arc::new(pair), validity })
    }
}

/// Hands the certificate in use to each handshake.
#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load().pair.clone())
    }
}

/// The one cryptography provider of the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Unreadable { path: path.to_owned(), cause })
}

pub(super) fn unusable(path: &Path, problem: String) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), problem }
}

fn pem_problem(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("there is no PEM {what} in it"),
        other => format!("malformed PEM: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Pair {
        certificate: String,
        key: String,
    }

    fn pair(until: i32) -> Pair {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    fn files(directory: &Path) -> CertificateFiles {
        CertificateFiles { certificate: directory.join("cert.pem"), key: directory.join("key.pem") }
    }

    #[test]
    fn a_bad_new_pair_is_reported_with_its_file_and_the_old_one_stays() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let (first, second) = (pair(2100), pair(2101));
        fs::write(&files.certificate, &first.certificate).unwrap();
        fs::write(&files.key, &first.key).unwrap();
        let certificate = Certificate::load(files.clone(), None).unwrap();
        let before = certificate.expiry();
        assert_eq!(certificate.reload().unwrap(), Reload::Unchanged);

        let cases: [(&Path, &str, &str); 6] = [
            (&files.certificate, &second.certificate, "is not the key of the certificate"),
            (&files.certificate, "", "no PEM certificate"),
            (&files.certificate, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cert.pem"),
            (&files.certificate, &second.key, "no PEM certificate"),
            (&files.key, &second.certificate, "no PEM private key"),
            (&files.key, "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "key.pem"),
        ];
        for (path, content, message) in cases {
            let good = fs::read(path).unwrap();
            fs::write(path, content).unwrap();
            let error = certificate.reload().unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
            assert!(error.contains(directory.path().to_str().unwrap()), "{error}");
            assert_eq!(certificate.expiry(), before, "{message}");
            fs::write(path, good).unwrap();
        }
        fs::remove_file(&files.key).unwrap();
        assert!(matches!(certificate.reload(), Err(TlsError::Unreadable { .. })));

        fs::write(&files.certificate, &second.certificate).unwrap();
        fs::write(&files.key, &second.key).unwrap();
        assert_eq!(certificate.reload().unwrap(), Reload::Replaced);
        assert_ne!(certificate.expiry(), before);
    }

    #[test]
    fn an_expired_certificate_is_used_and_said() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let pair = pair(2100);
        fs::write(&files.certificate, &pair.certificate).unwrap();
        fs::write(&files.key, &pair.key).unwrap();
        let certificate = Certificate::load(files, None).unwrap();
        assert_eq!(certificate.warning("2099-01-01T00:00:00Z".parse().unwrap()), None);
        let warning = certificate.warning("2101-01-01T00:00:00Z".parse().unwrap()).unwrap();
        assert!(warning.contains("expired at 2100-01-01"), "{warning}");
    }
}
