//! Clients that misbehave: too many, too slow, too large, too greedy.

use crate::listening::{PATIENCE, Running, eventually, get};
use modgate::telemetry::label::ConnectionEnd;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

const SHORT: Duration = Duration::from_millis(150);

fn plain(adjust: impl FnOnce(&mut modgate::server::Settings)) -> Running {
    Running::start(|settings| {
        settings.tls = None;
        adjust(settings);
    })
}

/// Waits until connections ended for that reason so often, and says that it was not more often.
async fn ended(running: &Running, reason: ConnectionEnd, times: u64) {
    let what = format!("{reason:?} {times} times");
    eventually(&what, async || running.metrics.connections_ended(reason) >= times).await;
    assert_eq!(running.metrics.connections_ended(reason), times);
}

/// Everything until the other side closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_too_slowly_ends_the_connection() {
    let running = plain(|settings| settings.header_timeout = SHORT);
    for begun in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: "] {
        let begin = Instant::now();
        let mut stream = running.connect().await;
        stream.write_all(begun).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
        assert!(begin.elapsed() >= SHORT);
    }
    ended(&running, ConnectionEnd::SlowHead, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_trickle_do_not_put_the_time_out_off() {
    let running = plain(|settings| settings.header_timeout = SHORT);
    let mut stream = running.connect().await;
    let mut pace = interval(SHORT / 5);
    let trickle = async {
        for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            pace.tick().await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, trickle).await.expect("the connection stays open");
    ended(&running, ConnectionEnd::SlowHead, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_on_a_used_connection_ends_it_before_the_idle_time_out() {
    let running = plain(|settings| settings.header_timeout = SHORT);
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    rest(&mut stream).await;
    ended(&running, ConnectionEnd::SlowHead, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_the_header_time_out_and_then_ends() {
    let idle = SHORT * 3;
    let running = Running::start(|settings| {
        settings.header_timeout = SHORT;
        settings.idle_timeout = idle;
    });
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let mut stream = running.connect_tls(protocol).await.unwrap();
        if protocol == b"h2" {
            let (mut sender, connection) = h2_handshake(stream).await;
            let answer = sender.send_request(get_request()).await.unwrap();
            http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
            let begin = Instant::now();
            let ended = timeout(PATIENCE, connection).await.expect("the connection stays open");
            assert!(ended.unwrap().is_ok(), "GOAWAY without error");
            assert!(begin.elapsed() > SHORT, "{:?}", begin.elapsed());
        } else {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let begin = Instant::now();
            let mut answer = Vec::new();
            timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().expect("close_notify");
            assert!(begin.elapsed() >= idle, "{:?}", begin.elapsed());
        }
    }
    ended(&running, ConnectionEnd::Idle, 2).await;
    ended(&running, ConnectionEnd::SlowHead, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_long_is_waited_for() {
    let running = Running::start(|settings| {
        settings.header_timeout = SHORT;
        settings.idle_timeout = SHORT;
    });
    for client in [running.h1(), running.h2()] {
        let asked = tokio::spawn({
            let (client, url) = (client, running.url("/wait"));
            async move { get(&client, &url).await.1 }
        });
        eventually("it is asked", async || running.metrics.render().unwrap().contains("requests_in_flight 1\n")).await;
        // The server itself tells that its time-outs have passed: it ends those who ask nothing, one after the other.
        for _ in 0..4 {
            let mut silent = running.connect().await;
            rest(&mut silent).await;
        }
        running.handler.go.notify_one();
        assert_eq!(asked.await.unwrap(), "waited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_nothing_of_its_answer_is_cut() {
    let running = Running::start(|settings| settings.idle_timeout = SHORT);
    let mut stream = running.connect_tls(b"http/1.1").await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut sender, connection) = h2_handshake(running.connect_tls(b"h2").await.unwrap()).await;
    let mut request = get_request();
    *request.uri_mut() = "https://localhost/endless".parse().unwrap();
    let answer = sender.send_request(request).await.unwrap();
    eventually("both are cut", async || running.metrics.connections_ended(ConnectionEnd::Stalled) == 2).await;
    drop(answer);
    let _ = timeout(PATIENCE, connection).await.expect("the connection stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_takes_too_long_ends() {
    let running = Running::start(|settings| settings.header_timeout = SHORT);
    for begun in [&b""[..], b"\x16\x03\x01\x02\0\x01\0"] {
        let mut stream = running.connect().await;
        stream.write_all(begun).await.unwrap();
        assert_eq!(rest(&mut stream).await, b"");
    }
    ended(&running, ConnectionEnd::Handshake, 2).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    rest(&mut stream).await;
    ended(&running, ConnectionEnd::Handshake, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_are_refused() {
    let running = Running::start(|_| {});
    let long = "x".repeat(40 << 10);
    for client in [running.h1(), running.h2()] {
        let answer = client.get(running.url("/")).header("x-long", &long).send().await;
        match answer {
            Ok(answer) => assert_eq!(answer.status(), 431),
            Err(error) => assert!(!error.is_timeout(), "{error:?}"),
        }
        assert_eq!(get(&client, &running.url("/")).await.0, 200, "it still serves");
    }
    let mut request = running.h1().get(running.url("/"));
    for number in 0..200 {
        request = request.header(format!("x-{number}"), "1");
    }
    assert_eq!(request.send().await.unwrap().status(), 431, "too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_head_is_cut_off() {
    let running = plain(|_| {});
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut sent = 0usize;
    while stream.write_all(b"X-Flood: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n").await.is_ok()
        && sent < 64 << 20
    {
        sent += 56;
    }
    assert!(sent < 64 << 20, "it reads on and on");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_closed_at_once() {
    let running = plain(|settings| settings.max_connections = 3);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = running.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        held.push(stream);
    }
    let mut fourth = running.connect().await;
    assert_eq!(rest(&mut fourth).await, b"");
    ended(&running, ConnectionEnd::TooMany, 1).await;

    held.pop();
    eventually("a place is free again", async || {
        let mut stream = running.connect().await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        rest(&mut stream).await.starts_with(b"HTTP/1.1 200")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_as_soon_as_they_are_opened_end_the_connection() {
    let running = Running::start(|_| {});
    let mut stream = running.connect_tls(b"h2").await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let flood = async {
        for number in 0..1_000_000u32 {
            let id = (2 * number + 1).to_be_bytes();
            // HEADERS with END_STREAM and END_HEADERS (GET https / of localhost), then RST_STREAM (CANCEL).
            let mut frames = b"\0\0\x0e\x01\x05".to_vec();
            frames.extend(id);
            frames.extend(b"\x82\x87\x84\x01\x09localhost");
            frames.extend(b"\0\0\x04\x03\0");
            frames.extend(id);
            frames.extend(8u32.to_be_bytes());
            if stream.write_all(&frames).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(timeout(PATIENCE, flood).await.expect("it hangs"), "a million resets were taken");
    assert_eq!(get(&running.h2(), &running.url("/")).await.1, "HTTP/2.0");
}

fn get_request() -> http::Request<axum::body::Body> {
    http::Request::get("https://localhost/").body(axum::body::Body::empty()).unwrap()
}

type Sender = hyper::client::conn::http2::SendRequest<axum::body::Body>;

async fn h2_handshake(
    stream: tokio_rustls::client::TlsStream<TcpStream>,
) -> (Sender, tokio::task::JoinHandle<hyper::Result<()>>) {
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    (sender, tokio::spawn(connection))
}
