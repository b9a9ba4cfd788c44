//! Clients that behave: both versions of HTTP, plain and encrypted, through a proxy, and handlers that do not behave.

use crate::listening::{Running, get};
use modgate::server::TrustedProxies;
use modgate::telemetry::label::ConnectionEnd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn alpn_chooses_the_version_of_http() {
    let running = Running::start(|_| {});
    assert_eq!(get(&running.h1(), &running.url("/")).await.1, "HTTP/1.1");
    assert_eq!(get(&running.h2(), &running.url("/")).await.1, "HTTP/2.0");
    let (_, peer) = get(&running.h2(), &running.url("/peer")).await;
    assert!(peer.starts_with("127.0.0.1:") && peer.ends_with(" true"), "{peer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_speaks_the_first_version_only() {
    let running = Running::start(|settings| settings.tls = None);
    let mut stream = running.connect().await;
    stream.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(" false"), "{answer}");

    let mut stream = running.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"\0"), "it must not speak HTTP/2: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_request_and_no_other() {
    let running = Running::start(|_| {});
    for client in [running.h1(), running.h2()] {
        let waiting = tokio::spawn({
            let (client, url) = (client.clone(), running.url("/wait"));
            async move { get(&client, &url).await }
        });
        assert_eq!(
            get(&client, &running.url("/panic")).await,
            (http::StatusCode::INTERNAL_SERVER_ERROR, "internal error\n".into())
        );
        let answer = client.get(running.url("/panic-in-body")).send().await;
        let broken = match answer {
            Ok(answer) => answer.bytes().await.is_err(),
            Err(_) => true,
        };
        assert!(broken, "a body that panicked must not look complete");
        running.handler.go.notify_one();
        assert_eq!(waiting.await.unwrap().1, "waited");
    }
    assert!(running.metrics.render().unwrap().contains("modgate_panics_total 2\n"));
}

/// `PROXY`, TCP over IPv4, from 192.0.2.7:4711.
const PROXY_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x12\x67\x01\xbb";

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_its_client_is() {
    let running = Running::start(|settings| {
        settings.tls = None;
        settings.proxy_protocol = true;
        settings.trusted_proxies = TrustedProxies::new(["127.0.0.0/8".parse().unwrap()]);
    });
    let request = b"GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut stream = running.connect().await;
    stream.write_all(&[PROXY_HEADER, request].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("192.0.2.7:4711 false"), "{answer}");

    let mut stream = running.connect().await;
    stream.write_all(request).await.unwrap();
    let _ = stream.read_to_string(&mut answer).await;
    assert_eq!(running.metrics.connections_ended(ConnectionEnd::ProxyHeader), 1, "without a header");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_peer_may_not_say_who_its_client_is() {
    let running = Running::start(|settings| {
        settings.tls = None;
        settings.proxy_protocol = true;
        settings.trusted_proxies = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
    });
    let mut stream = running.connect().await;
    let _ = stream.write_all(&[PROXY_HEADER, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"].concat()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert_eq!(running.metrics.connections_ended(ConnectionEnd::ProxyHeader), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_tells_readiness_and_metrics() {
    let running = Running::start(|_| {});
    let client =
        reqwest::Client::builder().no_proxy().tls_backend_preconfigured(running.authority.client()).build().unwrap();
    assert_eq!(get(&client, &running.admin("/readyz")).await.0, 200);
    running.readiness.check("journal", || Err("the disk is full".to_owned()));
    assert_eq!(get(&client, &running.admin("/readyz")).await.0, 503);
    assert_eq!(get(&client, &running.admin("/healthz")).await.0, 200);
    let (_, text) = get(&client, &running.admin("/metrics")).await;
    assert!(text.contains("modgate_certificate_expiry_timestamp_seconds 4102444800.0\n"), "{text}");
}

#[test]
fn plain_http_is_for_loopback_unless_it_is_spelled_out() {
    use modgate::server::{Server, ServerError, Settings};
    let runtime = modgate::server::background().unwrap();
    let start = |insecure_http: bool| {
        let mut settings = Settings::new("0.0.0.0:0".parse().unwrap());
        settings.insecure_http = insecure_http;
        let handler = crate::listening::Trivial::new();
        Server::start(
            settings,
            runtime.handle(),
            modgate::telemetry::Metrics::new(),
            modgate::server::Readiness::new(),
            move |_| handler.clone(),
        )
    };
    let error = start(false).unwrap_err();
    assert!(matches!(error, ServerError::Insecure { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--insecure-http"));
    let server = start(true).unwrap();
    runtime.block_on(server.end());
}
