//! The corpus of hostile tokens (`auth/src/jwt/tests/corpus`) sent to the built gateway, each as Bearer and as the password of a
//! netrc: inside there is a reason for each, outside one text for all.

#[path = "../auth/src/jwt/tests/corpus/mod.rs"]
mod corpus;
#[path = "../auth/src/jwt/tests/mint.rs"]
mod mint;

use crate::{gateway::Gateway, upstream::Upstream};
use auth::{Algorithm, Presented, Reason, Scratch, presented};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use mint::Mint;
use serde_json::json;
use std::{
    collections::{BTreeSet, HashSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::OnceLock,
    time::Duration,
};

const OUTSIDE: &str =
    "the JWT is not accepted here\nget a new one, and send it as the password in .netrc or as Bearer\n";
const RULE: &str = "[[issuer.trust]]\nname = \"deploy\"\nsubject = \"{repository}:{environment}\"\n\
    claims = { repository = \"corp/*\", ref = \"refs/heads/main\", environment = \"prod\", ref_protected = true, run_attempt = 1 }\n\
    groups = [\"deploy\"]\nrecord = [\"run_id\", \"repository\", \"sha\"]\n";

/// The time at which the corpus is made: the gateway's own clock judges it.
fn now() -> i64 {
    static NOW: OnceLock<i64> = OnceLock::new();
    *NOW.get_or_init(|| Timestamp::now().as_second())
}

/// The issuers that the corpus is for.
fn issuers(directory: &Path) -> String {
    let (ours, theirs) = (Mint::ours(), Mint::theirs());
    let public = "algorithms = [\"RS256\", \"PS256\", \"ES256\", \"EdDSA\"]\nkeys";
    let rows: [(&str, Vec<u8>, &str, &str); 6] = [
        ("corp", ours.jwks().to_string().into_bytes(), public, ""),
        ("solo", ours.pem(Algorithm::Rs256).into_bytes(), "algorithms = [\"RS256\"]\nkeys", ""),
        ("hook", ours.secret.to_vec(), "algorithms = [\"HS256\"]\nsecret_file", ""),
        ("other", theirs.jwks().to_string().into_bytes(), public, ""),
        (
            "access",
            ours.jwks().to_string().into_bytes(),
            public,
            "types = [\"at+jwt\"]\nauthorized_parties = [\"go-client\"]\n",
        ),
        ("ci", ours.jwks().to_string().into_bytes(), public, RULE),
    ];
    let tables = rows.map(|(alias, keys, how, more)| {
        let file = directory.join(alias);
        fs::write(&file, keys).unwrap();
        format!(
            "[[issuer]]\nname = \"{alias}\"\nissuer = \"https://{alias}.example\"\naudience = [\"modgate\"]\n{how} = {file:?}\n{more}"
        )
    });
    tables.concat()
}

/// Status and body of a request with this `Authorization`, by a bare connection: nothing is started for it, and anything may be
/// sent.
pub(crate) fn ask(gateway: &Gateway, path: &str, authorization: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nAuthorization: {authorization}\r\n\r\n",
        gateway.port()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Whether it is told from a password, and fits into a header.
fn is_jwt(token: &str) -> bool {
    let header = format!("Bearer {token}");
    matches!(presented([header.as_bytes()], &mut Scratch::new()), Ok(Presented::Jwt(_))) && token.len() < 12_100
}

/// INVARIANT: each hostile token is refused, with its own reason in the record and one text outside; nothing is fetched for any.
#[test]
fn the_corpus_is_refused_by_the_gateway_each_with_its_reason_in_the_record() {
    let (upstream, keys) = (Upstream::start(), tempfile::tempdir().unwrap());
    upstream.module("example.test/lib", "v1.0.0");
    let limits = "[limits]\nfailures = \"1000/s\"\nfailures_burst = 100000\n";
    let config = format!("{limits}{}", issuers(keys.path()));
    let listen = "max_header_bytes = \"64KiB\"\n";
    let gateway = Gateway::plain().listen(listen).upstream(&upstream.url()).config(&config).start();
    for alias in ["access", "ci"] {
        let (status, body) = ask(&gateway, "/example.test/lib/@v/list", &format!("Bearer {}", corpus::good(alias)));
        assert_eq!(status, 200, "what the corpus is made of is good: {alias}: {body}");
    }
    let records = gateway.records();
    let job = records.iter().find(|record| record["subject"] == "ci:ci/corp/app:prod").unwrap();
    let recorded = json!({"rule": "deploy", "run_id": "4711", "repository": "corp/app", "sha": "0123456789abcdef"});
    assert_eq!((&job["claims"], &job["groups"]), (&recorded, &json!(["group:ci/deploy"])));
    let before = (upstream.asked().len(), records.len());

    let corpus: Vec<_> = corpus::corpus().into_iter().filter(|(_, token, _)| is_jwt(token)).collect();
    let distinct: HashSet<_> = corpus.iter().map(|(_, token, _)| token).collect();
    assert!(distinct.len() >= 120 && distinct.len() == corpus.len(), "{} of {}", distinct.len(), corpus.len());
    let (mut outside, mut wrong) = (BTreeSet::new(), Vec::new());
    for (number, (what, token, _)) in corpus.iter().enumerate() {
        let basic = STANDARD.encode(format!("alice:{token}"));
        for authorization in [format!("Bearer {token}"), format!("Basic {basic}")] {
            // Another path each time, or it would be taken for the repeat that `go` makes of a refusal.
            let (status, body) = ask(&gateway, &format!("/example.test/lib/@v/v1.{number}.0.info"), &authorization);
            match body.split_once("request: ") {
                Some((text, _)) if status == 401 => drop(outside.insert(text.to_owned())),
                _ => wrong.push(format!("{what}: {status} {body}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(outside, BTreeSet::from([OUTSIDE.to_owned()]));
    assert_eq!(upstream.asked().len(), before.0, "nothing was fetched");

    let records = gateway.records();
    let reasons: Vec<_> =
        records[before.1..].iter().map(|record| record["reason"].as_str().unwrap_or("none")).collect();
    assert_eq!(reasons.len(), 2 * corpus.len(), "a record for each, and no other");
    for ((what, _, expected), found) in corpus.iter().zip(reasons.chunks(2)) {
        if found != [expected.code(); 2] {
            wrong.push(format!("{what}: {found:?}, not {}", expected.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds: HashSet<_> = reasons.iter().collect();
    assert!(kinds.len() >= 36, "{} reasons", kinds.len());
    assert!(records[before.1..].iter().all(|record| record["subject"] == "anonymous"));
}
