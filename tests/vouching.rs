//! A checksum database, end to end: what it contradicts is never served, what it does not know is provisional, what is
//! private it never hears of; and the real `go` verifies through the gateway.

use crate::{
    checksum_database::ChecksumDatabase,
    gateway::{Gateway, SHIPPED_POLICY, await_that},
    go_client::GoClient,
    outages::get,
    upstream::{Reply, Upstream, escape},
};
use modgate::module::{self, H1, ModulePath, Version};
use std::path::Path;

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const QUICK: &str = "[store]\nnegative = \"1ms\"\n";
const LIB: &str = "example.test/lib";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";
const MOD: &str = "/example.test/lib/@v/v1.0.0.mod";
const OTHER: &str = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// An upstream with version v1.0.0 of a module, and the hashes of that.
struct Scene {
    upstream: Upstream,
    database: ChecksumDatabase,
    zip: String,
    gomod: String,
}

impl Scene {
    fn new() -> Self {
        let upstream = Upstream::start();
        upstream.module(LIB, "v1.0.0");
        let (zip, gomod) = hashes(&upstream, LIB, "v1.0.0");
        Self { upstream, database: ChecksumDatabase::start(), zip, gomod }
    }

    /// A gateway for everybody that verifies by the database.
    fn gateway(&self) -> Gateway {
        Gateway::plain().policy(OPEN).config(&self.config()).start()
    }

    /// The same again over a directory that was used before.
    fn gateway_over(&self, data: &Path) -> Gateway {
        Gateway::plain().policy(OPEN).config(&self.config()).data(data).start()
    }

    fn config(&self) -> String {
        let (key, url) = (self.database.key(), self.database.url());
        format!(
            "{QUICK}[upstream]\nlist = \"{}\"\n[[checksum]]\nkey = \"{key}\"\nurl = \"{url}\"\n",
            self.upstream.url()
        )
    }
}

/// The hashes of what an upstream has.
fn hashes(upstream: &Upstream, path: &str, version: &str) -> (String, String) {
    let bytes = |kind: &str| upstream.body(&format!("/{}/@v/{version}.{kind}", escape(path)));
    let (module, parsed) = (ModulePath::parse(path).unwrap(), Version::parse(version).unwrap());
    let zip = bytes("zip");
    let checked = module::zip::check(zip.as_slice(), zip.len() as u64, &module, &parsed).unwrap();
    (checked.h1.to_string(), H1::of_gomod(&bytes("mod")).to_string())
}

fn is_stored(gateway: &Gateway, path: &str) -> bool {
    gateway.data().join("store").join(path.trim_start_matches('/')).exists()
}

/// How far the store's record trusts an entry.
fn standing(gateway: &Gateway, path: &str) -> String {
    let record = gateway.data().join("store/.meta").join(path.trim_start_matches('/'));
    std::fs::read_to_string(record).unwrap_or_default()
}

