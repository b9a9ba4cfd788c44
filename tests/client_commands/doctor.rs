//! `modgate doctor`: each set-up that does not work, and the finding that says so.

use super::developer::{Developer, gateway};
use crate::{
    gateway::{Gateway, await_that, free_port},
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::fs;

/// What is wrong, made so.
type Break = fn(&mut Developer, &Gateway, &str);

fn entry(developer: &Developer, gateway: &Gateway, token: &str) {
    developer.write_netrc(&format!("machine localhost:{} login modgate password {token}\n", gateway.port()));
}

/// The findings that are no `ok`, as `level check: text`, and the exit code.
fn findings(developer: &Developer, arguments: &[&str]) -> (Vec<String>, Option<i32>) {
    let said = developer.modgate(&[&["doctor", "--json"], arguments].concat());
    let report: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}{}", said.stdout, said.stderr));
    let found = report["findings"].as_array().unwrap().iter();
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        assert!(text("level") == "ok" || !text("fix").is_empty(), "{one}");
        format!("{} {}: {}", text("level"), text("check"), text("text"))
    };
    (found.map(line).filter(|line| !line.starts_with("ok ")).collect(), said.code)
}

#[test]
fn each_set_up_has_its_finding() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let token = gateway.token("alice", &[]);
    let table: &[(&str, Break)] = &[
        ("bad netrc: there is no", |developer, _, _| fs::remove_file(developer.path(".netrc")).unwrap()),
        ("bad netrc: ", |developer, _, token| {
            developer.write_netrc(&format!("machine localhost login x password {token}\n"))
        }),
        ("looks for exactly `localhost:", |developer, _, token| {
            developer.write_netrc(&format!("machine localhost:1 login x password {token}\n"));
        }),
        ("does not use `default`", |developer, _, token| {
            developer.write_netrc(&format!("default login x password {token}\n"));
        }),
        ("has no login or no password", |developer, gateway, token| {
            developer.write_netrc(&format!("machine localhost:{} password {token}\n", gateway.port()));
        }),
        ("warn netrc: others can read", |developer, _, _| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(developer.path(".netrc"), fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("warn netrc: `localhost:", |developer, _, _| {
            let twice = developer.netrc().repeat(2);
            developer.write_netrc(&twice);
        }),
        ("bad netrc: NETRC names", |developer, _, _| developer.set("NETRC", "/nowhere/netrc")),
        ("bad credential: the gateway refuses that of", |developer, gateway, token| {
            let id = token.split('_').nth(1).unwrap();
            let revoked = gateway.run(&["token", "revoke", id]);
            assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
            await_that("the token to be refused", || developer.modgate(&["whoami"]).code == Some(1));
        }),
        ("bad GOPROXY: after `|` any refusal of the gateway leads to direct", |developer, gateway, _| {
            developer.set("GOPROXY", &format!("{}|direct", gateway.url()));
        }),
        ("warn GOPROXY: what the gateway does not have is fetched around it", |developer, gateway, _| {
            developer.set("GOPROXY", &format!("{},direct", gateway.url()));
        }),
        ("warn GOPROXY: there is a credential in it", |developer, gateway, token| {
            fs::remove_file(developer.path(".netrc")).unwrap();
            let url = gateway.url().replace("://", &format!("://modgate:{token}@"));
            developer.set("GOPROXY", &url);
            developer.set("GOAUTH", "off");
            developer.download().ok();
        }),
        ("bad GOPROXY: `off` stands before", |developer, gateway, _| {
            developer.set("GOPROXY", &format!("off,{}", gateway.url()));
        }),
        ("bad GOPRIVATE: what matches `corp.test` goes around", |developer, _, _| {
            developer.set("GOPRIVATE", "corp.test")
        }),
        ("bad GONOPROXY: ", |developer, _, _| developer.set("GONOPROXY", "*")),
        ("warn GOSUMDB: ", |developer, _, _| developer.set("GOSUMDB", "off")),
        ("warn GONOSUMDB: ", |developer, _, _| developer.set("GONOSUMDB", "*")),
        ("bad GOFLAGS: ", |developer, _, _| developer.set("GOFLAGS", "-insecure")),
        ("warn GOINSECURE: ", |developer, _, _| developer.set("GOINSECURE", "*")),
        ("bad GOAUTH: `off`", |developer, _, _| developer.set("GOAUTH", "off")),
        ("cannot be run", |developer, _, _| developer.set("GOAUTH", "/nowhere/helper;netrc")),
        ("nobody is logged in at", |developer, gateway, _| {
            developer.set("GOAUTH", &format!("modgate goauth {}", gateway.url()));
        }),
        ("bad tls: nobody whom this machine trusts", |developer, _, _| developer.unset("SSL_CERT_FILE")),
        ("bad tls: SSL_CERT_FILE names", |developer, _, _| developer.set("SSL_CERT_FILE", "/nowhere/bundle.pem")),
        ("bad go: `go` cannot be run", |developer, _, _| {
            let bin = std::path::Path::new(env!("CARGO_BIN_EXE_modgate")).parent().unwrap();
            developer.set("PATH", &bin.display().to_string());
        }),
        ("bad gateway: it cannot be reached", |developer, _, _| {
            developer.set("GOPROXY", &format!("https://localhost:{}", free_port()));
        }),
    ];
    for (expected, break_it) in table {
        let mut developer = Developer::of(&gateway);
        let token = if expected.contains("refuses") { gateway.token("carol", &[]) } else { token.clone() };
        entry(&developer, &gateway, &token);
        assert_eq!(findings(&developer, &[]), (vec![], Some(0)), "before {expected}");
        break_it(&mut developer, &gateway, &token);
        let (found, code) = findings(&developer, &[]);
        assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:?}");
        let is_bad = found.iter().any(|line| line.starts_with("bad "));
        assert_eq!(code, Some(i32::from(is_bad)), "{found:?}");
        assert!(!found.join("").contains(&token));
    }
}

