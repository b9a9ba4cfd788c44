//! Bodies: whole or an error, within their limits, closed when nobody wants them.

use super::{
    faulty::{Act, Faulty, answer, raw},
    *,
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use tokio::sync::Semaphore;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn outcome(acts: Vec<Act>, target: &Target) -> Result<Vec<u8>, SourceError> {
    let server = Faulty::always(acts).await;
    all(&sources(&settings(server.url())), target).await
}

const GZIP: &str = "Content-Encoding: gzip\r\n";

#[tokio::test]
async fn gzip_is_undone() {
    let server = Faulty::always(answer(200, GZIP, gzipped(b"v1.0.0\n"))).await;
    let sources = sources(&settings(server.url()));
    let fetched = sources.fetch(&zip(), false).await.unwrap();
    assert_eq!((fetched.length, &*fetched.source), (None, server.url().as_str()));
    assert_eq!(drained(fetched).await.unwrap(), b"v1.0.0\n");
    let fetched = sources.fetch(&list(), false).await.unwrap();
    assert_eq!(fetched.length, Some(7));
}

#[tokio::test]
async fn broken_encodings_are_errors() {
    let good = gzipped(&b"v1.0.0\n".repeat(1000));
    let mut flipped = good.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for target in [list(), zip()] {
        let error = outcome(answer(200, GZIP, &flipped), &target).await.unwrap_err();
        assert_eq!(kind(&error), "invalid", "a wrong checksum: {error}");
        let error = outcome(answer(200, GZIP, "no gzip at all"), &target).await.unwrap_err();
        assert_eq!(kind(&error), "invalid", "no gzip: {error}");
        let error = outcome(answer(200, GZIP, &good[..good.len() - 20]), &target).await.unwrap_err();
        assert_eq!(kind(&error), "failed", "cut short: {error}");
        let error = outcome(answer(200, "Content-Encoding: br\r\n", "x"), &target).await.unwrap_err();
        assert_eq!(kind(&error), "invalid", "not asked for: {error}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_never_ends() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nPK";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nPK\x03\x04x\r\n";
    for target in [list(), zip()] {
        for end in [Act::Close, Act::Reset] {
            for head in [announced, chunked] {
                let error = outcome(vec![raw(head), end.clone()], &target).await.unwrap_err();
                assert_eq!(kind(&error), "failed", "{error}");
            }
        }
    }
    let gzip = gzipped(b"whole");
    let mut longer = format!("HTTP/1.1 200 OK\r\n{GZIP}Content-Length: {}\r\n\r\n", gzip.len() + 9).into_bytes();
    longer.extend_from_slice(&gzip);
    let error = outcome(vec![Act::Send(longer), Act::Close], &zip()).await.unwrap_err();
    assert_eq!(kind(&error), "failed", "gzip that is whole in a body that is not: {error}");
}

#[tokio::test]
async fn wrong_lengths_are_errors() {
    for length in ["-1", "1x", "9, 8", "99999999999999999999999"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nv1.0.0\n");
        let error = outcome(vec![raw(&head), Act::Close], &list()).await.unwrap_err();
        assert!(matches!(kind(&error), "failed" | "too large"), "{length}: {error}");
    }
}

#[tokio::test]
async fn what_announces_too_much_is_refused_at_once() {
    let mib = 1u64 << 20;
    for (target, limit) in [(list(), 16 * mib), (info(), mib), (zip(), 500 * mib)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", limit + 1);
        let error = outcome(vec![raw(&head), Act::Stall], &target).await.unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { limit: said, .. } if said == limit), "{error}");
    }
}

#[tokio::test]
async fn what_swells_is_stopped_at_its_limit() {
    let bomb = gzipped(&vec![b'\n'; 17 << 20]);
    assert!(bomb.len() < 1 << 20);
    for target in [list(), info()] {
        let error = outcome(answer(200, GZIP, &bomb), &target).await.unwrap_err();
        assert_eq!(kind(&error), "too large", "{error}");
    }
    let whole = vec![b'x'; 1 << 20];
    assert_eq!(outcome(answer(200, GZIP, gzipped(&whole)), &info()).await.unwrap(), whole);
    let mut endless = vec![raw("HTTP/1.1 200 OK\r\n\r\n")];
    endless.extend(std::iter::repeat_n(Act::Send(vec![b'x'; 64 << 10]), 17));
    endless.push(Act::Stall);
    assert_eq!(kind(&outcome(endless, &info()).await.unwrap_err()), "too large");
}

#[tokio::test]
async fn dropping_closes_the_request() {
    let head = raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nPK");
    for (acts, answered) in [(vec![Act::Stall], false), (vec![head, Act::Stall], true)] {
        let hangups = Arc::new(Semaphore::new(0));
        let server = Faulty::start_noticing(move |_| acts.clone(), hangups.clone()).await;
        let sources = sources(&settings(server.url()));
        let target = zip();
        if answered {
            drop(sources.fetch(&target, false).await.unwrap());
        } else {
            let mut fetching = Box::pin(sources.fetch(&target, false));
            while server.heads().is_empty() {
                assert!(futures_util::poll!(&mut fetching).is_pending());
                tokio::task::yield_now().await;
            }
            drop(fetching);
        }
        let hangup = tokio::time::timeout(Duration::from_secs(20), hangups.acquire()).await;
        assert!(hangup.is_ok(), "answered: {answered}");
    }
}
