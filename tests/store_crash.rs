//! kill -9 in the middle of storing: whatever is in the store afterwards is whole and verified.
//!
//! The test binary runs itself as the child: it opens the same directory again and again and stores entries over a
//! scripted source, many at once, saying a line for each answer it got. After a random number of lines it is killed,
//! and the parent looks at what is left. `MODGATE_SOAK=1` makes 200 rounds of the 20.
#![cfg(test)]

use crate::{
    dice::Dice,
    process::Process,
    zip_forge::{Ending, Entry, archive},
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use jiff::Timestamp;
use modgate::{
    checksum::ChecksumError,
    goproxy::{Asked, Target},
    module::{H1, ModulePath, Version},
    shelf::{Shelf, ShelfError, Shelved, Standing},
    source::{Fetched, SourceError},
    store::{Body, Content, Inspect, Look, Origin, Parts, Rules, Store, StoreSettings, Sums, Vouch},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

const ROOT: &str = "MODGATE_TEST_CRASH_ROOT";
const ROUND: &str = "MODGATE_TEST_CRASH_ROUND";
/// Modules that a round stores: each a list, an `.info`, a `.mod` and a `.zip`.
const MODULES: u64 = 40;
const AT_ONCE: usize = 8;

fn path(number: u64) -> ModulePath {
    ModulePath::parse(&format!("crash.test/M{number}")).unwrap()
}

fn version(round: u64) -> Version {
    Version::parse(&format!("v1.{round}.0")).unwrap()
}

/// The targets of one module in one round; the list is the same target in every round, with another body.
fn targets(module: u64, round: u64) -> Vec<Target> {
    let (path, version) = (path(module), version(round));
    [Asked::List, Asked::Info(version.clone()), Asked::Mod(version.clone()), Asked::Zip(version)]
        .map(|asked| Target::Module { path: path.clone(), asked })
        .to_vec()
}

fn gomod(path: &ModulePath) -> Vec<u8> {
    format!("module {path}\n").into_bytes()
}

fn zip(path: &ModulePath, version: &Version) -> Vec<u8> {
    let seed = format!("{path}@{version}");
    let size = seed.bytes().map(usize::from).sum::<usize>() * 257 % 300_000;
    let data: Vec<u8> = seed.bytes().cycle().take(size).collect();
    let files = [Entry::stored(format!("{seed}/go.mod"), gomod(path)), Entry::stored(format!("{seed}/a.go"), data)];
    archive(&files, &Ending::default())
}

/// What the source has; a list is that of a round, and tells it in each of its many lines.
fn body(target: &Target, round: u64) -> Vec<u8> {
    let Target::Module { path, asked } = target else { panic!("no module") };
    match asked {
        Asked::List => format!("v1.{round}.0\n").repeat(2000).into_bytes(),
        Asked::Info(version) => format!(r#"{{"Version":"{version}"}}"#).into_bytes(),
        Asked::Mod(_) => gomod(path),
        Asked::Zip(version) => zip(path, version),
        Asked::Latest | Asked::Query(_) => panic!("not asked for"),
    }
}

struct Upstream {
    round: u64,
}

impl Origin for Upstream {
    fn fetch<'a>(&'a self, target: &'a Target, _: bool) -> BoxFuture<'a, Result<Fetched, SourceError>> {
        let body = body(target, self.round);
        let length = Some(body.len() as u64);
        let chunks: Vec<_> = body.chunks(16 << 10).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let body = futures_util::stream::iter(chunks).boxed();
        async move { Ok(Fetched { source: "https://up.test".into(), length, body }) }.boxed()
    }
}

struct Database;

impl Vouch for Database {
    fn verifies(&self) -> bool {
        true
    }
    fn vouch<'a>(&'a self, path: &'a ModulePath, version: &'a Version) -> BoxFuture<'a, Result<Sums, ChecksumError>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&zip(path, version)).unwrap();
        let zip = Rules.zip(&file, path, version).unwrap().h1;
        let sums = Sums { database: "sum.test".into(), zip, gomod: H1::of_gomod(&gomod(path)).to_string() };
        async move { Ok(sums) }.boxed()
    }
}

fn store(shelf: Shelf, round: u64) -> Store {
    let parts = Parts {
        shelf,
        origin: Arc::new(Upstream { round }),
        vouch: Arc::new(Database),
        inspect: Arc::new(Rules),
        alarm: Arc::new(|alarm| panic!("alarm: {alarm}")),
        background: tokio::runtime::Handle::current(),
    };
    Store::new(parts, StoreSettings::default())
}

async fn bytes_of(content: Content) -> Vec<u8> {
    let mut stream = match content.body {
        Body::Small(small) => return small.bytes().to_vec(),
        Body::Zip(zip) => zip.stream(),
    };
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    all
}

/// The process that is killed. Run by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let (shelf, swept) = Shelf::open(Path::new(&root)).unwrap();
    println!("swept {}", swept.files);
    let store = store(shelf, round);
    // What the round before left unfinished comes first, then what is new.
    let before = (0..MODULES).flat_map(|module| targets(module, round.saturating_sub(1)));
    let all = before.chain((0..MODULES).flat_map(|module| targets(module, round)));
    let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(round as i64);
    futures_util::stream::iter(all)
        .map(|target| {
            let store = store.clone();
            async move {
                match store.look(&target, false, now).await {
                    Look::Held(held) if held.stale => {
                        store.refresh(&target, false, now);
                    }
                    Look::Held(held) => assert_eq!(bytes_of(held.content).await, body(&target, round)),
                    _ => {
                        assert_eq!(bytes_of(store.ask(&target, false, now).await.unwrap()).await, body(&target, round))
                    }
                }
                println!("had {}", target.path());
            }
        })
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
    println!("done");
    // Killed at the latest now, with the last syncs perhaps under way.
    std::future::pending::<()>().await;
}

