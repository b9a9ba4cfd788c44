//! Sources that fail for longer: who is skipped and when, who is not held up, what goes on being served.

mod soak;
mod weather;
mod world;

use crate::{
    gateway::{Gateway, await_that},
    metrics::scrape,
    outages::get,
    process::Process,
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::process::{Command, Stdio};

const OPEN: &str = "p, anonymous, *, *, read, allow, -, -\n";

/// A gateway with one list, for which a failure is one, and which leaves a source alone after three of them.
fn start(list: &str, more: &str) -> Gateway {
    let config = format!("[upstream]\nlist = \"{list}\"\nretries = 0\nhedge = \"off\"\nfailure_threshold = 3\n{more}");
    Gateway::plain().policy(OPEN).config(&config).start()
}

fn module(number: usize) -> String {
    format!("/example.test/m{number}/@v/v1.0.0.mod")
}

fn upstream(modules: usize) -> Upstream {
    let upstream = Upstream::start();
    (0..modules).for_each(|number| upstream.module(&format!("example.test/m{number}"), "v1.0.0"));
    upstream
}

/// Status and body of `/readyz`.
fn readiness(gateway: &Gateway) -> (String, Value) {
    let mut curl = Command::new("curl");
    let output = curl.args(["-s", "-w", "\n%{http_code}"]).arg(gateway.admin_url() + "/readyz").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap())
}

fn state(gateway: &Gateway, source: usize) -> String {
    readiness(gateway).1["sources"][source]["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_next_source_is_asked_at_once_after_as_many_failures_as_configured() {
    for fault in [Reply::Status(503, "later"), Reply::Reset, Reply::Truncated(b"module".to_vec(), 99)] {
        let (down, other) = (upstream(0), upstream(20));
        down.reply_to_everything(Some(fault));
        let list = format!("{}|{}", down.url(), other.url());
        let gateway = start(&list, "cool_down = \"1h\"\nmax_cool_down = \"1h\"\n");
        for number in 0..20 {
            assert_eq!(get(&gateway, &module(number)).0, 200);
        }
        assert_eq!((down.asked().len(), other.asked().len()), (3, 20));
        let metrics = scrape(&gateway);
        for (metric, more, value) in [
            ("state", ",state=\"open\"", "1"),
            ("state", ",state=\"closed\"", "0"),
            ("transitions_total", ",to=\"open\"", "1"),
            ("skipped_total", "", "17"),
        ] {
            let url = down.url();
            let line = format!("modgate_source_{metric}{{list=\"upstream\",source=\"{url}\"{more}}} {value}\n");
            assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
        }
        let (status, body) = readiness(&gateway);
        assert_eq!((status.as_str(), &body["ready"], &body["degraded"]), ("200", &true.into(), &true.into()));
        assert_eq!((state(&gateway, 0), state(&gateway, 1)), ("open".into(), "closed".into()));
    }
}

#[test]
fn after_a_comma_a_source_that_is_left_alone_is_an_outage() {
    let (down, other) = (upstream(0), upstream(20));
    down.reply_to_everything(Some(Reply::Reset));
    let gateway = start(&format!("{},{}", down.url(), other.url()), "cool_down = \"1h\"\nmax_cool_down = \"1h\"\n");
    for number in 0..20 {
        assert_eq!(get(&gateway, &module(number)).0, 503);
    }
    assert_eq!((down.asked().len(), other.asked().len()), (3, 0));
}

#[test]
fn a_source_that_is_well_again_is_found_by_one_request() {
    let upstream = upstream(1000);
    upstream.reply_to_everything(Some(Reply::Reset));
    let gateway = start(&upstream.url(), "cool_down = \"100ms\"\nmax_cool_down = \"100ms\"\n");
    let mut modules = (0..).map(module);
    await_that("the source to be left alone", || {
        get(&gateway, &modules.next().unwrap());
        state(&gateway, 0) == "open"
    });
    upstream.reply_to_everything(None);
    await_that("the source to be well", || get(&gateway, &modules.next().unwrap()).0 == 200);
    assert_eq!(readiness(&gateway).1["degraded"], false);
    upstream.forget();
    let asked: Vec<_> = modules.by_ref().take(10).collect();
    asked.iter().for_each(|path| assert_eq!(get(&gateway, path).0, 200));
    assert_eq!(upstream.asked(), asked);
}

#[test]
fn in_a_brown_out_what_is_held_goes_on_being_served() {
    let upstream = upstream(20);
    let store = "[store]\nlist_fresh = \"1ms\"\nquery_fresh = \"1ms\"\n";
    let gateway = start(&upstream.url(), &format!("cool_down = \"1h\"\nmax_cool_down = \"1h\"\n{store}"));
    let kinds = ["@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip"];
    let held: Vec<_> = kinds.iter().map(|kind| format!("/example.test/m0/{kind}")).collect();
    let expected: Vec<_> = held.iter().map(|path| get(&gateway, path)).collect();
    assert!(expected.iter().all(|(status, _)| *status == 200), "{expected:?}");
    upstream.reply_to_everything(Some(Reply::Reset));
    (1..20).for_each(|number| assert_eq!(get(&gateway, &module(number)).0, 503));
    assert_eq!(state(&gateway, 0), "open");
    for _ in 0..3 {
        let served: Vec<_> = held.iter().map(|path| get(&gateway, path)).collect();
        assert_eq!(served, expected);
    }
    assert_eq!(readiness(&gateway).0, "200");
}

/// A download that nobody waits for.
fn begin(gateway: &Gateway, path: &str) -> Process {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "60"]).arg(format!("{}{path}", gateway.url()));
    Process::start(curl.stdout(Stdio::null()))
}

