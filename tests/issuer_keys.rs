//! Keys that an issuer publishes, at the built gateway and with a real issuer: found by discovery, rotated under load, and
//! missed while the issuer is down.

use crate::{
    curl::admin,
    gateway::{Gateway, await_port, await_that, free_port},
    go_client::GoClient,
    hostile_jwt,
    issuer::{Issuer, install},
    process::Process,
    upstream::Upstream,
};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const LIST: &str = "/example.test/lib/@v/list";

/// The table of the configuration; with more lines.
fn config(issuer: &Issuer, more: &str) -> String {
    format!(
        "[[issuer]]\nname = \"corp\"\nissuer = \"{}\"\ndiscovery = true\naudience = [\"modgate\"]\n\
         algorithms = [\"RS256\"]\nrequire_nbf = false\n{more}",
        issuer.url()
    )
}

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream
}

/// Status and body of a request with a JWT as Bearer.
fn ask(gateway: &Gateway, token: &str) -> (u16, String) {
    hostile_jwt::ask(gateway, LIST, &format!("Bearer {token}"))
}

fn acts(gateway: &Gateway, name: &str) -> Vec<String> {
    let records = gateway.records().into_iter().filter(|record| record["act"] == name);
    records.map(|record| record["detail"].as_str().unwrap().to_owned()).collect()
}

fn await_keys(gateway: &Gateway) {
    await_that("the keys", || admin(gateway, "/readyz").contains("\"fresh\""));
}

#[test]
fn a_developer_downloads_with_a_jwt_of_a_discovered_issuer() {
    let (upstream, issuer) = (upstream(), Issuer::start());
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&config(&issuer, "")).start();
    GoClient::of(&gateway, Some(&issuer.access_token())).ok(&["get", "example.test/lib@v1.0.0"]);
    let records = gateway.records();
    let zip = records.iter().find(|record| record["target"] == "zip" && record["kind"] == "answered").unwrap();
    assert_eq!((&zip["subject"], &zip["method"]), (&json!("user:corp/ci"), &json!("jwt")));
    assert_eq!(zip["groups"], json!(["group:corp/eng/ci"]));
    assert_eq!(acts(&gateway, "keys.replaced"), ["corp: 1 key in force"]);
    assert_eq!((issuer.count("discovery"), issuer.count("jwks")), (1, 1));
}

/// INVARIANT: a rotation loses no request, and costs the issuer one fetch however many tokens come; also when the second follows so
/// soon that everybody has to wait until another fetch may begin.
#[test]
fn keys_rotate_twice_under_load_without_a_lost_request() {
    const A_SECOND: u32 = 70;
    let (upstream, issuer) = (upstream(), Issuer::start());
    let gateway = Gateway::plain().upstream(&upstream.url()).config(&config(&issuer, "keys_pause = \"3s\"\n")).start();
    await_keys(&gateway);
    let token = Mutex::new(issuer.access_token());
    let (stop, answered, lost) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let fetched = thread::scope(|scope| {
        let load = scope.spawn(|| {
            for turn in 1_u32.. {
                if stop.load(Ordering::Relaxed) {
                    return turn;
                }
                // Everybody has the newest token at once, and nobody waits for anybody's answer.
                scope.spawn(|| {
                    let newest = token.lock().unwrap().clone();
                    let (status, answer) = ask(&gateway, &newest);
                    answered.fetch_add(1, Ordering::Relaxed);
                    if status != 200 {
                        lost.lock().unwrap().push(answer);
                    }
                });
                thread::park_timeout((begun + Duration::from_secs(1) / A_SECOND * turn).duration_since(Instant::now()));
            }
            0
        });
        let mut fetched = vec![issuer.count("jwks")];
        await_that("requests", || answered.load(Ordering::Relaxed) >= 100);
        for rotation in 1..=2 {
            // The second at once: more have to wait for it than may fail at a time from one address.
            issuer.rotate(true);
            *token.lock().unwrap() = issuer.access_token();
            await_that("the new key", || acts(&gateway, "keys.replaced").len() > rotation);
            fetched.push(issuer.count("jwks"));
        }
        let from = answered.load(Ordering::Relaxed);
        await_that("requests", || answered.load(Ordering::Relaxed) >= from + 300);
        fetched.push(issuer.count("jwks"));
        stop.store(true, Ordering::Relaxed);
        let rate = f64::from(load.join().unwrap()) / begun.elapsed().as_secs_f64();
        assert!(rate >= 50.0, "{rate} requests a second");
        fetched
    });
    let lost = lost.lock().unwrap();
    assert!(lost.is_empty(), "{} of {answered:?} lost: {}", lost.len(), lost[0]);
    assert_eq!(fetched, [1, 2, 3, 3], "one fetch at the start and one for each rotation");
}

