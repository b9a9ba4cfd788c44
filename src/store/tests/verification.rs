//! What is kept, and what is not.

use super::scene::*;
use crate::{
    shelf::{Shelved, Standing},
    store::*,
};

fn standing(scene: &Scene, target: &Target) -> Standing {
    scene.shelf.record(&key(target)).unwrap().unwrap().standing
}

#[tokio::test]
async fn bad_zips_are_never_stored() {
    let good = good_zip(100);
    let prefix = format!("{PATH}@{VERSION}");
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("truncated", good[..good.len() - 10].to_vec()),
        ("empty", Vec::new()),
        ("not a zip", b"hello".repeat(100)),
        ("html", b"<!DOCTYPE html><title>Sign in</title>".to_vec()),
        ("wrong prefix", archive(&[("x.test/other@v1.2.3/a.go", b"package a")])),
        ("climbing", archive(&[(&format!("{prefix}/../../a.go"), b"package a")])),
        ("flipped byte", {
            let mut bytes = good.clone();
            bytes[100] ^= 1;
            bytes
        }),
    ];
    for (what, bytes) in bad {
        let scene = Scene::new();
        // The database would not save it: the rules alone refuse.
        scene.say(Word::None);
        scene.give(&zip(), &bytes);
        let error = scene.ask(&zip(), at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "{what}: {error}");
        assert!(!error.is_absent());
        scene.assert_not_kept(&zip()).await;
    }
}

