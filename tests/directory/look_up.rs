//! Looking people up without a password, as whoever refreshes what was handed out to them does.

use super::*;
use auth::{
    Account, Directory, DirectorySettings, FilterTemplate, Finding, GroupSettings, GroupsBy, LookUpError, LookedUp,
    Roots, ServerUrl,
};
use std::time::Duration;

pub(super) fn directory(office: &Office, server: &DirectoryServer, filter: &str) -> Directory {
    let settings = DirectorySettings {
        servers: vec![ServerUrl::parse(&server.ldaps(), true).unwrap()],
        roots: Some(office.roots()),
        account: Some(Account { dn: format!("cn=modgate,{SUFFIX}"), password_file: office.password_file() }),
        finding: Finding::Search {
            base: format!("ou=people,{SUFFIX}"),
            filter: FilterTemplate::of_login(filter).unwrap(),
        },
        name_attribute: "uid".to_owned(),
        groups: GroupSettings {
            by: GroupsBy::Attribute("memberOf".to_owned()),
            name_attribute: "cn".to_owned(),
            depth: 8,
            most: 512,
        },
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(2),
        logins: 4,
        remember: Duration::from_secs(300),
        remember_down: Duration::from_secs(3600),
    };
    let roots = Roots::read(settings.roots.as_deref()).unwrap();
    Directory::new(settings, roots, &[7; auth::MEMORY_KEY_BYTES])
}

fn here(groups: &[&str]) -> Result<LookedUp, LookUpError> {
    Ok(LookedUp::Here(groups.iter().map(|group| format!("group:ldap/{group}").into()).collect()))
}

#[tokio::test]
async fn people_are_there_with_their_groups_or_gone_or_it_is_not_known() {
    let office = Office::new();
    let mut server = office.server();
    let change = |server: &DirectoryServer, uid: &str, rest: &str| {
        server.change(&format!("dn: uid={uid},ou=people,{SUFFIX}\n{rest}\n"));
    };
    let asked = directory(&office, &server, "(&(objectClass=inetOrgPerson)(!(title=left))(mail={login}))");
    assert_eq!(asked.look_up("user:ldap/Alice").await, here(&["company", "engineering", "platform"]));
    assert_eq!(asked.look_up("user:ldap/bob").await, here(&["company", "engineering"]));
    for gone in ["user:ldap/alice", "user:ldap/mallory", "user:ldap/carol", "user:ldap/*)(uid=*"] {
        assert_eq!(asked.look_up(gone).await, Ok(LookedUp::Gone), "{gone}");
    }
    for foreign in ["user:corp/Alice", "ci:ldap/Alice", "anonymous", "user:ldap/", "user:ldap/*"] {
        assert_eq!(asked.look_up(foreign).await, Err(LookUpError::Foreign(foreign.to_owned())));
    }
    let platform = format!("dn: cn=platform,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\n");
    server.change(&format!("{platform}member: uid=Alice,ou=people,{SUFFIX}\n"));
    assert_eq!(asked.look_up("user:ldap/Alice").await, here(&[]));
    change(&server, "Alice", "changetype: modify\nadd: title\ntitle: left");
    assert_eq!(asked.look_up("user:ldap/Alice").await, Ok(LookedUp::Gone), "she cannot log in");
    change(&server, "bob", "changetype: delete");
    assert_eq!(asked.look_up("user:ldap/bob").await, Ok(LookedUp::Gone));
    server.kill();
    let down = asked.look_up("user:ldap/bob").await;
    assert!(matches!(down, Err(LookUpError::Unavailable(_))), "{down:?}");
}
