//! What an `[ldap]` comes to, and what is said about those that are wrong, with places.

use crate::config::tests::loaded;
use auth::{Finding, GroupsBy, Way};
use std::time::Duration;

const SEARCH: &str = "[ldap]\nservers = [\"ldaps://a.corp.example\", \"ldap://b.corp.example\"]\n\
                      bind_dn = \"cn=modgate,dc=corp\"\nbind_password_file = \"secret\"\nbase = \"ou=people,dc=corp\"\n";

#[test]
fn there_is_no_directory_by_default() {
    assert!(loaded("").unwrap().settings.directory.is_none());
}

#[test]
fn a_directory_has_safe_defaults() {
    let ldap = loaded(SEARCH).unwrap().settings.directory.unwrap();
    let ways: Vec<_> = ldap.servers.iter().map(auth::ServerUrl::way).collect();
    assert_eq!(ways, [Way::Ldaps, Way::StartTls]);
    let account = ldap.account.unwrap();
    assert!(account.dn == "cn=modgate,dc=corp" && account.password_file.is_absolute());
    assert!(matches!(&ldap.finding, Finding::Search { base, filter }
        if base == "ou=people,dc=corp" && filter.as_str() == "(uid={login})"));
    assert_eq!((ldap.name_attribute.as_str(), ldap.groups.name_attribute.as_str()), ("uid", "cn"));
    assert_eq!(ldap.groups.by, GroupsBy::Attribute("memberOf".to_owned()));
    assert_eq!((ldap.groups.depth, ldap.groups.most, ldap.logins), (8, 512, 16));
    assert_eq!((ldap.remember, ldap.remember_down), (Duration::from_secs(300), Duration::from_secs(3600)));
}

#[test]
fn a_template_needs_no_account() {
    let text =
        "[ldap]\nservers = [\"ldap://127.0.0.1:389\"]\nstarttls = false\ndn_template = \"uid={login},dc=corp\"\n";
    let ldap = loaded(text).unwrap().settings.directory.unwrap();
    assert!(ldap.account.is_none() && matches!(ldap.finding, Finding::Template(_)));
    assert_eq!(ldap.servers[0].way(), Way::Clear);
}

#[test]
fn problems_have_their_places() {
    let template = "[ldap]\nservers = [\"ldaps://a.example\"]\ndn_template = \"uid={login},dc=corp\"\n";
    for (text, said) in [
        ("[ldap]\nbase = \"dc=x\"\n".to_owned(), "1:2: `ldap.servers` is missing"),
        (
            SEARCH.replace("ldap://b", "https://b"),
            "2:11: `https://b.corp.example` cannot be asked: it must be ldaps://",
        ),
        (format!("{SEARCH}starttls = false\n"), "`ldap://b.corp.example` cannot be asked: without TLS only a loopback"),
        (format!("{SEARCH}filter = \"(uid=x)\"\n"), "6:10: `ldap.filter`: expected a filter"),
        (format!("{SEARCH}dn_template = \"uid={{login}},dc=x\"\n"), "6:15: `dn_template` and `base` are two ways"),
        (SEARCH.replace("bind_password_file = \"secret\"\n", ""), "3:11: `bind_dn` needs a password"),
        (SEARCH.replace("bind_dn = \"cn=modgate,dc=corp\"\n", ""), "3:22: `bind_password_file` is nobody's"),
        (SEARCH.replace("base = \"ou=people,dc=corp\"\n", ""), "1:2: it is not said how a login's entry is found"),
        (format!("{SEARCH}groups = \"search\"\n"), "1:2: groups are searched, and `group_base`"),
        (format!("{SEARCH}groups = \"chain\"\n"), "6:10: `ldap.groups`: expected \"memberof\""),
        (format!("{SEARCH}name_attribute = \"a b\"\n"), "6:18: `ldap.name_attribute`: expected the name"),
        (format!("{SEARCH}remember = \"2h\"\n"), "6:12: `ldap.remember` is"),
        (format!("{SEARCH}bind_password = \"x\"\n"), "6:1: unknown key `bind_password` in `ldap`"),
        (format!("{template}filter = \"(uid={{login}})\"\n"), "4:10: `filter` is of no use beside"),
        (
            template.replace("dn_template", "base").replace("uid={login},", ""),
            "1:2: somebody must search for the logins",
        ),
    ] {
        let error = loaded(&text).unwrap_err();
        assert!(error.contains(said), "{said}\n{error}");
    }
}
