//! Bytes that are not what they should be are neither stored nor served whole.

use crate::{
    gateway::{Gateway, await_that},
    outages::get,
    process::Process,
    upstream::{Reply, Upstream, zip},
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
const ROOT: &str = "example.test/lib@v1.0.0";

fn bad_zips() -> Vec<(&'static str, Vec<u8>)> {
    let of = |names: &[&str]| {
        let entries = names.iter().map(|name| (name.to_string(), b"module example.test/lib\n".as_slice()));
        zip(&entries.collect::<Vec<_>>())
    };
    let gomod = format!("{ROOT}/go.mod");
    let good = of(&[&gomod, &format!("{ROOT}/lib.go")]);
    let mut flipped = good.clone();
    let content = flipped.windows(6).position(|bytes| bytes == b"module").unwrap();
    flipped[content] ^= 1;
    vec![
        ("empty", Vec::new()),
        ("text", b"no zip at all".to_vec()),
        ("html", b"<html>sign in</html>".to_vec()),
        ("cut short", good[..good.len() - 30].to_vec()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("wrong prefix", of(&["example.test/other@v1.0.0/go.mod"])),
        ("wrong version", of(&["example.test/lib@v1.0.1/go.mod"])),
        ("no prefix", of(&["go.mod"])),
        ("traversal", of(&[&gomod, &format!("{ROOT}/../../../etc/x")])),
        ("plain traversal", of(&[&gomod, "../evil.go"])),
        ("absolute", of(&[&gomod, "/etc/passwd"])),
        ("twice the same", of(&[&gomod, &gomod])),
        ("case only", of(&[&gomod, &format!("{ROOT}/a.go"), &format!("{ROOT}/A.go")])),
        ("a nested module", of(&[&gomod, &format!("{ROOT}/sub/go.mod")])),
        ("a bad checksum", flipped),
    ]
}

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::plain().policy(OPEN).upstream(&upstream.url()).config("[store]\nnegative = \"1ms\"\n").start()
}

#[test]
fn a_bad_zip_is_never_stored_nor_served_whole() {
    for (name, bytes) in bad_zips() {
        let upstream = Upstream::start();
        upstream.module("example.test/lib", "v1.0.0");
        upstream.reply(ZIP, Reply::Body(bytes.clone()));
        let gateway = gateway(&upstream);
        let (status, body) = get(&gateway, ZIP);
        assert_ne!(status, 200, "{name}");
        assert_ne!(status, 404, "{name}");
        assert!(bytes.is_empty() || body.as_bytes() != bytes, "{name}");
        assert_eq!(files_named(gateway.data(), "zip"), Vec::<String>::new(), "{name}");

        upstream.module("example.test/lib", "v1.0.0");
        await_that("the mended zip", || get(&gateway, ZIP).0 == 200);
    }
}

#[test]
fn a_bad_go_mod_or_info_is_never_stored() {
    for (file, bytes) in [
        ("v1.0.0.mod", "<!DOCTYPE html><html></html>"),
        ("v1.0.0.mod", ""),
        ("v1.0.0.mod", "\u{0}\u{1}\u{2}"),
        ("v1.0.0.info", "<html></html>"),
        ("v1.0.0.info", "{}"),
        ("v1.0.0.info", "{\"Version\":\"v1.0.9\"}"),
        ("v1.0.0.info", "{\"Version\":\"v1.0.0\""),
        ("list", "<html><body>v1.0.0</body></html>"),
    ] {
        let upstream = Upstream::start();
        upstream.module("example.test/lib", "v1.0.0");
        let path = format!("/example.test/lib/@v/{file}");
        upstream.reply(&path, Reply::Body(bytes.into()));
        let gateway = gateway(&upstream);
        let (status, body) = get(&gateway, &path);
        assert_eq!(status, 502, "{file} {bytes:?}: {body}");
        assert!(!gateway.data().join("store").join(path.trim_start_matches('/')).exists(), "{file} {bytes:?}");
    }
}

#[test]
fn a_zip_whose_upstream_breaks_off_is_never_a_short_200() {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &vec![b'/'; 900_000])]);
    let whole = get(&gateway(&upstream), ZIP).1.len();
    upstream.reply(ZIP, Reply::Truncated(vec![b'P'; 500_000], 900_000));
    let gateway = gateway(&upstream);
    let (status, body) = get(&gateway, ZIP);
    assert!(status != 200 && body.len() < whole, "{status}, {} bytes", body.len());
    assert_eq!(files_named(gateway.data(), "zip"), Vec::<String>::new());
}

#[test]
fn a_byte_that_changed_on_disk_aborts_the_transfer_and_heals() {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &vec![b'/'; 900_000])]);
    let gateway = gateway(&upstream);
    let (_, good) = get(&gateway, ZIP);
    let file = gateway.data().join("store").join(ZIP.trim_start_matches('/'));
    await_that("the zip on disk", || file.exists());
    let mut bytes = fs::read(&file).unwrap();
    bytes[450_000] ^= 1;
    fs::write(&file, &bytes).unwrap();

    let (status, _) = get(&gateway, ZIP);
    assert_eq!(status, 0, "the transfer of changed bytes was not aborted");
    await_that("the zip to heal", || get(&gateway, ZIP) == (200, good.clone()));
    gateway.await_log("set aside");
    let records = gateway.records();
    assert!(records.iter().any(|r| r["kind"] == "broken" && r["status"] == 200), "{records:#?}");
    assert!(records.iter().any(|r| r["kind"] == "act" && r["act"] == "store.alarm"), "{records:#?}");
}

#[test]
fn other_bytes_for_a_known_version_are_not_taken() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let gateway = gateway(&upstream);
    assert_eq!(get(&gateway, ZIP).0, 200);
    let file = gateway.data().join("store").join(ZIP.trim_start_matches('/'));
    await_that("the zip on disk", || file.exists());
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", b"package other\n")]);
    fs::write(&file, b"damaged").unwrap();
    // Broken off while the flight that stored it still serves it, refused afterwards.
    assert!(matches!(get(&gateway, ZIP).0, 0 | 502));
    await_that("the other bytes to be refused", || get(&gateway, ZIP).0 == 502);
}

#[test]
fn one_hundred_clients_cause_one_fetch_and_get_nothing_unverified() {
    let upstream = Upstream::start();
    const SIZE: usize = 2_000_000;
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &[b'/'; SIZE])]);
    let gateway = gateway(&upstream);
    let spawn = |_| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"]);
        Process::start(curl.arg(format!("{}{ZIP}", gateway.url())).stdout(Stdio::piped()))
    };
    let clients = (0..100).map(spawn).collect::<Vec<_>>();
    for client in clients {
        let output = String::from_utf8(client.output().stdout).unwrap();
        assert!(output.starts_with("200 "), "{output}");
        let size = output.trim_start_matches("200 ").parse::<usize>().unwrap();
        assert!(size > SIZE, "{output}");
    }
    assert_eq!(upstream.asked().iter().filter(|path| path.ends_with(".zip")).count(), 1);
}

/// The files below a directory whose names end so.
fn files_named(directory: &Path, end: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_named(&path, end));
        } else if path.extension().is_some_and(|extension| extension == end) {
            found.push(path.display().to_string());
        }
    }
    found
}
