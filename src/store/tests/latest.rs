//! `@latest` of sources that have none.

use super::scene::*;
use crate::store::*;

#[tokio::test]
async fn it_is_derived_from_the_list() {
    for outage in outages().into_iter().chain([absent()]) {
        let scene = Scene::new();
        scene.fail(&latest(), outage);
        scene.give(&list(), b"v1.0.0\nv1.2.3\nv2.0.0-pre\n");
        scene.give(&info(), &info_of(VERSION));
        assert_eq!(scene.ask(&latest(), at(0)).await.unwrap(), info_of(VERSION));
        scene.landed().await;
        assert_eq!(scene.held(&latest(), at(59)).await, (info_of(VERSION), false));
        assert_eq!(scene.held(&list(), at(59)).await.0, b"v1.0.0\nv1.2.3\nv2.0.0-pre\n");
    }
}

#[tokio::test]
async fn with_an_empty_list_the_sources_own_answer_stands() {
    for outage in outages().into_iter().chain([absent()]) {
        let scene = Scene::new();
        scene.fail(&latest(), outage.clone());
        scene.give(&list(), b"");
        let error = scene.ask(&latest(), at(0)).await.unwrap_err();
        assert!(matches!(error, StoreError::Source(ref source) if *source == outage), "{error}");
        assert_eq!(error.is_absent(), outage.is_absent());
    }
}

#[tokio::test]
async fn a_stale_list_serves_when_no_other_can_be_had() {
    let scene = Scene::new();
    scene.give(&list(), b"v1.2.3\n");
    scene.give(&info(), &info_of(VERSION));
    scene.ask(&list(), at(0)).await.unwrap();
    scene.ask(&info(), at(0)).await.unwrap();
    scene.landed().await;
    let down = outages().remove(3);
    scene.fail(&latest(), down.clone());
    scene.fail(&list(), down);
    assert_eq!(scene.ask(&latest(), at(1000)).await.unwrap(), info_of(VERSION));
}
