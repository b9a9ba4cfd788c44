//! HTTP/2 as no client library's user means it: odd pseudo-headers, trailers, many, cancelled and reset streams.
//!
//! The same rules as for the raw probes of HTTP/1.1: never a 5xx, never a hang, never a 200 for nonsense.

use crate::{
    gateway::{Gateway, await_that},
    upstream::Upstream,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

const LIST: &str = "/example.test/lib/@v/list";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
/// Longer than any answer takes; reaching it is a hang.
const HANG: Duration = Duration::from_secs(20);

struct Scene {
    gateway: Gateway,
    credential: String,
}

impl Scene {
    fn new() -> Self {
        let upstream = Upstream::start();
        upstream.module_of("example.test/lib", "v1.0.0", &[("large.txt", &[b'x'; 2_000_000])]);
        let gateway = Gateway::tls().upstream(&upstream.url()).start();
        let login = format!("anyone:{}", gateway.token("prober", &[]));
        Self { gateway, credential: format!("Basic {}", STANDARD.encode(login)) }
    }

    async fn connect(&self) -> SendRequest<Bytes> {
        let mut roots = rustls::RootCertStore::empty();
        let pem = std::fs::read(self.gateway.certificate()).unwrap();
        let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", self.gateway.port())).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A request with a good credential.
    fn request(&self, url: &str) -> http::request::Builder {
        Request::get(url).header("authorization", &self.credential)
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.gateway.port())
    }

    fn count(&self, kind: &str) -> usize {
        self.gateway.records().iter().filter(|record| record["kind"] == kind).count()
    }
}

/// The status of an answer once all of it is there; `None` for a stream that was reset.
async fn status(client: SendRequest<Bytes>, request: Request<()>, body: bool) -> Option<StatusCode> {
    let asked = async {
        let (answer, mut stream) = client
            .ready()
            .await
            .unwrap()
            .send_request(request, !body)
            .inspect_err(|error| println!("not sent: {error}"))
            .ok()?;
        if body {
            let mut trailers = HeaderMap::new();
            trailers.insert("authorization", "Basic bm9uZQ==".parse().unwrap());
            let _ = stream.send_data(Bytes::from_static(b"body"), false);
            let _ = stream.send_trailers(trailers);
        }
        let answer = answer.await.inspect_err(|error| println!("no answer: {error}")).ok()?;
        let (parts, mut body) = answer.into_parts();
        while let Some(piece) = body.data().await {
            let piece = piece.inspect_err(|error| println!("cut off: {error}")).ok()?;
            let _ = body.flow_control().release_capacity(piece.len());
        }
        Some(parts.status)
    };
    timeout(HANG, asked).await.expect("no answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_get_their_answer() {
    let scene = Scene::new();
    let good = || scene.request(&scene.url(LIST));
    let path = |path: &str| scene.request(&scene.url(path)).body(()).unwrap();
    let bare = || Request::get(scene.url(LIST));
    let cases = [
        ("a list", good().body(()).unwrap(), vec![200]),
        ("no credential", bare().body(()).unwrap(), vec![401]),
        ("two credentials", good().header("authorization", "Basic eDp5").body(()).unwrap(), vec![401]),
        ("a Host that differs", good().header("host", "elsewhere.test").body(()).unwrap(), vec![400]),
        ("two Hosts", good().header("host", "localhost").header("host", "localhost").body(()).unwrap(), vec![400]),
        (
            "a login in :authority",
            scene.request(&scene.url(LIST).replace("//", "//me:secret@")).body(()).unwrap(),
            vec![400],
        ),
        (
            "plain http as scheme",
            scene.request(&scene.url(LIST).replace("https", "http")).body(()).unwrap(),
            vec![200, 400],
        ),
        ("priority", good().header("priority", "u=0, i").body(()).unwrap(), vec![200]),
        ("a double slash", path("//example.test/lib/@v/list"), vec![404]),
        ("traversal", path("/example.test/../lib/@v/list"), vec![404]),
        ("an encoded slash", path("/example.test%2flib/@v/list"), vec![404]),
        ("NUL", path("/example.test/lib%00/@v/list"), vec![404]),
        ("upper case", path("/example.test/Lib/@v/list"), vec![404]),
        ("a query", path("/example.test/lib/@v/list?x=1"), vec![200]),
        ("a long path", path(&format!("/example.test/{}/@v/list", "a".repeat(10_000))), vec![404, 431]),
        ("POST", Request::post(scene.url(LIST)).body(()).unwrap(), vec![405]),
        ("an unknown method", Request::builder().method("BREW").uri(scene.url(LIST)).body(()).unwrap(), vec![405]),
        ("CONNECT", Request::connect("localhost:22").body(()).unwrap(), vec![400, 405]),
        (
            "many headers",
            (0..90).fold(good(), |asked, n| asked.header(format!("x-{n}"), "x")).body(()).unwrap(),
            vec![200],
        ),
        ("a header flood", good().header("x-flood", "f".repeat(200_000)).body(()).unwrap(), vec![431]),
    ];
    let mut wrong = Vec::new();
    for (name, request, expected) in cases {
        let found = status(scene.connect().await, request, false).await.map(|status| status.as_u16());
        if !found.is_none_or(|found| expected.contains(&found)) || (found.is_none() && expected == [200]) {
            wrong.push(format!("{name}: {found:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_and_trailers_change_nothing() {
    let scene = Scene::new();
    let request = scene.request(&scene.url(LIST)).body(()).unwrap();
    assert_eq!(status(scene.connect().await, request, true).await, Some(StatusCode::OK));
    let nobody = Request::get(scene.url(LIST)).body(()).unwrap();
    assert_eq!(status(scene.connect().await, nobody, true).await, Some(StatusCode::UNAUTHORIZED));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_of_one_connection_are_all_answered() {
    let scene = Scene::new();
    let client = scene.connect().await;
    // With the first answer come the settings; before them nothing tells a client how many streams it may open.
    let first = scene.request(&scene.url(LIST)).body(()).unwrap();
    assert_eq!(status(client.clone(), first, false).await, Some(StatusCode::OK));
    let asked = (0..600).map(|n| {
        let path = if n % 2 == 0 { LIST.to_owned() } else { format!("/example.test/lib/p{}/@v/list", n % 20) };
        let request = scene.request(&scene.url(&path)).body(()).unwrap();
        let client = client.clone();
        async move { (n, status(client, request, false).await) }
    });
    for (n, status) in futures_util::future::join_all(asked).await {
        let expected = if n % 2 == 0 { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(status, Some(expected), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_stream_is_a_broken_transfer_and_disturbs_no_other() {
    let scene = Scene::new();
    let client = scene.connect().await;
    let zip = || scene.request(&scene.url(ZIP)).body(()).unwrap();
    assert_eq!(status(client.clone(), zip(), false).await, Some(StatusCode::OK));
    let (answer, mut stream) = client.clone().ready().await.unwrap().send_request(zip(), true).unwrap();
    let answer = answer.await.unwrap();
    stream.send_reset(h2::Reason::CANCEL);
    drop(answer);
    await_that("the broken transfer in the journal", || scene.count("broken") == 1);
    assert_eq!(status(client, zip(), false).await, Some(StatusCode::OK));
    assert_eq!(scene.count("broken"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rapid_reset_ends_its_connection_at_most() {
    let scene = Scene::new();
    let mut client = scene.connect().await;
    for _ in 0..5_000 {
        let Ok(ready) = timeout(HANG, client.ready()).await.expect("no answer") else { break };
        client = ready;
        let request = scene.request(&scene.url(ZIP)).body(()).unwrap();
        let Ok((_, mut stream)) = client.send_request(request, true) else { break };
        stream.send_reset(h2::Reason::CANCEL);
    }
    let request = scene.request(&scene.url(LIST)).body(()).unwrap();
    assert_eq!(status(scene.connect().await, request, false).await, Some(StatusCode::OK));
}
