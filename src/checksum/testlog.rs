//! A checksum database in memory for the unit tests, its tree and tiles made by the tlog_tiles crate, its signatures by
//! signed_note; and wires, caches and clocks that do as the tests say.

use super::{Cache, Clock, Database, Wire, WireError};
use crate::goproxy::DatabaseName;
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use signed_note::{Note, StandardSigner};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::{Arc, Mutex, atomic::AtomicBool, atomic::Ordering::SeqCst},
};
use tlog_tiles::{Hash, HashReader, Tile, record_hash, stored_hash_index, stored_hashes, tree_hash};
use tokio::sync::Semaphore;

/// The name and the keys of the `go` command's own tests (`cmd/go/proxy_test.go`): public, and worth nothing.
pub(super) const NAME: &str = "localhost.localdev/sumdb";
pub(super) const KEY: &str = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
const SIGNER: &str = "PRIVATE+KEY+localhost.localdev/sumdb+00000c67+AXu6+oaVaOYuQOFrf1V59JK1owcFlJcHwwXHDfDGxSPk";
/// A key of the documentation of signed notes.
const STRANGER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

pub(super) fn database() -> Database {
    Database::parse(KEY).unwrap().unwrap()
}

/// Signs a text as the database.
pub(super) fn sign(text: &str) -> Bytes {
    sign_with(text, SIGNER)
}

/// Signs a text with a key that is not the database's.
pub(super) fn sign_as_somebody_else(text: &str) -> Bytes {
    sign_with(text, STRANGER)
}

fn sign_with(text: &str, key: &str) -> Bytes {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&StandardSigner::new(key).unwrap()]).unwrap();
    note.to_bytes().into()
}

/// A log.
#[derive(Clone, Default)]
pub(super) struct TestLog {
    stored: Stored,
    records: Vec<Bytes>,
}

#[derive(Clone, Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes.iter().map(|at| self.0.get(*at as usize).copied().ok_or(tlog_tiles::Error::IndexesNotInTree)).collect()
    }
}

impl TestLog {
    /// Appends a record and returns its number.
    pub(super) fn append(&mut self, text: &[u8]) -> u64 {
        let id = self.records.len() as u64;
        let hashes = stored_hashes(id, text, &self.stored).unwrap();
        self.stored.0.extend(hashes);
        self.records.push(Bytes::copy_from_slice(text));
        id
    }

    /// Appends a version with hashes that depend on `salt`.
    pub(super) fn publish(&mut self, module: &str, version: &str, salt: &str) -> u64 {
        self.append(record(module, version, salt).as_bytes())
    }

    pub(super) fn size(&self) -> u64 {
        self.records.len() as u64
    }

    pub(super) fn record_hash(&self, id: u64) -> Hash {
        self.stored.0[stored_hash_index(0, id) as usize]
    }

    pub(super) fn root(&self, size: u64) -> Hash {
        tree_hash(size, &self.stored).unwrap()
    }

    /// The signed head of the log's first `size` records.
    pub(super) fn head(&self, size: u64) -> Bytes {
        sign(&format!("go.sum database tree\n{size}\n{}\n", self.root(size)))
    }

    /// A tile, if the log has it.
    pub(super) fn tile(&self, path: &str) -> Option<Bytes> {
        Tile::from_path(path).ok()?.read_data(&self.stored).ok().map(Bytes::from)
    }

    /// The answer to a lookup of a record, under the head of a size.
    pub(super) fn answer(&self, id: u64, size: u64) -> Bytes {
        let mut answer = format!("{id}\n").into_bytes();
        answer.extend_from_slice(&self.records[id as usize]);
        answer.push(b'\n');
        answer.extend_from_slice(&self.head(size));
        answer.into()
    }

    /// The answer to `lookup/MODULE@VERSION`, under the newest head.
    fn lookup(&self, module: &str) -> Option<Bytes> {
        let start = module.replace('@', " ") + " ";
        let id = self.records.iter().position(|text| text.starts_with(start.as_bytes()))?;
        Some(self.answer(id as u64, self.size()))
    }
}

/// The text of a version's record.
pub(super) fn record(module: &str, version: &str, salt: &str) -> String {
    let hash = |of: &str| format!("h1:{}", record_hash(format!("{module} {version} {of} {salt}").as_bytes()));
    format!("{module} {version} {}\n{module} {version}/go.mod {}\n", hash("zip"), hash("go.mod"))
}