fn spawn(root: &Path, round: u64) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "store_crash::child", "--nocapture", "--test-threads=1"])
        .env(ROOT, root)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Process::start(&mut command)
}

/// Lets the child say so many lines (or all it has), kills it, and answers whether it had swept anything.
fn run_and_kill(root: &Path, round: u64, lines: usize) -> u64 {
    let mut child = spawn(root, round);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (mut said, mut swept) = (0, None);
    for line in output.lines() {
        let line = line.unwrap();
        if let Some((_, files)) = line.split_once("swept ") {
            swept = files.parse().ok();
        } else if line.contains("had ") {
            said += 1;
        }
        if said >= lines && swept.is_some() || line.contains("done") {
            break;
        }
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    swept.unwrap_or_else(|| panic!("the child did not begin: {stderr}"))
}

/// Waits for the killed process's lock to be gone, which it is at the latest with its last thread.
fn open(root: &Path) -> Shelf {
    loop {
        match Shelf::open(root) {
            Ok((shelf, _)) => return shelf,
            Err(ShelfError::InUse(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// All files below a directory, relative, the shelf's own left out.
fn bodies(root: &Path) -> BTreeSet<String> {
    let mut open = vec![PathBuf::new()];
    let mut found = BTreeSet::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(root.join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if path.to_str().unwrap().starts_with('.') {
                continue;
            }
            match entry.file_type().unwrap().is_dir() {
                true => open.push(path),
                false => drop(found.insert(path.to_str().unwrap().to_owned())),
            }
        }
    }
    found
}

/// Every body has a record, is what it says, and is what the source has; nothing is left in staging.
async fn check(root: &Path, round: u64) -> usize {
    let shelf = open(root);
    assert_eq!(fs::read_dir(root.join(".tmp")).unwrap().count(), 0, "left in staging");
    assert_eq!(fs::read_dir(root.join(".aside")).unwrap().count(), 0, "set aside");
    let found = bodies(root);
    let store = store(shelf.clone(), round);
    let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(round as i64);
    for key in &found {
        let target = Target::parse(&format!("/{key}"), &[]).unwrap();
        let Shelved::Held(file, record) = shelf.find(key).unwrap() else { panic!("`{key}` has no record") };
        let Look::Held(held) = store.look(&target, false, now).await else { panic!("`{key}` is not held") };
        let served = bytes_of(held.content).await;
        assert_eq!(served, whole(file), "`{key}`");
        let Target::Module { asked, .. } = &target else { panic!("`{key}` is no module's") };
        match asked {
            Asked::List => assert!((0..=round).any(|round| body(&target, round) == served), "`{key}` is torn"),
            _ => assert_eq!(served, body(&target, round), "`{key}`"),
        }
        if matches!(asked, Asked::Mod(_) | Asked::Zip(_)) {
            assert_eq!(record.standing, Standing::Verified { by: "sum.test".into() }, "`{key}`");
        }
    }
    found.len()
}

fn whole(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn no_kill_leaves_a_part_of_anything() {
    let rounds = if std::env::var_os("MODGATE_SOAK").is_some() { 200 } else { 20 };
    let mut dice = Dice::new(77);
    let mut root = tempfile::tempdir().unwrap();
    let (mut swept, mut found) = (0, 0);
    for round in 0..rounds {
        // Begun anew now and then, or a check of everything after each kill would take the longest.
        if round % 20 == 0 {
            root = tempfile::tempdir().unwrap();
        }
        let lines = dice.below(MODULES as usize * 8);
        swept += run_and_kill(root.path(), round, lines);
        // The next child sweeps what this one left, except every third time: then the check does.
        if round % 3 == 0 || round % 20 == 19 {
            found += check(root.path(), round).await;
        }
    }
    println!(
        "{rounds} kills: {found} times an entry was looked at, whole each time; {swept} staging files swept by the next start"
    );
    assert!(found > 0, "nothing was ever stored");
    assert!(swept > 0, "no kill ever hit a store under way: the test does not test");
}
