//! A crowd at one gateway: many who ask for the same absent zip, many who wait for a slow one, many large zips at once.
//!
//! The upstream's gate says when it goes on, so what is asserted about those who wait is asserted while they wait.
//! `MODGATE_SOAK=1` streams zips of 100 MB instead of 20.

use crate::{
    gateway::{Gateway, await_that},
    upstream::{Reply, Upstream},
};
use aws_lc_rs::digest::{Context, SHA256, digest};
use futures_util::future::{join_all, try_join_all};
use reqwest::{Client, Response};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
const SIZE: usize = 20_000_000;
const MOST_MEMORY: u64 = 150_000_000;
/// What the gateway keeps of a zip that is still arriving, because it is not verified.
const HELD_BACK: u64 = 64 << 10;
/// Longer than any of it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What all who ask get at once, however slow others are.
const WARM: [&str; 5] = [
    "/example.test/warm/@v/list",
    "/example.test/warm/@latest",
    "/example.test/warm/@v/v1.0.0.info",
    "/example.test/warm/@v/v1.0.0.mod",
    "/example.test/warm/@v/v1.0.0.zip",
];

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, Debug)]
enum Http {
    One,
    Two,
}

impl Http {
    /// Its name in the TLS handshake.
    fn protocol(self) -> &'static [u8] {
        match self {
            Self::One => b"http/1.1",
            Self::Two => b"h2",
        }
    }
}

/// A client with connections of its own.
fn client(gateway: &Gateway, http: Http) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(gateway.certificate()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![http.protocol().to_vec()];
    Client::builder().tls_backend_preconfigured(config).no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Every other client speaks the other version.
fn http(number: usize) -> Http {
    if number.is_multiple_of(2) { Http::One } else { Http::Two }
}

fn start(upstream: &Upstream) -> Gateway {
    // What is fetched is counted: nothing is tried again.
    let upstream = format!("[upstream]\nlist = \"{}\"\nread_timeout = \"5m\"\nretries = 0\n", upstream.url());
    Gateway::tls().policy(OPEN).config(&upstream).start()
}

/// Bytes that are nowhere the same for long, so that none can be in another's place unnoticed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// All of a zip: how much that was, and its SHA-256.
type Whole = (u64, Vec<u8>);
type Waiting = JoinHandle<reqwest::Result<Whole>>;

/// A download of which the beginning has come.
struct Begun {
    answer: Response,
    hash: Context,
    arrived: u64,
    /// What has arrived for it and others.
    all: Arc<AtomicU64>,
}

impl Begun {
    async fn of(client: Client, url: String) -> reqwest::Result<Self> {
        Self::counted(client, url, Arc::default()).await
    }

    async fn counted(client: Client, url: String, all: Arc<AtomicU64>) -> reqwest::Result<Self> {
        let answer = client.get(url).send().await?.error_for_status()?;
        let mut begun = Self { answer, hash: Context::new(&SHA256), arrived: 0, all };
        begun.more().await?;
        Ok(begun)
    }

    async fn more(&mut self) -> reqwest::Result<bool> {
        let piece = self.answer.chunk().await?;
        if let Some(piece) = &piece {
            self.hash.update(piece);
            self.arrived += piece.len() as u64;
            self.all.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Ok(piece.is_some())
    }

    /// The rest of it.
    async fn end(mut self) -> reqwest::Result<Whole> {
        while self.more().await? {}
        Ok((self.arrived, self.hash.finish().as_ref().to_vec()))
    }
}

/// Runs all at the same time, on all threads.
async fn together<T: Send + 'static>(
    all: impl IntoIterator<Item = impl Future<Output = reqwest::Result<T>> + Send + 'static>,
) -> Vec<T> {
    let tasks = all.into_iter().map(tokio::spawn).collect::<Vec<_>>();
    let done = try_join_all(tasks).await.unwrap();
    done.into_iter().collect::<reqwest::Result<_>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_ask_for_one_absent_zip_are_one_fetch() {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &noise(SIZE))]);
    let zip = upstream.body(ZIP);
    upstream.reply(ZIP, Reply::Gated(zip.clone()));
    let gateway = start(&upstream);
    let url = gateway.url() + ZIP;

    let begun = together((0..100).map(|number| Begun::of(client(&gateway, http(number)), url.clone()))).await;
    assert!(begun.iter().all(|begun| begun.arrived < zip.len() as u64), "somebody has all of a zip that half came");
    upstream.open_gate();
    let whole = together(begun.into_iter().map(Begun::end)).await;

    let expected = (zip.len() as u64, digest(&SHA256, &zip).as_ref().to_vec());
    assert_eq!(whole.iter().filter(|got| **got == expected).count(), 100, "not all are whole");
    assert_eq!(upstream.asked().iter().filter(|path| *path == ZIP).count(), 1, "{:?}", upstream.asked());
    let most = gateway.peak_memory();
    println!("100 clients of one zip of {SIZE} bytes: at most {} MB of memory", most / 1_000_000);
    assert!(most < MOST_MEMORY, "{most} bytes of memory");
}

