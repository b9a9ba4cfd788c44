//! Limits as people meet them. No test waits for a turn to come that it did not have to wait for: rates are so low that a
//! turn comes long after the test, or so that all of a burst come soon.

use crate::{
    gateway::{Gateway, SHIPPED_POLICY, await_that},
    go_client::GoClient,
    process::Process,
    upstream::Upstream,
};
use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    process::{Command, Stdio},
    thread,
};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";

/// Three at once, and one more a minute, for which two may wait. Asking a source costs nothing.
const STRICT: &str = "[limits]\nprincipal = \"1/m\"\nprincipal_burst = 3\nanonymous = \"1/m\"\nanonymous_burst = 3\n\
                      fetch_cost = 0\nlongest_wait = \"150s\"\n";

fn curl(gateway: &Gateway, token: &str, paths: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "60", "-D", "-", "--cacert"]).arg(gateway.certificate());
    if !token.is_empty() {
        curl.args(["-u", &format!("x:{token}")]);
    }
    curl.args(paths.iter().map(|path| format!("{}{path}", gateway.url())));
    curl
}

/// Status, `Retry-After` and everything that came.
fn get(gateway: &Gateway, token: &str, path: &str) -> (u16, Option<u64>, String) {
    let output = curl(gateway, token, &[path]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let retry = text.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after: ")?.trim().parse().ok());
    (status, retry, text)
}

fn status(gateway: &Gateway, token: &str, path: &str) -> u16 {
    get(gateway, token, path).0
}

/// The statuses of many requests in one go.
fn statuses(gateway: &Gateway, more: &[&str], path: &str) -> Vec<u16> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}\n", "--cacert"]).arg(gateway.certificate());
    let output = curl.args(more).arg(format!("{}{path}", gateway.url())).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|status| status.parse().unwrap()).collect()
}

/// The value of a series; 0 if it never counted.
fn metric(gateway: &Gateway, series: &str) -> f64 {
    let output = Command::new("curl").args(["-s", &(gateway.admin_url() + "/metrics")]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("# TYPE modgate_limit_delayed "), "{text}");
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("modgate_{series} ")));
    value.map_or(0.0, |value| value.parse().unwrap())
}

fn delayed(gateway: &Gateway) -> f64 {
    metric(gateway, "limit_delayed_total{limit=\"principal\"}")
}

fn waiting(gateway: &Gateway) -> f64 {
    metric(gateway, "limit_waiting")
}

fn answered(gateway: &Gateway) -> Vec<Value> {
    gateway.records().into_iter().filter(|record| record["kind"] == "answered").collect()
}

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        upstream.module("example.test/lib", version);
    }
    upstream
}

const INFO: &str = "/example.test/lib/@v/v1.0.0.info";

/// Requests that wait, until they are dropped.
fn wait(gateway: &Gateway, token: &str, count: usize) -> Vec<Process> {
    let start = |_| Process::start(curl(gateway, token, &[INFO]).stdout(Stdio::null()));
    (0..count).map(start).collect()
}

#[test]
fn whoever_is_over_the_limit_waits_then_is_refused_and_others_do_not_notice() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).config(STRICT).start();
    let (alice, bob) = (gateway.token("alice", &[]), gateway.token("bob", &[]));
    for _ in 0..3 {
        assert_eq!(status(&gateway, &alice, INFO), 200);
    }
    let waiters = wait(&gateway, &alice, 2);
    await_that("two requests that wait", || waiting(&gateway) == 2.0);
    upstream.forget();
    let (refused, retry_after, text) = get(&gateway, &alice, "/example.test/lib/@v/v1.2.0.zip");
    assert_eq!(refused, 429, "{text}");
    assert!(matches!(retry_after, Some(61..=181)), "{text}");
    let told = format!("come back in {} s", retry_after.unwrap());
    for needed in ["user:token/alice is over the limit (1/m, 3 at once)", &told, "contact: security@corp.example"] {
        assert!(text.contains(needed), "`{needed}` is missing in\n{text}");
    }
    assert_eq!(upstream.asked(), Vec::<String>::new(), "nothing was asked for it");

    for _ in 0..3 {
        assert_eq!(status(&gateway, &bob, INFO), 200);
    }
    assert_eq!((delayed(&gateway), waiting(&gateway)), (2.0, 2.0), "bob did not wait");
    drop(waiters);
    await_that("whoever went away to give up their turns", || waiting(&gateway) == 0.0);
    let records = answered(&gateway);
    let refusals: Vec<_> = records.iter().filter(|record| record["status"] == 429).collect();
    let [refusal] = &refusals[..] else { panic!("{records:#?}") };
    assert_eq!((&refusal["decision"], &refusal["subject"]), (&"allow".into(), &"user:token/alice".into()));
    assert_eq!(metric(&gateway, "limit_refused_total{limit=\"principal\"}"), 1.0);
}

