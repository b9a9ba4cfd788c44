//! Fresh, stale, absent, down.

use super::scene::*;
use crate::{goproxy::Target, store::*};

#[tokio::test]
async fn a_list_is_fresh_then_stale_then_refreshed_once() {
    let scene = Scene::new();
    scene.give(&list(), b"v1.0.0\n");
    scene.ask(&list(), at(0)).await.unwrap();
    scene.landed().await;
    assert_eq!(scene.held(&list(), at(59)).await, (b"v1.0.0\n".to_vec(), false));
    assert_eq!(scene.held(&list(), at(60)).await, (b"v1.0.0\n".to_vec(), true));
    let chunks = scene.stream(&list(), None);
    assert!(scene.store.refresh(&list(), false, at(60)));
    assert!(!scene.store.refresh(&list(), false, at(60)), "one at a time");
    patiently(|| scene.asked() == 2).await;
    assert_eq!(scene.held(&list(), at(61)).await, (b"v1.0.0\n".to_vec(), true), "served meanwhile");
    chunks.send(Ok("v1.0.0\nv1.1.0\n".into())).unwrap();
    drop(chunks);
    scene.landed().await;
    assert_eq!(scene.held(&list(), at(61)).await, (b"v1.0.0\nv1.1.0\n".to_vec(), false));
    let scene = scene.restart().await;
    assert_eq!(scene.held(&list(), at(119)).await, (b"v1.0.0\nv1.1.0\n".to_vec(), false));
}

#[tokio::test]
async fn the_same_list_again_only_renews_the_record() {
    let scene = Scene::new();
    for time in [0, 100] {
        scene.give(&list(), b"v1.0.0\n");
        scene.store.refresh(&list(), false, at(time));
        scene.landed().await;
    }
    assert_eq!(scene.store.counters().stored.get(), 1);
    let scene = scene.restart().await;
    assert!(!scene.held(&list(), at(159)).await.1);
}

#[tokio::test]
async fn stale_is_served_at_once_in_every_kind_of_outage() {
    for outage in outages() {
        for target in [list(), latest(), query("main")] {
            let scene = Scene::new();
            let body = if target == list() { b"v1.2.3\n".to_vec() } else { info_of(VERSION) };
            scene.give(&target, &body);
            scene.ask(&target, at(0)).await.unwrap();
            scene.landed().await;
            scene.fail(&target, outage.clone());
            scene.fail(&list(), outage.clone());
            assert_eq!(scene.held(&target, at(86_400)).await, (body.clone(), true));
            assert!(scene.store.refresh(&target, false, at(86_400)));
            scene.landed().await;
            assert_eq!(scene.held(&target, at(86_401)).await, (body, true), "{outage}");
        }
    }
}

#[tokio::test]
async fn an_outage_is_never_absence_and_holds_off_a_herd() {
    for outage in outages() {
        for target in [list(), latest(), query("main"), info(), gomod(), zip()] {
            let scene = Scene::new();
            scene.fail(&target, outage.clone());
            let error = scene.ask(&target, at(0)).await.unwrap_err();
            assert!(matches!(error, StoreError::Source(ref source) if *source == outage), "{target:?} {error}");
            scene.landed().await;
            assert!(matches!(scene.look(&target, at(0)).await, Look::Ask), "{target:?} {outage}");
            let asked = scene.asked();
            assert!(scene.ask(&target, at(0)).await.is_err());
            assert_eq!((scene.asked(), scene.store.counters().held_off.get()), (asked, 1));
            let error = scene.ask(&target, at(60)).await.unwrap_err();
            assert!(error.is_absent(), "asked again: {error}");
        }
    }
}

#[tokio::test]
async fn absence_is_remembered_briefly() {
    for target in [list(), latest(), query("main"), info(), gomod(), zip()] {
        let scene = Scene::new();
        assert!(scene.ask(&target, at(0)).await.unwrap_err().is_absent());
        scene.landed().await;
        let Look::Absent { text } = scene.look(&target, at(29)).await else { panic!("{target:?}") };
        assert_eq!(&*text, "not found: no such thing");
        assert!(matches!(scene.look(&target, at(60)).await, Look::Ask));
        assert!(matches!(scene.store.look(&target, true, at(0)).await, Look::Ask), "private is another question");
    }
}

#[tokio::test]
async fn a_clock_set_back_makes_nothing_last() {
    let scene = Scene::new();
    scene.ask(&zip(), at(0)).await.unwrap_err();
    scene.give(&list(), b"v1.0.0\n");
    scene.ask(&list(), at(0)).await.unwrap();
    scene.landed().await;
    assert!(matches!(scene.look(&zip(), at(-3600)).await, Look::Ask));
    assert!(scene.held(&list(), at(-3600)).await.1);
}