#[tokio::test]
async fn bad_small_answers_are_never_stored() {
    for (target, bytes) in [
        (gomod(), &b"<html></html>"[..]),
        (gomod(), b""),
        (gomod(), b"no declaration"),
        (info(), b"<html></html>"),
        (info(), br#"{"Version":"v1.0.9"}"#),
        (list(), b"<html></html>"),
        (latest(), b"{}"),
        (query("main"), br#"{"Version":"main"}"#),
    ] {
        let scene = Scene::new();
        scene.give(&target, bytes);
        let error = scene.ask(&target, at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "{target:?}: {error}");
        scene.assert_not_kept(&target).await;
    }
}

#[tokio::test]
async fn a_public_version_is_verified_and_an_outage_of_the_database_does_not_matter_later() {
    let scene = Scene::new();
    scene.give(&zip(), &good_zip(1000));
    scene.give(&gomod(), GOMOD);
    assert_eq!(scene.ask(&zip(), at(0)).await.unwrap(), good_zip(1000));
    assert_eq!(scene.ask(&gomod(), at(0)).await.unwrap(), GOMOD);
    scene.landed().await;
    for target in [zip(), gomod()] {
        assert_eq!(standing(&scene, &target), Standing::Verified { by: "sum.test".into() });
        assert!(!scene.held(&target, at(1_000_000)).await.1);
    }
    assert_eq!(scene.vouch_count(), 2);
}

#[tokio::test]
async fn other_bytes_than_the_databases_are_never_stored() {
    for (target, bytes) in [(zip(), good_zip(7)), (gomod(), b"module x.test/evil\n".to_vec())] {
        let scene = Scene::new();
        scene.give(&target, &bytes);
        let error = scene.ask(&target, at(0)).await.unwrap_err();
        let StoreError::Mismatch { recorded, offered, .. } = &error else { panic!("{error}") };
        let text = error.outside();
        assert!(text.contains("SECURITY") && text.contains(recorded) && text.contains(offered), "{text}");
        scene.assert_not_kept(&target).await;
        assert!(scene.alarms()[0].contains("SECURITY"), "{:?}", scene.alarms());
    }
}

#[tokio::test]
async fn a_database_that_misbehaves_lets_nothing_through() {
    let scene = Scene::new();
    scene.say(Word::Misbehaving);
    scene.give(&zip(), &good_zip(1000));
    assert!(matches!(scene.ask(&zip(), at(0)).await, Err(StoreError::Checksum(_))));
    scene.assert_not_kept(&zip()).await;
    assert_eq!(scene.alarms().len(), 1);
}

#[tokio::test]
async fn provisional_entries_are_asked_about_again() {
    for word in [Word::NotFound, Word::Unavailable] {
        let scene = Scene::new();
        scene.say(word.clone());
        for (target, bytes) in [(zip(), good_zip(1000)), (gomod(), GOMOD.to_vec())] {
            scene.give(&target, &bytes);
            assert_eq!(scene.ask(&target, at(0)).await.unwrap(), bytes);
            scene.landed().await;
            assert_eq!(standing(&scene, &target), Standing::Provisional);
            assert!(!scene.held(&target, at(599)).await.1, "not yet due");
            assert!(scene.held(&target, at(600)).await.1, "due");
            // Nothing new: it stays, and is not due again at once.
            assert!(scene.store.refresh(&target, false, at(600)));
            scene.landed().await;
            assert_eq!(standing(&scene, &target), Standing::Provisional);
            assert!(!scene.held(&target, at(601)).await.1);
        }
        let scene = scene.restart().await;
        for target in [zip(), gomod()] {
            assert!(scene.held(&target, at(602)).await.1, "due after a start");
            assert!(scene.store.refresh(&target, false, at(602)));
            scene.landed().await;
            assert_eq!(standing(&scene, &target), Standing::Verified { by: "sum.test".into() });
            assert!(!scene.held(&target, at(9999)).await.1);
        }
        assert_eq!(scene.asked(), 0, "no source was asked");
    }
}

#[tokio::test]
async fn a_provisional_entry_that_the_database_contradicts_is_set_aside() {
    for (target, bad, good) in
        [(zip(), good_zip(7), good_zip(1000)), (gomod(), b"module x.test/evil\n".to_vec(), GOMOD.to_vec())]
    {
        let scene = Scene::new();
        scene.say(Word::Unavailable);
        scene.give(&target, &bad);
        assert_eq!(scene.ask(&target, at(0)).await.unwrap(), bad);
        scene.landed().await;
        scene.say(Word::Right);
        assert!(scene.held(&target, at(700)).await.1);
        assert!(scene.store.refresh(&target, false, at(700)));
        scene.landed().await;
        assert!(scene.alarms()[0].contains("SECURITY"));
        assert_eq!(scene.store.counters().set_aside.get(), 1);
        scene.assert_not_kept(&target).await;
        // The right bytes are not kept out by the wrong ones.
        scene.give(&target, &good);
        assert_eq!(scene.ask(&target, at(701)).await.unwrap(), good);
    }
}

#[tokio::test]
async fn without_a_database_entries_are_unverified_until_there_is_one() {
    let scene = Scene::new();
    scene.say(Word::None);
    scene.give(&zip(), &good_zip(1000));
    scene.ask(&zip(), at(0)).await.unwrap();
    scene.landed().await;
    assert_eq!(standing(&scene, &zip()), Standing::Unverified);
    assert!(!scene.held(&zip(), at(9999)).await.1);
    scene.say(Word::Right);
    assert!(scene.held(&zip(), at(9999)).await.1);
}

#[tokio::test]
async fn private_versions_are_never_shown_to_a_database() {
    let scene = Scene::new();
    for (target, bytes) in [(zip(), good_zip(7)), (gomod(), b"module x.test/evil\n".to_vec())] {
        scene.give(&target, &bytes);
        let content = scene.store.ask(&target, true, at(0)).await.unwrap();
        assert_eq!(bytes_of(content).await.unwrap(), bytes);
        scene.landed().await;
        assert_eq!(standing(&scene, &target), Standing::Private);
    }
    assert_eq!(scene.vouch_count(), 0);
    assert!(scene.origin_was_private());
}

impl Scene {
    fn origin_was_private(&self) -> bool {
        self.origin_asked().iter().all(|private| *private)
    }
}

#[tokio::test]
async fn an_entry_of_the_other_namespace_counts_as_absent_and_is_replaced() {
    let scene = Scene::new();
    let (public, private) = (good_zip(1000), good_zip(7));
    scene.give(&zip(), &public);
    scene.ask(&zip(), at(0)).await.unwrap();
    scene.landed().await;
    // The path became private: what a public source gave is never served for it.
    assert!(matches!(scene.store.look(&zip(), true, at(1)).await, Look::Ask));
    scene.give(&zip(), &private);
    let content = scene.store.ask(&zip(), true, at(1)).await.unwrap();
    assert_eq!(bytes_of(content).await.unwrap(), private);
    scene.landed().await;
    let scene = scene.restart().await;
    assert!(matches!(scene.store.look(&zip(), false, at(2)).await, Look::Ask));
    let Look::Held(held) = scene.store.look(&zip(), true, at(2)).await else { panic!() };
    assert_eq!(bytes_of(held.content).await.unwrap(), private);
}

#[tokio::test]
async fn what_was_seen_first_stands() {
    let scene = Scene::new();
    let (first, other) = (good_zip(5), good_zip(7));
    scene.give(&zip(), &first);
    bytes_of(scene.store.ask(&zip(), true, at(0)).await.unwrap()).await.unwrap();
    let scene = scene.restart().await;
    // The body is lost; the record stays.
    std::fs::remove_file(scene.body(&zip())).unwrap();
    assert!(matches!(scene.shelf.find(&key(&zip())).unwrap(), Shelved::Known(_)));
    scene.give(&zip(), &other);
    let error = scene.store.ask(&zip(), true, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherBytes { .. }), "{error}");
    assert!(!scene.on_disk(&zip()));
    assert!(scene.alarms()[0].contains("SECURITY"));
    scene.landed().await;
    scene.give(&zip(), &first);
    assert_eq!(bytes_of(scene.store.ask(&zip(), true, at(60)).await.unwrap()).await.unwrap(), first);
}

#[tokio::test]
async fn a_strangers_body_is_verified_before_it_is_served() {
    let right = [(zip(), good_zip(1000)), (gomod(), GOMOD.to_vec()), (info(), info_of(VERSION))];
    let wrong = [(zip(), good_zip(7)), (gomod(), b"module x.test/evil\n".to_vec()), (info(), info_of("v1.0.9"))];
    for ((target, good), (_, bad)) in right.into_iter().zip(wrong) {
        for (found, adopted) in [(&good, true), (&bad, false)] {
            let scene = Scene::new();
            std::fs::create_dir_all(scene.body(&target).parent().unwrap()).unwrap();
            std::fs::write(scene.body(&target), found).unwrap();
            assert!(matches!(scene.look(&target, at(0)).await, Look::Ask));
            if !adopted {
                scene.give(&target, &good);
            }
            assert_eq!(scene.ask(&target, at(0)).await.unwrap(), good, "{target:?}");
            scene.landed().await;
            assert_eq!(scene.asked(), usize::from(!adopted), "{target:?}");
            assert_eq!(scene.held(&target, at(0)).await.0, good);
            assert_eq!(scene.alarms().iter().any(|alarm| alarm.contains("set aside")), !adopted);
        }
    }
}

#[tokio::test]
async fn a_strangers_list_is_not_taken_for_the_list() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.body(&list()).parent().unwrap()).unwrap();
    std::fs::write(scene.body(&list()), b"v1.0.0\n").unwrap();
    scene.give(&list(), b"v1.0.0\nv1.1.0\n");
    assert_eq!(scene.ask(&list(), at(0)).await.unwrap(), b"v1.0.0\nv1.1.0\n");
}