#[test]
fn a_delayed_request_is_answered_in_the_end() {
    let upstream = upstream();
    let config = "[limits]\nanonymous = \"5/s\"\nanonymous_burst = 5\nfetch_cost = 0\n";
    let gateway = Gateway::tls().policy(OPEN).upstream(&upstream.url()).config(config).start();
    let paths = format!("{INFO}?[1-20]");
    assert_eq!(statuses(&gateway, &["-Z", "--parallel-max", "20"], &paths), [200; 20]);
    assert!(metric(&gateway, "limit_delayed_total{limit=\"anonymous\"}") > 0.0);
    assert_eq!(waiting(&gateway), 0.0);
}

#[test]
fn the_terminal_says_whose_limit_it_is() {
    let upstream = upstream();
    let config = "[limits]\nprincipal = \"1/h\"\nprincipal_burst = 1\nfetch_cost = 0\nlongest_wait = \"0s\"\n";
    let gateway = Gateway::tls().upstream(&upstream.url()).config(config).start();
    let client = GoClient::of(&gateway, Some(&gateway.token("alice", &[])));
    let printed = client.fails(&["get", "example.test/lib@v1.0.0"]);
    for needed in ["429 Too Many Requests", "user:token/alice is over the limit (1/h, 1 at once)", "come back in "] {
        assert!(printed.contains(needed), "`{needed}` is missing in\n{printed}");
    }
    assert_eq!(upstream.asked().len(), 1, "{:?}", upstream.asked());
}

#[test]
fn at_most_so_many_requests_wait() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&format!("{STRICT}waiting = 1\n")).start();
    let alice = gateway.token("alice", &[]);
    for _ in 0..3 {
        status(&gateway, &alice, INFO);
    }
    let waiters = wait(&gateway, &alice, 1);
    await_that("a request that waits", || waiting(&gateway) == 1.0);
    let (refused, _, text) = get(&gateway, &alice, INFO);
    assert!(refused == 429 && text.contains("1 requests wait already"), "{text}");
    drop(waiters);
}

#[test]
fn asking_a_source_costs_more_than_a_hit() {
    let upstream = upstream();
    let config = "[limits]\nprincipal = \"1/h\"\nprincipal_burst = 13\nlongest_wait = \"0s\"\n";
    let gateway = Gateway::tls().upstream(&upstream.url()).config(config).start();
    let alice = gateway.token("alice", &[]);
    assert_eq!(status(&gateway, &alice, INFO), 200);
    upstream.forget();
    assert_eq!(status(&gateway, &alice, "/example.test/lib/@v/v1.1.0.info"), 429, "2 are left of 13, and it costs 11");
    assert_eq!(upstream.asked(), Vec::<String>::new());
    assert!(!gateway.records().iter().any(|record| record["kind"] == "asked" && record["version"] == "v1.1.0"));
    assert_eq!(status(&gateway, &alice, INFO), 200);
    assert_eq!(status(&gateway, &alice, INFO), 429);
}

