//! Passwords of a directory at the built gateway, against real servers: logins over TLS, groups that the policy gives roles to,
//! servers that fail, what people type to get in, and attempts at guessing.

use crate::{
    directory_server::{DirectoryServer, Office, SUFFIX},
    gateway::{Gateway, Plan, await_that},
    go_client::GoClient,
    upstream::Upstream,
};
use serde_json::Value;
use std::{fs, process::Command, thread, time::Instant};
use tempfile::TempDir;

/// The engineers read `example.test/lib`, and nobody anything else.
const BY_GROUP: &str = "g, group:ldap/engineering, role:developer\n\
                        p, role:developer, example.test/lib, *, read, allow, -, -\n";
/// Whoever is anybody reads everything.
const ALL: &str = "p, authenticated, *, *, read, allow, -, -\n";
const REFUSED: &str = "the login or the password is wrong\ncheck the line for this host in .netrc\n";
const LIST: &str = "/example.test/lib/@v/list";
/// Nothing is remembered, so every request asks the directory.
const FORGETFUL: &str = "remember = \"0s\"\nremember_down = \"0s\"\n";

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.module("example.test/other", "v1.0.0");
    upstream
}

/// A gateway in clear on loopback, for everybody in the directory.
fn open(upstream: &Upstream, ldap: &str) -> Plan {
    Gateway::plain().policy(ALL).upstream(&upstream.url()).config(ldap)
}

/// A developer whose netrc has this login and password.
fn developer(gateway: &Gateway, login: &str, password: &str) -> (GoClient, TempDir) {
    let (mut client, home) = (GoClient::of(gateway, None), TempDir::new().unwrap());
    let netrc = home.path().join("netrc");
    fs::write(&netrc, format!("machine localhost:{} login {login} password {password}\n", gateway.port())).unwrap();
    client.set("NETRC", &netrc.display().to_string());
    (client, home)
}

/// Status and body of a request with this login and password, from an address behind a proxy if one is given.
fn ask_from(gateway: &Gateway, address: &str, login: &str, password: &str) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "30", "-w", "\n%{http_code}", "-u", &format!("{login}:{password}")]);
    if !address.is_empty() {
        curl.args(["-H", &format!("X-Forwarded-For: {address}")]);
    }
    let output = curl.arg(format!("{}{LIST}", gateway.url())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn ask(gateway: &Gateway, login: &str, password: &str) -> (u16, String) {
    ask_from(gateway, "", login, password)
}

fn answered(gateway: &Gateway) -> Vec<Value> {
    gateway.records().into_iter().filter(|record| record["kind"] == "answered").collect()
}

fn last(gateway: &Gateway) -> Value {
    answered(gateway).pop().unwrap()
}

/// Searches and binds together, to see that nothing reached a server.
fn operations(server: &DirectoryServer) -> usize {
    server.log().lines().filter(|line| line.contains(" SRCH base=") || line.contains(" BIND dn=")).count()
}

#[test]
fn a_developer_downloads_with_a_password_and_the_group_decides() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let gateway =
        Gateway::tls().policy(BY_GROUP).upstream(&upstream.url()).config(&office.config(&[server.ldaps()])).start();
    let (client, _home) = developer(&gateway, "alice", "alice's-secret");
    client.ok(&["get", "example.test/lib@v1.0.0"]);
    fs::write(client.directory().join("main.go"), "package main\n\nimport _ \"example.test/lib\"\n\nfunc main() {}\n")
        .unwrap();
    client.ok(&["build", "."]);
    let before = upstream.asked().len();
    let printed = client.fails(&["get", "example.test/other@v1.0.0"]);
    assert!(printed.contains("403 Forbidden"), "{printed}");
    assert_eq!(upstream.asked().len(), before, "nothing was fetched");

    let records = answered(&gateway);
    let good = records.iter().find(|record| record["decision"] == "allow").unwrap();
    assert_eq!(good["subject"], "user:ldap/Alice", "as the directory spells it");
    assert_eq!(good["method"], "ldap");
    let groups = ["company", "engineering", "platform"].map(|group| format!("group:ldap/{group}"));
    assert_eq!(good["groups"], serde_json::json!(groups));
    assert_eq!(good["login"], Value::Null);
    assert_eq!(server.binds("uid=Alice"), 1, "remembered after the first");

    let before = upstream.asked().len();
    let printed = developer(&gateway, "carol", "carol's-secret").0.fails(&["get", "example.test/lib@v1.0.0"]);
    assert!(printed.contains("403 Forbidden"), "no role by this group: {printed}");
    let printed = developer(&gateway, "alice", "carol's-secret").0.fails(&["get", "example.test/lib@v1.0.0"]);
    assert!(printed.contains("401 Unauthorized"), "{printed}");
    assert_eq!(upstream.asked().len(), before, "nothing was fetched");
}
