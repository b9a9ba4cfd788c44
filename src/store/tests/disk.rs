//! A full disk.

use super::scene::*;
use crate::{
    shelf::{Fault, Point},
    store::*,
};
use bytes::Bytes;

const POINTS: [Point; 4] = [Point::Stage, Point::Write, Point::SyncBody, Point::RenameRecord];

#[tokio::test]
async fn everything_is_served_and_nothing_kept() {
    for point in POINTS {
        let scene = Scene::new();
        let body = good_zip(300_000);
        scene.say(says(&body, GOMOD));
        scene.shelf.inject(Some((point, Fault::Full)));
        for (target, bytes) in [
            (zip(), body.clone()),
            (gomod(), GOMOD.to_vec()),
            (list(), b"v1.2.3\n".to_vec()),
            (info(), info_of(VERSION)),
        ] {
            scene.give(&target, &bytes);
            assert_eq!(scene.ask(&target, at(0)).await.unwrap(), bytes, "{point:?} {target:?}");
            scene.landed().await;
            assert!(!scene.on_disk(&target), "{point:?} {target:?}");
        }
        assert_eq!(scene.alarms().len(), 1, "once a minute: {:?}", scene.alarms());
        assert_eq!(scene.store.counters().unkept.get(), 4);
        scene.give(&zip(), &body);
        scene.ask(&zip(), at(60)).await.unwrap();
        scene.landed().await;
        assert_eq!(scene.alarms().len(), 2);
        scene.shelf.inject(None);
        scene.give(&zip(), &body);
        scene.ask(&zip(), at(61)).await.unwrap();
        scene.landed().await;
        assert_eq!(scene.held(&zip(), at(62)).await.0, body);
    }
}

#[tokio::test]
async fn a_disk_that_fills_in_the_middle_of_a_zip_is_not_noticed_by_who_waits() {
    for spool_memory in [64 << 20, 150_000, 0] {
        let settings = StoreSettings { spool_memory, ..StoreSettings::default() };
        let scene = Scene::with(tempfile::tempdir().unwrap(), Arc::new(Rules), settings);
        let body = good_zip(300_000);
        scene.say(says(&body, GOMOD));
        let chunks = scene.stream(&zip(), Some(body.len() as u64));
        chunks.send(Ok(Bytes::copy_from_slice(&body[..100_000]))).unwrap();
        let content = scene.store.ask(&zip(), false, at(0)).await.unwrap();
        scene.shelf.inject(Some((Point::Write, Fault::Full)));
        for chunk in body[100_000..].chunks(10_000) {
            chunks.send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
        }
        drop(chunks);
        assert_eq!(bytes_of(content).await.unwrap(), body);
        scene.landed().await;
        assert!(!scene.on_disk(&zip()));
    }
}

#[tokio::test]
async fn a_bad_zip_is_refused_with_a_full_disk_too() {
    let scene = Scene::new();
    scene.shelf.inject(Some((Point::Stage, Fault::Full)));
    scene.give(&zip(), &good_zip(7));
    assert!(matches!(scene.ask(&zip(), at(0)).await, Err(StoreError::Mismatch { .. })));
}
