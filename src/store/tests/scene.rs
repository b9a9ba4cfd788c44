//! The scripted world around a store.

use crate::{
    checksum::{ChecksumError, Trouble},
    goproxy::{Asked, DatabaseName, Target},
    module::{ModulePath, Query, Version},
    shelf::Shelf,
    source::{Fetched, SourceError},
    store::*,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

pub(super) const PATH: &str = "x.test/Mod";
pub(super) const VERSION: &str = "v1.2.3";

pub(super) type Chunks = mpsc::UnboundedSender<Result<Bytes, SourceError>>;

/// What the source does when it is asked for a target.
pub(super) enum Script {
    Give(Vec<u8>),
    Fail(SourceError),
    /// Announces a length (or none) and sends what the test sends.
    Stream(Option<u64>, mpsc::UnboundedReceiver<Result<Bytes, SourceError>>),
    Panic,
}

#[derive(Default)]
pub(super) struct ScriptedOrigin {
    scripts: Mutex<HashMap<Target, VecDeque<Script>>>,
    asked: Mutex<Vec<(Target, bool)>>,
}

impl Origin for ScriptedOrigin {
    fn fetch<'a>(&'a self, target: &'a Target, private: bool) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        self.asked.lock().unwrap().push((target.clone(), private));
        let script = self.scripts.lock().unwrap().get_mut(target).and_then(VecDeque::pop_front);
        let source = "https://up.test".into();
        async move {
            match script {
                None => Err(absent()),
                Some(Script::Fail(error)) => Err(error),
                Some(Script::Panic) => panic!("scripted"),
                Some(Script::Give(bytes)) => {
                    let length = Some(bytes.len() as u64);
                    let body = futures_util::stream::iter([Ok(Bytes::from(bytes))]).boxed();
                    Ok(Fetched { source, length, body })
                }
                Some(Script::Stream(length, chunks)) => {
                    let body = futures_util::stream::unfold(chunks, |mut chunks| async move {
                        chunks.recv().await.map(|chunk| (chunk, chunks))
                    });
                    Ok(Fetched { source, length, body: body.boxed() })
                }
            }
        }
        .boxed()
    }
}

/// What the checksum database says.
#[derive(Clone)]
pub(super) enum Word {
    /// The right sums, whatever the test's module is.
    Right,
    Says {
        zip: String,
        gomod: String,
    },
    NotFound,
    Unavailable,
    Misbehaving,
    None,
}

pub(super) struct ScriptedVouch {
    pub(super) word: Mutex<Word>,
    pub(super) asked: Mutex<u32>,
}

impl Vouch for ScriptedVouch {
    fn verifies(&self) -> bool {
        !matches!(*self.word.lock().unwrap(), Word::None)
    }
    fn vouch<'a>(&'a self, _: &'a ModulePath, _: &'a Version) -> BoxFuture<'a, Result<Sums, ChecksumError>> {
        *self.asked.lock().unwrap() += 1;
        let database = "sum.test".to_owned();
        let trouble = || Trouble { database: DatabaseName("sum.test".into()), reason: "scripted".into() };
        let answer = match self.word.lock().unwrap().clone() {
            Word::Right => Ok(Sums { database, zip: h1_of(&good_zip(1000)), gomod: h1_of_mod(GOMOD) }),
            Word::Says { zip, gomod } => Ok(Sums { database, zip, gomod }),
            Word::NotFound => Err(ChecksumError::NotFound),
            Word::Unavailable => Err(ChecksumError::Unavailable(trouble())),
            Word::Misbehaving => Err(ChecksumError::Misbehaving(trouble())),
            Word::None => panic!("asked although none is configured"),
        };
        async move { answer }.boxed()
    }
}

pub(super) const GOMOD: &[u8] = b"module x.test/Mod\n";

