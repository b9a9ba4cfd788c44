//! What the server is told.

use super::TrustedProxies;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The server's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are; `None`: nowhere.
    pub admin: Option<SocketAddr>,
    /// `None`: plain HTTP/1.1.
    pub tls: Option<CertificateFiles>,
    /// Whose client certificates are accepted (PEM); `None`: clients are not asked for any.
    pub client_ca: Option<PathBuf>,
    /// Plain HTTP is fine on an address that is not loopback.
    pub insecure_http: bool,
    /// Every connection must begin with a PROXY protocol v2 header, and must come from a trusted proxy.
    pub proxy_protocol: bool,
    /// Whose word is taken for a client's address.
    pub trusted_proxies: TrustedProxies,
    /// Threads that serve; on systems other than Linux there is one.
    pub workers: NonZeroUsize,
    /// How long the PROXY header, the TLS handshake and a request's head may take, each.
    pub header_timeout: Duration,
    /// How long a connection may stay without a request, or a peer without taking anything of an answer.
    pub idle_timeout: Duration,
    /// Connections in all; further ones are closed at once.
    pub max_connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
    /// Bytes of one request's head.
    pub max_header_bytes: u32,
    /// How long new connections are still accepted after readiness has begun to fail.
    pub drain_delay: Duration,
    /// How long answers under way may take after that.
    pub drain_timeout: Duration,
}

impl Settings {
    /// The defaults, on `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            admin: None,
            tls: None,
            client_ca: None,
            insecure_http: false,
            proxy_protocol: false,
            trusted_proxies: TrustedProxies::default(),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            max_connections: 10_000,
            max_streams: 250,
            max_header_bytes: 32 << 10,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(60),
        }
    }
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}
