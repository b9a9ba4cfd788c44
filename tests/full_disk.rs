//! A store without room: modules go on being served, nothing half written is kept, operators are told, and with room
//! again everything is as before.
//!
//! The store lies on a file system of two megabytes. Who may not mount one takes the staging directory away instead,
//! which fails the same writes with another error.

use crate::{
    curl::{Download, Http},
    gateway::{Gateway, await_that},
    outages::get,
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";

/// The store's disk, which can be without room. To outlive the gateway.
struct Disk {
    store: PathBuf,
    is_mounted: bool,
}

impl Disk {
    fn new(data: &Path) -> Self {
        let store = data.join("store");
        fs::create_dir_all(&store).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "modgate-test"]).arg(&store);
        let is_mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !is_mounted {
            println!("no file system can be mounted here: the staging directory is taken away instead");
        }
        Self { store, is_mounted }
    }

    fn take_room(&self) {
        if !self.is_mounted {
            return fs::rename(self.store.join(".tmp"), self.store.join(".elsewhere")).unwrap();
        }
        // Down to the last page.
        let full = fs::write(self.store.join("ballast"), vec![0; 4 << 20]);
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    fn give_room(&self) {
        if !self.is_mounted {
            return fs::rename(self.store.join(".elsewhere"), self.store.join(".tmp")).unwrap();
        }
        fs::remove_file(self.store.join("ballast")).unwrap();
    }

    fn alarm(&self) -> &'static str {
        if self.is_mounted { "the store's disk is full" } else { "the store cannot keep" }
    }

    fn has(&self, path: &str) -> bool {
        self.store.join(&path[1..]).exists()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("--lazy").arg(&self.store).status();
        }
    }
}

fn paths(module: &str) -> [String; 3] {
    ["info", "mod", "zip"].map(|kind| format!("/example.test/{module}/@v/v1.0.0.{kind}"))
}

/// All of a module comes as the upstream has it.
fn assert_served(gateway: &Gateway, upstream: &Upstream, module: &str) {
    for path in paths(module) {
        let got = Download::start(gateway, &path, Http::One).end();
        assert!(got.whole && got.status == "1.1 200", "{path}: {}", got.status);
        assert!(got.body == upstream.body(&path), "{path}: other bytes");
    }
}

#[test]
fn a_full_disk_does_not_stop_serving() {
    let data = tempfile::tempdir().unwrap();
    let disk = Disk::new(data.path());
    let upstream = Upstream::start();
    for (module, size) in [("early", 10_000), ("late", 200_000), ("large", 3_000_000), ("after", 200_000)] {
        upstream.module_of(&format!("example.test/{module}"), "v1.0.0", &[("lib.go", &vec![b'/'; size])]);
    }
    let start = || Gateway::plain().policy(OPEN).data(data.path()).upstream(&upstream.url()).start();
    let gateway = start();
    assert_served(&gateway, &upstream, "early");
    await_that("it to be stored", || paths("early").iter().all(|path| disk.has(path)));

    if disk.is_mounted {
        // More than there is room for: the disk is full in the middle of it.
        assert_served(&gateway, &upstream, "large");
    }
    disk.take_room();
    for module in ["large", "late", "early", "large", "late"] {
        assert_served(&gateway, &upstream, module);
    }
    gateway.await_log(disk.alarm());
    let is_alarm = |record: &Value| record["act"] == "store.alarm" && record.to_string().contains(disk.alarm());
    await_that("the alarm in the journal", || gateway.records().iter().any(is_alarm));
    let unkept = [&paths("late")[..], &paths("large")[2..]].concat();
    assert!(!unkept.iter().any(|path| disk.has(path)));

    disk.give_room();
    assert_served(&gateway, &upstream, "after");
    await_that("it to be stored", || paths("after").iter().all(|path| disk.has(path)));
    drop(gateway);

    disk.take_room();
    upstream.reply_to_everything(Some(Reply::Status(503, "cut off")));
    let gateway = start();
    assert_served(&gateway, &upstream, "early");
    assert_served(&gateway, &upstream, "after");
    for path in unkept {
        assert_eq!(get(&gateway, &path).0, 503, "{path} was not stored");
    }
    assert_eq!(fs::read_dir(disk.store.join(".tmp")).unwrap().count(), 0);
}