pub(super) struct Scene {
    pub(super) root: tempfile::TempDir,
    pub(super) shelf: Shelf,
    pub(super) store: Store,
    pub(super) origin: Arc<ScriptedOrigin>,
    pub(super) vouch: Arc<ScriptedVouch>,
    pub(super) alarms: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap(), Arc::new(Rules), StoreSettings::default())
    }

    pub(super) fn with(root: tempfile::TempDir, inspect: Arc<dyn Inspect>, settings: StoreSettings) -> Self {
        let (shelf, _) = Shelf::open(root.path()).unwrap();
        let origin = Arc::new(ScriptedOrigin::default());
        let vouch = Arc::new(ScriptedVouch { word: Mutex::new(Word::Right), asked: Mutex::default() });
        let alarms: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = alarms.clone();
        let parts = Parts {
            shelf: shelf.clone(),
            origin: origin.clone(),
            vouch: vouch.clone(),
            inspect,
            alarm: Arc::new(move |alarm| heard.lock().unwrap().push(alarm.to_string())),
            background: Handle::current(),
        };
        Self { root, shelf, store: Store::new(parts, settings), origin, vouch, alarms }
    }

    /// The same directory, opened by a process that knows nothing of this one.
    pub(super) async fn restart(self) -> Self {
        self.landed().await;
        let Self { root, shelf, store, .. } = self;
        drop((shelf, store));
        Self::new_at(root).await
    }

    async fn new_at(root: tempfile::TempDir) -> Self {
        // A task that has just ended may hold the shelf for an instant longer.
        patiently(|| Shelf::open(root.path()).is_ok()).await;
        Self::with(root, Arc::new(Rules), StoreSettings::default())
    }

    pub(super) fn script(&self, target: &Target, script: Script) {
        self.origin.scripts.lock().unwrap().entry(target.clone()).or_default().push_back(script);
    }

    pub(super) fn give(&self, target: &Target, bytes: &[u8]) {
        self.script(target, Script::Give(bytes.to_vec()));
    }

    pub(super) fn fail(&self, target: &Target, error: SourceError) {
        self.script(target, Script::Fail(error));
    }

    pub(super) fn stream(&self, target: &Target, length: Option<u64>) -> Chunks {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.script(target, Script::Stream(length, receiver));
        sender
    }

    pub(super) fn say(&self, word: Word) {
        *self.vouch.word.lock().unwrap() = word;
    }

    pub(super) fn vouch_count(&self) -> u32 {
        *self.vouch.asked.lock().unwrap()
    }

    /// How often the source was asked, for anything.
    pub(super) fn asked(&self) -> usize {
        self.origin.asked.lock().unwrap().len()
    }

    pub(super) fn origin_asked(&self) -> Vec<bool> {
        self.origin.asked.lock().unwrap().iter().map(|(_, private)| *private).collect()
    }

    pub(super) fn alarms(&self) -> Vec<String> {
        self.alarms.lock().unwrap().clone()
    }

    pub(super) async fn ask(&self, target: &Target, now: Timestamp) -> Result<Vec<u8>, StoreError> {
        bytes_of(self.store.ask(target, false, now).await?).await
    }

    pub(super) async fn look(&self, target: &Target, now: Timestamp) -> Look {
        self.store.look(target, false, now).await
    }

    /// The bytes and whether they are stale; what is not held fails the test.
    pub(super) async fn held(&self, target: &Target, now: Timestamp) -> (Vec<u8>, bool) {
        match self.look(target, now).await {
            Look::Held(held) => (bytes_of(held.content).await.unwrap(), held.stale),
            other => panic!("not held: {other:?}"),
        }
    }

    /// Waits until no flight is under way.
    pub(super) async fn landed(&self) {
        patiently(|| self.store.inner.flights.count() == 0).await;
    }

    pub(super) fn on_disk(&self, target: &Target) -> bool {
        self.body(target).exists()
    }

    pub(super) fn body(&self, target: &Target) -> std::path::PathBuf {
        self.root.path().join(key(target))
    }

    /// Nothing of it in the store, nothing left in the staging directory.
    pub(super) async fn assert_not_kept(&self, target: &Target) {
        self.landed().await;
        assert!(!self.on_disk(target), "{target:?} was stored");
        assert!(self.shelf.record(&key(target)).unwrap().is_none(), "{target:?} was recorded");
        assert_eq!(std::fs::read_dir(self.root.path().join(".tmp")).unwrap().count(), 0);
        assert!(!matches!(self.look(target, at(0)).await, Look::Held(_)), "{target:?} is held");
    }
}

