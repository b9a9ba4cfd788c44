//! What a database answers: which records and tiles are accepted, and which are refused as what.

use super::*;

#[tokio::test]
async fn a_version_is_vouched_for_and_kept() {
    let bench = Bench::new(log(600));
    assert_eq!(bench.vouch(5).await, Ok(vouched(5)));
    let asked = bench.wire.asked();
    assert_eq!(asked[..2], ["supported".to_owned(), lookup_path(5)]);
    let mut tiles = asked[2..].to_vec();
    tiles.sort();
    assert_eq!(tiles, ["tile/8/0/000", "tile/8/0/002.p/88", "tile/8/1/000.p/2"]);
    let mut files = vec!["latest".to_owned(), lookup_path(5)];
    files.extend(tiles);
    assert_eq!(bench.kept(), files);
    assert_eq!(bench.vouch(5).await, Ok(vouched(5)));
    assert_eq!(bench.vouch(7).await, Ok(vouched(7)));
    assert_eq!(bench.wire.asked(), [lookup_path(7)], "its tiles are known");
}

#[tokio::test]
async fn a_bad_signature_is_misbehaviour_and_a_page_is_an_outage() {
    let bench = Bench::new(log(3));
    let log = log(3);
    let stranger = testlog::sign_as_somebody_else(&format!("go.sum database tree\n3\n{}\n", log.root(3)));
    let good = String::from_utf8(log.answer(0, 3).to_vec()).unwrap();
    let (record, _) = good.split_once("\n\n").unwrap();
    let with = |note: &[u8]| Ok([record.as_bytes(), b"\n\n", note].concat().into());
    bench.wire.say(&lookup_path(0), with(&stranger));
    assert!(bench.misbehaves(0).await.contains("PeterNeumann"));
    bench.wire.say(&lookup_path(0), with(&testlog::sign("another tree\n3\nx\n")));
    assert!(bench.misbehaves(0).await.contains("no tree head"));
    for page in ["<html>\n\nhello</html>\n", "", "0\nx\n\n<html>"] {
        bench.wire.say(&lookup_path(0), Ok(page.into()));
        bench.unavailable(0).await;
    }
    assert_eq!(bench.kept(), [""; 0]);
}

#[tokio::test]
async fn a_record_that_is_not_in_the_log_is_misbehaviour() {
    let bench = Bench::new(log(3));
    let good = log(3).answer(0, 3);
    let of_another_hash = String::from_utf8(good.to_vec()).unwrap().replacen("h1:", "h1:A", 1);
    bench.wire.say(&lookup_path(0), Ok(of_another_hash.into()));
    assert!(bench.misbehaves(0).await.contains("not in the log"));
    let of_another_number = [b"2", &good[1..]].concat();
    bench.wire.say(&lookup_path(0), Ok(of_another_number.into()));
    assert!(bench.misbehaves(0).await.contains("not in the log"));
    let beyond = [b"3", &good[1..]].concat();
    bench.wire.say(&lookup_path(0), Ok(beyond.into()));
    assert!(bench.misbehaves(0).await.contains("beyond"));
    assert!(!bench.kept().contains(&lookup_path(0)));
}

#[tokio::test]
async fn a_record_of_another_version_is_misbehaviour_although_it_is_in_the_log() {
    let bench = Bench::new(log(3));
    bench.wire.say(&lookup_path(0), Ok(log(3).answer(1, 3)));
    assert!(bench.misbehaves(0).await.contains("not a hash of the version"));
    let mut half = TestLog::default();
    half.append(format!("{MODULE} v1.0.9 {}\n", vouched(0).zip).as_bytes());
    let bench = Bench::new(half);
    assert!(bench.misbehaves(9).await.contains("go.mod is missing"));
}

#[tokio::test]
async fn forged_tiles_are_misbehaviour_and_never_kept() {
    // 515 = 0b10_0000_0011: record 5 is proved by a full leaf tile, below the edge.
    let log = log(515);
    for (tile, at) in
        [("tile/8/0/000", 5 * 32), ("tile/8/1/000.p/2", 0), ("tile/8/0/002.p/3", 0), ("tile/8/0/002.p/3", 95)]
    {
        let bench = Bench::new(log.clone());
        bench.wire.say(tile, Ok(flipped(&log.tile(tile).unwrap(), at)));
        assert!(bench.misbehaves(5).await.contains("do not lead to its hash"), "{tile}");
        assert!(!bench.kept().iter().any(|file| file.starts_with("tile/") || file.starts_with("lookup/")), "{tile}");
        bench.wire.instead.lock().unwrap().clear();
        assert_eq!(bench.vouch(5).await, Ok(vouched(5)), "nothing bad is remembered");
    }
}

#[tokio::test]
async fn cut_and_missing_tiles_are_an_outage() {
    for answer in
        [Ok(Bytes::from_static(&[0; 31])), Ok(Bytes::new()), Ok(vec![0; 8193].into()), Err(WireError::NotFound)]
    {
        let bench = Bench::new(log(515));
        bench.wire.say("tile/8/0/000", answer);
        assert!(bench.unavailable(5).await.contains("tile/8/0/000"));
        assert_eq!(bench.kept(), ["latest"], "the first head needs no tile");
    }
}