#[tokio::test]
async fn a_module_that_is_gone_keeps_its_list_and_a_branch_does_not_stay() {
    let scene = Scene::new();
    scene.give(&list(), b"v1.0.0\n");
    scene.give(&query("main"), &info_of(VERSION));
    for target in [list(), query("main")] {
        scene.ask(&target, at(0)).await.unwrap();
        scene.landed().await;
        assert!(scene.store.refresh(&target, false, at(100)));
        scene.landed().await;
    }
    assert_eq!(scene.held(&list(), at(101)).await, (b"v1.0.0\n".to_vec(), false));
    assert!(matches!(scene.look(&query("main"), at(101)).await, Look::Absent { .. }));
    assert!(!scene.on_disk(&query("main")));
}

#[tokio::test]
async fn an_old_answer_waits_a_moment_for_its_refresh() {
    for target in [list(), latest(), query("main")] {
        let scene = Scene::new();
        let (before, after) = match target == list() {
            true => (b"v1.0.0\n".to_vec(), b"v1.1.0\n".to_vec()),
            false => (info_of("v1.0.0"), info_of("v1.1.0")),
        };
        scene.give(&target, &before);
        scene.ask(&target, at(0)).await.unwrap();
        scene.landed().await;
        let old = async |time| match scene.look(&target, at(time)).await {
            Look::Held(held) => (held.stale, held.old),
            other => panic!("{other:?}"),
        };
        assert_eq!((old(3599).await, old(3600).await), ((true, false), (true, true)));
        assert!(scene.store.refreshed(&target, false).await.is_none(), "nobody is asked by waiting");
        let chunks = scene.stream(&target, None);
        assert!(scene.store.refresh(&target, false, at(3600)));
        chunks.send(Ok(after.clone().into())).unwrap();
        drop(chunks);
        let refreshed = scene.store.refreshed(&target, false).await.unwrap();
        assert_eq!(bytes_of(refreshed).await.unwrap(), after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_takes_long_is_waited_for_by_the_first_only() {
    let scene = Scene::new();
    scene.give(&list(), b"v1.0.0\n");
    scene.ask(&list(), at(0)).await.unwrap();
    scene.landed().await;
    let _chunks = scene.stream(&list(), None);
    assert!(scene.store.refresh(&list(), false, at(3600)));
    for most in [1_000, 0] {
        let began = Instant::now();
        assert!(scene.store.refreshed(&list(), false).await.is_none());
        assert!(began.elapsed() <= std::time::Duration::from_millis(most + 2), "{:?}", began.elapsed());
    }
    assert_eq!(scene.held(&list(), at(3600)).await.0, b"v1.0.0\n");
}

#[tokio::test]
async fn a_query_is_also_the_info_of_its_version() {
    let scene = Scene::new();
    scene.give(&query("main"), &info_of(VERSION));
    scene.ask(&query("main"), at(0)).await.unwrap();
    scene.landed().await;
    assert_eq!(scene.held(&info(), at(9999)).await, (info_of(VERSION), false));
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn answers_say_where_they_come_from() {
    let scene = Scene::new();
    scene.give(&gomod(), GOMOD);
    let asked = scene.store.ask(&gomod(), false, at(0)).await.unwrap();
    assert_eq!((asked.cache, asked.source.as_deref()), (CacheOutcome::Miss, Some("https://up.test")));
    assert_eq!((asked.h1, asked.length), (Some(h1_of_mod(GOMOD).into()), Some(GOMOD.len() as u64)));
    scene.landed().await;
    let scene = scene.restart().await;
    let Look::Held(Held { content, .. }) = scene.look(&gomod(), at(5)).await else { panic!() };
    assert_eq!((content.cache, content.etag, content.modified), (CacheOutcome::Hit, asked.etag, Some(at(0))));
}

#[tokio::test]
async fn what_no_file_can_be_named_is_served_and_not_kept() {
    let scene = Scene::new();
    let target = query(&"a".repeat(253));
    assert!(target.path().len() > 255);
    scene.give(&target, &info_of(VERSION));
    assert_eq!(scene.ask(&target, at(0)).await.unwrap(), info_of(VERSION));
    scene.landed().await;
    assert!(!scene.on_disk(&target));
    assert_eq!((scene.store.counters().unkept.get(), scene.alarms().len()), (1, 0));
    let held: &Target = &target;
    assert_eq!(scene.held(held, at(1)).await.0, info_of(VERSION), "memory has it");
}
