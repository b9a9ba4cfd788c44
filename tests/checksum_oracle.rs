//! Checksum verification against the real thing: `golang.org/x/mod/sumdb` as the database (tests/sumdb), and as the client
//! that is answered from here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole file is a test, not only the functions that clippy knows for one"
)]

use crate::checksum_database::{ChecksumDatabase, PROGRAM};
use axum::{Router, extract::State, http::Uri};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use modgate::{
    checksum::{ChecksumError, Database, Databases, Directory, Vouched, Wire, WireError},
    goproxy::{DatabaseName, Target},
    module::{H1, ModulePath, Version},
};
use reqwest::Url;
use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Handle};

/// An upper-case letter, so that escaping matters.
const MODULE: &str = "example.com/Module";

fn zip(version: u32) -> H1 {
    H1::of_gomod(format!("zip {version}").as_bytes())
}

fn gomod(version: u32) -> H1 {
    H1::of_gomod(format!("go.mod {version}").as_bytes())
}

/// One GET, as the sources would answer.
fn get(url: &str) -> Result<Bytes, WireError> {
    match crate::checksum_database::get(url) {
        Ok((200, body)) => Ok(body.into()),
        Ok((404, _)) => Err(WireError::NotFound),
        Ok((_, body)) => Err(WireError::unavailable(String::from_utf8_lossy(&body))),
        Err(error) => Err(WireError::unavailable(error.to_string())),
    }
}

/// Adds versions of the module.
fn add(server: &ChecksumDatabase, versions: impl IntoIterator<Item = u32>) {
    for version in versions {
        server.add(MODULE, &format!("v1.{version}.0"), &zip(version).to_string(), &gomod(version).to_string());
    }
}

/// Asks the server directly, unless it is cut.
#[derive(Default)]
struct Http {
    cut: AtomicBool,
}

impl Wire for Http {
    fn upstream(&self, _: &DatabaseName, _: &str, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        panic!("a database with its own URL is asked there")
    }

    fn direct(&self, url: Url, _: u64) -> BoxFuture<'static, Result<Bytes, WireError>> {
        if self.cut.load(SeqCst) {
            return async { Err(WireError::unavailable("cut")) }.boxed();
        }
        tokio::task::spawn_blocking(move || get(url.as_str())).map(|got| got.unwrap()).boxed()
    }
}

/// A client of ours over a server and a directory.
struct Bench {
    server: ChecksumDatabase,
    directory: TempDir,
    wire: Arc<Http>,
    databases: Arc<Databases>,
}

impl Bench {
    /// Over a new server with that many versions.
    fn new(versions: u32) -> Self {
        let server = ChecksumDatabase::start();
        add(&server, 0..versions);
        let (directory, wire) = (tempfile::tempdir().unwrap(), Arc::default());
        let databases = open(&server, directory.path(), &wire);
        Self { server, directory, wire, databases }
    }

    fn restart(&mut self) {
        self.databases = open(&self.server, self.directory.path(), &self.wire);
    }

    async fn vouch(&self, version: u32) -> Result<Vouched, ChecksumError> {
        let version = Version::parse(&format!("v1.{version}.0")).unwrap();
        self.databases.vouch(&ModulePath::parse(MODULE).unwrap(), &version).await
    }

    /// Vouches for a version with the hashes that were added.
    async fn good(&self, version: u32) {
        let vouched = self.vouch(version).await.unwrap();
        assert_eq!((vouched.zip, vouched.gomod), (zip(version), gomod(version)));
    }

    async fn misbehaves(&self, version: u32) -> String {
        let error = self.vouch(version).await.unwrap_err();
        assert!(matches!(error, ChecksumError::Misbehaving(_)), "{error}");
        error.to_string()
    }

    fn kept_head(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("localhost.localdev/sumdb/latest")).unwrap()
    }

    /// Lets Go's client look versions up here; what it prints.
    async fn go_client(&self, versions: impl IntoIterator<Item = u32>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.databases.clone());
        let serving = tokio::spawn(async { axum::serve(listener, router).await });
        let mut client = Command::new(&*PROGRAM);
        client.args(["client", self.server.key(), &url]);
        client.args(versions.into_iter().map(|version| format!("{MODULE}@v1.{version}.0")));
        let output = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
        serving.abort();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn open(server: &ChecksumDatabase, directory: &Path, wire: &Arc<Http>) -> Arc<Databases> {
    let database = Database::parse(&format!("{} {}", server.key(), server.url())).unwrap().unwrap();
    let (cache, clock) = (Directory::open(directory).unwrap(), Arc::new(|| Timestamp::UNIX_EPOCH));
    Arc::new(Databases::open(vec![database], Arc::new(cache), wire.clone(), clock, Handle::current()).unwrap())
}

