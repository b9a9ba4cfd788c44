//! Upstreams that answer with bytes made to hurt: a refusal in bounded time and memory, never a 404, and nobody else waits.

use crate::{
    gateway::{Gateway, await_that},
    outages::get,
    process::Process,
    upstream::{Reply, Upstream},
};
use flate2::{Compression, write::GzEncoder};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
/// Just under the time after which a client of these tests gives up.
const HANG: Duration = Duration::from_secs(19);
const QUICK: &str = "read_timeout = \"400ms\"\nconnect_timeout = \"400ms\"\n[store]\nnegative = \"1ms\"\n";
const PATHS: [&str; 6] = [
    "/example.test/lib/@v/list",
    "/example.test/lib/@latest",
    "/example.test/lib/@v/main.info",
    "/example.test/lib/@v/v1.0.0.info",
    "/example.test/lib/@v/v1.0.0.mod",
    "/example.test/lib/@v/v1.0.0.zip",
];

fn start(upstream: &Upstream, policy: &str) -> Gateway {
    Gateway::plain().policy(policy).config(&format!("[upstream]\nlist = \"{}\"\n{QUICK}", upstream.url())).start()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A 200 with these header lines and this body.
fn ok(headers: &str, body: &[u8]) -> Reply {
    Reply::Raw([format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes(), body].concat())
}

fn redirect(to: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

fn nasty(own: &str) -> Vec<(&'static str, Reply)> {
    let bomb = gzip(&vec![b'\n'; 600 << 20]);
    let flood: String = (0..5_000).map(|n| format!("X-Flood-{n}: {}\r\n", "x".repeat(64))).collect();
    vec![
        ("a huge length", ok("Content-Length: 9223372036854775807\r\n", b"x")),
        ("a length beyond all numbers", ok("Content-Length: 99999999999999999999999999\r\n", b"x")),
        ("a negative length", ok("Content-Length: -1\r\n", b"x")),
        ("two lengths", ok("Content-Length: 1\r\nContent-Length: 2\r\n", b"xy")),
        ("a bad chunk", ok("Transfer-Encoding: chunked\r\n", b"zzz\r\nabc\r\n")),
        ("a cut chunk", ok("Transfer-Encoding: chunked\r\n", b"ff\r\nv1.0.0\n")),
        ("a gzip bomb", ok(&format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len()), &bomb)),
        ("no gzip", ok("Content-Encoding: gzip\r\nContent-Length: 7\r\n", b"v1.0.0\n")),
        ("cut gzip", ok("Content-Encoding: gzip\r\nContent-Length: 12\r\n", &bomb[..12])),
        ("an unknown encoding", ok("Content-Encoding: br\r\nContent-Length: 7\r\n", b"v1.0.0\n")),
        ("a header flood", ok(&flood, b"v1.0.0\n")),
        ("a header without end", Reply::Raw([&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'x'; 4 << 20]].concat())),
        ("1xx without end", Reply::Raw(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000))),
        (
            "switching protocols",
            Reply::Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec()),
        ),
        ("no content", Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("a part", Reply::Raw(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\n\r\nv1.0.0\n".to_vec())),
        ("a redirect to itself", redirect(own)),
        ("a redirect into the house", redirect("http://127.0.0.1:1/x")),
        ("a redirect to the cloud's metadata", redirect("http://169.254.169.254/latest")),
        ("a redirect to a file", redirect("file:///etc/passwd")),
        ("a redirect nowhere", redirect("")),
        ("a page", ok("Content-Type: text/html\r\nContent-Length: 22\r\n", b"<html>sign in</html>\r\n")),
        ("invalid utf-8", ok("Content-Length: 30\r\n", b"{\"Version\":\"v1.0.0\xff\xfe\",\"a\":\"\xff\"}")),
    ]
}

#[test]
fn nothing_that_hurts_is_taken_for_an_answer_or_an_absence() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, OPEN);
    let own = format!("{}/again", upstream.url());
    let mut wrong = Vec::new();
    for (number, (name, reply)) in nasty(&own).into_iter().enumerate() {
        upstream.reply_to_everything(Some(reply));
        for path in PATHS {
            // A module of its own each, so that no failure is remembered.
            let path = path.replace("lib", &format!("lib{number}"));
            let began = Instant::now();
            let (status, body) = get(&gateway, &path);
            if !matches!(status, 0 | 502..=504) || (status == 0 && !path.ends_with(".zip")) {
                wrong.push(format!("{name}: {path} is {status}: {}", body.get(..80).unwrap_or(&body)));
            }
            if began.elapsed() > HANG {
                wrong.push(format!("{name}: {path} took {:?}", began.elapsed()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(gateway.peak_memory() < 300 << 20, "{} bytes of memory", gateway.peak_memory());
}

#[test]
fn an_endless_answer_ends_however_fast_it_comes() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, OPEN);
    upstream.module("example.test/other", "v1.0.0");
    for (name, pause) in [("flood", Duration::ZERO), ("drip", Duration::from_millis(50))] {
        let paths = PATHS.map(|path| path.replace("lib", name));
        for path in &paths {
            upstream.reply(path, Reply::Endless(if pause.is_zero() { &[b'\n'; 65_536] } else { b"\n" }, pause));
        }
        let mut clients = paths.each_ref().map(|path| curl(&gateway, path));
        assert_eq!(get(&gateway, &format!("/example.test/other/@v/{}", "list")).0, 200);
        let under_way = clients.iter_mut().any(|client| client.try_wait().unwrap().is_none());
        assert!(under_way, "{name}: another module waited for the end of these");
        for (path, client) in paths.iter().zip(clients) {
            let said = String::from_utf8(client.output().stdout).unwrap();
            let zip_broke = path.ends_with(".zip") && said.starts_with("200 ") && said.ends_with(" broken");
            assert!(zip_broke || said.starts_with("502 ") || said.starts_with("504 "), "{name}: {path}: {said}");
        }
        await_that("the transfers to end", || transfers(&gateway) == 0);
    }
    assert!(gateway.peak_memory() < 300 << 20, "{} bytes of memory", gateway.peak_memory());
}

#[test]
fn many_large_zips_at_once_take_little_memory() {
    const SIZE: usize = 20 << 20;
    let modules = if std::env::var_os("MODGATE_SOAK").is_some() { 64 } else { 12 };
    let upstream = Upstream::start();
    let filler = Arc::new(vec![b'/'; SIZE]);
    let paths = (0..modules).map(|number| upstream.large_module(&format!("example.test/large{number}"), &filler));
    let paths = paths.collect::<Vec<_>>();
    let gateway = start(&upstream, OPEN);
    let clients = paths.iter().map(|path| curl(&gateway, path)).collect::<Vec<_>>();
    for client in clients {
        let said = String::from_utf8(client.output().stdout).unwrap();
        let size = said.trim_start_matches("200 ").split(' ').next().unwrap().parse::<usize>().unwrap();
        assert!(said.starts_with("200 ") && size > SIZE, "{said}");
    }
    let most = gateway.peak_memory();
    println!("{modules} zips of {SIZE} bytes at once: at most {} MiB of memory", most >> 20);
    assert!(most < 256 << 20, "{most} bytes of memory for {modules} zips at once");
}

/// A client that says status, size, and whether the transfer broke.
fn curl(gateway: &Gateway, path: &str) -> Process {
    let script =
        "curl -s -m 60 -o /dev/null -w '%{http_code} %{size_download} ' \"$0\" && printf whole || printf broken";
    let mut shell = Command::new("sh");
    Process::start(shell.args(["-c", script, &format!("{}{path}", gateway.url())]).stdout(Stdio::piped()))
}

/// Files that are being received.
fn transfers(gateway: &Gateway) -> usize {
    fs::read_dir(gateway.data().join("store/.tmp")).unwrap().count()
}

#[test]
fn a_redirect_into_the_house_is_followed_where_the_operator_said_so() {
    let (upstream, blobs) = (Upstream::start(), Upstream::start());
    blobs.module("example.test/lib", "v1.0.0");
    let path = "/example.test/lib/@v/v1.0.0.mod";
    upstream.reply_to_everything(Some(redirect(&format!("{}{path}", blobs.url()))));
    for (more, expected) in [(String::new(), 502), (format!("redirect_origins = [\"{}\"]\n", blobs.url()), 200)] {
        let config = format!("[upstream]\nlist = \"{}\"\n{more}", upstream.url());
        let gateway = Gateway::plain().policy(OPEN).config(&config).start();
        assert_eq!(get(&gateway, path).0, expected);
        assert_eq!(blobs.asked().len(), usize::from(expected == 200));
    }
}
