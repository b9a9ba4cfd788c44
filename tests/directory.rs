//! Passwords of a directory at the built gateway, against real servers: logins over TLS, groups that the policy gives roles to,
//! servers that fail, what people type to get in, and attempts at guessing.

mod browser;
mod guessing;
mod look_up;
mod outages;

use crate::{
    curl,
    directory_server::{DirectoryServer, Office, SUFFIX},
    gateway::{Gateway, Plan},
    go_client::GoClient,
    upstream::Upstream,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{fs, process::Command};
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
    Upstream::of(&["example.test/lib", "example.test/other"])
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
    // curl sends no header without a value.
    let (login, address) = (format!("{login}:{password}"), format!("X-Forwarded-For: {address}"));
    let answer = curl::ask(gateway, LIST, &["-u", &login, "-H", &address]);
    (answer.status, answer.body)
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

/// The subject and the groups with which this login gets in.
fn whoami(gateway: &Gateway, login: &str, password: &str) -> (String, Vec<String>) {
    let (status, body) = ask(gateway, login, password);
    assert_eq!(status, 200, "{login}: {body}");
    let record = last(gateway);
    let groups = record["groups"].as_array().into_iter().flatten().map(|group| group.as_str().unwrap().to_owned());
    (record["subject"].as_str().unwrap().to_owned(), groups.collect())
}

/// The code with which this login is refused, by the text for a wrong password unless it was right.
fn refused(gateway: &Gateway, login: &str, password: &str) -> String {
    let (status, body) = ask(gateway, login, password);
    assert_eq!(status, 401, "{login}: {body}");
    let record = last(gateway);
    let code = record["reason"].as_str().unwrap_or_else(|| panic!("{login}: {record}")).to_owned();
    let told = body.contains(REFUSED);
    assert!(told != matches!(&*code, "ldap_name" | "ldap_groups") || code == "ldap_throttled", "{login}: {body}");
    assert_eq!(record["login"].as_str().map(str::len), Some(16), "{login}: {record}");
    code
}

#[test]
fn ldaps_starttls_a_template_and_searched_groups_all_find_the_same() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let searched = format!("groups = \"search\"\ngroup_base = \"ou=groups,{SUFFIX}\"\n");
    let template = |servers: String, more: &str| {
        format!(
            "[ldap]\nservers = [{servers:?}]\nroots = {:?}\ndn_template = \"uid={{login}},ou=people,{SUFFIX}\"\n{more}",
            office.roots()
        )
    };
    for (name, config) in [
        ("ldaps", office.config(&[server.ldaps()])),
        ("starttls", office.config(&[server.ldap()])),
        ("in clear on loopback", office.config(&[server.ldap()]) + "starttls = false\n"),
        ("searched groups", office.config(&[server.ldaps()]) + &*searched),
        ("a template", template(server.ldaps(), "")),
        ("a template and searched groups", template(server.ldap(), &searched)),
    ] {
        let gateway = open(&upstream, &config).start();
        let (subject, groups) = whoami(&gateway, "alice", "alice's-secret");
        assert_eq!(subject, "user:ldap/Alice", "{name}");
        assert_eq!(groups, ["company", "engineering", "platform"].map(|group| format!("group:ldap/{group}")), "{name}");
        // In a circle: company is in engineering, which is in company.
        let (_, groups) = whoami(&gateway, "bob", "bob's-secret");
        assert_eq!(groups, ["company", "engineering"].map(|group| format!("group:ldap/{group}")), "{name}");
        assert_eq!(refused(&gateway, "alice", "bob's-secret"), "ldap_password", "{name}");
        let unknown = if name.contains("template") { "ldap_password" } else { "ldap_unknown" };
        assert_eq!(refused(&gateway, "mallory", "bob's-secret"), unknown, "{name}");
    }
    assert!(server.log().contains("STARTTLS") && server.log().contains("TLS established"), "StartTLS was spoken");
}

