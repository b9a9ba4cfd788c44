//! The netrc file, the GOAUTH helper and `whoami`: what modgate writes and reads, the go command takes and sends.

use super::developer::{Developer, gateway};
use crate::gateway::Gateway;
use serde_json::Value;
use std::{fs, io::ErrorKind, net::TcpListener, os::unix::fs::PermissionsExt};

const NETRC: &str = "# mine\nmachine elsewhere.test login me password mine\n\nmacdef init\nput x\n\nmachine third.test\r\n\tlogin a\r\n\tpassword b\n";

#[test]
fn a_token_from_standard_input_lets_go_in_and_nothing_else_changes() {
    let (plan, upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    developer.write_netrc(NETRC);
    let token = gateway.token("alice", &["--group", "dev"]);
    developer.download().fails("401 Unauthorized");
    assert!(upstream.asked().is_empty());

    let login = developer.modgate_with(&token, &["login", "--token-stdin", "--json"]);
    login.ok().without(&token);
    let report: Value = serde_json::from_str(&login.stdout).unwrap();
    let machine = format!("localhost:{}", gateway.port());
    assert_eq!((&report["subject"], &report["machine"]), (&"user:token/alice".into(), &machine.as_str().into()));
    assert_eq!(developer.netrc(), format!("{NETRC}machine {machine} login modgate password {token}\r\n"));
    assert_eq!(fs::metadata(developer.path(".netrc")).unwrap().permissions().mode() & 0o777, 0o600);
    developer.download().ok();
    let who = developer.modgate(&["whoami"]);
    who.ok().without(&token);
    for text in ["user:token/alice", "group:token/dev", ".netrc:10"] {
        assert!(who.stdout.contains(text), "{}", who.stdout);
    }

    // A second login takes the place of the first; a bad one changes nothing.
    let second = gateway.token("bob", &[]);
    developer.modgate_with(&second, &["login", "--token-stdin", &gateway.url()]).ok();
    assert_eq!(developer.netrc(), format!("{NETRC}machine {machine} login modgate password {second}\r\n"));
    let bad = format!("{}x", &second[..second.len() - 1]);
    developer.modgate_with(&bad, &["login", "--token-stdin"]).fails("refused the credential").without(&bad);
    developer.modgate_with("", &["login", "--token-stdin"]).fails("no token");
    assert!(developer.netrc().contains(&second));
    assert!(developer.modgate(&["whoami", "--json"]).ok().stdout.contains("user:token/bob"));
}

#[test]
fn the_go_command_reads_a_netrc_as_whoami_does() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    let (good, port) = (gateway.token("alice", &[]), gateway.port());
    let m = format!("localhost:{port}");
    let mut agreed = Vec::new();
    for text in [
        format!("machine {m} login x password {good}\n"),
        format!("machine {m}\n\tpassword {good}\n\tlogin x"),
        format!("machine {m} login x password bad\nmachine {m} login x password {good}\n"),
        format!("machine {m} login x password {good}\nmachine {m} login x password bad\n"),
        format!("machine localhost login x password {good}\n"),
        format!("machine https://{m}/ login x password {good}\n"),
        format!("machine {m} password {good}\n"),
        format!("default login x password {good}\n"),
        format!("default\nmachine {m} login x password {good}\n"),
        format!("default login y password z\nmachine {m} login x password {good}\n"),
        format!("macdef a\nmachine {m} login x password {good}\n\n"),
        format!("macdef a\r\nput\r\n\r\nmachine {m} login x password {good}\r\n"),
        format!("macdef a\nput\n\nmachine {m} login x password {good}\n"),
        format!("machine {m} login x # note password {good}\n"),
        format!("machine {m} login x # a note password {good}\n"),
        format!("machine {m} login \"x\" password \"{good}\"\n"),
        format!("machine {m}\u{a0}login\u{2003}x password {good}\r\n"),
        format!("machine {m} machine other.test login x password {good}\n"),
    ] {
        developer.write_netrc(&text);
        let (who, go) = (developer.modgate(&["whoami"]).code == Some(0), developer.download().code == Some(0));
        assert_eq!(who, go, "{text:?}: whoami and the go command differ");
        agreed.push(go);
    }
    let both = [agreed.iter().any(|in_| *in_), agreed.iter().any(|in_| !*in_)];
    assert_eq!(both, [true, true], "{agreed:?}");
}

