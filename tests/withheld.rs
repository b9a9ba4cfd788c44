//! The last bytes of a zip are held back until all of it is verified, whoever waits for it and however it comes.
//!
//! The upstream sends all of a zip but its end, and that only once the gate opens: what clients have until then is
//! what the gateway gives out unverified.

use crate::{
    curl::{Download, Http},
    gateway::{Gateway, await_that},
    upstream::{Reply, Upstream},
};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
/// More than is held back at the end of a zip.
const BACK: usize = 80 << 10;
const WAITING: usize = 20;

/// How an upstream tells the length.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunked,
}

impl Framing {
    /// A zip that is sent but for its end: its last byte, or the word that there is no more.
    fn part(self, zip: &[u8]) -> Reply {
        let (head, first, rest) = match self {
            Self::Length => {
                let (first, last) = zip.split_at(zip.len() - 1);
                (format!("Content-Length: {}\r\n\r\n", zip.len()), first, last.to_vec())
            }
            Self::Chunked => {
                (format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", zip.len()), zip, b"\r\n0\r\n\r\n".to_vec())
            }
        };
        Reply::Parted([b"HTTP/1.1 200 OK\r\n", head.as_bytes(), first].concat(), rest)
    }
}

/// Every way in which a zip comes in and goes out.
fn ways() -> impl Iterator<Item = (Http, Framing)> {
    [Http::One, Http::Two].into_iter().flat_map(|http| [(http, Framing::Length), (http, Framing::Chunked)])
}

/// A gateway with its upstream, and the zip that this has.
fn start() -> (Upstream, Gateway, Vec<u8>) {
    let upstream = Upstream::start();
    upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &[b'/'; 1_000_000])]);
    let zip = upstream.body(ZIP);
    let gateway = Gateway::tls().policy(OPEN).upstream(&upstream.url()).start();
    (upstream, gateway, zip)
}

/// Clients one after the other, each with all that is given out.
fn waiting(gateway: &Gateway, http: Http, count: usize, all: usize) -> Vec<Download> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = Download::start(gateway, ZIP, http);
        client.await_bytes(all - BACK);
        clients.push(client);
    }
    let most = clients.iter().map(Download::arrived).max().unwrap();
    assert!(most < all, "a client has all {all} bytes of a zip that is not verified");
    clients
}

#[test]
fn a_zip_flows_to_all_who_wait_and_ends_once_it_is_verified() {
    for (http, framing) in ways() {
        let (upstream, gateway, zip) = start();
        upstream.reply(ZIP, framing.part(&zip));
        let clients = waiting(&gateway, http, 4, zip.len());
        upstream.open_gate();
        for client in clients {
            let got = client.end();
            let version = if http == Http::One { "1.1" } else { "2" };
            assert_eq!((got.status, got.whole), (format!("{version} 200"), true), "{http:?}, {framing:?}");
            assert!(got.body == zip, "{http:?}, {framing:?}: other bytes");
        }
        let fetches = upstream.asked().iter().filter(|path| *path == ZIP).count();
        assert_eq!(fetches, 1, "{http:?}, {framing:?}");
        let records = gateway.records();
        assert!(records.iter().all(|record| record["kind"] != "broken"), "{records:#?}");
    }
}

#[test]
fn a_bad_zip_breaks_everybody_who_waits_for_it() {
    for (http, framing) in ways() {
        let (upstream, gateway, zip) = start();
        let mut bad = zip.clone();
        bad[500_000] ^= 1;
        upstream.reply(ZIP, framing.part(&bad));
        let clients = waiting(&gateway, http, WAITING, bad.len());
        upstream.open_gate();
        for client in clients {
            let got = client.end();
            assert!(!got.whole, "{http:?}, {framing:?}: {} and whole", got.status);
            assert!(got.body.len() < bad.len(), "{http:?}, {framing:?}: all bytes came");
        }
        assert!(!gateway.data().join("store").join(&ZIP[1..]).exists(), "{http:?}, {framing:?}");
        await_that("a record of each broken transfer", || {
            gateway.records().iter().filter(|record| record["kind"] == "broken").count() == WAITING
        });
        upstream.reply(ZIP, Reply::Body(zip.clone()));
        await_that("the mended zip", || Download::start(&gateway, ZIP, http).end().body == zip);
    }
}
