//! One flight a key; bytes as they arrive; the end held back.

use super::scene::*;
use crate::{goproxy::Target, module::*, source::SourceError, store::*};
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all};
use std::{fs::File, sync::Arc};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_waiters_one_flight() {
    let scene = Scene::new();
    let body = good_zip(300_000);
    scene.say(says(&body, GOMOD));
    let chunks = scene.stream(&zip(), Some(body.len() as u64));
    let target = zip();
    let first = scene.store.ask(&target, false, at(0));
    let waiters: Vec<_> = (0..99)
        .map(|_| {
            let store = scene.store.clone();
            tokio::spawn(async move { bytes_of(store.ask(&zip(), false, at(0)).await.unwrap()).await.unwrap() })
        })
        .collect();
    let feed = async {
        for chunk in body.chunks(10_000) {
            chunks.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
            tokio::task::yield_now().await;
        }
        drop(chunks);
    };
    let (first, ()) = tokio::join!(first, feed);
    assert_eq!(bytes_of(first.unwrap()).await.unwrap(), body);
    for waiter in join_all(waiters).await {
        assert_eq!(waiter.unwrap(), body);
    }
    assert_eq!(scene.asked(), 1);
    scene.landed().await;
    let counters = scene.store.counters();
    assert_eq!((counters.misses.get() + counters.joined.get(), counters.stored.get()), (100, 1));
    assert_eq!(scene.held(&zip(), at(0)).await, (body, false));
}

#[tokio::test]
async fn the_last_chunk_is_withheld_until_all_is_verified() {
    for length_known in [true, false] {
        let scene = Scene::new();
        let body = good_zip(300_000);
        scene.say(says(&good_zip(1), GOMOD));
        let chunks = scene.stream(&zip(), length_known.then_some(body.len() as u64));
        chunks.send(Ok(Bytes::copy_from_slice(&body))).unwrap();
        let content = scene.store.ask(&zip(), false, at(0)).await.unwrap();
        assert_eq!(content.length, length_known.then_some(body.len() as u64));
        let Body::Zip(zip_body) = content.body else { panic!() };
        let mut stream = zip_body.stream();
        let mut got = 0;
        while got < body.len() - (64 << 10) {
            got += stream.next().await.unwrap().unwrap().len();
        }
        assert_eq!(got, body.len() - (64 << 10), "the last 64 KiB stay here though all has come");
        drop(chunks);
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
        assert!(stream.next().await.is_none());
        scene.assert_not_kept(&zip()).await;
    }
}

#[tokio::test]
async fn a_small_zip_that_is_bad_is_an_error_of_the_answer() {
    let scene = Scene::new();
    scene.give(&zip(), b"<html>try later</html>");
    assert!(matches!(scene.ask(&zip(), at(0)).await, Err(StoreError::Invalid { .. })));
    scene.assert_not_kept(&zip()).await;
}

#[tokio::test]
async fn a_transfer_that_breaks_is_never_taken_for_whole() {
    let body = good_zip(300_000);
    let broken = || SourceError::Failed { at: "https://up.test".into(), cause: "reset".into() };
    for (length, end) in [
        (Some(body.len() as u64), Some(broken())),
        (None, Some(broken())),
        (Some(body.len() as u64), None),
        (None, None),
        (Some(100_000), None),
    ] {
        let scene = Scene::new();
        let chunks = scene.stream(&zip(), length);
        chunks.send(Ok(Bytes::copy_from_slice(&body[..200_000]))).unwrap();
        if let Some(error) = end {
            chunks.send(Err(error)).unwrap();
        }
        drop(chunks);
        assert!(scene.ask(&zip(), at(0)).await.is_err(), "{length:?}");
        scene.assert_not_kept(&zip()).await;
        // And it can be asked for again.
        scene.say(says(&body, GOMOD));
        scene.give(&zip(), &body);
        assert_eq!(scene.ask(&zip(), at(60)).await.unwrap(), body);
    }
}

#[tokio::test]
async fn who_goes_away_does_not_end_the_flight() {
    let scene = Scene::new();
    let body = good_zip(300_000);
    scene.say(says(&body, GOMOD));
    let chunks = scene.stream(&zip(), None);
    chunks.send(Ok(Bytes::copy_from_slice(&body[..100_000]))).unwrap();
    drop(scene.store.ask(&zip(), false, at(0)).await.unwrap());
    chunks.send(Ok(Bytes::copy_from_slice(&body[100_000..]))).unwrap();
    drop(chunks);
    scene.landed().await;
    assert_eq!(scene.held(&zip(), at(0)).await.0, body);
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn a_panic_frees_the_key_and_is_an_error() {
    let scene = Scene::new();
    for target in [list(), zip(), gomod()] {
        scene.script(&target, Script::Panic);
        assert!(matches!(scene.ask(&target, at(0)).await, Err(StoreError::Aborted(_))));
        scene.landed().await;
    }
    scene.give(&list(), b"v1.0.0\n");
    assert_eq!(scene.ask(&list(), at(0)).await.unwrap(), b"v1.0.0\n");
}

#[tokio::test]
async fn a_cancelled_flight_frees_the_key() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut scene = Scene::new();
    let inner = Arc::get_mut(&mut scene.store.inner).unwrap();
    inner.parts.background = runtime.handle().clone();
    let chunks = scene.stream(&list(), None);
    let store = scene.store.clone();
    let waiter = tokio::spawn(async move { store.ask(&list(), false, at(0)).await.map(|_| ()) });
    patiently(|| scene.asked() == 1).await;
    runtime.shutdown_background();
    assert!(matches!(waiter.await.unwrap(), Err(StoreError::Aborted(_))));
    scene.landed().await;
    drop(chunks);
    // A runtime that is gone: the flight never begins, and says so.
    assert!(matches!(scene.ask(&list(), at(0)).await, Err(StoreError::Aborted(_))));
    scene.landed().await;
}

struct Panics;
impl Inspect for Panics {
    fn zip(&self, _: &File, _: &ModulePath, _: &Version) -> Result<ZipFacts, String> {
        panic!("scripted")
    }
    fn gomod(&self, _: &[u8], _: &ModulePath) -> Result<String, String> {
        panic!("scripted")
    }
    fn info(&self, _: &[u8]) -> Result<Version, String> {
        panic!("scripted")
    }
    fn list(&self, _: &[u8]) -> Result<(), String> {
        panic!("scripted")
    }
    fn highest(&self, _: &[u8]) -> Option<Version> {
        panic!("scripted")
    }
}

#[tokio::test]
async fn a_panic_in_a_check_is_an_error_and_no_hang() {
    let scene = Scene::with(tempfile::tempdir().unwrap(), Arc::new(Panics), StoreSettings::default());
    for target in [zip(), gomod(), info(), list()] {
        scene.give(&target, &good_zip(200_000));
        let error: StoreError = scene.ask(&target, at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Aborted(_)), "{error}");
        scene.assert_not_kept(&target).await;
    }
}

#[tokio::test]
async fn targets_that_are_no_modules_stay_out() {
    let scene = Scene::new();
    assert!(matches!(scene.look(&Target::Root, at(0)).await, Look::Absent { .. }));
    assert!(scene.store.ask(&Target::Root, false, at(0)).await.is_err());
    assert!(!scene.store.refresh(&Target::Root, false, at(0)));
}
