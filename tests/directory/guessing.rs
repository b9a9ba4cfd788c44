//! Attempts at guessing a password, and what they cost others.

use super::*;
use std::{collections::BTreeMap, fmt::Write, thread};

/// An address where the owner of an account works.
const HOME: &str = "203.0.113.7";

/// The statuses of requests from one address with each of these passwords for a login, over one connection.
fn guess(gateway: &Gateway, address: &str, login: &str, passwords: &[String]) -> Vec<u16> {
    let folder = TempDir::new().unwrap();
    let mut config = String::new();
    for password in passwords {
        let url = format!("{}{LIST}", gateway.url());
        writeln!(config, "url = {url:?}\nuser = \"{login}:{password}\"\nheader = \"X-Forwarded-For: {address}\"")
            .unwrap();
        config.push_str("silent\noutput = /dev/null\nwrite-out = \"%{http_code}\\n\"\nmax-time = 60\nnext\n");
    }
    let file = folder.path().join("curl");
    fs::write(&file, config.strip_suffix("next\n").unwrap()).unwrap();
    let output = Command::new("curl").arg("-K").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|status| status.parse().unwrap()).collect()
}

#[test]
fn a_thousand_guesses_from_fifty_addresses_lock_out_nobody() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let gateway = open(&upstream, &(office.config(&[server.ldaps()]) + FORGETFUL))
        .listen("trusted_proxies = [\"127.0.0.1\"]\n")
        .start();
    assert_eq!(ask_from(&gateway, HOME, "alice", "alice's-secret").0, 200);
    assert_eq!(server.binds("uid=Alice"), 1);
    let fetched = upstream.asked().len();

    let addresses: Vec<String> = (0..50).map(|number| format!("198.51.100.{number}")).collect();
    let guesses = |address: &str| (0..20).map(|number| format!("guess-{number}-{address}")).collect::<Vec<_>>();
    let mut statuses = BTreeMap::<u16, usize>::new();
    let mut owner = 0;
    for chunk in addresses.chunks(10) {
        let counted: Vec<Vec<u16>> = thread::scope(|scope| {
            let guessing: Vec<_> = chunk
                .iter()
                .zip(["alice", "ALICE", "Alice", "aLICE"].into_iter().cycle())
                .map(|(address, login)| {
                    let gateway = &gateway;
                    scope.spawn(move || guess(gateway, address, login, &guesses(address)))
                })
                .collect();
            // In the midst of it the owner comes from where the account was proved before.
            assert_eq!(ask_from(&gateway, HOME, "alice", "alice's-secret").0, 200);
            owner += 1;
            guessing.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for status in counted.into_iter().flatten() {
            *statuses.entry(status).or_default() += 1;
        }
    }
    assert_eq!(ask_from(&gateway, HOME, "alice", "alice's-secret").0, 200);
    assert_eq!(statuses.values().sum::<usize>(), 1000);
    assert_eq!(statuses.get(&200), None);
    assert_eq!(upstream.asked().len(), fetched, "nothing was fetched");

    // Five are free, and in the minutes that this may take a few more are looked at.
    let guessed = server.binds("uid=Alice") - 2 - owner;
    assert!((5..=20).contains(&guessed), "{guessed} of 1000 guesses reached the directory");

    // Each is in the audit: with its reason, its address and the hash of the login, or told as part of a flood.
    let records = gateway.records();
    let failed: Vec<_> = records.iter().filter(|record| record["reason"].is_string()).collect();
    let told = statuses.get(&401).copied().unwrap_or_default();
    assert_eq!(failed.len(), told, "{statuses:?}");
    let reasons: BTreeMap<&str, usize> = failed.iter().fold(BTreeMap::new(), |mut reasons, record| {
        *reasons.entry(record["reason"].as_str().unwrap()).or_default() += 1;
        reasons
    });
    assert_eq!(reasons.get("ldap_password"), Some(&guessed), "{reasons:?}");
    assert_eq!(reasons.keys().copied().collect::<Vec<_>>(), ["ldap_password", "ldap_throttled"]);
    let hashes: std::collections::BTreeSet<_> = failed.iter().map(|record| record["login"].as_str().unwrap()).collect();
    assert_eq!(hashes.len(), 1, "one account, whatever its spelling");
    assert!(failed.iter().all(|record| record["subject"] == "anonymous"));

    let (status, body) = ask_from(&gateway, "198.51.100.1", "alice", "alice's-secret");
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("too many wrong passwords were sent for this login\ncome back in "), "{body}");
    assert_eq!(ask_from(&gateway, "198.51.100.1", "bob", "bob's-secret").0, 200, "other accounts are not concerned");
}

#[test]
fn a_credential_that_is_remembered_is_not_throttled_and_asked_about_once() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let gateway = open(&upstream, &office.config(&[server.ldaps()])).start();
    // Many at once, as `go` sends them.
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(ask(&gateway, "alice", "alice's-secret").0, 200));
        }
    });
    assert_eq!(server.binds("uid=Alice"), 1, "one for all");
    let wrong: Vec<String> = (0..30).map(|number| format!("wrong-{number}")).collect();
    guess(&gateway, HOME, "alice", &wrong);
    assert_eq!(refused(&gateway, "alice", "wrong"), "ldap_throttled");
    assert_eq!(ask(&gateway, "alice", "alice's-secret").0, 200);
    assert!(server.binds("uid=Alice") <= 12);
}

#[test]
fn other_spellings_of_a_login_are_the_same_account() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let either = "filter = \"(|(uid={login})(employeeNumber={login}))\"\n";
    server.change(&format!(
        "dn: uid=bob,ou=people,{SUFFIX}\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: 4711\n"
    ));
    let gateway = open(&upstream, &(office.config(&[server.ldaps()]) + either)).start();
    // What the directory takes for the same, and cannot be told to be so before it is asked: compatibility forms, another attribute.
    let logins =
        ["bob", "4711", "ｂob", "bｏb", "boｂ", "ｂｏb", "bｏｂ", "ｂoｂ", "ｂｏｂ", "４711", "4７11", "47１1"];
    let mut codes = Vec::new();
    for login in logins {
        codes.push(refused(&gateway, login, "wrong"));
        let (_, body) = ask(&gateway, login, "wrong");
        assert!(body.contains(REFUSED), "that there is such an entry is not told: {body}");
    }
    assert!(codes.iter().filter(|code| **code == *"ldap_throttled").count() >= 5, "{codes:?}");
    assert!(server.binds("uid=bob") <= 7, "{}", server.binds("uid=bob"));
}
