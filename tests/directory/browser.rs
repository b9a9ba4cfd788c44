//! Logging in with a directory's password in a form, for those who have no other issuer; and what becomes of the tokens of
//! somebody who left the directory.

use super::*;
use crate::{
    gateway::await_that,
    login::{approved, whoami},
    web_client::WebClient,
};

const TOKENS: &str = "[tokens]\nrefresh_groups = \"1s\"\n";

fn form<'f>(page: &'f str, login: &'f str, password: &'f str) -> [(&'f str, &'f str); 4] {
    [("csrf", page), ("login", login), ("password", password), ("next", "/-/")]
}

#[test]
fn somebody_logs_in_by_password_and_what_they_got_ends_when_they_leave() {
    let (office, upstream) = (Office::new(), upstream());
    let server = office.server();
    let gateway = open(&upstream, &office.config(&[server.ldaps()])).config(TOKENS).start();
    let base = format!("http://localhost:{}", gateway.port());
    let mut alice = WebClient::new();
    let page = alice.get(&format!("{base}/-/login"));
    let csrf = page.field("csrf").unwrap();
    let landed = alice.post(&format!("{base}/-/login/ldap"), &form(&csrf, "alice", "alice's-secret"));
    assert_eq!(landed.location(), Some(format!("{base}/-/")), "{} {}", landed.status, landed.body);
    let home = alice.get(&format!("{base}/-/"));
    // The directory's spelling, not the typed one.
    assert!(home.body.contains("user:ldap/Alice"), "{}", home.body);
    let (token, _) = approved(&base, &mut alice);
    assert_eq!(whoami(&base, &token).unwrap()["subject"], "user:ldap/Alice");

    server.change(&format!("dn: uid=Alice,ou=people,{SUFFIX}\nchangetype: delete\n"));
    await_that("the token of who is gone to be refused", || whoami(&base, &token).is_none());
    let acts = |name: &str| gateway.records().into_iter().filter(|record| record["act"] == name).count();
    await_that("the acts", || acts("token.revoked") == 2);
    assert_eq!(acts("login.succeeded"), 1);
}

#[test]
fn a_form_lets_nobody_in_who_should_not() {
    let (office, upstream) = (Office::new(), upstream());
    let server = office.server();
    let gateway = open(&upstream, &office.config(&[server.ldaps()])).start();
    let base = format!("http://localhost:{}", gateway.port());
    let (mut alice, url) = (WebClient::new(), format!("{base}/-/login/ldap"));
    let csrf = alice.get(&format!("{base}/-/login")).field("csrf").unwrap();
    let asked = operations(&server);
    // Another site's form, another browser's, and a browser that was never here: nobody is asked.
    let good = form(&csrf, "alice", "alice's-secret");
    for (client, form, headers) in [
        (&mut alice.clone(), form("", "alice", "alice's-secret"), vec![]),
        (&mut alice.clone(), form("x", "alice", "alice's-secret"), vec![]),
        (&mut alice.clone(), good, vec![("origin", "https://evil.example")]),
        (&mut alice.clone(), good, vec![("sec-fetch-site", "cross-site")]),
        (&mut WebClient::new(), good, vec![]),
    ] {
        let answer = client.post_with(&url, &form, &headers);
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert_eq!(client.cookie("modgate"), None);
    }
    // What cannot be a password of the directory never gets there.
    let token = gateway.token("eve", &[]);
    for password in [&*token, "", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(alice.clone().post(&url, &form(&csrf, "alice", password)).status, 403, "{password}");
    }
    assert_eq!(alice.clone().post(&url, &form(&csrf, "a:b", "alice's-secret")).status, 403);
    assert_eq!(operations(&server), asked, "nothing reached the server");

    for (login, password) in [("alice", "a guess"), ("nobody", "a guess"), ("*)(uid=*", "alice's-secret")] {
        let mut client = alice.clone();
        let answer = client.post(&url, &form(&csrf, login, password));
        assert!(answer.status == 403 && answer.body.contains("The login or the password is wrong"), "{}", answer.body);
        assert!(answer.field("csrf").is_some() && !answer.body.contains(password), "one may try again");
        assert_eq!(client.cookie("modgate"), None);
    }
    let reasons: Vec<_> = gateway.records().into_iter().filter(|record| record["act"] == "login.failed").collect();
    let last: Vec<_> = reasons[reasons.len() - 3..].iter().map(|act| act["reason"].as_str().unwrap()).collect();
    assert_eq!(last, ["ldap_password", "ldap_unknown", "ldap_unknown"]);
    let fine = alice.post(&url, &[good[0], good[1], good[2], ("next", "https://evil.example/")]);
    assert_eq!(fine.location(), Some(format!("{base}/-/")), "own pages only");
}