#[test]
fn what_the_policy_refuses_is_charged_too() {
    let gateway = Gateway::tls().upstream("off").config(&STRICT.replace("150s", "0s")).start();
    let alice = gateway.token("alice", &[]);
    let policy = SHIPPED_POLICY.to_owned() + "p, authenticated, example.test/evil, *, *, deny, -, id=MAL-7\n";
    fs::write(gateway.policy_file(), policy).unwrap();
    gateway.await_log("policy reloaded");
    let versions = (0..4).map(|n| status(&gateway, &alice, &format!("/example.test/evil/@v/v1.0.{n}.info")));
    assert_eq!(versions.collect::<Vec<_>>(), [403, 403, 403, 429]);
    let refused = answered(&gateway).into_iter().find(|record| record["status"] == 429).unwrap();
    assert_eq!((&refused["decision"], &refused["rule_id"]), (&"deny".into(), &"MAL-7".into()), "{refused:#}");
}

#[test]
fn the_repeat_that_go_makes_of_a_4xx_is_not_charged_again() {
    let upstream = upstream();
    let gateway = Gateway::tls().upstream(&upstream.url()).config(&STRICT.replace("150s", "0s")).start();
    let alice = gateway.token("alice", &[]);
    let mut seen = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let path = format!("/example.test/{name}/@v/list");
        let url = format!("{}{path}", gateway.url());
        let login = format!("x:{alice}");
        seen.extend(statuses(&gateway, &["-u", &login, "-o", "/dev/null", &url], &path));
    }
    assert_eq!(seen, [404, 404, 404, 404, 404, 404, 429, 429], "three are paid for, and a 429 frees nothing");
}

#[test]
fn a_role_may_have_a_limit_of_its_own() {
    let upstream = upstream();
    let policy = SHIPPED_POLICY.to_owned() + "g, user:token/robot, role:ci\np, role:ci, public, *, read, allow, -, -\n";
    let config = STRICT.replace("150s", "0s") + "[[limits.role]]\nrole = \"role:ci\"\nrate = \"off\"\n";
    let gateway = Gateway::tls().policy(&policy).upstream(&upstream.url()).config(&config).start();
    let (alice, robot) = (gateway.token("alice", &[]), gateway.token("robot", &[]));
    let seen = |token: &str| statuses(&gateway, &["-u", &format!("x:{token}")], &format!("{INFO}?[1-6]"));
    assert_eq!(seen(&alice), [200, 200, 200, 429, 429, 429]);
    assert_eq!(seen(&robot), [200; 6]);
}

#[test]
fn the_anonymous_are_limited_by_the_address_that_trusted_proxies_tell() {
    let upstream = upstream();
    let plan = Gateway::tls().policy(OPEN).upstream(&upstream.url()).config(&STRICT.replace("150s", "0s"));
    let gateway = plan.listen("trusted_proxies = [\"127.0.0.1\", \"::1\"]\n").start();
    let seen = |client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        statuses(&gateway, &["-H", &header], &format!("{INFO}?[1-4]"))
    };
    assert_eq!(seen("192.0.2.1"), [200, 200, 200, 429]);
    assert_eq!(seen("192.0.2.2"), [200, 200, 200, 429]);
    assert_eq!(seen("2001:db8::1"), [200, 200, 200, 429]);
    assert_eq!(seen("2001:db8::2"), [429; 4], "the same /64");
}

