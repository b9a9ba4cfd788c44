//! Many clients, three upstreams, and weather that changes all the time: whatever is answered is right, and whatever is
//! stored is what an upstream has.
//!
//! CI does an amount of work; `MODGATE_SOAK=1` goes on for ten minutes. The weather changes with the number of answers, so a
//! slow machine sees as much of it.

use super::{
    weather::{self, Weather},
    world::{self, ASKED, Place, Seen, VERSIONS},
};
use crate::{
    dice::Dice,
    gateway::{Gateway, await_that},
    listening::{Authority, eventually},
    metrics::scrape,
};
use reqwest::Client;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

const POLICY: &str = "p2, corp.test/*, private, -\np, anonymous, *, *, read, allow, -, -\n";
const CLIENTS: usize = 16;
/// Answers in CI.
const ENOUGH: usize = 4000;
/// How long a soak is.
const LONG: Duration = Duration::from_secs(600);
/// Answers between two changes of the weather of one upstream.
const SPELL: usize = 40;

/// What was answered.
#[derive(Default)]
struct Tally {
    answers: AtomicUsize,
    good: AtomicUsize,
    absent: AtomicUsize,
    outages: AtomicUsize,
    broken: AtomicUsize,
}

struct Scene {
    gateway: Gateway,
    client: Client,
    skies: Vec<watch::Sender<Weather>>,
    seen: Arc<Seen>,
    tally: Tally,
    wrong: Mutex<Vec<String>>,
    memory: Mutex<Vec<u64>>,
}

impl Scene {
    async fn new() -> Self {
        let seen = Arc::<Seen>::default();
        let (mut skies, mut urls) = (Vec::new(), Vec::new());
        for place in [Place::First, Place::Second, Place::Private] {
            let (sky, weather) = watch::channel(Weather::Fair);
            let port = world::start(place, weather.clone(), seen.clone()).await;
            let port = weather::start(port, weather, 100 + skies.len() as u64).await;
            urls.push(format!("http://127.0.0.1:{port}"));
            skies.push(sky);
        }
        let config = format!(
            "[upstream]\nlist = \"{}|{}\"\nconnect_timeout = \"300ms\"\nread_timeout = \"300ms\"\nwhole_timeout = \"3s\"\n\
             cool_down = \"100ms\"\nmax_cool_down = \"500ms\"\n\
             [[source]]\npattern = \"corp.test/*\"\nlist = \"{}\"\n\
             [store]\nlist_fresh = \"20ms\"\nquery_fresh = \"20ms\"\nnegative = \"20ms\"\nmemory = \"2MiB\"\n[log]\nlevel = \"error\"\n",
            urls[0], urls[1], urls[2]
        );
        let gateway = Gateway::plain().policy(POLICY).config(&config).start();
        // Plain HTTP; the client has to be told of an authority all the same.
        let authority = Authority::new();
        let client = Client::builder().tls_backend_preconfigured(authority.client()).no_proxy();
        let client = client.timeout(Duration::from_secs(60)).build().unwrap();
        let (tally, wrong, memory) = Default::default();
        Self { gateway, client, skies, seen, tally, wrong, memory }
    }

    /// One client: asks for this and that, judges what comes, and now and then changes the weather.
    async fn ask_on(&self, mut dice: Dice, on: impl Fn(usize) -> bool) {
        loop {
            let number = self.tally.answers.fetch_add(1, Relaxed);
            if !on(number) {
                return;
            }
            if number.is_multiple_of(SPELL) {
                self.change(&mut dice);
            }
            if number.is_multiple_of(ENOUGH / 20) {
                self.memory.lock().unwrap().push(resident(self.gateway.id()));
            }
            let path = path(&mut dice, number);
            if let Some(wrong) = self.judge(&path).await {
                self.wrong.lock().unwrap().push(format!("{path}: {wrong}"));
            }
        }
    }

    fn change(&self, dice: &mut Dice) {
        let sky = &self.skies[dice.below(self.skies.len())];
        let weather = if dice.below(3) == 0 { Weather::Fair } else { Weather::ALL[dice.below(Weather::ALL.len())] };
        sky.send_replace(weather);
    }

    /// Asks for a path; says what is wrong with the answer.
    async fn judge(&self, path: &str) -> Option<String> {
        let expected = world::expected(path);
        let (count, wrong) = match (self.get(path).await, &expected) {
            (Ok((200, body)), Some(expected)) => (&self.tally.good, (body != *expected).then(|| "other bytes".into())),
            (Ok((404, _)), None) => (&self.tally.absent, None),
            (Ok((502..=504, _)), _) => (&self.tally.outages, None),
            // A zip that is on its way when its source fails. All else is whole before its first byte leaves.
            (Err(error), _) => (&self.tally.broken, (!path.ends_with(".zip")).then(|| error.to_string())),
            (Ok((status, _)), _) => (&self.tally.broken, Some(format!("status {status}"))),
        };
        count.fetch_add(1, Relaxed);
        wrong
    }

