//! TLS and HTTP/2.

use super::*;
use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::CertifiedKey;
use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server for `proxy.example` with a certificate of its own that notes versions and connections.
struct Secure {
    port: u16,
    pem: Vec<u8>,
    connections: Arc<AtomicUsize>,
    versions: Arc<Mutex<Vec<http::Version>>>,
}

impl Secure {
    async fn start(protocols: &[&[u8]]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["proxy.example".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, pem: cert.pem().into_bytes(), connections: Arc::default(), versions: Arc::default() };
        let (acceptor, connections, versions) =
            (TlsAcceptor::from(Arc::new(config)), server.connections.clone(), server.versions.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, connections, versions) = (acceptor.clone(), connections.clone(), versions.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    connections.fetch_add(1, Ordering::SeqCst);
                    let service = service_fn(move |request: Request<Incoming>| {
                        versions.lock().unwrap().push(request.version());
                        async { Ok::<_, Infallible>(Response::new(Body::from("v1.0.0\n"))) }
                    });
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    fn sources(&self, host: &str, trusted: bool) -> Sources {
        let extra_roots = if trusted { vec![self.pem.clone()] } else { Vec::new() };
        let settings = SourceSettings { extra_roots, ..settings(format!("https://{host}:{}", self.port)) };
        named(&settings, &Names::of(&[(host, "127.0.0.1")]))
    }
}

#[tokio::test]
async fn many_requests_share_one_connection_of_http_2() {
    let server = Secure::start(&[b"h2", b"http/1.1"]).await;
    let sources = server.sources("proxy.example", true);
    all(&sources, &list()).await.unwrap();
    let target = list();
    let at_once = (0..20).map(|_| all(&sources, &target));
    for outcome in futures_util::future::join_all(at_once).await {
        assert_eq!(outcome.unwrap(), b"v1.0.0\n");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert_eq!(*server.versions.lock().unwrap(), [http::Version::HTTP_2; 21]);
}

#[tokio::test]
async fn servers_without_http_2_are_spoken_to_as_they_like() {
    let server = Secure::start(&[b"http/1.1"]).await;
    all(&server.sources("proxy.example", true), &list()).await.unwrap();
    assert_eq!(*server.versions.lock().unwrap(), [http::Version::HTTP_11]);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_name_is_a_failure() {
    let server = Secure::start(&[b"h2"]).await;
    for (host, trusted) in [("proxy.example", false), ("other.example", true)] {
        let error = all(&server.sources(host, trusted), &list()).await.unwrap_err();
        assert!(kind(&error) == "failed" && error.to_string().contains("certificate"), "{error}");
    }
    assert!(server.versions.lock().unwrap().is_empty());
}

#[test]
fn roots_that_are_none_are_refused() {
    for pem in [&b""[..], b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let settings = SourceSettings { extra_roots: vec![pem.to_vec()], ..settings("off") };
        assert!(Sources::new(&settings, &nothing()).is_err(), "{}", String::from_utf8_lossy(pem));
    }
}