/// A wire to a [`TestLog`] that the test can change, cut, and falsify. Counts what it is asked.
#[derive(Default)]
pub(super) struct LogWire {
    pub(super) log: Mutex<TestLog>,
    /// Answers that differ from the log's.
    pub(super) instead: Mutex<HashMap<String, Result<Bytes, WireError>>>,
    /// Everything fails.
    pub(super) cut: AtomicBool,
    pub(super) asked: Mutex<Vec<String>>,
    /// Answers wait for this, if it is set.
    pub(super) gate: Mutex<Option<Arc<Semaphore>>>,
    /// What is being fetched: asking for it a second time is a failure of the test.
    flying: Arc<Mutex<HashSet<String>>>,
}

impl LogWire {
    pub(super) fn new(log: TestLog) -> Arc<Self> {
        Arc::new(Self { log: Mutex::new(log), ..Self::default() })
    }

    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(super) fn say(&self, path: &str, answer: Result<Bytes, WireError>) {
        self.instead.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn answer(&self, path: &str) -> Result<Bytes, WireError> {
        if self.cut.load(SeqCst) {
            return Err(WireError::unavailable("cut"));
        }
        if let Some(answer) = self.instead.lock().unwrap().get(path) {
            return answer.clone();
        }
        let log = self.log.lock().unwrap();
        let answer = match path.split_once('/') {
            None if path == "supported" => Some(Bytes::new()),
            None if path == "latest" => Some(log.head(log.size())),
            Some(("lookup", module)) => log.lookup(module),
            _ => log.tile(path),
        };
        answer.ok_or(WireError::NotFound)
    }
}

impl Wire for LogWire {
    fn upstream(&self, _: &DatabaseName, path: &str, cap: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        self.asked.lock().unwrap().push(path.to_owned());
        let (gate, answer) = (self.gate.lock().unwrap().clone(), self.answer(path));
        assert!(answer.as_ref().map_or(true, |bytes| bytes.len() as u64 <= cap));
        let (flying, path) = (self.flying.clone(), path.to_owned());
        assert!(flying.lock().unwrap().insert(path.clone()), "`{path}` is asked for twice at once");
        async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            flying.lock().unwrap().remove(&path);
            answer
        }
        .boxed()
    }

    fn direct(&self, url: Url, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        panic!("{url} was asked");
    }
}

/// What a [`ScriptedWire`] was asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Asked {
    Upstream(String),
    Direct(String),
}

impl Asked {
    pub(super) fn upstream(path: &str) -> Self {
        Self::Upstream(path.to_owned())
    }

    pub(super) fn direct(path: &str) -> Self {
        Self::Direct(format!("https://{NAME}/{path}"))
    }
}

/// A wire that says what it was told to.
#[derive(Default)]
pub(super) struct ScriptedWire {
    script: Mutex<HashMap<Asked, Result<Bytes, WireError>>>,
    asked: Mutex<Vec<Asked>>,
}

impl ScriptedWire {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn upstream(&self, path: &str, answer: Result<&'static str, WireError>) {
        self.script.lock().unwrap().insert(Asked::upstream(path), answer.map(Bytes::from));
    }

    pub(super) fn direct(&self, path: &str, answer: Result<&'static str, WireError>) {
        self.script.lock().unwrap().insert(Asked::direct(path), answer.map(Bytes::from));
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, asked: Asked) -> BoxFuture<'static, Result<Bytes, WireError>> {
        let unscripted = || Ok(Bytes::from_static(b"x"));
        let answer = self.script.lock().unwrap().get(&asked).cloned().unwrap_or_else(unscripted);
        self.asked.lock().unwrap().push(asked);
        async { answer }.boxed()
    }
}

impl Wire for ScriptedWire {
    fn upstream(&self, _: &DatabaseName, path: &str, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        self.answer(Asked::upstream(path))
    }

    fn direct(&self, url: Url, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        self.answer(Asked::Direct(url.into()))
    }
}

/// A disk in memory that the test can read, damage, and fill up.
#[derive(Default)]
pub(super) struct TestCache {
    pub(super) files: Mutex<BTreeMap<String, Bytes>>,
    pub(super) full: AtomicBool,
}

impl Cache for TestCache {
    fn read(&self, key: &str) -> io::Result<Option<Bytes>> {
        Ok(self.files.lock().unwrap().get(key).cloned())
    }

    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        if self.full.load(SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.lock().unwrap().insert(key.to_owned(), Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn write_durably(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(key, bytes)
    }
}

/// A clock that stands still until it is advanced.
#[derive(Clone, Default)]
pub(super) struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    pub(super) fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    pub(super) fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    pub(super) fn closure(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
