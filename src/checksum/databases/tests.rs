//! A whole client against a log in memory: what it accepts, refuses, keeps, and can still prove when it is cut off.

use super::*;
use crate::checksum::testlog::{self, LogWire, NAME, TestCache, TestClock, TestLog};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use proptest::prelude::*;
use reqwest::Url;
use std::sync::{LazyLock, atomic::Ordering::SeqCst};
use tokio::sync::Semaphore;

struct Bench {
    wire: Arc<LogWire>,
    cache: Arc<TestCache>,
    clock: TestClock,
    databases: Databases,
}

impl Bench {
    fn new(log: TestLog) -> Self {
        Self::over(LogWire::new(log), Arc::default())
    }

    fn over(wire: Arc<LogWire>, cache: Arc<TestCache>) -> Self {
        let clock = TestClock::default();
        let databases = vec![testlog::database()];
        let databases =
            Databases::open(databases, cache.clone(), wire.clone(), clock.closure(), Handle::current()).unwrap();
        Self { wire, cache, clock, databases }
    }

    /// Another process over the same disk and wire.
    fn restarted(&self) -> Self {
        Self::over(self.wire.clone(), self.cache.clone())
    }

    fn desk(&self) -> &Desk {
        &self.databases.desks[0]
    }

    async fn vouch(&self, version: u32) -> Result<Vouched, ChecksumError> {
        let (path, version) = (ModulePath::parse(MODULE).unwrap(), Version::parse(&tag(version)).unwrap());
        self.databases.vouch(&path, &version).await
    }

    async fn misbehaves(&self, version: u32) -> String {
        match self.vouch(version).await {
            Err(ChecksumError::Misbehaving(trouble)) => trouble.reason.to_string(),
            other => panic!("{other:?}"),
        }
    }

    async fn unavailable(&self, version: u32) -> String {
        match self.vouch(version).await {
            Err(ChecksumError::Unavailable(trouble)) => trouble.reason.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// The kept files' paths at the database.
    fn kept(&self) -> Vec<String> {
        let files = self.cache.files.lock().unwrap();
        files.keys().map(|key| key.strip_prefix(&format!("{NAME}/")).unwrap().to_owned()).collect()
    }

    fn kept_head(&self) -> Option<Bytes> {
        self.cache.files.lock().unwrap().get(&format!("{NAME}/latest")).cloned()
    }

    /// Flips a bit of a kept file.
    fn damage(&self, path: &str) {
        let mut files = self.cache.files.lock().unwrap();
        let file = files.get_mut(&format!("{NAME}/{path}")).unwrap();
        let mut bytes = file.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        *file = bytes.into();
    }

    fn publish(&self, versions: impl IntoIterator<Item = u32>) {
        let mut log = self.wire.log.lock().unwrap();
        versions.into_iter().for_each(|version| _ = log.publish(MODULE, &tag(version), ""));
    }
}

const MODULE: &str = "example.com/m";

fn tag(version: u32) -> String {
    format!("v1.0.{version}")
}

fn lookup_path(version: u32) -> String {
    format!("lookup/{MODULE}@{}", tag(version))
}

/// A log with the versions 0 to `size - 1`.
fn log(size: u32) -> TestLog {
    fork(size, size)
}

/// A log that differs from [`log`] from record `from` on.
fn fork(size: u32, from: u32) -> TestLog {
    let mut log = TestLog::default();
    for version in 0..size {
        log.publish(MODULE, &tag(version), if version < from { "" } else { "forked" });
    }
    log
}

fn vouched(version: u32) -> Vouched {
    let record = testlog::record(MODULE, &tag(version), "");
    let hashes: Vec<_> = record.lines().map(|line| H1::parse(line.rsplit(' ').next().unwrap()).unwrap()).collect();
    Vouched { database: DatabaseName(NAME.into()), zip: hashes[0], gomod: hashes[1] }
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

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

/// Asks as a client would: what is held, else what is asked for.
async fn client(bench: &Bench, ask: SumdbAsk) -> Result<Bytes, ChecksumError> {
    let name = DatabaseName(NAME.into());
    match bench.databases.held(&name, &ask, bench.clock.now()) {
        Some(bytes) => Ok(bytes),
        None => bench.databases.ask(&name, &ask).await,
    }
}

fn lookup_of(version: u32) -> SumdbAsk {
    SumdbAsk::Lookup(ModulePath::parse(MODULE).unwrap(), Version::parse(&tag(version)).unwrap())
}

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

/// What a gateway holds, as the wire of a client that can reach nothing else.
struct Held(Arc<Desk>);

impl Wire for Held {
    fn upstream(&self, _: &DatabaseName, path: &str, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        let held = match HashTile::parse(path) {
            _ if path == "supported" => Some(Bytes::new()),
            Some(tile) => self.0.tiles.held(&tile),
            None => self.0.records.held(path),
        };
        let answer = held.ok_or_else(|| WireError::unavailable(format!("`{path}` is not held")));
        async move { answer }.boxed()
    }

    fn direct(&self, url: Url, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        panic!("{url} was asked");
    }
}

/// A log that ends some records before a tile of the second level is full.
static LONG: LazyLock<TestLog> = LazyLock::new(|| log(65_400));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // INVARIANT: whatever heads a gateway accepted on its way, and in whatever order a client asks, what the gateway
    // holds is enough to prove every record it holds; for a new client, and for one that saw an earlier state of it.
    #[test]
    fn what_is_held_proves_itself(
        long: bool,
        steps in prop::collection::vec((0u32..700, any::<prop::sample::Index>(), 0u64..500), 1..8),
        join in any::<prop::sample::Index>(),
        order in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let start = if long { LONG.clone() } else { log(1) };
            let gateway = Bench::new(start);
            let client = || {
                let (wire, cache) = (Arc::new(Held(gateway.databases.desks[0].clone())), Arc::<TestCache>::default());
                let clock = TestClock::default().closure();
                let databases = Databases::open(vec![testlog::database()], cache, wire, clock, Handle::current());
                Bench { databases: databases.unwrap(), ..Bench::new(TestLog::default()) }
            };
            let early = client();
            let joins = join.index(steps.len());
            let mut versions = Vec::new();
            for (number, (growth, which, age)) in steps.iter().enumerate() {
                let size = gateway.wire.log.lock().unwrap().size() as u32;
                gateway.publish(size..size + growth);
                let size = size + growth;
                let version = which.index(size as usize) as u32;
                let head = u64::from(size).saturating_sub(*age).max(u64::from(version) + 1);
                let answer = gateway.wire.log.lock().unwrap().answer(version.into(), head);
                gateway.wire.say(&lookup_path(version), Ok(answer));
                gateway.vouch(version).await.unwrap();
                versions.push(version);
                if number >= joins {
                    early.vouch(version).await.unwrap();
                }
            }
            let (late, first) = (client(), order.index(versions.len()));
            versions.rotate_left(first);
            for version in versions {
                for client in [&late, &early] {
                    assert_eq!(client.vouch(version).await, Ok(vouched(version)));
                }
            }
        });
    }
}
