//! A whole client against a log in memory: what it accepts, refuses, keeps, and can still prove when it is cut off.
//! Here is the scene that the tests share.

mod answers;
mod cache;
mod clients;
mod heads;
mod proof;

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
