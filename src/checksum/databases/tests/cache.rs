//! What is kept on disk: proved again after a start, and found out when it is damaged.

use super::*;

#[tokio::test]
async fn what_is_kept_is_proved_again_after_a_start_without_asking() {
    let bench = Bench::new(log(600));
    bench.vouch(5).await.unwrap();
    bench.wire.cut.store(true, SeqCst);
    bench.wire.asked();
    let later = bench.restarted();
    assert_eq!(later.vouch(5).await, Ok(vouched(5)));
    assert_eq!(bench.wire.asked(), [""; 0]);
    assert!(later.unavailable(6).await.contains("cut"));
}

#[tokio::test]
async fn damage_on_disk_is_found_and_mended() {
    for file in ["tile/8/0/000", "tile/8/1/000.p/2", "tile/8/0/002.p/3", &lookup_path(5)] {
        let bench = Bench::new(log(515));
        bench.vouch(5).await.unwrap();
        let before = bench.cache.files.lock().unwrap().clone();
        bench.damage(file);
        assert_eq!(bench.restarted().vouch(5).await, Ok(vouched(5)), "{file}");
        assert_eq!(*bench.cache.files.lock().unwrap(), before, "{file}");
    }
}

#[tokio::test]
async fn a_damaged_head_is_an_error_at_the_start() {
    let bench = Bench::new(log(3));
    bench.vouch(1).await.unwrap();
    for (at, note) in [(0, None), (30, None), (0, Some(Bytes::new()))] {
        let (cache, good) = (bench.cache.clone(), log(3).head(3));
        let note = note.unwrap_or_else(|| flipped(&good, at));
        cache.files.lock().unwrap().insert(format!("{NAME}/latest"), note);
        let wire = bench.wire.clone();
        let opened = Databases::open(vec![testlog::database()], cache, wire, bench.clock.closure(), Handle::current());
        assert!(opened.err().unwrap().to_string().starts_with("`localhost.localdev/sumdb/latest`: "));
    }
}

#[tokio::test]
async fn a_full_disk_does_not_stop_vouching() {
    let bench = Bench::new(log(515));
    bench.cache.full.store(true, SeqCst);
    assert_eq!(bench.vouch(5).await, Ok(vouched(5)));
    assert_eq!(bench.kept(), [""; 0]);
    *bench.wire.log.lock().unwrap() = fork(800, 3);
    assert!(bench.misbehaves(6).await.contains("forked"), "this process remembers the head");
}
