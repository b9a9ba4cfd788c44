//! The end: answers under way are completed, and nothing else.

use crate::listening::{PATIENCE, Running, eventually, get};
use bytes::Bytes;
use modgate::server::Ending;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_under_way_are_completed_and_new_connections_refused() {
    for version in [1, 2] {
        let mut running = Running::start(|_| {});
        let client = if version == 1 { running.h1() } else { running.h2() };
        let mut answer = client.get(running.url("/stream")).send().await.unwrap();
        let chunks = running.handler.chunks.clone();
        chunks.send(Some(Bytes::from("before "))).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "before ");

        let (address, readiness, admin) = (running.address(), running.readiness.clone(), running.admin("/readyz"));
        let ending = tokio::spawn(async move {
            running.server.drain().await;
            running.server.end().await
        });
        eventually("the listener closes", async || TcpStream::connect(address).await.is_err()).await;
        assert!(readiness.is_draining());
        let (status, body) = get(&client_of_admin(), &admin).await;
        assert_eq!(status, 503, "the admin listener stays up: {body}");

        chunks.send(Some(Bytes::from("after"))).unwrap();
        chunks.send(None).unwrap();
        assert_eq!(answer.text().await.unwrap(), "after");
        assert_eq!(timeout(PATIENCE, ending).await.unwrap().unwrap(), Ending::Complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_the_end_up() {
    let mut running = Running::start(|_| {});
    let (h1, h2) = (running.h1(), running.h2());
    get(&h1, &running.url("/")).await;
    get(&h2, &running.url("/")).await;
    timeout(Duration::from_secs(10), running.server.drain()).await.expect("idle connections are waited for");
    assert_eq!(running.server.end().await, Ending::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_made_before_the_end_may_still_ask_once() {
    let mut running = Running::start(|settings| settings.tls = None);
    let mut stream = running.connect().await;
    eventually("it is accepted", async || running.metrics.render().unwrap().contains("connections_open 1\n")).await;
    let address = running.address();
    let ending = tokio::spawn(async move {
        running.server.drain().await;
        running.server.end().await
    });
    eventually("the listener closes", async || TcpStream::connect(address).await.is_err()).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close\r\n"), "{answer}");
    assert_eq!(timeout(PATIENCE, ending).await.unwrap().unwrap(), Ending::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_wait_to_be_accepted_are_not_lost() {
    for _ in 0..20 {
        let mut running = Running::start(|settings| settings.tls = None);
        let address = running.address();
        let connected: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let ending = tokio::spawn(async move {
            running.server.drain().await;
            running.server.end().await
        });
        for stream in connected {
            stream.set_nonblocking(true).unwrap();
            let mut stream = TcpStream::from_std(stream).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        assert_eq!(timeout(PATIENCE, ending).await.unwrap().unwrap(), Ending::Complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_the_drain_time_out_is_cut_and_counted() {
    let mut running = Running::start(|settings| settings.drain_timeout = Duration::from_millis(100));
    let mut answer = running.h2().get(running.url("/stream")).send().await.unwrap();
    running.server.drain().await;
    assert_eq!(running.server.end().await, Ending::Cut(1));
    assert!(answer.chunk().await.is_err(), "a cut body must not look complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_at_once_waits_for_nothing() {
    let running = Running::start(|_| {});
    let answer = running.h1().get(running.url("/stream")).send().await.unwrap();
    assert_eq!(timeout(PATIENCE, running.server.end()).await.unwrap(), Ending::Cut(1));
    assert!(answer.bytes().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_fails_before_the_listener_closes() {
    let mut running = Running::start(|settings| settings.drain_delay = PATIENCE);
    let (readiness, client, url) = (running.readiness.clone(), running.h1(), running.url("/"));
    let admin = running.admin("/readyz");
    let draining = tokio::spawn(async move {
        running.server.drain().await;
    });
    eventually("readiness fails", async || get(&client_of_admin(), &admin).await.0 == 503).await;
    assert!(readiness.is_draining());
    assert_eq!(get(&client, &url).await.0, 200, "new connections are still served");
    draining.abort();
}

fn client_of_admin() -> reqwest::Client {
    let config = crate::listening::Authority::new().client();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build().unwrap()
}

#[cfg(unix)]
#[test]
fn signals_call_the_owners_of_what_is_reloaded_and_closed() {
    use modgate::server::{Hooks, Readiness, Settings, background, run};
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::{Arc, mpsc};

    let (sender, told) = mpsc::channel();
    let tell = |what: &'static str| {
        let sender = sender.clone();
        move || sender.send(what).unwrap()
    };
    let (started, reload, drained) = (tell("started"), tell("reload"), tell("drained"));
    let hooks = Hooks { started: Box::new(move |_| started()), reload: Arc::new(reload), drained: Box::new(drained) };
    let running = std::thread::spawn(move || {
        let handler = crate::listening::Trivial::new();
        run(
            Settings::new("127.0.0.1:0".parse().unwrap()),
            &background().unwrap(),
            modgate::telemetry::Metrics::new(),
            Readiness::new(),
            move |_| handler.clone(),
            hooks,
        )
    });
    assert_eq!(told.recv_timeout(PATIENCE), Ok("started"));
    for _ in 0..2 {
        kill_process(getpid(), Signal::HUP).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE), Ok("reload"));
    }
    kill_process(getpid(), Signal::TERM).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE), Ok("drained"));
    assert_eq!(running.join().unwrap().unwrap(), Ending::Complete);
}
