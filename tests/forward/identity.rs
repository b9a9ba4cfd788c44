//! Who asks, told to the store behind and verified there by a program in Go.

use super::{OPEN, ZIP, ask, before};
use crate::{
    gateway::{Gateway, SHIPPED_POLICY},
    store_behind::StoreBehind,
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

const SECRET: &str = "0123456789abcdef-of-the-store-behind";

fn forward(secret: &Path) -> String {
    format!("[forward]\nidentity = true\nidentity_secret_file = {secret:?}\n")
}

fn text<'a>(one: &'a Value, header: &str) -> &'a str {
    one["header"][format!("X-Modgate-{header}")][0].as_str().unwrap_or("(none)")
}

#[test]
fn who_asks_is_verified_in_go_and_a_tampered_one_is_not() {
    let (upstream, tree) = (Upstream::start(), tempfile::tempdir().unwrap());
    upstream.module("example.test/Upper", "v1.0.0");
    upstream.write_tree(tree.path());
    let secret = tree.path().join("secret");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let store = StoreBehind::start(tree.path(), Some(&secret));
    let policy = SHIPPED_POLICY.to_owned() + "g, group:token/platform, role:developer\n";
    let config = forward(&secret) + "[log]\nlevel = \"trace\"\n";
    let gateway = before(Gateway::plain().policy(&policy), store.url()).config(&config).start();
    let token = gateway.token("alice", &["--group", "platform", "--group", "pay"]);
    let login = format!("x:{token}");
    let paths = ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"];
    for path in paths {
        let answer = ask(&gateway, &format!("/example.test/%21upper/@v/{path}"), &["-u", &login]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let seen = store.seen();
    let records = gateway.records();
    assert_eq!(seen.len(), paths.len());
    for one in &seen {
        assert_eq!(one["identity"], "good", "{one:#}");
        assert_eq!(text(one, "Subject"), "user:token/alice");
        let mut groups = text(one, "Groups").split(',').collect::<Vec<_>>();
        groups.sort_unstable();
        assert_eq!(groups, ["group:token/pay", "group:token/platform"]);
        assert_eq!(text(one, "Roles"), "role:developer");
        assert!(records.iter().any(|record| record["request"] == text(one, "Request-Id")), "{one:#}");
    }

    let curl = |path: &str, changed: &str, value: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "--path-as-is"]);
        for name in ["Subject", "Groups", "Roles", "Request-Id", "Timestamp", "Signature"] {
            let value = if name == changed { value } else { text(&seen[0], name) };
            curl.arg("-H").arg(format!("X-Modgate-{name}: {value}"));
        }
        assert!(curl.arg(format!("{}{path}", store.url())).status().unwrap().success());
        store.seen().pop().unwrap()["identity"].as_str().unwrap().to_owned()
    };
    let path = "/example.test/%21upper/@v/list";
    assert_eq!(curl(path, "", ""), "good", "the request itself again");
    for (changed, value) in [
        ("Subject", "user:token/root"),
        ("Groups", "group:token/admins"),
        ("Roles", "admin"),
        ("Request-Id", "0"),
        ("Timestamp", "1"),
        ("Signature", "v1=00"),
    ] {
        assert_eq!(curl(path, changed, value), "not the signature of this request", "{changed}");
    }
    assert_eq!(curl("/example.test/%21upper/@v/v1.0.0.zip", "", ""), "not the signature of this request");

    let shown = gateway.run(&["check", "--print"]);
    for kept in [gateway.log(), String::from_utf8(shown.stdout).unwrap(), serde_json::to_string(&records).unwrap()] {
        assert!(!kept.contains(SECRET), "{kept}");
    }
}

#[test]
fn the_headers_may_be_called_otherwise_and_nobody_is_told_unless_wanted() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, SECRET).unwrap();
    let more = "subject_header = \"X-Remote-User\"\n";
    let gateway =
        before(Gateway::plain().policy(OPEN), &upstream.url()).config(&(forward(secret.path()) + more)).start();
    assert_eq!(ask(&gateway, ZIP, &[]).status, 200);
    let head = upstream.heads().pop().unwrap();
    assert!(head.contains("x-remote-user: anonymous\r\n") && head.contains("x-modgate-groups: \r\n"), "{head}");
    assert!(!head.contains("x-modgate-subject"), "{head}");
    let silent = super::open(&upstream);
    assert_eq!(ask(&silent, ZIP, &[]).status, 200);
    assert!(!upstream.heads().pop().unwrap().contains("x-modgate"));
}

#[test]
fn who_asks_stays_with_the_store_behind() {
    let (first, second, own) = (Upstream::start(), Upstream::start(), Upstream::start());
    let redirect = |url: String| {
        Reply::Raw(
            format!("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n")
                .into_bytes(),
        )
    };
    second.module("example.test/lib", "v1.0.0");
    own.module("corp.example/own", "v1.0.0");
    first.reply(ZIP, redirect(format!("{}{ZIP}", second.url())));
    first.reply("/example.test/lib/@v/list", redirect("/elsewhere/list".into()));
    first.reply("/elsewhere/list", Reply::Body(b"v1.0.0\n".to_vec()));
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, SECRET).unwrap();
    let source = format!("[[source]]\npattern = \"corp.example/own\"\nlist = \"{}\"\n", own.url());
    let list = format!("{},{}", first.url(), second.url());
    let gateway = before(Gateway::plain().policy(OPEN), &list).config(&forward(secret.path())).config(&source).start();
    for path in [ZIP, "/example.test/lib/@v/list", "/corp.example/own/@v/list"] {
        assert_eq!(ask(&gateway, path, &[]).status, 200, "{path}");
    }
    let told = |upstream: &Upstream| {
        upstream.heads().iter().map(|head| head.contains("x-modgate-signature: ")).collect::<Vec<_>>()
    };
    assert_eq!(told(&first), [true; 3], "a redirect within the store too");
    assert_eq!(told(&second), [false], "not another origin, even one of the list, by a redirect");
    assert_eq!(told(&own), [false], "not the source of a private namespace");
    let signatures = first.heads().into_iter().map(|head| head.split("signature: ").nth(1).unwrap()[..67].to_owned());
    let signatures = signatures.collect::<std::collections::HashSet<_>>();
    assert_eq!(signatures.len(), 3, "each path is signed for itself");
}
