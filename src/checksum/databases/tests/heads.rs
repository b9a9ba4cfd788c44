//! Tree heads: how they advance, and what a fork is.

use super::*;

#[tokio::test]
async fn heads_advance_and_older_ones_are_prefixes() {
    let bench = Bench::new(log(300));
    bench.vouch(1).await.unwrap();
    assert_eq!(bench.kept_head(), Some(log(300).head(300)));
    bench.publish(300..1000);
    bench.vouch(2).await.unwrap();
    assert_eq!(bench.kept_head(), Some(log(1000).head(1000)));
    bench.wire.say(&lookup_path(3), Ok(log(300).answer(3, 270)));
    assert_eq!(bench.vouch(3).await, Ok(vouched(3)));
    assert_eq!(bench.kept_head(), Some(log(1000).head(1000)), "an older head changes nothing");
    assert_eq!(bench.restarted().vouch(999).await, Ok(vouched(999)));
}

#[tokio::test]
async fn a_fork_is_misbehaviour_and_changes_nothing() {
    // The same size, larger, smaller; forked in a full tile, at the edge, at the last record.
    for (size, from) in [(515, 0), (515, 514), (2000, 3), (2000, 300), (2000, 514), (400, 3), (400, 399)] {
        let bench = Bench::new(log(515));
        bench.vouch(1).await.unwrap();
        // So that the tiles of the accepted tree are at hand: the forked database no longer has them.
        bench.vouch(300).await.unwrap();
        let before = bench.cache.files.lock().unwrap().clone();
        let forked = fork(size, from);
        *bench.wire.log.lock().unwrap() = forked.clone();
        for bench in [&bench, &bench.restarted()] {
            let evidence = bench.misbehaves(2).await;
            for head in [log(515).head(515), forked.head(size.into())] {
                assert!(evidence.contains(std::str::from_utf8(&head).unwrap()), "{size} {from}: {evidence}");
            }
            assert_eq!(*bench.cache.files.lock().unwrap(), before, "{size} {from}");
            assert_eq!(bench.vouch(1).await, Ok(vouched(1)), "what was proved stays");
        }
    }
}

#[tokio::test]
async fn a_lost_database_is_an_outage_and_one_that_starts_over_a_fork() {
    let bench = Bench::new(log(515));
    bench.vouch(1).await.unwrap();
    *bench.wire.log.lock().unwrap() = log(2);
    assert_eq!(bench.vouch(600).await, Err(ChecksumError::NotFound));
    bench.publish([2]);
    assert_eq!(bench.vouch(2).await, Ok(vouched(2)), "a restored copy of the same log");
    *bench.wire.log.lock().unwrap() = TestLog::default();
    bench.publish([601, 602]);
    assert!(bench.misbehaves(601).await.contains("forked"));
}

#[tokio::test]
async fn heads_that_come_at_once_end_at_the_newest() {
    let log = log(1000);
    let bench = Bench::new(log.clone());
    let sizes = (0..40).map(|version| 300 + u64::from(version * 7919u32 % 700));
    for (version, size) in (0..).zip(sizes.clone()) {
        bench.wire.say(&lookup_path(version), Ok(log.answer(version.into(), size)));
    }
    let all = future::join_all((0..40).map(|version| bench.vouch(version))).await;
    assert!(all.iter().zip(0..).all(|(one, version)| *one == Ok(vouched(version))));
    let newest = sizes.max().unwrap();
    assert_eq!(bench.kept_head(), Some(log.head(newest)));
    assert_eq!(bench.desk().log.head().size, newest);
}

#[tokio::test]
async fn latest_is_fresh_for_a_minute_and_advances_the_head() {
    let bench = Bench::new(log(300));
    let latest = async || client(&bench, SumdbAsk::Latest).await;
    assert_eq!(latest().await, Ok(log(300).head(300)));
    assert_eq!(bench.kept_head(), Some(log(300).head(300)));
    bench.publish(300..301);
    bench.clock.advance(59);
    assert_eq!(latest().await, Ok(log(300).head(300)));
    bench.clock.advance(1);
    assert_eq!(latest().await, Ok(log(301).head(301)));
    assert_eq!(bench.kept_head(), Some(log(301).head(301)));
    bench.clock.advance(60);
    *bench.wire.log.lock().unwrap() = fork(400, 3);
    assert!(matches!(latest().await, Err(ChecksumError::Misbehaving(_))));
}