#[tokio::test]
async fn a_partial_tile_that_is_gone_is_cut_from_the_full_one() {
    let bench = Bench::new(log(515));
    let (id, old) = (514, log(515).answer(514, 515));
    bench.publish(515..800);
    bench.wire.say(&lookup_path(id), Ok(old));
    bench.wire.say("tile/8/0/002.p/3", Err(WireError::NotFound));
    assert_eq!(bench.vouch(id).await, Ok(vouched(id)));
    assert!(bench.wire.asked().contains(&"tile/8/0/002".to_owned()));
    assert!(bench.kept().contains(&"tile/8/0/002.p/3".to_owned()));
    assert!(!bench.kept().contains(&"tile/8/0/002".to_owned()), "the rest of it was not proved");
}

#[tokio::test]
async fn absence_is_remembered_for_a_minute_and_an_outage_not_at_all() {
    let bench = Bench::new(log(3));
    assert_eq!(bench.vouch(9).await, Err(ChecksumError::NotFound));
    bench.publish([9]);
    bench.clock.advance(59);
    assert_eq!(bench.vouch(9).await, Err(ChecksumError::NotFound));
    assert_eq!(bench.wire.asked(), ["supported".to_owned(), lookup_path(9), "supported".to_owned()]);
    bench.clock.advance(1);
    assert_eq!(bench.vouch(9).await, Ok(vouched(9)));
    bench.wire.cut.store(true, SeqCst);
    bench.unavailable(1).await;
    bench.wire.cut.store(false, SeqCst);
    assert_eq!(bench.vouch(1).await, Ok(vouched(1)));
}

#[tokio::test]
async fn many_vouches_share_what_they_fetch() {
    let bench = Bench::new(log(700));
    let gate = Arc::new(Semaphore::new(0));
    *bench.wire.gate.lock().unwrap() = Some(gate.clone());
    let all = future::join_all((0..200).map(|n| bench.vouch(n % 10)));
    let (all, ()) = tokio::join!(all, async { gate.add_permits(1000) });
    assert!(all.iter().enumerate().all(|(n, one)| *one == Ok(vouched(n as u32 % 10))));
    // The wire itself refuses to be asked for a file that it is fetching. A tile may be asked for again in the moment
    // between its coming and its proof, so it is the lookups that are counted.
    let mut lookups = bench.wire.asked();
    lookups.retain(|path| !path.starts_with("tile/"));
    lookups.sort();
    let mut expected: Vec<_> = (0..10).map(lookup_path).chain(["supported".to_owned()]).collect();
    expected.sort();
    assert_eq!(lookups, expected);
}

#[tokio::test]
async fn the_first_database_that_knows_is_believed() {
    let (first, second) = (LogWire::new(log(3)), LogWire::new(log(9)));
    let open = |wire: &Arc<LogWire>| {
        let clock = TestClock::default().closure();
        let cache: Arc<TestCache> = Arc::default();
        Databases::open(vec![testlog::database()], cache, wire.clone(), clock, Handle::current()).unwrap()
    };
    let (mut databases, other) = (open(&first), open(&second));
    databases.desks.extend(other.desks);
    let bench = Bench { databases, ..Bench::new(log(0)) };
    assert_eq!(bench.vouch(1).await, Ok(vouched(1)));
    assert_eq!(second.asked(), [""; 0]);
    assert_eq!(bench.vouch(8).await, Ok(vouched(8)));
    first.cut.store(true, SeqCst);
    bench.unavailable(7).await;
    assert!(!second.asked().contains(&lookup_path(7)), "an outage is not gone round");
    assert_eq!(Bench::new(log(0)).vouch(8).await, Err(ChecksumError::NotFound));
}

#[tokio::test]
async fn names_are_in_order_and_unique() {
    let open = |databases| {
        let (cache, wire): (Arc<TestCache>, _) = (Arc::default(), LogWire::new(log(0)));
        Databases::open(databases, cache, wire, TestClock::default().closure(), Handle::current())
    };
    let golang = Database::parse("sum.golang.org").unwrap().unwrap();
    let two = open(vec![golang, testlog::database()]).unwrap();
    assert_eq!(two.names().iter().map(|name| &*name.0).collect::<Vec<_>>(), ["sum.golang.org", NAME]);
    assert!(two.verifies() && !open(vec![]).unwrap().verifies());
    let twice = open(vec![testlog::database(), testlog::database()]).err().unwrap();
    assert!(twice.to_string().contains("twice"));
}

#[test]
fn what_is_said_outside_quotes_nothing_from_outside() {
    let name = DatabaseName(NAME.into());
    for error in [
        ChecksumError::NotFound,
        ChecksumError::unavailable(&name, "secret"),
        ChecksumError::misbehaving(&name, "secret\n\nlines"),
    ] {
        let outside = error.outside();
        assert!(!outside.contains("secret") && outside.lines().count() <= 3 && outside.len() < 300, "{outside}");
        assert!(outside.lines().all(|line| !line.is_empty()));
    }
    assert!(ChecksumError::misbehaving(&name, "why").to_string().contains("SECURITY"));
    assert!(ChecksumError::unavailable(&name, "why").to_string().ends_with("`localhost.localdev/sumdb`: why"));
}
