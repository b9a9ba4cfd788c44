//! A server with a trivial handler, a certificate authority for it, and the clients that ask it.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use modgate::server::{CertificateFiles, Handler, Peer, Readiness, Server, Settings};
use modgate::telemetry::Metrics;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, broadcast};
use tokio::time::MissedTickBehavior;
use tokio_rustls::client::TlsStream;

/// Long enough for a loaded machine; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Answers by the path:
///
/// * `/peer`: the peer's address, and whether TLS is spoken
/// * `/panic`, `/panic-in-body`: panics
/// * `/stream`: sends what the test sends through [`Trivial::chunks`]
/// * `/endless`: a body without end
/// * `/wait`: answers when the test says so
/// * else: the version of HTTP
#[derive(Clone)]
pub(crate) struct Trivial {
    pub(crate) chunks: broadcast::Sender<Option<Bytes>>,
    pub(crate) go: Arc<Notify>,
}

impl Handler for Trivial {
    async fn handle(&self, peer: &Peer, request: &mut Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/peer" => Response::new(Body::from(format!("{} {}", peer.address, peer.tls))),
            "/panic" => panic!("asked to"),
            "/panic-in-body" => Response::new(Body::from_stream(futures_util::stream::poll_fn(
                |_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> { panic!("asked to") },
            ))),
            "/stream" => Response::new(self.streamed()),
            "/endless" => Response::new(Body::from_stream(futures_util::stream::repeat_with(|| {
                Ok::<_, Infallible>(Bytes::from_static(&[b'z'; 64 << 10]))
            }))),
            "/wait" => {
                self.go.notified().await;
                Response::new(Body::from("waited"))
            }
            _ => Response::new(Body::from(format!("{:?}", request.version()))),
        }
    }
}

impl Trivial {
    pub(crate) fn new() -> Self {
        Self { chunks: broadcast::Sender::new(16), go: Arc::new(Notify::new()) }
    }

    fn streamed(&self) -> Body {
        let receiver = self.chunks.subscribe();
        Body::from_stream(futures_util::stream::unfold(receiver, async |mut receiver| {
            let chunk = receiver.recv().await.ok().flatten()?;
            Some((Ok::<_, Infallible>(chunk), receiver))
        }))
    }
}

/// A running server, and what belongs to it.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Readiness,
    pub(crate) handler: Trivial,
    pub(crate) authority: Authority,
}

impl Running {
    /// With TLS, on a free port, two workers, an admin listener, and what `adjust` changes.
    pub(crate) fn start(adjust: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        authority.write(2100);
        let mut settings = Settings::new("127.0.0.1:0".parse().unwrap());
        settings.admin = Some("127.0.0.1:0".parse().unwrap());
        settings.tls = Some(authority.files());
        settings.workers = 2.try_into().unwrap();
        adjust(&mut settings);
        let metrics = Metrics::new();
        let readiness = Readiness::new();
        let handler = Trivial::new();
        let made = handler.clone();
        let server = Server::start(
            settings,
            &tokio::runtime::Handle::current(),
            metrics.clone(),
            readiness.clone(),
            move |_| made.clone(),
        )
        .unwrap();
        Self { server, metrics, readiness, handler, authority }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address().port())
    }

    pub(crate) fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.admin().unwrap())
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    pub(crate) async fn connect_tls(&self, protocol: &[u8]) -> io::Result<TlsStream<TcpStream>> {
        let mut config = self.authority.client();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        connector.connect("localhost".try_into().unwrap(), self.connect().await).await
    }

    pub(crate) fn h1(&self) -> reqwest::Client {
        self.client(b"http/1.1")
    }

    pub(crate) fn h2(&self) -> reqwest::Client {
        self.client(b"h2")
    }

    fn client(&self, protocol: &[u8]) -> reqwest::Client {
        let mut config = self.authority.client();
        config.alpn_protocols = vec![protocol.to_vec()];
        reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().timeout(PATIENCE).build().unwrap()
    }
}

/// A certificate authority that signs for localhost, and the files of the server's certificate.
pub(crate) struct Authority {
    params: rcgen::CertificateParams,
    key: rcgen::KeyPair,
    directory: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self { params, key: rcgen::KeyPair::generate().unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn files(&self) -> CertificateFiles {
        CertificateFiles {
            certificate: self.directory.path().join("certificate.pem"),
            key: self.directory.path().join("key.pem"),
        }
    }

    /// Replaces the server's certificate by one that is valid until that year.
    pub(crate) fn write(&self, until: i32) {
        let (certificate, key) = self.sign(until);
        self.put(&self.files().key, &key);
        self.put(&self.files().certificate, &certificate);
    }

    /// Replaces a file as careful programs do.
    pub(crate) fn put(&self, path: &std::path::Path, content: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, content).unwrap();
        fs::rename(&new, path).unwrap();
    }

    fn sign(&self, until: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn client(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.params.self_signed(&self.key).unwrap().der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// Waits until a condition holds, which is looked at again and again for as long as [`PATIENCE`].
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asked = async {
        while !holds().await {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asked).await.is_ok(), "never: {what}");
}

/// Status and body of a GET.
pub(crate) async fn get(client: &reqwest::Client, url: &str) -> (StatusCode, String) {
    let answer = client.get(url).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}