fn alarms(gateway: &Gateway) -> Vec<String> {
    let records = gateway.records().into_iter().filter(|record| record["act"] == "store.alarm");
    records.map(|record| record["detail"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_the_database_contradicts_is_neither_stored_nor_served() {
    let large = vec![b'/'; 900_000];
    for (path, more) in [(ZIP, &b"package lib\n"[..]), (ZIP, &large), (MOD, b"package lib\n")] {
        let mut scene = Scene::new();
        scene.upstream.module_of(LIB, "v1.0.0", &[("lib.go", more)]);
        (scene.zip, scene.gomod) = hashes(&scene.upstream, LIB, "v1.0.0");
        let (zip, gomod) = if path == ZIP { (OTHER, &*scene.gomod) } else { (&*scene.zip, OTHER) };
        scene.database.add(LIB, "v1.0.0", zip, gomod);
        let gateway = scene.gateway();

        let (status, body) = get(&gateway, path);
        if more.len() < large.len() {
            assert_eq!(status, 502, "{path}: {body}");
            assert!(body.contains("SECURITY") && body.contains(OTHER), "{path}: {body}");
        } else {
            assert_eq!(status, 0, "a transfer that has begun is broken off");
        }
        assert!(!is_stored(&gateway, path), "{path}");
        let alarms = alarms(&gateway);
        assert!(alarms.iter().any(|alarm| alarm.contains("SECURITY") && alarm.contains(OTHER)), "{path}: {alarms:?}");
        let good = if path == ZIP { MOD } else { ZIP };
        assert_eq!(get(&gateway, good).0, 200, "the other half is what the database says");
    }
}

#[test]
fn what_the_database_vouches_for_is_verified() {
    let scene = Scene::new();
    scene.database.add(LIB, "v1.0.0", &scene.zip, &scene.gomod);
    let gateway = scene.gateway();
    for path in [MOD, ZIP] {
        assert_eq!(get(&gateway, path).0, 200);
        await_that("a verified entry", || standing(&gateway, path).contains("verified"));
    }
}

#[test]
fn without_the_database_it_is_provisional_and_a_later_mismatch_sets_it_aside() {
    for (trouble, path) in [("down", ZIP), ("down", MOD), ("unknown", ZIP)] {
        let scene = Scene::new();
        let data = tempfile::tempdir().unwrap();
        if trouble == "down" {
            scene.database.steer("/lie?how=down");
        }
        let gateway = scene.gateway_over(data.path());
        let good = get(&gateway, path);
        assert_eq!(good.0, 200, "{trouble}: {}", good.1);
        await_that("a provisional entry", || standing(&gateway, path).contains("provisional"));
        drop(gateway);

        scene.database.steer("/lie?how=");
        scene.database.add(LIB, "v1.0.0", OTHER, OTHER);
        let gateway = scene.gateway_over(data.path());
        await_that("the entry to go", || get(&gateway, path).0 == 502);
        assert!(!is_stored(&gateway, path), "{trouble} {path}");
        assert!(alarms(&gateway).iter().any(|alarm| alarm.contains("SECURITY")), "{trouble} {path}");
        assert_ne!(std::fs::read_dir(data.path().join("store/.aside")).unwrap().count(), 0, "kept as evidence");
    }
}

#[test]
fn a_provisional_version_becomes_verified_when_the_database_knows_it() {
    let scene = Scene::new();
    let data = tempfile::tempdir().unwrap();
    let gateway = scene.gateway_over(data.path());
    assert_eq!(get(&gateway, ZIP).0, 200);
    await_that("a provisional entry", || standing(&gateway, ZIP).contains("provisional"));
    drop(gateway);
    scene.database.add(LIB, "v1.0.0", &scene.zip, &scene.gomod);
    let gateway = scene.gateway_over(data.path());
    await_that("a verified entry", || get(&gateway, ZIP).0 == 200 && standing(&gateway, ZIP).contains("verified"));
}

#[test]
fn a_database_that_lies_lets_nothing_through() {
    for lie in ["other-key", "flipped-signature", "wrong-hash"] {
        let scene = Scene::new();
        scene.database.add(LIB, "v1.0.0", &scene.zip, &scene.gomod);
        scene.database.steer(&format!("/lie?how={lie}"));
        let gateway = scene.gateway();
        let (status, body) = get(&gateway, ZIP);
        assert!(status == 502 && body.contains("SECURITY"), "{lie}: {status} {body}");
        assert!(!is_stored(&gateway, ZIP), "{lie}");
        assert!(alarms(&gateway).iter().any(|alarm| alarm.contains("misbehaves")), "{lie}");
    }
}

#[test]
fn go_verifies_through_the_gateway_also_with_everything_cut_off() {
    let scene = Scene::new();
    scene.upstream.module("example.test/Upper/Case", "v0.1.0");
    scene.database.add(LIB, "v1.0.0", &scene.zip, &scene.gomod);
    let (zip, gomod) = hashes(&scene.upstream, "example.test/Upper/Case", "v0.1.0");
    scene.database.add("example.test/Upper/Case", "v0.1.0", &zip, &gomod);
    let gateway = Gateway::tls().policy(SHIPPED_POLICY).config(&scene.config()).start();
    let token = gateway.token("alice", &[]);
    let wanted = ["get", "example.test/lib@v1.0.0", "example.test/Upper/Case@v0.1.0"];

    for round in ["with the database", "cut off"] {
        let mut client = GoClient::of(&gateway, Some(&token));
        client.set("GOSUMDB", scene.database.key());
        client.ok(&wanted);
        let sums = std::fs::read_to_string(client.directory().join("go.sum")).unwrap();
        assert!(sums.contains(&scene.zip) && sums.contains(&gomod), "{round}: {sums}");
        assert!(client.sumdb_cache().join("localhost.localdev/sumdb/lookup").exists(), "{round}: it was asked");
        await_that("both zips", || {
            is_stored(&gateway, ZIP) && is_stored(&gateway, "/example.test/!upper/!case/@v/v0.1.0.zip")
        });
        scene.upstream.reply_to_everything(Some(Reply::Status(503, "cut off")));
        scene.database.steer("/lie?how=down");
    }
}

#[test]
fn go_refuses_what_the_database_of_its_own_contradicts() {
    let scene = Scene::new();
    scene.database.add(LIB, "v1.0.0", OTHER, &scene.gomod);
    let gateway = Gateway::tls().policy(SHIPPED_POLICY).config(&scene.config()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    let said = client.fails(&["get", "example.test/lib@v1.0.0"]);
    assert!(said.contains("SECURITY") && said.contains(OTHER), "the terminal says why: {said}");
}

#[test]
fn a_private_module_is_never_looked_up() {
    let scene = Scene::new();
    let private = Upstream::start();
    private.module("corp.test/team/secret", "v1.0.0");
    let policy = "p2, corp.test/*, private, -\np, anonymous, *, *, read, allow, -, -\n";
    let source = format!("{}[[source]]\npattern = \"corp.test/*\"\nlist = \"{}\"\n", scene.config(), private.url());
    let gateway = Gateway::plain().policy(policy).config(&source).start();
    for path in ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"] {
        assert_eq!(get(&gateway, &format!("/corp.test/team/secret/@v/{path}")).0, 200, "{path}");
    }
    let lookup = "/sumdb/localhost.localdev/sumdb/lookup/";
    for module in ["corp.test/team/secret@v1.0.0", "corp.test/!team/secret@v1.0.0"] {
        let (status, text) = get(&gateway, &format!("{lookup}{module}"));
        assert!(status == 404 && text.contains("GONOSUMDB"), "{module}: {status} {text}");
    }
    assert_eq!(get(&gateway, ZIP).0, 200);
    let asked = scene.database.asked();
    assert!(asked.iter().any(|path| path.contains("example.test/lib")), "{asked:?}");
    assert!(!asked.iter().any(|path| path.to_ascii_lowercase().contains("corp.test")), "{asked:?}");
    assert!(!scene.upstream.asked().iter().any(|path| path.contains("corp.test")));
}
