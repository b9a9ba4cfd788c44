//! The walk as people meet it: a developer's `go`, a denial in their terminal, the auditor's query.

use crate::{
    curl,
    gateway::{Gateway, SHIPPED_POLICY},
    go_client::GoClient,
    upstream::Upstream,
};
use std::fs;

const DENIAL: &str =
    "p, authenticated, example.test/evil/*, *, *, deny, -, \"id=MAL-7; reason=malware, see ticket 12\"\n";

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.module("example.test/lib", "v1.1.0");
    upstream.module_of(
        "example.test/lib",
        "v1.2.0",
        &[("lib.go", b"package lib\n"), ("sub/deep/x.go", b"package deep\n")],
    );
    upstream.module("example.test/Upper/Case", "v0.1.0");
    upstream.module("example.test/evil/tool", "v1.0.0");
    upstream
}

#[test]
fn a_developer_downloads_and_the_auditor_finds_it() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let token = gateway.token("alice", &["--group", "platform"]);
    let client = GoClient::of(&gateway, Some(&token));

    client.ok(&["get", "example.test/lib@v1.1.0"]);
    client.ok(&["get", "example.test/Upper/Case@latest"]);

    let records = gateway.records();
    let zip =
        records.iter().find(|r| r["target"] == "zip" && r["module"] == "example.test/lib" && r["kind"] == "answered");
    let zip = zip.unwrap_or_else(|| panic!("no record of the zip in {records:#?}"));
    assert_eq!(zip["subject"], "user:token/alice");
    assert_eq!(zip["version"], "v1.1.0");
    assert_eq!(zip["decision"], "allow");
    assert_eq!(zip["status"], 200);
    assert!(zip["h1"].as_str().unwrap().starts_with("h1:"));
    let asked = records.iter().filter(|r| r["kind"] == "asked" && r["request"] == zip["request"]);
    assert_eq!(asked.count(), 1, "a request that asks a source is recorded before it does");
}

#[test]
fn what_was_fetched_once_is_served_without_the_upstream() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.ok(&["get", "example.test/lib@latest"]);
    upstream.forget();
    upstream.reply_to_everything(Some(crate::upstream::Reply::Status(503, "down")));
    client.forget();
    client.ok(&["get", "example.test/lib@latest"]);
    assert!(!upstream.asked().iter().any(|path| path.ends_with(".zip") || path.ends_with(".mod")));
}

#[test]
fn a_denied_module_is_refused_with_everything_a_developer_needs() {
    let upstream = upstream();
    let gateway = Gateway::tls().policy(&(SHIPPED_POLICY.to_owned() + DENIAL)).upstream(&upstream.url()).start();
    let token = gateway.token("alice", &[]);
    let client = GoClient::of(&gateway, Some(&token));

    let printed = client.fails(&["get", "example.test/evil/tool@v1.0.0"]);
    let records = gateway.records();
    let denied = records.iter().filter(|r| r["module"] == "example.test/evil/tool").collect::<Vec<_>>();
    let ids = denied.iter().map(|r| r["request"].as_str().unwrap()).collect::<Vec<_>>();
    for needed in ["403 Forbidden", "MAL-7", "policy.csv:", "malware, see ticket 12", "security@corp.example"] {
        assert!(printed.contains(needed), "`{needed}` is missing in\n{printed}");
    }
    assert!(ids.iter().any(|id| printed.contains(id)), "no request id of {ids:?} in\n{printed}");
    assert!(
        denied.iter().all(|r| r["decision"] == "deny" && r["kind"] == "answered" && r["rule_id"] == "MAL-7"),
        "{denied:#?}"
    );
    assert!(!upstream.asked().iter().any(|path| path.contains("evil/tool")), "{:?}", upstream.asked());
    assert!(!gateway.data().join("store/example.test/evil/tool").exists());

    let login = ["-u", &format!("x:{token}")];
    let said = curl::ask(&gateway, "/example.test/evil/tool/@v/v1.0.0.info", &login).body;
    assert!(said.contains("MAL-7") && said.contains("malware, see ticket 12"), "{said}");
}

