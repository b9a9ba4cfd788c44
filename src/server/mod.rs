//! The listener: from a TCP connection to a [`Handler`] and back.
//!
//! ```text
//! accept → limit → PROXY v2 → TLS → HTTP/1.1 or HTTP/2 → Handler
//! worker          connection         activity (idle, slow and stalled peers)
//! ```
//!
//! One thread per core, each with a runtime and a listening socket of its own ([`worker`], `docs/adr/0002`): a
//! connection stays on the core that accepted it, so a request that is answered from the store crosses no thread.
//! What may wait runs on the background runtime, which also serves the admin listener ([`admin`]).
//!
//! Who is told what when the process is to end is in [`run`](mod@run). What a request means is not known here.

mod activity;
mod admin;
mod client_authority;
mod connection;
mod forwarded;
mod listener;
mod proxy_header;
mod readiness;
mod run;
mod settings;
mod tls;
mod validity;
mod worker;

pub use forwarded::{ForwardedError, TrustedProxies};
pub use readiness::{Dependency, Readiness};
pub use run::{Ending, Hooks, Server, background, run};
pub use settings::{CertificateFiles, Settings};
pub use tls::{TlsError, check_certificate, check_client_authority};
pub use validity::{Validity, ValidityError};

use http::{Request, Response};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers requests.
///
/// Each worker makes one of its own, and each connection has a clone of that; all are used from that thread only, so neither
/// the handler nor the future need be `Send`. A panic in it, or in the body it returns, ends that request (500, or a reset stream) and nothing else.
pub trait Handler: Clone + 'static {
    /// Answers one request. The future is dropped if the peer goes away.
    fn handle(
        &self,
        peer: &Peer,
        request: &mut Request<hyper::body::Incoming>,
    ) -> impl Future<Output = Response<axum::body::Body>>;
}

/// Who is at the other end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The client as far as the connection tells: the address in the PROXY protocol header where there is one, else
    /// [`Peer::socket`]. Headers of the request are not considered: see [`TrustedProxies::client`].
    pub address: SocketAddr,
    /// The other end of the TCP connection.
    pub socket: SocketAddr,
    /// The connection is encrypted from there to here.
    pub tls: bool,
    /// The client's certificate (DER), if it showed one: of an authority in `tls.client_ca`, in force when the connection began.
    pub certificate: Option<Arc<[u8]>>,
}

impl Peer {
    /// Nobody can listen in: encrypted, or on this very machine. Credentials are accepted on such connections only.
    pub fn confidential(&self) -> bool {
        self.tls || (self.socket.ip().to_canonical().is_loopback())
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken.
    #[error("cannot listen on `{address}`: another process does")]
    Busy {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on `{address}`: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// Plain HTTP on an address that others can reach.
    #[error("`{address}` is not a loopback address, and no TLS certificate is configured")]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The certificate or its key is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread or runtime cannot be started.
    #[error("cannot start {what}: {cause}")]
    Start {
        /// What.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
}

impl ServerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { address } => {
                let port = address.port().checked_add(1).unwrap_or(8443);
                Some(format!("stop that process, or choose another address: `--listen {}:{port}`", address.ip()))
            }
            Self::Insecure { .. } => {
                Some("configure [tls], or spell out --insecure-http if something else encrypts".to_owned())
            }
            Self::Tls(_) | Self::Listen { .. } | Self::Start { .. } => None,
        }
    }
}