pub(super) fn key(target: &Target) -> String {
    target.path().trim_start_matches('/').to_owned()
}

pub(super) async fn bytes_of(content: Content) -> Result<Vec<u8>, StoreError> {
    let mut stream = match content.body {
        Body::Small(small) => return Ok(small.bytes().to_vec()),
        Body::Zip(zip) => zip.stream(),
    };
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

/// Lets other tasks run until the condition holds. Not a wait: the condition is brought about by tasks that are
/// running, and the limit only keeps a failing test from hanging.
pub(super) async fn patiently(condition: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < limit, "it did not come about");
        tokio::task::yield_now().await;
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

fn target(asked: Asked) -> Target {
    Target::Module { path: ModulePath::parse(PATH).unwrap(), asked }
}
fn version() -> Version {
    Version::parse(VERSION).unwrap()
}
pub(super) fn zip() -> Target {
    target(Asked::Zip(version()))
}
pub(super) fn gomod() -> Target {
    target(Asked::Mod(version()))
}
pub(super) fn info() -> Target {
    target(Asked::Info(version()))
}
pub(super) fn list() -> Target {
    target(Asked::List)
}
pub(super) fn latest() -> Target {
    target(Asked::Latest)
}
pub(super) fn query(text: &str) -> Target {
    target(Asked::Query(Query::unescape(text).unwrap()))
}
pub(super) fn info_of(version: &str) -> Vec<u8> {
    format!(r#"{{"Version":"{version}","Time":"2026-01-02T03:04:05Z"}}"#).into_bytes()
}

pub(super) fn absent() -> SourceError {
    SourceError::Absent { at: "https://up.test".into(), text: "not found: no such thing".into() }
}

/// Every way in which a source can fail without meaning absence.
pub(super) fn outages() -> Vec<SourceError> {
    let at: Arc<str> = "https://up.test".into();
    let text: Arc<str> = "".into();
    vec![
        SourceError::Refused { at: at.clone(), status: 401, text: text.clone() },
        SourceError::Refused { at: at.clone(), status: 403, text },
        SourceError::Overloaded { at: at.clone(), retry_after: None },
        SourceError::Failed { at: at.clone(), cause: "status 500".into() },
        SourceError::TimedOut { at: at.clone(), waiting: "the headers" },
        SourceError::TooLarge { at: at.clone(), limit: 1 },
        SourceError::Invalid { at: at.clone(), cause: "nonsense".into() },
        SourceError::Loop { at },
        SourceError::NoSource { reason: "none".into() },
    ]
}

/// A zip of stored (uncompressed) files.
pub(super) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (size, name_size) = (content.len() as u32, name.len() as u16);
        let offset = out.len() as u32;
        let mut fields = Vec::new();
        fields.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // version, flags, method, time, date
        fields.extend(crc32fast::hash(content).to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.extend(name_size.to_le_bytes());
        fields.extend([0, 0]); // extra
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(name.as_bytes());
        out.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]); // comment, disk, attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, count) = (out.len() as u32, files.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A valid zip of the test's module with a file of so many bytes.
pub(super) fn good_zip(size: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
    let prefix = format!("{PATH}@{VERSION}");
    archive(&[(&format!("{prefix}/go.mod"), GOMOD), (&format!("{prefix}/data.go"), &data)])
}

pub(super) fn h1_of(zip: &[u8]) -> String {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(zip).unwrap();
    Rules.zip(&file, &ModulePath::parse(PATH).unwrap(), &version()).unwrap().h1
}

pub(super) fn h1_of_mod(bytes: &[u8]) -> String {
    crate::module::H1::of_gomod(bytes).to_string()
}

pub(super) fn says(zip: &[u8], gomod: &[u8]) -> Word {
    Word::Says { zip: h1_of(zip), gomod: h1_of_mod(gomod) }
}