#[test]
fn an_unknown_account_costs_as_many_questions_as_a_wrong_password() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let gateway = open(&upstream, &office.config(&[server.ldaps()])).start();
    assert_eq!(refused(&gateway, "alice", "wrong"), "ldap_password");
    let first = operations(&server);
    assert_eq!(refused(&gateway, "alice", "wrong again"), "ldap_password");
    let wrong = operations(&server) - first;
    let first = operations(&server);
    assert_eq!(refused(&gateway, "mallory", "wrong again"), "ldap_unknown");
    assert_eq!(operations(&server) - first, wrong);
    assert_eq!(server.binds("cn=nobody-of-this-name-in-modgate"), 1);
    let texts = ["alice", "mallory"].map(|login| {
        let (status, body) = ask(&gateway, login, "wrong once more");
        (status, body.lines().filter(|line| !line.contains("request")).collect::<String>())
    });
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn nested_groups_are_bounded_by_depth_and_number() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let searched = format!("groups = \"search\"\ngroup_base = \"ou=groups,{SUFFIX}\"\n");
    for how in ["", &*searched] {
        let start = |more: &str| open(&upstream, &(office.config(&[server.ldaps()]) + how + more)).start();
        let ranks =
            |numbers: &[u32]| numbers.iter().map(|number| format!("group:ldap/ranks-{number}")).collect::<Vec<_>>();
        assert_eq!(whoami(&start("group_depth = 3\n"), "erin", "erin's-secret").1, ranks(&[1, 2, 3, 4]));
        assert_eq!(whoami(&start("group_depth = 0\n"), "erin", "erin's-secret").1, ranks(&[1]));
        assert_eq!(whoami(&start("group_limit = 4\n"), "erin", "erin's-secret").1, ranks(&[1, 2, 3, 4]));
        for bound in ["group_depth = 2\n", "group_limit = 3\n"] {
            let gateway = start(bound);
            assert_eq!(refused(&gateway, "erin", "erin's-secret"), "ldap_groups", "all of them or none: {bound}");
        }
    }
}

#[test]
fn an_entry_must_be_the_only_one_and_have_a_name() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let either = "filter = \"(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))\"\n";
    let gateway = open(&upstream, &(office.config(&[server.ldaps()]) + either)).start();
    for (login, password, code) in [
        ("shared@corp.example", "alice's-secret", "ldap_ambiguous"),
        ("shared@corp.example", "bob's-secret", "ldap_ambiguous"),
        ("weird\"name", "weird's-secret", "ldap_login"),
        ("two", "two's-secret", "ldap_name"),
        ("second", "two's-secret", "ldap_name"),
    ] {
        assert_eq!(refused(&gateway, login, password), code, "{login}");
    }
    assert!(upstream.asked().is_empty(), "nothing was fetched");
    gateway.await_log("it has 2 values of `uid`, not one");
    let (subject, _) = whoami(&gateway, "carol", "carol's-secret");
    assert_eq!(subject, "user:ldap/carol");
}