/// INVARIANT: an issuer that is down is 503 for those whom only it could vouch for, and changes nothing for the others.
#[test]
fn while_an_issuer_is_down_known_keys_go_on_and_unknown_ones_are_told_so() {
    let (upstream, issuer) = (upstream(), Issuer::start());
    let gateway = Gateway::plain().upstream(&upstream.url()).config(&config(&issuer, "keys_pause = \"1s\"\n")).start();
    await_keys(&gateway);
    let (known, fresh) = (issuer.access_token(), issuer.access_token());
    assert_eq!(ask(&gateway, &known).0, 200);
    issuer.rotate(true);
    let unknown = issuer.access_token();
    issuer.control("down", &json!({"down": true}));

    let asked = upstream.asked().len();
    for _ in 0..3 {
        let (status, answer) = ask(&gateway, &unknown);
        assert_eq!(status, 503, "{answer}");
        assert!(answer.contains("whoever could verify this credential cannot be reached; try again"), "{answer}");
    }
    assert_eq!(upstream.asked().len(), asked, "nothing was fetched for them");
    assert_eq!((ask(&gateway, &known).0, ask(&gateway, &fresh).0), (200, 200), "remembered, and verified now");
    let ready = admin(&gateway, "/readyz");
    assert!(ready.contains(r#""degraded":true"#) && ready.contains(r#""ready":true"#), "{ready}");
    assert!(ready.contains(r#"{"list":"issuer","source":"corp","state":"stale"}"#), "{ready}");
    let metrics = admin(&gateway, "/metrics");
    assert!(metrics.contains("modgate_issuer_keys_failing{issuer=\"corp\"} 1"), "{metrics}");
    assert!(metrics.contains("modgate_issuer_keys{issuer=\"corp\"} 1"), "{metrics}");
    let unreachable = acts(&gateway, "keys.unreachable");
    assert!(unreachable.len() == 1 && unreachable[0].contains("answers with the status 503"), "{unreachable:?}");

    issuer.control("down", &json!({"down": false}));
    await_that("the new key", || ask(&gateway, &unknown).0 == 200);
    assert!(admin(&gateway, "/readyz").contains(r#""degraded":false"#));
    assert_eq!(acts(&gateway, "keys.unreachable").len(), 1, "an outage is recorded once");
}

#[test]
fn a_start_does_not_wait_for_an_issuer() {
    let (upstream, issuer) = (upstream(), Issuer::start());
    let token = issuer.access_token();
    issuer.control("down", &json!({"down": true}));
    let gateway = Gateway::plain().upstream(&upstream.url()).config(&config(&issuer, "keys_pause = \"1s\"\n")).start();
    let (status, answer) = ask(&gateway, &token);
    assert_eq!(status, 503, "{answer}");
    let issued = gateway.token("alice", &[]);
    assert_eq!(ask(&gateway, &issued).0, 200, "others are not concerned");
    assert!(admin(&gateway, "/readyz").contains(r#"{"list":"issuer","source":"corp","state":"missing"}"#));
    issuer.control("down", &json!({"down": false}));
    await_that("the keys", || ask(&gateway, &token).0 == 200);
}

/// INVARIANT: an issuer is whoever can show its certificate, and which of those count is configuration.
#[test]
fn an_issuer_behind_a_private_authority_is_asked_only_where_that_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let mut node = Command::new("node");
    node.arg(install("issuer").join("server.mjs"));
    node.arg(json!({"port": port, "tls": {"cert": cert, "key": key}}).to_string());
    let _node = Process::start(node.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()));
    await_port(port);
    let table = |more: &str| {
        format!(
            "[[issuer]]\nname = \"corp\"\nissuer = \"https://localhost:{port}\"\ndiscovery = true\naudience = [\"modgate\"]\n\
             algorithms = [\"RS256\"]\n{more}"
        )
    };
    let trusting = Gateway::plain().upstream("off").config(&table(&format!("ca = {cert:?}\n"))).start();
    let others = Gateway::plain().upstream("off").config(&table("")).start();
    await_keys(&trusting);
    await_that("the failure", || !acts(&others, "keys.unreachable").is_empty());
    assert!(acts(&others, "keys.unreachable")[0].contains("certificate"), "{:?}", acts(&others, "keys.unreachable"));
    assert!(admin(&others, "/readyz").contains("\"missing\""));

    fs::write(&cert, "no certificate").unwrap();
    let output = trusting.run(&["check"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("the certificates to trust: there is none in it"), "{said}");
}

/// A workload is who its rule says, with what the audit wants to know of it; and nobody where no rule is for it.
#[test]
fn a_workload_is_trusted_by_its_rule_and_not_without() {
    let (upstream, issuer) = (upstream(), Issuer::start());
    let rule = |groups: &str| {
        format!(
            "[[issuer.trust]]\nname = \"deploy\"\nsubject = \"ci:corp/{{client_id}}\"\n{groups}\
             claims = {{ client_id = \"ci\", scope = \"a*\" }}\nrecord = [\"client_id\", \"jti\"]\nlifetime = \"15m\"\n"
        )
    };
    let policy = "g, group:corp/deploy, role:deployer\np, role:deployer, example.test/lib, *, read, allow, -, -\n";
    let gateway = Gateway::plain().policy(policy).upstream(&upstream.url());
    let gateway = gateway.config(&config(&issuer, &rule("groups = [\"deploy\"]\n"))).start();
    await_keys(&gateway);
    assert_eq!(ask(&gateway, &issuer.access_token()).0, 200);
    let records = gateway.records();
    let record = records.iter().find(|record| record["kind"] == "answered").unwrap();
    assert_eq!((&record["subject"], &record["groups"]), (&json!("ci:corp/ci"), &json!(["group:corp/deploy"])));
    assert_eq!((&record["claims"]["rule"], &record["claims"]["client_id"]), (&json!("deploy"), &json!("ci")));
    assert_eq!(record["claims"]["jti"], record["token"]);

    let asked = upstream.asked().len();
    let other = config(&issuer, &rule("").replace("client_id = \"ci\"", "client_id = \"cd\""));
    let gateway = Gateway::plain().upstream(&upstream.url()).config(&other).start();
    await_keys(&gateway);
    assert_eq!(ask(&gateway, &issuer.access_token()).0, 401);
    let refused: Vec<Value> = gateway.records().into_iter().filter(|record| record["kind"] == "answered").collect();
    assert_eq!((&refused[0]["reason"], &refused[0]["subject"]), (&json!("jwt_no_trust_rule"), &json!("anonymous")));
    assert_eq!(upstream.asked().len(), asked, "nothing was fetched for it");
}
