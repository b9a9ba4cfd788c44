//! Nobody reaches the store behind without a permit, and nothing of a caller's request goes on to it.

use super::{OPEN, ZIP, ask, before, of_kind, open};
use crate::{
    gateway::{Gateway, SHIPPED_POLICY},
    upstream::Upstream,
};

const POLICY: &str = "p2, corp.example/team/*, private, -\n\
    p, role:developer, private, *, read, allow, -, -\n\
    g, user:token/dev, role:developer\n\
    p, authenticated, example.test/evil, *, *, deny, -, id=MAL-7\n\
    p, authenticated, example.test/lib, >=v1.2.0, read, deny, -, id=CVE-1\n";

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    for (module, version) in
        [("example.test/lib", "v1.0.0"), ("example.test/evil", "v1.0.0"), ("corp.example/team/pay", "v1.0.0")]
    {
        upstream.module(module, version);
    }
    upstream
}

#[test]
fn nobody_reaches_a_module_without_a_permit() {
    let upstream = upstream();
    let policy = SHIPPED_POLICY.to_owned() + POLICY;
    let gateway = before(Gateway::plain().policy(&policy), &upstream.url()).start();
    let login = |token: &str| format!("x:{token}");
    let alice = login(&gateway.token("alice", &[]));
    let mut bad = alice.clone();
    bad.replace_range(40..41, if &alice[40..41] == "a" { "b" } else { "a" });
    let scoped = login(&gateway.token("bob", &["--scope", "read:example.test/other"]));

    let targets = |module: &str| {
        ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip", "main.info"]
            .map(|file| format!("/{module}/@v/{file}"))
            .into_iter()
            .chain([format!("/{module}/@latest")])
            .collect::<Vec<_>>()
    };
    for (credential, module, status) in [
        (None, "example.test/lib", 401),
        (None, "corp.example/team/pay", 401),
        (Some(&bad), "example.test/lib", 401),
        (Some(&alice), "example.test/evil", 403),
        (Some(&alice), "Example.Test/Evil", 404),
        (Some(&alice), "corp.example/team/pay", 403),
        (Some(&alice), "corp.example/team", 404),
        (Some(&alice), "corp.example", 404),
        (Some(&scoped), "example.test/lib", 403),
    ] {
        for path in targets(module) {
            for method in [&[][..], &["-I"], &["-X", "POST"], &["-H", "Range: bytes=0-9"]] {
                let login = credential.map_or(vec![], |login| vec!["-u", login.as_str()]);
                let answer = ask(&gateway, &path, &[method, &login].concat());
                let expected = if method.contains(&"POST") { 405 } else { status };
                // A private module that no source is configured for and that may not be read is no business of anybody.
                assert_eq!(answer.status, expected, "{credential:?} {method:?} {path}: {}", answer.text());
            }
        }
    }
    let answer = ask(&gateway, "/example.test/lib/@v/v1.2.0.zip", &["-u", &alice]);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(upstream.asked(), Vec::<String>::new(), "the store behind saw nothing");
    assert!(of_kind(&gateway, "asked").is_empty());

    let dev = login(&gateway.token("dev", &[]));
    assert_eq!(ask(&gateway, "/corp.example/team/pay/@v/v1.0.0.zip", &["-u", &dev]).status, 200);
    assert_eq!(ask(&gateway, ZIP, &["-u", &alice]).status, 200);
    assert_eq!(upstream.asked(), ["/corp.example/team/pay/@v/v1.0.0.zip", ZIP]);
}

