//! What clients of the gateway get: answers that prove themselves, or what cannot be proved, passed on.

use super::*;

#[tokio::test]
async fn clients_get_the_record_under_the_newest_head() {
    let bench = Bench::new(log(300));
    assert_eq!(client(&bench, SumdbAsk::Supported).await.unwrap(), "");
    assert_eq!(client(&bench, lookup_of(5)).await, Ok(log(300).answer(5, 300)));
    bench.publish(300..600);
    assert_eq!(client(&bench, lookup_of(5)).await, Ok(log(300).answer(5, 300)), "no newer head is known yet");
    assert_eq!(client(&bench, lookup_of(500)).await, Ok(log(600).answer(500, 600)));
    bench.wire.asked();
    assert_eq!(client(&bench, lookup_of(5)).await, Ok(log(600).answer(5, 600)));
    assert_eq!(client(&bench.restarted(), lookup_of(5)).await, Ok(log(600).answer(5, 600)));
    assert_eq!(bench.wire.asked(), [""; 0]);
    assert_eq!(client(&bench, lookup_of(9999)).await, Err(ChecksumError::NotFound));
}

#[tokio::test]
async fn what_cannot_be_proved_is_passed_on_and_not_kept() {
    let bench = Bench::new(log(515));
    bench.wire.say("tile/8/0/000", Err(WireError::unavailable("503")));
    assert_eq!(client(&bench, lookup_of(5)).await, Ok(log(515).answer(5, 515)));
    assert!(!bench.kept().contains(&lookup_path(5)));
    bench.wire.say(&lookup_path(6), Ok(fork(515, 0).answer(6, 515)));
    assert!(matches!(client(&bench, lookup_of(6)).await, Err(ChecksumError::Misbehaving(_))));
}

#[tokio::test]
async fn clients_get_tiles_that_are_kept_once_they_are_proved() {
    let bench = Bench::new(log(600));
    let tile = async |path: &str| bench.desk().tile(path).await;
    let good = |path: &str| log(600).tile(path).unwrap();
    assert_eq!(tile("tile/8/0/001").await, Ok(good("tile/8/0/001")), "before any head is known");
    assert_eq!(bench.kept(), [""; 0]);
    bench.vouch(5).await.unwrap();
    for path in ["tile/8/0/001", "tile/8/0/002.p/7", "tile/8/0/002.p/88"] {
        assert_eq!(tile(path).await, Ok(good(path)));
        assert!(bench.kept().contains(&path.to_owned()), "{path}");
    }
    bench.publish(600..700);
    assert_eq!(tile("tile/8/0/002.p/188").await, Ok(log(700).tile("tile/8/0/002.p/188").unwrap()));
    assert!(!bench.kept().contains(&"tile/8/0/002.p/188".to_owned()), "beyond the accepted head");
    assert_eq!(tile("tile/8/0/009").await, Err(ChecksumError::NotFound));
    bench.wire.say("tile/8/data/000", Ok("text".into()));
    assert_eq!(tile("tile/8/data/000").await, Ok("text".into()));
    let held = |path: &str| bench.desk().tiles.held(&HashTile::parse(path).unwrap());
    assert_eq!(held("tile/8/0/001.p/9"), Some(good("tile/8/0/001.p/9")), "cut from the full one");
    assert_eq!(held("tile/8/0/002.p/9"), None);
}

#[tokio::test]
async fn a_forged_tile_is_not_passed_on() {
    let bench = Bench::new(log(600));
    bench.vouch(500).await.unwrap();
    bench.wire.say("tile/8/0/000", Ok(flipped(&log(600).tile("tile/8/0/000").unwrap(), 0)));
    assert!(matches!(bench.desk().tile("tile/8/0/000").await, Err(ChecksumError::Misbehaving(_))));
    assert!(!bench.kept().contains(&"tile/8/0/000".to_owned()));
}