/// INVARIANT: a flood without good credentials leaves a bounded number of records, whose sum is right, and keeps nobody out
/// who has a good one.
#[test]
fn a_flood_of_bad_credentials_leaves_a_bounded_journal_and_good_ones_work() {
    let upstream = upstream();
    let config = "[limits]\nfailures = \"1/h\"\nfailures_burst = 5\n";
    let mut gateway = Gateway::tls().upstream(&upstream.url()).config(config).start();
    let (token, other) = (gateway.token("alice", &[]), gateway.token("bob", &[]));
    assert_eq!(status(&gateway, &token, INFO), 200);
    // A token with another's secret, a password, something malformed, and nothing at all.
    let swapped = format!("x:{}{}", &token[..16], &other[16..]);
    let mut seen = Vec::new();
    let logins = [&["-u", &swapped][..], &["-u", "x:letmein"], &["-H", "Authorization: Basic ?"], &[]];
    for (round, login) in logins.into_iter().enumerate() {
        seen.extend(statuses(&gateway, login, &format!("/example.test/lib/@v/v2.{round}.[1-100].info")));
        assert_eq!(status(&gateway, &token, INFO), 200, "the good token of the same address");
    }
    assert_eq!(seen.iter().filter(|status| **status == 401).count(), 5, "{seen:?}");
    assert_eq!(seen.iter().filter(|status| **status == 429).count(), 395, "{seen:?}");
    let (_, retry_after, text) = get(&gateway, "", INFO);
    assert!(
        retry_after.is_some() && text.contains("without a good credential from 127.0.0.1 (1/h, 5 at once)"),
        "{text}"
    );
    // One just issued is found although the address may not fail any more.
    let fresh = gateway.token("carol", &[]);
    await_that("the new token to work", || status(&gateway, &fresh, INFO) == 200);
    assert!(!upstream.asked().iter().any(|path| !path.ends_with("v1.0.0.info")), "{:?}", upstream.asked());

    let refused = metric(&gateway, "limit_refused_total{limit=\"failures\"}") as u64;
    gateway.signal("TERM");
    gateway.ended();
    let records = gateway.records();
    let of = |status: u16| records.iter().filter(|record| record["status"] == status).count() as u64;
    assert_eq!((of(401), of(429)), (5, u64::from(modgate::limit::RECORDED)));
    let floods: Vec<_> = records.iter().filter(|record| record["act"] == "limit.flood").collect();
    let [flood] = &floods[..] else { panic!("{floods:#?}") };
    let untold = refused - u64::from(modgate::limit::RECORDED);
    assert!(flood["detail"].as_str().unwrap().starts_with(&format!("127.0.0.1: {untold} more requests")), "{flood}");
    assert_eq!(flood["client"], "127.0.0.1");
}

/// A main module that requires so many modules, all of them on the upstream.
fn large_graph(modules: usize) -> (Upstream, String) {
    let upstream = Upstream::start();
    let mut gomod = "module example.test/main\n\ngo 1.20\n\nrequire (\n".to_owned();
    for n in 0..modules {
        let path = format!("example.test/m{n}");
        upstream.module(&path, "v1.0.0");
        writeln!(gomod, "\t{path} v1.0.0").unwrap();
    }
    (upstream, gomod + ")\n")
}

#[test]
fn two_parallel_downloads_of_one_person_are_neither_delayed_nor_refused() {
    const MODULES: usize = 250;
    let (upstream, gomod) = large_graph(MODULES);
    let gateway = Gateway::tls().upstream(&upstream.url()).start();
    let token = gateway.token("alice", &[]);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = GoClient::of(&gateway, Some(&token));
                client.set("GOMAXPROCS", "32");
                fs::write(client.directory().join("go.mod"), &gomod).unwrap();
                client.ok(&["mod", "download"]);
            });
        }
    });
    let served = answered(&gateway).iter().filter(|record| record["status"] == 200).count();
    assert!(served >= 2 * 3 * MODULES, "{served}");
    for series in ["delayed", "refused"] {
        assert_eq!(metric(&gateway, &format!("limit_{series}_total{{limit=\"principal\"}}")), 0.0, "{series}");
    }
    assert!(metric(&gateway, "limit_keys") >= 1.0);
}

#[test]
fn check_shows_the_limits_and_a_mistake_in_them() {
    let gateway = Gateway::plain().config(STRICT).upstream("off").start();
    let printed = |arguments: &[&str]| String::from_utf8(gateway.run(arguments).stdout).unwrap();
    let text = printed(&["check"]);
    assert!(
        text.contains("limits: 1/m, 3 at once (principal); 1/m, 3 at once (anonymous); 10/m, 100 at once (failures)"),
        "{text}"
    );
    assert!(printed(&["check", "--print"]).contains("limits.principal = \"1/m\""));
    let shown: Value = serde_json::from_str(&printed(&["check", "--json"])).unwrap();
    assert_eq!(shown["in_force"]["limits"]["principal"], "1/m, 3 at once", "{shown:#}");
}