#[test]
fn the_go_command_passes_over_what_fails_in_goauth_as_whoami_does() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let mut developer = Developer::of(&gateway);
    let (good, url, machine) = (gateway.token("alice", &[]), gateway.url(), format!("localhost:{}", gateway.port()));
    let helper = |name: &str, prefix: &str, token: &str| {
        let path = developer.path(name);
        // A script takes no notice of the URL that the go command appends after a 4xx.
        fs::write(&path, format!("printf '{prefix}\\n\\nAuthorization: Bearer {token}\\n\\n'\n")).unwrap();
        format!("sh {}", path.display())
    };
    let (ours, bad) = (helper("ours", &url, &good), helper("bad", &format!("{url}/"), "mg_bad"));
    let other = helper("other", "https://other.test", "x");
    let entry = format!("machine {machine} login x password {good}\n");
    let mut agreed = Vec::new();
    for (setting, netrc) in [
        ("false;netrc".to_owned(), Some(&entry)),
        ("/nowhere/at/all;netrc".to_owned(), Some(&entry)),
        (format!("modgate goauth {url};netrc"), Some(&entry)),
        (format!("netrc;{ours}"), None),
        (format!("false;{ours}"), None),
        (format!("{bad};netrc"), Some(&entry)),
        (format!("{ours};{bad}"), None),
        (format!("{other};{ours}"), None),
        (format!("false;{other}"), Some(&entry)),
        ("off".to_owned(), Some(&entry)),
        ("netrc;off".to_owned(), Some(&entry)),
        ("netrc;".to_owned(), Some(&entry)),
    ] {
        developer.set("GOAUTH", &setting);
        // A directory can be read as no netrc file.
        developer.set("NETRC", developer.path(if netrc.is_some() { "netrc" } else { "main" }).to_str().unwrap());
        fs::write(developer.path("netrc"), netrc.map_or("", String::as_str)).unwrap();
        let (who, go) = (developer.modgate(&["whoami"]).code == Some(0), developer.download().code == Some(0));
        assert_eq!(who, go, "{setting}: whoami and the go command differ");
        agreed.push(go);
    }
    assert_eq!(agreed, [true, true, true, true, true, false, true, true, false, false, false, false]);
    developer.set("GOAUTH", &format!("false;{ours}"));
    assert!(developer.modgate(&["whoami"]).ok().stderr.contains("`false` failed"));
}

/// A wallet with this token, as after `modgate login --goauth`.
fn fill_wallet(developer: &Developer, gateway: &Gateway, token: &str) {
    let now = jiff::Timestamp::now();
    let directory = developer.path(".config/modgate/wallet");
    fs::create_dir_all(&directory).unwrap();
    let name = gateway.url().replace("://", "%3A%2F%2F").replacen(":", "%3A", 1);
    let held = serde_json::json!({
        "gateway": gateway.url(), "access": token, "obtained": now, "refresh": "mg_refresh",
        "expires": now + jiff::SignedDuration::from_hours(1)
    });
    fs::write(directory.join(name), held.to_string()).unwrap();
}

