//! The index against the journal: whatever becomes of either, searching finds what scanning finds.

mod agreement;
mod damage;
mod feeding;

use super::{super::segment::name, *};
use crate::audit::{
    Act, Decision, Filter, Finding, Journal, Kind, Order, Reach, Record, Settings, Summary, Target, scan, search,
};
use jiff::Timestamp;
use std::{fs, ops::ControlFlow, path::Path};

/// What was come upon: lines as they stand, flaws as they print.
type Found = Vec<String>;

fn take<'a>(into: &'a mut Found, limit: usize) -> impl FnMut(Finding<'_>) -> ControlFlow<()> + 'a {
    let mut matches = 0;
    move |finding| {
        match finding {
            Finding::Match(_, line) => {
                matches += 1;
                into.push(String::from_utf8_lossy(line).into_owned());
            }
            Finding::Flaw(flaw) => into.push(flaw.to_string()),
            Finding::Progress(progress) => assert!(progress.done <= progress.total),
        }
        if matches == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn scanned(dir: &Path, filter: &Filter, order: Order, limit: usize) -> (Found, Summary) {
    let mut found = Vec::new();
    let summary = scan(dir, filter, order, &mut take(&mut found, limit)).unwrap();
    (found, summary)
}

fn searched(dir: &Path, filter: &Filter, order: Order, limit: usize) -> (Found, Summary, Reach) {
    let index = Lookup::open(dir).unwrap().expect("an index");
    let mut found = Vec::new();
    let (summary, reach) = search(dir, &index, filter, order, &mut take(&mut found, limit)).unwrap();
    (found, summary, reach)
}

/// Searching and scanning find the same, and the index did what it should.
fn agree(dir: &Path, filter: &Filter) -> Reach {
    let mut reaches = Vec::new();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (expected, summary) = scanned(dir, filter, order, usize::MAX);
        let (found, counted, reach) = searched(dir, filter, order, usize::MAX);
        assert_eq!(found, expected, "{filter:?} {order:?}");
        assert_eq!(counted, summary, "{filter:?} {order:?}");
        assert!(reach.fault.is_none(), "{reach:?}");
        let (expected, _) = scanned(dir, filter, order, 2);
        assert_eq!(searched(dir, filter, order, 2).0, expected, "{filter:?} {order:?}");
        reaches.push(reach);
    }
    reaches.remove(0)
}

fn level(dir: &Path) -> Index {
    let (mut index, _) = Index::open(dir).unwrap();
    while index.step(BATCH).unwrap() != Step::Level {}
    index
}

fn journal(dir: &Path) -> Journal {
    Journal::open(dir, Settings::default(), Timestamp::UNIX_EPOCH).unwrap().0
}

fn append(journal: &Journal, request: &str) {
    journal.append(&Record { request, ..Record::new(Timestamp::UNIX_EPOCH, Kind::Asked, "user:a/b") }).unwrap();
}

fn of_request(request: &str) -> Filter {
    Filter { request: Some(request.into()), ..Filter::default() }
}

/// A line of the journal; one in twelve is none.
#[derive(Clone, Debug)]
struct Written {
    subject: &'static str,
    module: &'static str,
    version: &'static str,
    query: &'static str,
    request: u8,
    second: i64,
    kind: Kind,
    decision: Decision,
    damage: Option<&'static str>,
}

impl Written {
    fn line(&self) -> Vec<u8> {
        if let Some(damage) = self.damage {
            return format!("{damage}\n").into_bytes();
        }
        let request = if self.request == 0 { String::new() } else { format!("r{}", self.request) };
        let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let target = Target {
            verb: "GET",
            label: "zip",
            module: some(self.module),
            version: some(self.version),
            query: some(self.query),
            sumdb: None,
            ..Target::default()
        };
        let time = Timestamp::from_second(1_700_000_000 + self.second).unwrap();
        let record = Record {
            request: &request,
            target: Some(target),
            decision: self.decision,
            act: (self.kind == Kind::Act).then_some(Act { name: "test.done", detail: b"d" }),
            ..Record::new(time, self.kind, self.subject)
        };
        let mut line = Vec::new();
        record.encode(&mut line);
        line
    }
}

fn plain() -> Written {
    Written {
        subject: "user:corp/alice",
        module: "corp.example/pay",
        version: "v1.0.0",
        query: "",
        request: 1,
        second: 0,
        kind: Kind::Answered,
        decision: Decision::Allow,
        damage: None,
    }
}
