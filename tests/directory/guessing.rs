//! Attempts at guessing a password, and what they cost others.

use super::*;
use crate::gateway::await_that;
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

    // A wait that has just ended lets the owner in from anywhere: then guesses begin another, and the next address is asked from.
    let mut body = String::new();
    let mut addresses = 1..=20;
    await_that("the owner to have to wait at a strange address", || {
        let number = addresses.next().unwrap();
        (0..6).for_each(|_| drop(ask_from(&gateway, "203.0.113.200", "alice", "wrong")));
        let (status, said) = ask_from(&gateway, &format!("198.51.100.{number}"), "alice", "alice's-secret");
        body = said;
        status == 401
    });
    assert!(body.contains("too many wrong passwords were sent for this login\ncome back in "), "{body}");
    assert_eq!(ask_from(&gateway, "198.51.100.99", "bob", "bob's-secret").0, 200, "other accounts are not concerned");
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
    let template = office.template_config(&server);
    let gateway = open(&upstream, &template).start();
    let spellings = ["bob", "BOB", "ｂob", "bｏb", "boｂ", "ｂｏb", "Bｏｂ", "ｂoＢ", "ｂｏｂ"];
    let codes: Vec<String> = spellings.iter().map(|login| refused(&gateway, login, "wrong")).collect();
    assert_eq!(codes.iter().filter(|code| **code == *"ldap_password").count(), 5, "{codes:?}");
    assert!(codes[5..].iter().all(|code| code == "ldap_throttled"), "{codes:?}");
    assert_eq!(server.binds("ou=people"), 5);
}

/// What cannot be told to be the same account before the directory is asked is throttled afterwards, in other words: that there
/// is such an account is not told by it.
#[test]
fn other_logins_of_an_entry_are_the_same_account() {
    let (upstream, office) = (upstream(), Office::new());
    let server = office.server();
    let mails: Vec<String> = (0..10).map(|number| format!("bob-{number}@corp.example")).collect();
    let added: String = mails.iter().map(|mail| format!("mail: {mail}\n")).collect();
    server.change(&format!("dn: uid=bob,ou=people,{SUFFIX}\nchangetype: modify\nreplace: mail\n{added}"));
    let gateway = open(&upstream, &(office.config(&[server.ldaps()]) + "filter = \"(mail={login})\"\n")).start();
    let codes: Vec<String> = mails.iter().map(|mail| refused(&gateway, mail, "wrong")).collect();
    assert!(codes[5..].iter().filter(|code| **code == *"ldap_throttled").count() >= 4, "{codes:?}");
    assert!((5..=6).contains(&server.binds("uid=bob")), "{}", server.binds("uid=bob"));
    let (_, body) = ask(&gateway, &mails[9], "wrong again");
    assert!(body.contains(REFUSED), "{body}");
}

/// INVARIANT: many who send the same at once cost one bind.
#[tokio::test]
async fn one_look_for_all_who_send_the_same() {
    let office = Office::new();
    let server = office.server();
    let asked = look_up::directory(&office, &server, "(uid={login})");
    let now = jiff::Timestamp::now();
    // All have begun before the first is answered.
    let logins = (0..50).map(|number| {
        let client = std::net::IpAddr::from([198, 51, 100, number]);
        asked.verify("alice", "alice's-secret", client, now)
    });
    let outcomes = futures_util::future::join_all(logins).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, auth::Outcome::Authenticated(_))), "{outcomes:?}");
    assert_eq!(server.binds("uid=Alice"), 1);
    assert!(asked.recall("alice", "alice's-secret", now).is_some());
    assert!(!asked.is_asking("alice", "alice's-secret", [198, 51, 100, 1].into(), now));
}