#[test]
fn a_package_below_a_module_is_found_although_longer_prefixes_are_no_modules() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.ok(&["get", "example.test/lib/sub/deep@latest"]);
}

#[test]
fn a_private_namespace_stays_inside_and_its_siblings_work() {
    let upstream = upstream();
    upstream.module("github.com/gorilla/mux", "v1.8.1");
    let policy = SHIPPED_POLICY.to_owned()
        + "p2, github.com/corp/*, private, -\np, authenticated, private, *, read, allow, -, -\n";
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));

    client.ok(&["get", "github.com/gorilla/mux"]);
    let printed = client.fails(&["get", "github.com/corp/pay/api@v1.0.0"]);
    assert!(printed.contains("private") && printed.contains("policy.csv:"), "{printed}");
    client.fails(&["get", "github.com/Corp/pay@latest"]);
    let leaked =
        upstream.asked().into_iter().filter(|path| path.to_lowercase().replace('!', "").contains("github.com/corp"));
    assert_eq!(leaked.collect::<Vec<_>>(), Vec::<String>::new());
    assert!(!upstream.asked().iter().any(|path| path == "/github.com/@v/list"), "{:?}", upstream.asked());
}

#[test]
fn denied_versions_vanish_from_the_list_and_from_latest() {
    let upstream = upstream();
    let policy = SHIPPED_POLICY.to_owned() + "p, authenticated, example.test/lib, >=v1.2.0, read, deny, -, id=CVE-1\n";
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    assert_eq!(client.ok(&["list", "-m", "-versions", "example.test/lib"]).trim(), "example.test/lib v1.0.0 v1.1.0");
    client.ok(&["get", "example.test/lib@latest"]);
    assert!(fs::read_to_string(client.directory().join("go.mod")).unwrap().contains("example.test/lib v1.1.0"));
    let printed = client.fails(&["get", "example.test/lib@v1.2.0"]);
    assert!(printed.contains("CVE-1"), "{printed}");
}

#[test]
fn without_a_credential_the_terminal_says_what_to_write_where() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let printed = GoClient::of(&gateway, None).fails(&["get", "example.test/lib@v1.0.0"]);
    for needed in ["401 Unauthorized", ".netrc", &format!("machine localhost:{}", gateway.port())] {
        assert!(printed.contains(needed), "`{needed}` is missing in\n{printed}");
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
    let records = gateway.records();
    assert!(records.iter().any(|r| r["status"] == 401 && r["decision"] == "unauthenticated"), "{records:#?}");
}

#[test]
fn a_revoked_token_is_refused_within_a_second() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let token = gateway.token("alice", &[]);
    let client = GoClient::of(&gateway, Some(&token));
    client.ok(&["list", "-m", "example.test/lib@v1.0.0"]);
    let id = &token["mg_".len().."mg_".len() + 12];
    assert!(gateway.run(&["token", "revoke", id]).status.success());
    curl::await_revocation(&gateway, "/example.test/lib/@v/list", &token);
}

#[test]
fn a_policy_that_allows_one_module_lets_its_packages_be_found() {
    let upstream = upstream();
    upstream.module("example.test/other", "v1.0.0");
    let policy = "p, authenticated, example.test/lib, *, read, allow, -, -\n";
    let gateway = Gateway::tls().policy(policy).upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.ok(&["get", "example.test/lib/sub/deep@latest"]);
    client.ok(&["get", "example.test/lib/sub/deep@v1.2.0"]);
    let printed = client.fails(&["get", "example.test/other@latest"]);
    assert!(printed.contains("no rule allows user:token/alice"), "{printed}");
    let others = upstream.asked().into_iter().filter(|path| !path.starts_with("/example.test/lib/"));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<String>::new(), "what nobody may read is asked of nobody");
}

#[test]
fn an_allow_for_some_versions_lets_them_be_named() {
    let upstream = upstream();
    let policy = "p, authenticated, example.test/lib, >=v1.1.0, read, allow, -, -\n";
    let gateway = Gateway::tls().policy(policy).upstream(&upstream.url()).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    client.ok(&["get", "example.test/lib/sub/deep@v1.2.0"]);
    client.fails(&["get", "example.test/lib@v1.0.0"]);
}
