//! The real `go` command, through a gateway in forward mode.

use super::before;
use crate::{
    checksum_database::ChecksumDatabase,
    gateway::{Gateway, SHIPPED_POLICY},
    go_client::GoClient,
    store_behind::StoreBehind,
    upstream::{Reply, Upstream, escape},
};
use modgate::module::{self, H1, ModulePath, Version};
use std::fs;

const PRIVATE: &str = "p2, corp.example/team/*, private, -\np, authenticated, private, *, read, allow, -, -\n";

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        upstream.module("example.test/lib", version);
    }
    upstream.module("example.test/Upper/Case", "v0.1.0");
    upstream.module("corp.example/team/pay", "v1.0.0");
    upstream
}

#[test]
fn go_gets_and_builds_public_and_private_modules_and_verifies_them() {
    let upstream = upstream();
    let tree = tempfile::tempdir().unwrap();
    upstream.write_tree(tree.path());
    let store = StoreBehind::start(tree.path(), None);
    let database = ChecksumDatabase::start();
    for (path, version) in [("example.test/lib", "v1.2.0"), ("example.test/Upper/Case", "v0.1.0")] {
        let bytes = |kind: &str| upstream.body(&format!("/{}/@v/{version}.{kind}", escape(path)));
        let (module, parsed) = (ModulePath::parse(path).unwrap(), Version::parse(version).unwrap());
        let zip = bytes("zip");
        let checked = module::zip::check(zip.as_slice(), zip.len() as u64, &module, &parsed).unwrap();
        database.add(path, version, &checked.h1.to_string(), &H1::of_gomod(&bytes("mod")).to_string());
    }
    let checksum = format!("[[checksum]]\nkey = \"{}\"\nurl = \"{}\"\n", database.key(), database.url());
    let policy = SHIPPED_POLICY.to_owned() + PRIVATE;
    let gateway = before(Gateway::tls().policy(&policy), store.url()).config(&checksum).start();
    let mut client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.set("GOSUMDB", database.key());
    client.set("GONOSUMDB", "corp.example/team");
    client.set("CGO_ENABLED", "0");
    let main = "package main\n\nimport (\n\t\"corp.example/team/pay\"\n\t\"example.test/Upper/Case\"\n\t\"example.test/lib\"\n)\n\n\
        func main() { println(lib.Version, Case.Version, pay.Version) }\n";
    fs::write(client.directory().join("main.go"), main).unwrap();

    client.ok(&["get", "example.test/lib@latest", "example.test/Upper/Case@v0.1.0", "corp.example/team/pay@latest"]);
    client.ok(&["build", "-o", "built", "."]);
    assert_eq!(
        client.ok(&["list", "-m", "-versions", "example.test/lib"]).trim(),
        "example.test/lib v1.0.0 v1.1.0 v1.2.0"
    );
    let sums = fs::read_to_string(client.directory().join("go.sum")).unwrap();
    assert!(
        sums.contains("example.test/lib v1.2.0 h1:") && sums.contains("corp.example/team/pay v1.0.0 h1:"),
        "{sums}"
    );
    assert!(client.sumdb_cache().join("localhost.localdev/sumdb/lookup").exists(), "the database was asked");
    assert!(!database.asked().iter().any(|path| path.contains("corp.example")), "{:?}", database.asked());
    // Twice, because nothing is kept.
    client.forget();
    client.ok(&["build", "-o", "built", "."]);
    let zips = store.seen().iter().filter(|one| one["path"].as_str().unwrap().ends_with("lib/@v/v1.2.0.zip")).count();
    assert_eq!(zips, 2);
}

#[test]
fn denied_versions_vanish_from_the_list_and_from_latest() {
    let upstream = upstream();
    upstream.reply("/example.test/lib/@latest", Reply::Body(b"{\"Version\":\"v1.2.0\"}".to_vec()));
    upstream.reply("/example.test/lib/@v/main.info", Reply::Body(b"{\"Version\":\"v1.2.0\"}".to_vec()));
    let policy = SHIPPED_POLICY.to_owned() + "p, authenticated, example.test/lib, >=v1.2.0, read, deny, -, id=CVE-1\n";
    let gateway = before(Gateway::tls().policy(&policy), &upstream.url()).start();
    let token = gateway.token("alice", &[]);
    let client = GoClient::of(&gateway, Some(&token));
    assert_eq!(client.ok(&["list", "-m", "-versions", "example.test/lib"]).trim(), "example.test/lib v1.0.0 v1.1.0");
    client.ok(&["get", "example.test/lib@latest"]);
    assert!(fs::read_to_string(client.directory().join("go.mod")).unwrap().contains("example.test/lib v1.1.0"));
    for version in ["v1.2.0", "main"] {
        let printed = client.fails(&["get", &format!("example.test/lib@{version}")]);
        assert!(printed.contains("CVE-1"), "{printed}");
    }
    let certificate = gateway.certificate();
    let login = format!("x:{token}");
    let arguments = ["--cacert", certificate.to_str().unwrap(), "-u", &login];
    let latest = super::ask(&gateway, "/example.test/lib/@latest", &arguments);
    assert!(latest.status == 200 && latest.text().contains("v1.1.0"), "{}", latest.text());
}

#[test]
fn a_package_below_a_module_is_found_although_longer_prefixes_are_no_modules() {
    let upstream = upstream();
    upstream.module_of("example.test/lib", "v1.3.0", &[("sub/deep/deep.go", b"package deep\n")]);
    let gateway = before(Gateway::tls(), &upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.ok(&["get", "example.test/lib/sub/deep@latest"]);
    let printed = client.fails(&["get", "example.test/none@latest"]);
    assert!(printed.contains("404 Not Found") && printed.contains("no such module here"), "{printed}");
}