#[test]
fn without_a_gateway_it_says_so() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let mut developer = Developer::of(&gateway);
    developer.set("GOPROXY", "off");
    let (found, code) = findings(&developer, &[]);
    assert!(code == Some(1) && found[0].contains("names no gateway"), "{found:?}");
    developer.set("GOPROXY", "https://proxy.test,direct");
    let (found, _) = findings(&developer, &[&gateway.url()]);
    assert!(found.iter().any(|line| line.contains("does not ask the gateway")), "{found:?}");
}

#[test]
fn a_certificate_for_another_name_is_told_apart() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    let made = rcgen::generate_simple_self_signed(["other.test".to_owned()]).unwrap();
    fs::write(gateway.certificate().with_file_name("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(gateway.certificate(), made.cert.pem()).unwrap();
    let mut found = Vec::new();
    await_that("the finding about the name", || {
        found = findings(&developer, &[]).0;
        found.iter().any(|line| line.contains("the certificate is not for `localhost`"))
    });
    assert!(found.iter().any(|line| line.starts_with("bad tls: ")), "{found:?}");
}

/// Something that answers `whoami` so.
fn pretender(head: &str, body: &str) -> Upstream {
    let pretender = Upstream::start();
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    pretender.reply("/-/api/v1/whoami", Reply::Raw(answer.into_bytes()));
    pretender
}

#[test]
fn a_clock_that_is_wrong_and_a_token_that_ends_soon_are_found() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    let who = |expires: &str| {
        format!("{{\"subject\":\"user:corp/a\",\"method\":\"token\",\"token\":\"x\",\"expires\":\"{expires}\"}}")
    };
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(20)).to_string();
    for (head, body, expected) in [
        (
            "200 OK\r\nDate: Sun, 01 Mar 2020 12:00:00 GMT",
            who("2100-01-01T00:00:00Z"),
            "bad clock: this machine's clock is",
        ),
        ("200 OK", who(&soon), "it ends at"),
        ("200 OK", "<html>".to_owned(), "something answers that is not modgate"),
        ("302 Found\r\nLocation: /login", String::new(), "answers with a redirect"),
        ("503 Service Unavailable", String::new(), "the gateway answers 503"),
    ] {
        let pretender = pretender(head, &body);
        let url = pretender.url();
        developer.write_netrc(&format!("machine {} login a password b\n", url.trim_start_matches("http://")));
        let (found, code) = findings(&developer, &[&url]);
        assert!(code == Some(1) && found.iter().any(|line| line.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn people_get_a_line_for_each_and_no_colour_where_there_is_no_terminal() {
    let (plan, _upstream) = gateway();
    let gateway = plan.start();
    let developer = Developer::of(&gateway);
    let said = developer.modgate(&["doctor"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(!said.stdout.contains('\x1b') && said.stdout.contains("bad   netrc"), "{}", said.stdout);
    assert!(said.stdout.contains(&format!("modgate login {}", gateway.url())), "{}", said.stdout);
    entry(&developer, &gateway, &gateway.token("alice", &[]));
    assert!(developer.modgate(&["doctor"]).ok().stdout.ends_with("all is well\n"));
}