    async fn get(&self, path: &str) -> reqwest::Result<(u16, Vec<u8>)> {
        let answer = self.client.get(format!("{}{path}", self.gateway.url())).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?.to_vec()))
    }
}

/// Mostly of modules that nobody asked for yet, or few did; some that are held.
fn path(dice: &mut Dice, answers: usize) -> String {
    let newest = 30 + answers / 8;
    let number = if dice.below(3) == 0 { dice.below(newest) } else { newest - dice.below(30) };
    let namespace = if dice.below(5) == 0 { "corp.test" } else { "soak.test" };
    let asked = dice.pick(&ASKED).replace('V', VERSIONS[dice.below(VERSIONS.len())]);
    format!("/{namespace}/m{number}/{asked}")
}

/// Memory of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The files of the store that are answers, with the paths that they answer.
fn stored(directory: &Path, path: &str, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{path}/{name}");
        if entry.file_type().unwrap().is_dir() {
            stored(&entry.path(), &path, found);
        } else {
            found.push((entry.path(), path));
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn in_any_weather_answers_are_right_and_the_store_is_whole() {
    let scene = Scene::new().await;
    let (began, soak) = (Instant::now(), std::env::var_os("MODGATE_SOAK").is_some());
    let on = |number: usize| if soak { began.elapsed() < LONG } else { number < ENOUGH };
    futures_util::future::join_all((0..CLIENTS).map(|n| scene.ask_on(Dice::new(20 + n as u64), on))).await;
    let wrong = std::mem::take(&mut *scene.wrong.lock().unwrap());
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!scene.seen.leaked.load(Relaxed), "a private name came to a public upstream");

    // Fair weather: everything is well again by itself.
    for sky in &scene.skies {
        sky.send_replace(Weather::Fair);
    }
    for namespace in ["soak.test", "corp.test"] {
        for kind in ASKED {
            let path = format!("/{namespace}/m1000007/{}", kind.replace('V', VERSIONS[0]));
            let right = (200, world::expected(&path).unwrap());
            eventually(&format!("{path} comes back"), async || scene.get(&path).await.unwrap() == right).await;
        }
    }
    await_that("all fetches to end", || scrape(&scene.gateway).contains("modgate_store_flights 0.0\n"));
    let metrics = scrape(&scene.gateway);
    assert!(metrics.contains("modgate_store_set_aside_total 0.0\n"), "{metrics}");
    report(&scene, began.elapsed(), &metrics);
    assert_whole(&scene.gateway.data().join("store"));
    assert_flat(&scene.memory.lock().unwrap());
}

fn report(scene: &Scene, took: Duration, metrics: &str) {
    let Tally { answers, good, absent, outages, broken } = &scene.tally;
    let [answers, good, absent, outages, broken] = [answers, good, absent, outages, broken].map(|n| n.load(Relaxed));
    let asked = scene.seen.requests.load(Relaxed);
    println!("{answers} answers in {took:.0?}: {good} good, {absent} absent, {outages} outages, {broken} broken zips");
    println!("{asked} requests came to the upstreams");
    for line in metrics.lines().filter(|line| line.starts_with("modgate_source_") && !line.ends_with(" 0")) {
        println!("{line}");
    }
    // In none of these counts may be nothing: then there was no weather, or nothing but.
    assert!(good > answers / 4 && absent > 0 && outages > 0, "{metrics}");
    for happened in ["transitions_total", "retries_total", "hedges_total", "skipped_total"] {
        let begin = format!("modgate_source_{happened}{{");
        let mut lines = metrics.lines().filter(|line| line.starts_with(&begin));
        assert!(lines.any(|line| !line.ends_with(" 0")), "nothing of {happened} in\n{metrics}");
    }
}

/// All that is stored is what an upstream has.
fn assert_whole(store: &Path) {
    let mut files = Vec::new();
    stored(store, "", &mut files);
    let mut compared = 0;
    for (file, path) in &files {
        if path.contains("/.") || path.ends_with(".meta") {
            continue;
        }
        let expected = world::expected(path).unwrap_or_else(|| panic!("{path} is stored, and nobody has it"));
        assert!(fs::read(file).unwrap() == expected, "{path} is not what the upstreams have");
        compared += 1;
    }
    println!("{compared} stored answers compared");
    assert!(compared > 300, "{compared} of {}", files.len());
}

/// The second half of the work takes no more memory than the first, but for what an allocator keeps.
fn assert_flat(memory: &[u64]) {
    let mebibytes: Vec<_> = memory.iter().map(|kib| kib >> 10).collect();
    let shown: Vec<_> = mebibytes.iter().step_by(mebibytes.len().div_ceil(40)).collect();
    println!("resident, MiB: {shown:?}");
    let (first, second) = mebibytes.split_at(mebibytes.len() / 2);
    let (first, second) = (first.iter().max().unwrap(), second.iter().max().unwrap());
    assert!(*second <= first + 32, "{first} MiB, then {second} MiB");
}
