use super::*;

/// A directory at a port where nobody listens.
pub(super) fn settings() -> DirectorySettings {
    DirectorySettings {
        servers: vec![ServerUrl::parse("ldap://127.0.0.1:1", false).unwrap()],
        roots: None,
        account: None,
        finding: Finding::Template(DnTemplate::parse("uid={login},ou=people,dc=corp").unwrap()),
        name_attribute: "uid".to_owned(),
        groups: GroupSettings { by: GroupsBy::Nothing, name_attribute: "cn".to_owned(), depth: 8, most: 512 },
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        logins: 4,
        remember: Duration::from_secs(300),
        remember_down: Duration::from_secs(3600),
    }
}

fn directory() -> Directory {
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Directory::new(settings(), Roots(Arc::new(config)), &[3; MEMORY_KEY_BYTES])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn client() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn knowing(login: &str, password: &str) -> Directory {
    let directory = directory();
    let principal = Principal { subject: "user:ldap/Alice".into(), ..Principal::anonymous() };
    let digest = directory.digest(login, password).unwrap();
    directory.remember(digest, &Arc::new(principal), at(0).as_second());
    directory
}

#[test]
fn what_was_right_is_remembered_for_five_minutes() {
    let directory = knowing("alice", "secret");
    let known = |login: &str, password: &str, second: i64| directory.recall(login, password, at(second)).is_some();
    assert!(known("alice", "secret", 0) && known("alice", "secret", 299) && known("alice", "secret", -5));
    assert!(!known("alice", "secret", 300) && !known("alice", "secret", -61));
    for (login, password) in
        [("alice", "secre"), ("alices", "ecret"), ("Alice", "secret"), ("", "alicesecret"), ("bob", "secret")]
    {
        assert!(!known(login, password, 0), "{login}");
    }
}

/// INVARIANT: a directory that is down changes nothing for whoever was proved within the hour, and lets in nobody else.
#[tokio::test]
async fn while_no_server_answers_what_was_right_stays_so() {
    let directory = knowing("alice", "secret");
    assert!(directory.recall("alice", "secret", at(400)).is_none());
    let judged = directory.verify("alice", "secret", client(), at(400)).await;
    assert!(matches!(&judged, Outcome::Authenticated(who) if &*who.subject == "user:ldap/Alice"), "{judged:?}");
    assert!(directory.recall("alice", "secret", at(401)).is_some(), "without another attempt to connect");
    assert!(directory.recall("alice", "secret", at(400 + LEFT_ALONE)).is_none(), "which is made after a while");
    for (login, password, second) in [("alice", "wrong", 401), ("bob", "secret", 401), ("alice", "secret", 3600)] {
        let judged = directory.verify(login, password, client(), at(second)).await;
        assert!(matches!(judged, Outcome::Unavailable(_)), "{login} {second}: {judged:?}");
    }
}

/// INVARIANT: what cannot be a login or a password is refused before any server is asked. (Nobody listens, so asking would be
/// told as unavailable.)
#[tokio::test]
async fn odd_credentials_reach_no_server() {
    let directory = directory();
    let long = "a".repeat(1 << 20);
    for (login, password) in [
        ("alice", ""),
        ("", "secret"),
        ("alice", &long),
        (&long, "secret"),
        ("ali\0ce", "secret"),
        ("alice", "sec\0ret"),
        ("ali\u{202e}ce", "secret"),
        ("ali\u{200b}ce", "secret"),
        (" alice", "secret"),
        ("*", "secret"),
    ] {
        assert!(directory.recall(login, password, at(0)).is_none());
        let judged = directory.verify(login, password, client(), at(0)).await;
        let Outcome::Rejected(rejection) = judged else { panic!("{judged:?}") };
        assert_eq!(rejection.code(), "ldap_login");
    }
}

#[tokio::test]
async fn what_could_not_be_judged_is_no_failure() {
    let directory = directory();
    for _ in 0..50 {
        let judged = directory.verify("alice", "secret", client(), at(0)).await;
        assert!(matches!(judged, Outcome::Unavailable(_)), "{judged:?}");
    }
    assert!(directory.flights.lock().is_empty());
}

#[tokio::test]
async fn it_is_known_what_is_being_asked_about() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings();
    settings.servers = vec![ServerUrl::parse(&format!("ldap://{}", listener.local_addr().unwrap()), false).unwrap()];
    settings.timeout = Duration::from_secs(10);
    let directory = Arc::new(Directory::new(settings, directory().pool.roots(), &[3; MEMORY_KEY_BYTES]));
    let asking = |password: &str| directory.is_asking("alice", password, client(), at(0));
    assert!(!asking("secret"));
    let asked = Arc::clone(&directory);
    let verified = tokio::spawn(async move { asked.verify("alice", "secret", client(), at(0)).await });
    let (connection, _) = listener.accept().await.unwrap();
    assert!(asking("secret") && !asking("other"));
    drop((connection, listener));
    assert!(matches!(verified.await.unwrap(), Outcome::Unavailable(_)));
    assert!(!asking("secret"));
}

#[test]
fn a_login_is_told_by_a_keyed_hash() {
    let (one, other) = (directory(), Directory::new(settings(), directory().pool.roots(), &[4; MEMORY_KEY_BYTES]));
    assert_eq!(one.login_hash("Alice"), one.login_hash(" alice "));
    for spelling in ["ＡＬＩＣＥ", "ａlice", "alicE"] {
        assert_eq!(one.login_hash(spelling), one.login_hash("alice"), "{spelling}");
    }
    assert_eq!(one.login_hash("jürgen"), one.login_hash("JU\u{308}RGEN"));
    assert_ne!(one.login_hash("alice"), one.login_hash("bob"));
    assert_ne!(one.login_hash("alice"), other.login_hash("alice"));
    assert_eq!(one.login_hash("alice").len(), 16);
}
