//! Forward mode, before a store without any authentication.
//!
//! * `guard`: nobody reaches it without a permit, and nothing of the caller's request does;
//! * `client`: the real `go` command works through it, what it may not have left out;
//! * `faults`: whatever the store behind does, an outage is no 404 and a part is no whole;
//! * `parts`: ranges and conditions, before Go's own file server;
//! * `identity`: who asks, verified by a program in Go;
//! * `memory`: many slow clients at once;
//! * `ground`: what the configuration must say, and what is on disk.

use crate::{
    gateway::{Gateway, Plan},
    upstream::Upstream,
};
use serde_json::Value;
use std::process::Command;

mod client;
mod faults;
mod ground;
mod guard;
mod identity;
mod memory;
mod parts;

const OPEN: &str = "p, anonymous, *, *, read, allow, -, -\n";
const ZIP: &str = "/example.test/lib/@v/v1.0.0.zip";

/// In forward mode, before the stores of a list.
fn before(plan: Plan, list: &str) -> Plan {
    plan.top("mode = \"forward\"\n").upstream(list)
}

/// Plain HTTP, open to everybody.
fn open(upstream: &Upstream) -> Gateway {
    before(Gateway::plain().policy(OPEN), &upstream.url()).start()
}

/// The records of a kind.
fn of_kind(gateway: &Gateway, kind: &str) -> Vec<Value> {
    gateway.records().into_iter().filter(|record| record["kind"] == kind).collect()
}

/// The head of an answer in lower case, and its body; the status is 0 where the transfer broke.
fn ask(gateway: &Gateway, path: &str, arguments: &[&str]) -> Answer {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "30", "-D", "-", "--path-as-is"]).args(arguments).arg(format!("{}{path}", gateway.url()));
    let output = curl.output().unwrap();
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").map_or(output.stdout.len(), |end| end + 4);
    let (head, body) = output.stdout.split_at(end);
    let head = String::from_utf8_lossy(head).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { whole: output.status.success(), status, body: body.to_vec(), head }
}

/// What curl got.
struct Answer {
    whole: bool,
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
