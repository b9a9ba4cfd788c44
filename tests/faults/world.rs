//! What the upstreams have, as a function of the path: nothing is kept, so ten minutes of new modules cost no memory,
//! and whoever checks an answer asks the same function.
//!
//! | module | where |
//! |---|---|
//! | `soak.test/mN` | both public upstreams; `N % 10 == 8`: the second only; `N % 10 == 9`: nowhere |
//! | `corp.test/mN` | the private upstream; `N % 10 == 9`: nowhere |

use super::weather::Weather;
use crate::upstream::zip;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(super) const VERSIONS: [&str; 2] = ["v1.0.0", "v1.1.0"];
/// What is asked of a module; `V` stands for a version.
pub(super) const ASKED: [&str; 5] = ["@v/list", "@latest", "@v/V.info", "@v/V.mod", "@v/V.zip"];
/// One of the upstreams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    First,
    Second,
    Private,
}

/// What `path` is answered with by an upstream; none is 404.
pub(super) fn at(place: Place, path: &str) -> Option<Vec<u8>> {
    let (module, asked) = path.strip_prefix('/')?.split_once("/@")?;
    let (namespace, number) = module.split_once("/m")?;
    let number: u64 = number.parse().ok()?;
    let here = match (namespace, place) {
        ("soak.test", Place::First) => number % 10 < 8,
        ("soak.test", Place::Second) | ("corp.test", Place::Private) => number % 10 < 9,
        _ => false,
    };
    if here { content(module, number, asked) } else { None }
}

/// What `path` must be answered with by a gateway, if anybody has it.
pub(super) fn expected(path: &str) -> Option<Vec<u8>> {
    [Place::First, Place::Second, Place::Private].into_iter().find_map(|place| at(place, path))
}

fn content(module: &str, number: u64, asked: &str) -> Option<Vec<u8>> {
    let info = |version: &str| format!("{{\"Version\":{version:?},\"Time\":\"2024-05-06T07:08:09Z\"}}").into_bytes();
    let file = match asked {
        "v/list" => return Some(VERSIONS.map(|version| format!("{version}\n")).concat().into_bytes()),
        "latest" => return Some(info(VERSIONS[1])),
        _ => asked.strip_prefix("v/")?,
    };
    let (version, kind) = file.rsplit_once('.')?;
    VERSIONS.contains(&version).then_some(())?;
    let gomod = format!("module {module}\n\ngo 1.20\n");
    match kind {
        "info" => Some(info(version)),
        "mod" => Some(gomod.into_bytes()),
        "zip" => {
            let size = if number.is_multiple_of(7) { 300_000 } else { 6_000 };
            let text = format!("// {module} {version} {:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let source = format!("package m\n{}", text.repeat(size / text.len()));
            let root = format!("{module}@{version}/");
            Some(zip(&[(format!("{root}go.mod"), gomod.as_bytes()), (format!("{root}m.go"), source.as_bytes())]))
        }
        _ => None,
    }
}

/// What the upstreams saw.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) requests: AtomicUsize,
    /// A private name came to a public upstream.
    pub(super) leaked: AtomicBool,
}

/// Starts an upstream; its port.
pub(super) async fn start(place: Place, weather: watch::Receiver<Weather>, seen: Arc<Seen>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(place, stream, weather.clone(), seen.clone()));
        }
    });
    port
}

async fn serve(place: Place, mut stream: TcpStream, weather: watch::Receiver<Weather>, seen: Arc<Seen>) -> Option<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    loop {
        let path = lines.next_line().await.ok()??.split(' ').nth(1)?.replace("%21", "!");
        while !lines.next_line().await.ok()??.is_empty() {}
        seen.requests.fetch_add(1, Ordering::Relaxed);
        if place != Place::Private && path.contains("corp.test") {
            seen.leaked.store(true, Ordering::Relaxed);
        }
        let (status, body) = match at(place, &path) {
            _ if *weather.borrow() == Weather::Errors => (503, b"later".to_vec()),
            Some(body) => (200, body),
            None => (404, b"not found".to_vec()),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        write.write_all(&[head.into_bytes(), body].concat()).await.ok()?;
    }
}