#[test]
fn a_private_source_that_hangs_holds_up_nobody_else() {
    let (public, hanging) = (upstream(20), Upstream::start());
    hanging.reply_to_everything(Some(Reply::Stalled));
    let source = format!("[[source]]\npattern = \"corp.test/*\"\nlist = \"{}\"\n", hanging.url());
    let more = format!("read_timeout = \"60s\"\nmax_in_flight = 2\n{source}");
    let gateway = start(&public.url(), &more);
    let mut clients: Vec<_> = (0..10).map(|number| begin(&gateway, &format!("/corp.test/m{number}/@v/list"))).collect();
    let value = |metric: &str, value: u32| {
        let url = hanging.url();
        format!("modgate_source_{metric}{{list=\"source.0\",source=\"{url}\"}} {value}\n")
    };
    await_that("all places to be taken", || {
        let metrics = scrape(&gateway);
        metrics.contains(&value("in_flight", 2)) && metrics.contains(&value("waiting", 8))
    });
    // One more is refused at once, and what others ask for comes.
    assert_eq!(get(&gateway, "/corp.test/m10/@v/list").0, 503);
    (0..20).for_each(|number| assert_eq!(get(&gateway, &module(number)).0, 200));
    assert!(scrape(&gateway).contains(&value("refused_total", 1)));
    assert_eq!(hanging.asked().len(), 2);
    assert!(!public.asked().iter().any(|path| path.contains("corp.test")));
    hanging.open_gate();
    clients.iter_mut().for_each(|client| drop(client.wait()));
}

#[test]
fn what_may_pass_is_tried_again_and_recorded_once() {
    let upstream = upstream(1);
    upstream.reply_to_everything(Some(Reply::Status(503, "later")));
    let config = format!("[upstream]\nlist = \"{}\"\nhedge = \"off\"\n", upstream.url());
    let gateway = Gateway::plain().policy(OPEN).config(&config).start();
    assert_eq!(get(&gateway, &module(0)).0, 503);
    assert_eq!(upstream.asked(), vec![module(0); 3]);
    let asked = gateway.records().iter().filter(|record| record["kind"] == "asked").count();
    assert_eq!(asked, 1);
}