#[test]
fn nothing_of_the_callers_request_goes_on_and_our_credential_does() {
    let upstream = upstream();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "of-the-store").unwrap();
    let credential = format!(
        "[[upstream.credential]]\nurl = \"{}\"\nlogin = \"modgate\"\npassword_file = {:?}\n",
        upstream.url(),
        secret.path()
    );
    let gateway = before(Gateway::plain(), &upstream.url()).config(&credential).start();
    let token = gateway.token("alice", &[]);
    let mut sent = vec![
        format!("Authorization: Bearer {token}"),
        "Cookie: session=hush".into(),
        "User-Agent: hush/1".into(),
        "Accept: hush/hush".into(),
        "Accept-Encoding: hush".into(),
        "Via: 1.1 hush".into(),
        "Referer: https://hush.example".into(),
        "Forwarded: for=hush".into(),
        "Proxy-Authorization: Basic hush".into(),
        "Authorization-Info: hush".into(),
        "If-Modified-Since: hush".into(),
        "If-None-Match: W/\"hush\"".into(),
        "If-Range: hush".into(),
        "Range: hush=0-1".into(),
        "Cache-Control: hush".into(),
        "Pragma: hush".into(),
        "Origin: hush".into(),
        "Traceparent: hush".into(),
        "Disable-Module-Fetch: hush".into(),
        "Connection: X-Hush".into(),
        "X-Hush: hush".into(),
    ];
    for name in ["For", "Host", "Proto", "User", "Prefix"] {
        sent.push(format!("X-Forwarded-{name}: hush"));
    }
    for name in ["Subject", "Groups", "Roles", "Request-Id", "Timestamp", "Signature"] {
        sent.push(format!("X-Modgate-{name}: hush"));
    }
    let headers = sent.iter().flat_map(|header| ["-H", header]).collect::<Vec<_>>();
    for path in ["/example.test/lib/@v/list", "/example.test/lib/@v/v1.0.0.mod", &format!("{ZIP}?hush=hush")] {
        let answer = ask(&gateway, path, &headers);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let heads = upstream.heads();
    assert_eq!(heads.len(), 3);
    for head in heads {
        assert!(!head.to_lowercase().contains("hush") && !head.contains(&token[4..]), "{head}");
        let ours = "authorization: Basic bW9kZ2F0ZTpvZi10aGUtc3RvcmU=\r\n";
        assert!(head.contains(ours), "{head}");
        let mut names = head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name);
        let known = ["accept", "accept-encoding", "authorization", "host", "user-agent", "via"];
        assert!(names.all(|name| known.contains(&name)), "{head}");
    }
}

#[test]
fn names_of_private_modules_go_to_the_store_behind_and_to_no_checksum_database() {
    let upstream = upstream();
    let own = Upstream::start();
    own.module("corp.example/team/own", "v1.0.0");
    let policy = OPEN.to_owned() + "p2, corp.example/team/*, private, -\n";
    let source = format!("[[source]]\npattern = \"corp.example/team/own\"\nlist = \"{}\"\n", own.url());
    let database = crate::checksum_database::ChecksumDatabase::start();
    let checksum = format!("[[checksum]]\nkey = \"{}\"\nurl = \"{}\"\n", database.key(), database.url());
    let gateway = before(Gateway::plain().policy(&policy), &upstream.url()).config(&source).config(&checksum).start();
    let get = |path: &str| ask(&gateway, path, &[]);
    for path in ["/corp.example/team/pay/@v/list", "/corp.example/team/own/@v/list", "/corp.example/team/none/@v/list"]
    {
        let answer = get(path);
        assert!(answer.status == if path.contains("none") { 404 } else { 200 }, "{path}: {}", answer.text());
        assert!(!answer.header("cache-control").starts_with("public"), "{}", answer.head);
    }
    assert_eq!(get("/sumdb/localhost.localdev/sumdb/lookup/corp.example/team/pay@v1.0.0").status, 404);
    assert_eq!(upstream.asked(), ["/corp.example/team/pay/@v/list", "/corp.example/team/none/@v/list"]);
    assert_eq!(own.asked(), ["/corp.example/team/own/@v/list"]);
    assert!(!database.asked().iter().any(|path| path.contains("corp.example")), "{:?}", database.asked());
}

#[test]
fn a_request_leaves_the_records_of_a_miss() {
    let upstream = upstream();
    let gateway = open(&upstream);
    for path in ["/example.test/lib/@v/v1.0.0.mod", ZIP, "/example.test/lib/@v/v9.9.9.mod"] {
        ask(&gateway, path, &[]);
    }
    let (asked, answered) = (of_kind(&gateway, "asked"), of_kind(&gateway, "answered"));
    assert_eq!((asked.len(), answered.len()), (3, 3));
    for (asked, answered) in asked.iter().zip(&answered) {
        assert_eq!((&asked["request"], &asked["module"]), (&answered["request"], &answered["module"]));
    }
    let fields = |record: &serde_json::Value| {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        (record["status"].as_u64().unwrap(), text("cache"), text("source"), text("h1").get(..3).map(str::to_owned))
    };
    assert_eq!(fields(&answered[0]), (200, "forwarded".into(), upstream.url(), Some("h1:".into())));
    assert_eq!(fields(&answered[1]), (200, "forwarded".into(), upstream.url(), None));
    assert_eq!(fields(&answered[2]).0, 404);
}
