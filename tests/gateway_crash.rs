//! kill -9 of the built gateway while it stores: what it serves afterwards is whole, and its journal knows every answer.
//!
//! All rounds share one data directory. In each a gateway starts, clients download many files at once, and after a
//! random number of bytes it is killed. It is then started again with an upstream that refuses everything, so whatever
//! it serves is what the crash left. The next round asks for what was not stored, and for new versions.
//! `MODGATE_SOAK=1` makes 200 rounds of the 20. `store_crash` does the same to the store alone, faster and closer.

use crate::{
    dice::Dice,
    gateway::Gateway,
    listening::Authority,
    upstream::{Reply, Upstream},
};
use futures_util::StreamExt;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;
use tokio::sync::Notify;

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
/// Modules that a round adds a version of, each an `.info`, a `.mod` and a `.zip`.
const MODULES: usize = 12;
/// So many of them have a zip of megabytes.
const LARGE: usize = 2;
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_serves_only_what_is_whole_and_recorded() {
    let rounds = if std::env::var_os("MODGATE_SOAK").is_some() { 200 } else { 20 };
    let (data, mut dice, upstream) = (TempDir::new().unwrap(), Dice::new(9), Upstream::start());
    // Plain HTTP; the client has to be told of an authority all the same.
    let authority = Authority::new();
    let client = Client::builder().tls_backend_preconfigured(authority.client()).no_proxy().build().unwrap();
    let (mut answers, mut held, mut lost, mut left) = (Vec::new(), 0, 0, 0);
    let mut before = Vec::new();
    for round in 0..rounds {
        let paths = publish(&upstream, &mut dice, round);
        let volume = paths.iter().map(|path| upstream.body(path).len()).sum::<usize>();
        let asked = [before.as_slice(), &paths].concat();
        let gateway = start(data.path(), &upstream);
        answers.extend(download_until_killed(&client, gateway, &asked, &upstream, dice.below(3 * volume) as u64).await);
        left += staged(data.path());

        upstream.reply_to_everything(Some(Reply::Status(503, "cut off")));
        let gateway = start(data.path(), &upstream);
        assert_eq!(staged(data.path()), 0, "round {round}: left in the staging directory");
        let whole = assert_whole(&client, &gateway, &upstream, &asked).await;
        (held, lost) = (held + whole, lost + asked.len() - whole);
        upstream.reply_to_everything(None);
        before.iter().for_each(|path| upstream.reply(path, Reply::Reset));
        before = paths;
    }
    println!("{rounds} rounds, {} answers, {held} files held, {lost} not, {left} unfinished", answers.len());
    assert!(held > 0 && lost > 0 && left > 0, "the kills came too early or too late");
    assert_recorded(&start(data.path(), &upstream).records(), &answers);
}

fn start(data: &Path, upstream: &Upstream) -> Gateway {
    Gateway::plain().policy(OPEN).data(data).upstream(&upstream.url()).start()
}

/// Whatever is served is what the upstream had; the number of files that are.
async fn assert_whole(client: &Client, gateway: &Gateway, upstream: &Upstream, paths: &[String]) -> usize {
    let mut whole = 0;
    for path in paths {
        let answer = get(client, gateway, path, |_| {}).await.unwrap_or_else(|error| panic!("{path} broke: {error}"));
        match answer.status {
            200 => assert!(answer.body == upstream.body(path), "{path} is not what the upstream has"),
            status => assert!(matches!(status, 502..=504), "{path}: {status}"),
        }
        whole += usize::from(answer.status == 200);
    }
    whole
}

/// The files in the staging directory.
fn staged(data: &Path) -> usize {
    fs::read_dir(data.join("store/.tmp")).unwrap().count()
}

/// Puts a round's versions on the upstream; their paths, in any order.
fn publish(upstream: &Upstream, dice: &mut Dice, round: u64) -> Vec<String> {
    let mut paths = Vec::new();
    for number in 0..MODULES {
        let (module, version) = (format!("crash.test/m{number}"), format!("v1.{round}.0"));
        let size = if number < LARGE { 1_000_000 + dice.below(2_000_000) } else { dice.below(150_000) };
        let text = format!("// {:x}\n", dice.next());
        let content = text.bytes().cycle().take(size).collect::<Vec<_>>();
        upstream.module_of(&module, &version, &[("lib.go", &content)]);
        paths.extend(["info", "mod", "zip"].map(|kind| format!("/{module}/@v/{version}.{kind}")));
    }
    for last in (1..paths.len()).rev() {
        paths.swap(last, dice.below(last + 1));
    }
    paths
}

/// An answer that came to its end.
struct Answer {
    path: String,
    status: u16,
    request: String,
    body: Vec<u8>,
}

/// Downloads everything twice, kills the gateway once so many bytes have arrived, and answers what had come whole.
async fn download_until_killed(
    client: &Client,
    gateway: Gateway,
    paths: &[String],
    upstream: &Upstream,
    enough: u64,
) -> Vec<Answer> {
    let (arrived, reached) = (AtomicU64::new(0), Notify::new());
    let count = |bytes: usize| {
        if arrived.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64 >= enough {
            reached.notify_one();
        }
    };
    let clients = paths.iter().flat_map(|path| [path, path]).map(|path| get(client, &gateway, path, count));
    let mut clients = futures_util::stream::iter(clients).buffer_unordered(CLIENTS);
    let mut answers = Vec::new();
    loop {
        let got = tokio::select! {
            biased;
            () = reached.notified() => break,
            got = clients.next() => got,
        };
        let Some(got) = got else { break };
        let answer = got.unwrap_or_else(|error| panic!("a download broke before the kill: {error}"));
        assert_eq!(answer.status, 200, "{}", answer.path);
        assert!(answer.body == upstream.body(&answer.path), "{}", answer.path);
        answers.push(Answer { body: Vec::new(), ..answer });
    }
    kill_process(Pid::from_raw(i32::try_from(gateway.id()).unwrap()).unwrap(), Signal::KILL).unwrap();
    // What was on its way may still have arrived whole.
    let rest = clients.by_ref().collect::<Vec<_>>().await.into_iter().filter_map(Result::ok);
    answers.extend(rest.filter(|answer| answer.status == 200).map(|answer| Answer { body: Vec::new(), ..answer }));
    drop(clients);
    drop(gateway.kill());
    answers
}

async fn get(client: &Client, gateway: &Gateway, path: &str, count: impl Fn(usize)) -> reqwest::Result<Answer> {
    let mut response = client.get(format!("{}{path}", gateway.url())).send().await?;
    let request = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        count(chunk.len());
    }
    Ok(Answer { path: path.into(), status, request, body })
}

/// Every answer has its record, and one for which the upstream was asked has the record of that before it.
fn assert_recorded(records: &[Value], answers: &[Answer]) {
    let mut of = HashMap::<&str, Vec<&Value>>::new();
    for record in records {
        of.entry(record["request"].as_str().unwrap_or_default()).or_default().push(record);
    }
    for Answer { path, request, .. } in answers {
        let kept = of.get(request.as_str()).unwrap_or_else(|| panic!("no record of {path} ({request})"));
        let kinds = kept.iter().map(|record| record["kind"].as_str().unwrap()).collect::<Vec<_>>();
        let answered = kept.iter().find(|record| record["kind"] == "answered").unwrap();
        assert_eq!(answered["status"], 200, "{path}: {answered}");
        let expected: &[&str] = if answered["cache"] == "hit" { &["answered"] } else { &["asked", "answered"] };
        assert_eq!(kinds, expected, "{path}: {kept:#?}");
    }
}