#[test]
fn the_helper_lets_go_in_and_answers_from_its_wallet_without_asking() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let mut developer = Developer::of(&gateway);
    let token = gateway.token("alice", &[]);
    fill_wallet(&developer, &gateway, &token);
    let url = gateway.url();
    developer.set("GOAUTH", &format!("modgate goauth {url};netrc"));
    developer.download().ok();
    // Every 404 has the go command ask again.
    developer.go(&["list", "-m", "example.test/absent@latest"]).fails("404 Not Found");
    let who = developer.modgate(&["whoami"]);
    assert!(who.ok().stdout.contains("user:token/alice") && who.stdout.contains("modgate goauth"), "{}", who.stdout);
    let records = gateway.records();
    assert!(records.iter().any(|record| record["subject"] == "user:token/alice"), "{records:?}");

    // From here on somebody is there who never answers.
    let (asked, port) = (format!("{url}/example.test/lib/@v/list"), gateway.port());
    drop(gateway);
    let silence = TcpListener::bind(("127.0.0.1", port)).unwrap();
    silence.set_nonblocking(true).unwrap();
    let expected = format!("{url}\n\nAuthorization: Bearer {token}\n\n");
    for head in ["", "HTTP/2.0 404 Not Found\nContent-Length: 3\n\n", "HTTP/2.0 403 Forbidden\n\n"] {
        let said = match head {
            "" => developer.modgate(&["goauth", &url]),
            _ => developer.modgate_with(head, &["goauth", &url, &asked]),
        };
        assert_eq!(said.ok().stdout, expected);
    }
    for elsewhere in ["https://evil.test/x", "https://localhost:1/x", &url.replace("https", "http")] {
        let said = developer.modgate_with("HTTP/2.0 401 Unauthorized\n\n", &["goauth", &url, elsewhere]);
        assert_eq!(said.ok().stdout, "", "{elsewhere}");
    }
    let refused = developer.modgate_with("HTTP/2.0 401 Unauthorized\n\n", &["goauth", &url, &asked]);
    // It was obtained just now, so whoever got a 401 had an older one.
    assert_eq!(refused.ok().stdout, expected);
    let nobody = developer.modgate(&["goauth", "https://localhost:1"]);
    nobody.fails("modgate login --goauth https://localhost:1");
    assert_eq!(nobody.stdout, "");
    assert!(silence.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "somebody was asked");
}

#[test]
fn ones_own_tokens_are_listed_made_and_taken_back() {
    let (plan, upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    let (token, theirs) = (gateway.token("alice", &[]), gateway.token("bob", &[]));
    // Without an issuer or a directory nobody could approve a login, so none is begun.
    developer.modgate(&["login", "--no-browser"]).fails("nobody can log in here");
    developer.modgate(&["tokens", "list"]).fails("modgate login");
    developer.modgate_with(&token, &["login", "--token-stdin"]).ok();
    let made = developer.modgate(&["tokens", "create", "--scope", "read:example.test/*", "--note", "for a job"]);
    let made = made.ok().stdout.trim().to_owned();
    assert!(made.starts_with("mg_"), "{made}");
    let id = |token: &str| token[3..15].to_owned();
    let list = developer.modgate(&["tokens", "list", "--json"]);
    list.ok().without(&made).without(&token);
    let rows: Vec<Value> = serde_json::from_str(&list.stdout).unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&&*id(&made)) && ids.contains(&&*id(&token)) && !ids.contains(&&*id(&theirs)), "{ids:?}");
    let row = rows.iter().find(|row| row["id"] == id(&made)).unwrap();
    assert_eq!((&row["scope"], &row["note"]), (&"read:example.test/*".into(), &"for a job".into()));
    let table = developer.modgate(&["tokens", "list"]);
    assert!(table.ok().stdout.contains("for a job") && table.stdout.starts_with("ID"), "{}", table.stdout);

    developer.modgate(&["tokens", "revoke", &id(&theirs)]).fails("404");
    developer.modgate(&["tokens", "revoke", &id(&made)]).ok();
    let rows: Vec<Value> = serde_json::from_str(&developer.modgate(&["tokens", "list", "--json"]).stdout).unwrap();
    let row = rows.iter().find(|row| row["id"] == id(&made)).unwrap();
    assert_eq!(row["standing"], "revoked");

    // A password only reads.
    developer.write_netrc(&format!("machine localhost:{} login alice password secret\n", gateway.port()));
    developer.modgate(&["tokens", "create"]).fails("takes a token");
    assert_eq!(upstream.asked(), Vec::<String>::new());
}
