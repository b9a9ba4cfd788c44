//! That what a gateway holds is enough for every client of it.

use super::*;

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