#[test]
fn what_is_typed_is_a_value_and_nothing_else() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let template = office.template_config(&server);
    let long = "a".repeat(300);
    let logins = [
        "*",
        "Alice*",
        "*)(uid=*",
        "Alice)(uid=*",
        "*)(|(uid=*",
        "Alice)(&)",
        "Alice))(|(uid=*",
        "(",
        ")",
        "\\",
        "Alice\\",
        "\\2a",
        "Al\\69ce",
        "Alice\\00",
        "Alice,ou=people",
        "Alice+cn=Alice",
        "Alice;",
        "#Alice",
        "\"Alice\"",
        "<Alice>",
        "Alice=",
        "uid=Alice",
        "{login}",
        "Alice\u{200b}",
        "\u{202e}ecilA",
        "Аlice",
        "Ali\u{ad}ce",
        &long,
    ];
    for config in [office.config(&[server.ldaps()]), template] {
        let gateway = open(&upstream, &config).start();
        for login in logins {
            let code = refused(&gateway, login, "alice's-secret");
            assert!(["ldap_unknown", "ldap_password", "ldap_login"].contains(&&*code), "{login}: {code}");
        }
        // The directory takes these for the same login, and its spelling counts.
        for login in ["ALICE", "alice", "aLiCe"] {
            assert_eq!(whoami(&gateway, login, "alice's-secret").0, "user:ldap/Alice");
        }
        for login in ["jürgen", "JÜRGEN", "ju\u{308}rgen"] {
            assert_eq!(whoami(&gateway, login, "größer als gedacht").0, "user:ldap/jürgen");
        }
        let journal = gateway.run(&["audit", "query", "--json"]).stdout;
        let journal = String::from_utf8(journal).unwrap();
        for typed in ["uid=*", "Alice+cn", "ecilA", "alice's-secret", "größer"] {
            assert!(!journal.contains(typed) && !gateway.log().contains(typed), "{typed} is written down nowhere");
        }
    }
}

#[test]
fn passwords_that_cannot_be_reach_no_server() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let gateway = open(&upstream, &office.config(&[server.ldaps()])).start();
    let before = operations(&server);
    let token = "mg_0123456789aZ_0123456789012345678901234567890123456789012";
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJBbGljZSJ9.";
    let (kilobytes, megabyte) = ("a".repeat(2000), "a".repeat(1 << 20));
    let raw = |credential: &str| {
        let header = format!("Authorization: Basic {}\n", STANDARD.encode(credential));
        let file = TempDir::new().unwrap();
        let file = (file.path().join("headers"), file);
        fs::write(&file.0, header).unwrap();
        let mut curl = Command::new("curl");
        curl.args(["-s", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", "-H"]);
        curl.arg(format!("@{}", file.0.display())).arg(format!("{}{LIST}", gateway.url()));
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    for (password, statuses) in [
        ("", &["401"][..]),
        ("a\0b", &["401"]),
        ("\0", &["401"]),
        (token, &["401"]),
        (&token[..20], &["401"]),
        (jwt, &["401"]),
        (&kilobytes, &["401"]),
        // It does not even fit into a head of a request.
        (&megabyte, &["431", "400", "413", "000"]),
    ] {
        let status = raw(&format!("Alice:{password}"));
        assert!(statuses.contains(&&*status), "{}: {status}", password.escape_debug().take(20).collect::<String>());
    }
    for login in ["", "Ali\0ce", "\0", "Alice\0)(uid=*"] {
        assert_eq!(raw(&format!("{login}:alice's-secret")), "401", "{login:?}");
    }
    assert_eq!(operations(&server), before, "nothing reached the directory");
    assert!(upstream.asked().is_empty());
    assert_eq!(whoami(&gateway, "alice", "alice's-secret").0, "user:ldap/Alice", "and it is there");
}

#[test]
fn a_check_says_who_is_asked_and_which_files_are_bad() {
    let (upstream, office) = (upstream(), Office::new());
    let servers = ["ldaps://a.corp.example".to_owned(), "ldap://b.corp.example".to_owned()];
    let gateway = open(&upstream, &office.config(&servers)).start();
    let said = |arguments: &[&str]| {
        let output = gateway.run(arguments);
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (good, text) = said(&["check"]);
    let line = "directory: ldaps://a.corp.example, then ldap://b.corp.example with StartTLS, \
                people by (uid={login}) below ou=people,dc=corp,dc=example, groups by memberOf";
    assert!(good && text.contains(line), "{text}");
    fs::write(office.roots(), "no certificate\n").unwrap();
    fs::remove_file(office.password_file()).unwrap();
    let (good, text) = said(&["check"]);
    assert!(
        !good && text.contains("there is no certificate in it") && text.contains("account-password`: No such file"),
        "{text}"
    );
    assert!(text.matches("modgate.toml:").count() >= 2, "each with its place: {text}");
}