/// Serves as the gateway does: what is held, else what is asked for.
async fn answer(State(databases): State<Arc<Databases>>, uri: Uri) -> Result<Bytes, (http::StatusCode, String)> {
    let path = format!("/sumdb/localhost.localdev/sumdb{}", uri.path());
    let Ok(Target::Sumdb { name, asked }) = Target::parse(&path, databases.names()) else { panic!("{path}") };
    if let Some(held) = databases.held(&name, &asked, Timestamp::UNIX_EPOCH) {
        return Ok(held);
    }
    databases.ask(&name, &asked).await.map_err(|error| match error {
        ChecksumError::NotFound => (http::StatusCode::NOT_FOUND, error.outside()),
        _ => (http::StatusCode::BAD_GATEWAY, error.to_string()),
    })
}

fn go_sum(versions: impl IntoIterator<Item = u32>) -> String {
    let lines = |version| {
        let (zip, gomod) = (zip(version), gomod(version));
        format!("{MODULE} v1.{version}.0 {zip}\n{MODULE} v1.{version}.0/go.mod {gomod}\n")
    };
    versions.into_iter().map(lines).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_database_is_verified_while_it_grows() {
    let mut bench = Bench::new(3);
    bench.good(1).await;
    for (from, to) in [(3, 256), (256, 257), (257, 700)] {
        add(&bench.server, from..to);
        bench.good(to - 1).await;
        bench.good(from).await;
        assert!(bench.kept_head().starts_with(&format!("go.sum database tree\n{to}\n")));
    }
    assert_eq!(bench.vouch(9999).await, Err(ChecksumError::NotFound));
    let file = bench.directory.path().join("localhost.localdev/sumdb/lookup/example.com/!module@v1.3.0");
    assert!(file.exists(), "the layout is that of the URLs");
    bench.wire.cut.store(true, SeqCst);
    bench.restart();
    bench.good(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_database_is_found_out() {
    let bench = Bench::new(600);
    for (lie, evidence) in
        [("other-key", "signature"), ("flipped-signature", "invalid signature"), ("wrong-hash", "is not in the log")]
    {
        bench.server.steer(&format!("/lie?how={lie}"));
        assert!(bench.misbehaves(5).await.contains(evidence), "{lie}");
    }
    bench.server.steer("/lie?how=cut-tiles");
    let cut = bench.vouch(5).await.unwrap_err();
    assert!(matches!(cut, ChecksumError::Unavailable(_)), "{cut}");
    bench.server.steer("/lie?how=");
    bench.good(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forked_database_is_found_out_also_after_a_restart() {
    let mut bench = Bench::new(600);
    bench.good(5).await;
    let head = bench.kept_head();
    bench.server.steer("/fork?from=300");
    add(&bench.server, [600]);
    for _ in 0..2 {
        let evidence = bench.misbehaves(600).await;
        assert!(evidence.contains(&head) && evidence.contains("go.sum database tree\n601\n"), "{evidence}");
        assert_eq!(bench.kept_head(), head);
        bench.restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_put_back_to_a_backup_is_believed_until_it_appends() {
    let bench = Bench::new(600);
    for version in [5, 300, 550] {
        bench.good(version).await;
    }
    let head = bench.kept_head();
    bench.server.steer("/rollback?size=400");
    bench.good(6).await;
    assert_eq!(bench.kept_head(), head);
    assert_eq!(bench.vouch(500).await, Err(ChecksumError::NotFound));
    add(&bench.server, 1000..1300);
    assert!(bench.misbehaves(1299).await.contains("forked"));
    assert_eq!(bench.kept_head(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_client_accepts_what_it_is_answered_also_when_the_database_is_cut_off() {
    let bench = Bench::new(200);
    assert_eq!(bench.go_client([7]).await, go_sum([7]));
    for size in [300u32, 520, 777] {
        add(&bench.server, size - 100..size);
        assert_eq!(bench.go_client([size - 1, 3, size - 50]).await, go_sum([size - 1, 3, size - 50]));
    }
    bench.wire.cut.store(true, SeqCst);
    let all = [776, 7, 3, 299, 250, 727, 519, 470];
    assert_eq!(bench.go_client(all).await, go_sum(all));
    assert_eq!(bench.go_client(all.into_iter().rev()).await, go_sum(all.into_iter().rev()));
}
