//! A byte that changes on disk.

use super::scene::*;
use crate::{
    shelf::Record,
    store::{item::Item, *},
};
use futures_util::StreamExt;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    time::{Duration, SystemTime},
};

const SIZE: usize = 300_000;

async fn stored() -> Scene {
    let scene = Scene::new();
    scene.say(says(&good_zip(SIZE), GOMOD));
    scene.give(&zip(), &good_zip(SIZE));
    scene.ask(&zip(), at(0)).await.unwrap();
    scene.landed().await;
    scene
}

/// Changes one byte in the middle; the size stays.
fn flip(scene: &Scene) {
    let file = OpenOptions::new().read(true).write(true).open(scene.body(&zip())).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, 150_000).unwrap();
    file.write_at(&[byte[0] ^ 1], 150_000).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    file.set_modified(later).unwrap();
}

async fn found_in_stream(scene: &Scene) {
    let Look::Held(held) = scene.look(&zip(), at(1)).await else { panic!("not held") };
    assert_eq!(held.content.length, Some(good_zip(SIZE).len() as u64));
    let Body::Zip(body) = held.content.body else { panic!() };
    let mut stream = body.stream();
    let (mut got, mut error) = (0, None);
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => got += piece.len(),
            Err(broken) => error = Some(broken),
        }
    }
    assert!(matches!(error, Some(StoreError::Changed { .. })), "{error:?}");
    assert!(got < good_zip(SIZE).len(), "the end is withheld");
    assert!(!scene.on_disk(&zip()));
    assert_eq!(scene.store.counters().set_aside.get(), 1);
    assert!(scene.alarms()[0].contains("changed on disk"));
    assert!(matches!(scene.look(&zip(), at(1)).await, Look::Ask));
    assert!(scene.root.path().join(".aside/1/body").exists());
}

async fn refetched_only_if_the_same(scene: &Scene) {
    scene.say(Word::Unavailable);
    scene.give(&zip(), &good_zip(7));
    let error = scene.ask(&zip(), at(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherBytes { .. }), "{error}");
    scene.landed().await;
    scene.give(&zip(), &good_zip(SIZE));
    assert_eq!(scene.ask(&zip(), at(60)).await.unwrap(), good_zip(SIZE));
    scene.landed().await;
    assert_eq!(scene.held(&zip(), at(61)).await, (good_zip(SIZE), false));
}

#[tokio::test]
async fn it_is_found_by_the_first_read_after_a_start() {
    let scene = stored().await;
    flip(&scene);
    let scene = scene.restart().await;
    found_in_stream(&scene).await;
    refetched_only_if_the_same(&scene).await;
}

#[tokio::test]
async fn it_is_found_when_the_file_was_touched_since() {
    let scene = stored().await;
    assert_eq!(scene.held(&zip(), at(1)).await.0, good_zip(SIZE));
    flip(&scene);
    found_in_stream(&scene).await;
    refetched_only_if_the_same(&scene).await;
}

#[tokio::test]
async fn a_touched_file_with_the_right_bytes_is_compared_and_served() {
    let scene = stored().await;
    File::options().write(true).open(scene.body(&zip())).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for _ in 0..2 {
        assert_eq!(scene.held(&zip(), at(1)).await.0, good_zip(SIZE));
    }
    assert!(scene.alarms().is_empty());
}

#[tokio::test]
async fn a_file_that_was_cut_is_not_even_begun() {
    for restart in [true, false] {
        let mut scene = stored().await;
        File::options().write(true).open(scene.body(&zip())).unwrap().set_len(1000).unwrap();
        if restart {
            scene = scene.restart().await;
        }
        assert!(matches!(scene.look(&zip(), at(1)).await, Look::Ask));
        assert!(!scene.on_disk(&zip()));
        assert_eq!(scene.alarms().len(), 1);
        refetched_only_if_the_same(&scene).await;
    }
}

#[tokio::test]
async fn ranges_are_of_compared_files_only() {
    let scene = stored().await.restart().await;
    let range = |scene: &Scene, range: std::ops::Range<u64>| {
        let look = scene.store.clone();
        async move {
            let Look::Held(held) = look.look(&zip(), false, at(1)).await else { panic!() };
            let Body::Zip(body) = held.content.body else { panic!() };
            assert!(body.has_ranges());
            body.range(range).await
        }
    };
    let mut part = range(&scene, 100_000..250_000).await.unwrap().unwrap();
    let mut got = Vec::new();
    while let Some(piece) = part.next().await {
        got.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(got, good_zip(SIZE)[100_000..250_000]);
    assert!(range(&scene, 0..1_000_000).await.unwrap().is_none());
    flip(&scene);
    assert!(matches!(range(&scene, 0..10).await, Err(StoreError::Changed { .. })));
    assert!(!scene.on_disk(&zip()));
}

#[tokio::test]
async fn a_small_entry_is_checked_when_it_is_loaded() {
    let scene = Scene::new();
    scene.give(&gomod(), GOMOD);
    scene.ask(&gomod(), at(0)).await.unwrap();
    let scene = scene.restart().await;
    std::fs::write(scene.body(&gomod()), b"module x.test/evil\n").unwrap();
    assert!(matches!(scene.look(&gomod(), at(1)).await, Look::Ask));
    assert_eq!(scene.alarms().len(), 1);
    scene.say(Word::Unavailable);
    scene.give(&gomod(), b"module x.test/evil\n");
    assert!(matches!(scene.ask(&gomod(), at(1)).await, Err(StoreError::OtherBytes { .. })));
    scene.landed().await;
    scene.give(&gomod(), GOMOD);
    assert_eq!(scene.ask(&gomod(), at(60)).await.unwrap(), GOMOD);
}

#[tokio::test]
async fn the_scrub_finds_it_before_anyone_asks() {
    let scene = stored().await;
    scene.give(&gomod(), GOMOD);
    scene.give(&list(), b"v1.2.3\n");
    scene.ask(&gomod(), at(0)).await.unwrap();
    scene.ask(&list(), at(0)).await.unwrap();
    scene.landed().await;
    let scrubbed = scene.store.scrub(0).await;
    assert_eq!((scrubbed.entries, scrubbed.changed), (3, 0));
    flip(&scene);
    std::fs::write(scene.body(&gomod()), b"module x.test/evil\n").unwrap();
    let scrubbed = scene.store.scrub(0).await;
    assert_eq!((scrubbed.entries, scrubbed.changed), (3, 2));
    assert_eq!(scene.alarms().len(), 2);
    for target in [zip(), gomod()] {
        assert!(matches!(scene.look(&target, at(1)).await, Look::Ask));
    }
    assert_eq!(scene.store.scrub(0).await.entries, 1);
}

/// An entry that somebody reads from disk in the very moment in which it is taken out must not live on in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_out_while_it_is_read_does_not_live_on_in_memory() {
    for _ in 0..100 {
        let scene = stored().await;
        let (inner, zip) = (scene.store.inner.clone(), zip());
        let key = Item::of(&zip, false).unwrap().key();
        let readers = (0..8).map(|_| {
            let (store, zip) = (scene.store.clone(), zip.clone());
            tokio::spawn(async move {
                while matches!(store.look(&zip, false, at(1)).await, Look::Held(_)) {
                    tokio::task::yield_now().await;
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        let alarm = Alarm::Unkept { key: key.clone(), cause: "a test".into() };
        tokio::task::spawn_blocking(move || inner.put_aside(&key, None, Record::Move, alarm)).await.unwrap();
        for reader in readers {
            tokio::time::timeout(Duration::from_secs(10), reader).await.expect("it lives on").unwrap();
        }
    }
}
