//! One connection to a server: TLS 1.3 with the cipher suites in the order of the `go` command, then HTTP/1.1 or HTTP/2 as
//! asked, with the windows of Go's client. One request at a time on each [`Connection`]; copies of an HTTP/2
//! connection are streams of it.

use crate::{answers::Answer, failure::Failure, server::Server};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::{self, cipher_suite},
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What Go's HTTP/2 client lets a server send unasked: on a stream, on a connection.
const WINDOWS: (u32, u32) = (4 << 20, 1 << 30);

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
pub(crate) enum Protocol {
    /// HTTP/1.1 with keep-alive
    H1,
    /// HTTP/2
    H2,
}

impl Protocol {
    /// As it is called in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
        }
    }

    fn alpn(self) -> Vec<u8> {
        match self {
            Self::H1 => b"http/1.1".to_vec(),
            Self::H2 => b"h2".to_vec(),
        }
    }
}

/// What connections are opened with; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    protocol: Protocol,
    tls: TlsConnector,
}

/// An open connection, or another stream of it.
pub(crate) enum Connection {
    /// HTTP/1.1.
    H1(http1::SendRequest<Empty<Bytes>>),
    /// HTTP/2.
    H2(http2::SendRequest<Empty<Bytes>>),
}

/// A request that can be sent again and again.
pub(crate) struct Prepared {
    /// What must come back.
    pub(crate) answer: Arc<Answer>,
    uri: Uri,
    headers: HeaderMap,
}

impl Connector {
    /// Trusts the certificates in `roots` and nothing else.
    pub(crate) fn new(protocol: Protocol, roots: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::Content { path: roots.into(), reason };
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(roots).map_err(|error| wrong(error.to_string()))? {
            store.add(certificate.map_err(|error| wrong(error.to_string()))?)?;
        }
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ];
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let mut config = builder.with_root_certificates(store).with_no_client_auth();
        config.alpn_protocols = vec![protocol.alpn()];
        Ok(Self { protocol, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection, and tells the cipher suite that was agreed on.
    pub(crate) async fn open(&self, server: &Server) -> Result<(Connection, String), Failure> {
        let socket = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|e| server.lost(e))?;
        socket.set_nodelay(true).map_err(|e| server.lost(e))?;
        let name = ServerName::try_from(server.host.clone()).map_err(|e| server.lost(e))?;
        let stream = self.tls.connect(name, socket).await.map_err(|e| server.lost(e))?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(&self.protocol.alpn()) {
            return Err(server.lost(format!("it does not speak {}", self.protocol.name())));
        }
        let suite = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
        Ok((self.handshake(stream).await.map_err(|e| server.lost(e))?, suite))
    }

    async fn handshake(&self, stream: TlsStream<TcpStream>) -> Result<Connection, hyper::Error> {
        let io = TokioIo::new(stream);
        // A connection that breaks shows in the request that is on it.
        Ok(match self.protocol {
            Protocol::H1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Connection::H1(sender)
            }
            Protocol::H2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.initial_stream_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
                let (sender, connection) = builder.handshake(io).await?;
                tokio::spawn(connection);
                Connection::H2(sender)
            }
        })
    }

    /// Makes the request for an answer ready.
    pub(crate) fn prepare(&self, server: &Server, answer: &Arc<Answer>) -> Result<Prepared, Failure> {
        let absolute = self.protocol == Protocol::H2;
        let (uri, headers) = (server.uri(answer, absolute)?, server.headers(absolute));
        Ok(Prepared { answer: Arc::clone(answer), uri, headers })
    }
}

impl Connection {
    /// Another stream of the same connection; none with HTTP/1.1.
    pub(crate) fn stream(&self) -> Option<Self> {
        match self {
            Self::H1(_) => None,
            Self::H2(sender) => Some(Self::H2(sender.clone())),
        }
    }

    /// Asks, and reads the answer to its end. Status, length and, of small answers, each byte must be right.
    pub(crate) async fn ask(&mut self, server: &Server, prepared: &Prepared) -> Result<(), Failure> {
        let answer = &prepared.answer;
        let mut body = self.send(server, prepared).await?;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| server.wrong(answer, &chain(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            let next = length + data.len();
            if answer.whole.as_ref().is_some_and(|whole| whole.get(length..next) != Some(&data[..])) {
                return Err(server.wrong(answer, "has other bytes than the tree"));
            }
            length = next;
        }
        if length as u64 == answer.length {
            return Ok(());
        }
        Err(server.wrong(answer, &format!("has {length} bytes instead of {}", answer.length)))
    }

    /// Asks, and compares all bytes. A server that may use words of its own is held to them from then on.
    pub(crate) async fn verify(&mut self, server: &Server, prepared: &mut Prepared) -> Result<(), Failure> {
        let body = self.send(server, prepared).await?;
        let answer = &prepared.answer;
        let bytes = body.collect().await.map_err(|error| server.wrong(answer, &chain(&error)))?.to_bytes();
        if answer.is(&bytes) {
            return Ok(());
        }
        match answer.reworded(&bytes).filter(|_| server.rewords) {
            Some(reworded) => prepared.answer = Arc::new(reworded),
            None => return Err(server.wrong(answer, &format!("has {} other bytes than the tree", bytes.len()))),
        }
        Ok(())
    }

    async fn send(&mut self, server: &Server, prepared: &Prepared) -> Result<Incoming, Failure> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = prepared.uri.clone();
        *request.headers_mut() = prepared.headers.clone();
        let sent = match self {
            Self::H1(sender) => {
                sender.ready().await.map_err(|error| server.lost(chain(&error)))?;
                sender.send_request(request).await
            }
            Self::H2(sender) => {
                sender.ready().await.map_err(|error| server.lost(chain(&error)))?;
                sender.send_request(request).await
            }
        };
        let response = sent.map_err(|error| server.wrong(&prepared.answer, &chain(&error)))?;
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        Err(server.wrong(&prepared.answer, &format!("status {}", response.status())))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