/// Those who wait, each for the head of the answer or for the rest of it.
fn waiting(clients: &[Client], url: &str, all: &Arc<AtomicU64>) -> Vec<Waiting> {
    let wait = |client: &Client| {
        let (client, url, all) = (client.clone(), url.to_owned(), all.clone());
        tokio::spawn(async move { Begun::counted(client, url, all).await?.end().await })
    };
    clients.iter().map(wait).collect()
}

/// How long each warm answer takes, in order of length.
async fn warm_answers(client: &Client, gateway: &Gateway, rounds: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for path in WARM.iter().cycle().take(rounds * WARM.len()) {
        let began = Instant::now();
        let answer = client.get(format!("{}{path}", gateway.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap();
        took.push(began.elapsed());
    }
    took.sort();
    took
}

/// Sixty wait, on connections of their own or on one that they share with the warm requests, and these are answered. `early` is how
/// many bytes each gets before the gate opens; once all have them, they do nothing but wait.
async fn sixty_wait(slow: Reply, early: u64, shared: bool) -> usize {
    let upstream = Upstream::start();
    upstream.module("example.test/warm", "v1.0.0");
    upstream.reply(ZIP, slow);
    let gateway = start(&upstream);
    let warm = client(&gateway, Http::Two);
    warm_answers(&warm, &gateway, 1).await;
    let crowd = (0..60).map(|number| if shared { warm.clone() } else { client(&gateway, http(number)) });
    let all = Arc::new(AtomicU64::new(0));
    let waiting = waiting(&crowd.collect::<Vec<_>>(), &(gateway.url() + ZIP), &all);
    let in_flight = format!("{}/metrics", gateway.admin_url());
    let admin = client(&gateway, Http::One);
    loop {
        let text = admin.get(&in_flight).send().await.unwrap().text().await.unwrap();
        if text.contains("modgate_requests_in_flight 60") && all.load(Ordering::Relaxed) == 60 * early {
            break;
        }
        assert!(!waiting.iter().any(JoinHandle::is_finished), "somebody does not wait");
        tokio::task::yield_now().await;
    }

    let took = warm_answers(&warm, &gateway, 40).await;
    assert!(!waiting.iter().any(JoinHandle::is_finished), "somebody did not wait");
    println!("60 wait, shared {shared}: warm answers took {:?} at the median, {:?} at most", took[100], took[199]);
    upstream.open_gate();
    let ended = join_all(waiting).await;
    assert_eq!(upstream.asked().iter().filter(|path| *path == ZIP).count(), 1, "{:?}", upstream.asked());
    ended.into_iter().filter(|ended| ended.as_ref().unwrap().is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_who_wait_for_the_rest_of_a_zip_hold_up_nobody() {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &noise(1_000_000))]);
    let zip = upstream.body(ZIP);
    let early = zip.len() as u64 / 2 - HELD_BACK;
    for shared in [false, true] {
        assert_eq!(sixty_wait(Reply::Gated(zip.clone()), early, shared).await, 60, "whole zips");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_who_wait_for_a_source_that_says_nothing_hold_up_nobody() {
    for shared in [false, true] {
        assert_eq!(sixty_wait(Reply::Stalled, 0, shared).await, 0, "whole zips");
    }
}

/// 64 clients download zips of their own; every fourth takes its beginning, and the rest after all others are done.
async fn stream_to_64(gateway: &Gateway, paths: &[String], size: u64) {
    let clients = (0..paths.len()).map(|number| client(gateway, http(number / 4)));
    let begun = clients.zip(paths).map(|(client, path)| Begun::of(client, format!("{}{path}", gateway.url())));
    let (mut quick, mut slow) = (Vec::new(), Vec::new());
    for (number, begun) in together(begun.collect::<Vec<_>>()).await.into_iter().enumerate() {
        if number.is_multiple_of(4) { slow.push(begun) } else { quick.push(begun) }
    }
    for crowd in [quick, slow] {
        let whole = together(crowd.into_iter().map(Begun::end)).await;
        assert!(whole.iter().all(|(arrived, _)| *arrived > size), "a zip is short");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_large_zips_at_once_take_little_memory() {
    let size = if std::env::var_os("MODGATE_SOAK").is_some() { 100_000_000 } else { SIZE };
    let upstream = Upstream::start();
    let filler = Arc::new(vec![b'/'; size]);
    let module = |number| upstream.large_module(&format!("example.test/large{number}"), &filler);
    let paths = (0..64).map(module).collect::<Vec<_>>();
    let gateway = start(&upstream);
    let idle = gateway.peak_memory();
    for temperature in ["cold", "warm"] {
        stream_to_64(&gateway, &paths, size as u64).await;
        let most = gateway.peak_memory();
        println!(
            "64 zips of {size} bytes, {temperature}: {} MB of memory, {} when idle",
            most / 1_000_000,
            idle / 1_000_000
        );
        assert!(most < MOST_MEMORY, "{temperature}: {most} bytes of memory");
    }
    assert_eq!(upstream.asked().len(), 64, "{:?}", upstream.asked());
    await_that("the flights to land", || !gateway.data().join("store/.tmp").read_dir().unwrap().any(|_| true));
}
