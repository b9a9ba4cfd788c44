//! What the audit index costs and saves, on a journal of a million records: the figures of docs/adr/0013-audit-index.md.
//!
//! ```text
//! cargo run --release --example audit_index [records]
//! ```
//!
//! 400 people and ten machines, one of which asks for a third of everything; 3,000 modules with ten versions each, a few of
//! which are asked for most; ninety days; two records in a hundred are denials. Two records a request.
#![expect(clippy::print_stdout, reason = "a measuring program prints its measurements")]

mod numbers;

use jiff::{SignedDuration, Timestamp};
use modgate::audit::{
    Cache, Decision, Filter, Finding, Journal, Kind, Order, Record, RuleRef, Settings, Summary, Target,
    index::{Index, Lookup, Step, rebuild},
    scan, search,
};
use numbers::Numbers;
use std::{error::Error, ops::ControlFlow, path::Path, time::Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const START: i64 = 1_780_000_000;
const DAYS: i64 = 90;

impl Numbers {
    /// Small numbers more often.
    fn popular(&mut self, limit: u64) -> u64 {
        let bound = self.below(limit) + 1;
        self.below(bound)
    }
}

fn subject(numbers: &mut Numbers) -> String {
    match numbers.below(3) {
        0 => "ci:forge/main".to_owned(),
        1 if numbers.below(5) == 0 => format!("ci:forge/job{}", numbers.below(9)),
        _ => format!("user:corp/person{}", numbers.popular(400)),
    }
}

fn module(number: u64) -> String {
    format!("github.com/organisation{}/project{number}", number % 700)
}

fn fill(dir: &Path, records: u64) -> Outcome<()> {
    let (journal, _) = Journal::open(dir, Settings::default(), Timestamp::from_second(START)?)?;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let policy = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for n in 0..records / 2 {
        let time = Timestamp::from_second(START)?
            + SignedDuration::from_millis(n as i64 * DAYS * 86_400_000 / (records as i64 / 2));
        let (subject, module) = (subject(&mut numbers), module(numbers.popular(3000)));
        let (version, request) = (format!("v1.{}.0", numbers.popular(10)), format!("01jda2z9{n:08}"));
        let denied = numbers.below(100) < 2;
        let target =
            Target { verb: "GET", label: "zip", module: Some(&module), version: Some(&version), ..Target::default() };
        let asked = Record {
            request: &request,
            method: "token",
            token: Some("3hK9vQz1LmXa"),
            peer: Some(([10, 0, 3, 7], 51_234).into()),
            client: Some([10, 0, 3, 7].into()),
            target: Some(target),
            decision: if denied { Decision::Deny } else { Decision::Allow },
            rule: Some(RuleRef { file: "policies/policy.csv", line: 12, id: Some("dev") }),
            policy,
            ..Record::new(time, Kind::Asked, &subject)
        };
        journal.append(&asked)?;
        journal.append(&Record {
            kind: Kind::Answered,
            status: Some(if denied { 403 } else { 200 }),
            cache: Cache::Miss,
            source: Some("proxy.example"),
            h1: Some("h1:pbAoqzVQRZCgpNnHhQXl3LzwzXxIAFlvLCvPXbKtpQI="),
            ..asked
        })?;
    }
    Ok(journal.close()?)
}

fn questions() -> Outcome<Vec<(&'static str, Filter)>> {
    let day = |from: i64, days: i64| {
        let at = |day: i64| Timestamp::from_second(START + day * 86_400);
        Ok::<_, jiff::Error>(Filter { since: Some(at(from)?), until: Some(at(from + days)?), ..Filter::default() })
    };
    let rare = module(2900);
    let popular = module(3);
    Ok(vec![
        ("a request", Filter { request: Some("01jda2z900012345".into()), ..Filter::default() }),
        ("a rare module", Filter { module: Some(rare.parse()?), ..Filter::default() }),
        (
            "the version of a popular module",
            Filter { module: Some(popular.parse()?), version: Some("v1.9.0".into()), ..Filter::default() },
        ),
        (
            "an organisation's modules",
            Filter { module: Some("github.com/organisation650/...".parse()?), ..Filter::default() },
        ),
        ("a person's day", Filter { subject: Some("user:corp/person3".parse()?), ..day(40, 1)? }),
        ("a person's ninety days", Filter { subject: Some("user:corp/person300".parse()?), ..Filter::default() }),
        ("a busy machine's day", Filter { subject: Some("ci:forge/main".parse()?), ..day(40, 1)? }),
        ("a day's denials", Filter { decisions: vec![Decision::Deny], ..day(40, 1)? }),
        ("a day", day(40, 1)?),
    ])
}

/// Seconds of processor time that this thread has had.
fn processor_time() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: u64 = text.split(' ').next().ok_or("an empty schedstat")?.parse()?;
    Ok(nanos as f64 / 1e9)
}

/// Milliseconds, and what was found.
fn ask(
    filter: &Filter,
    run: impl Fn(&Filter, &mut dyn FnMut(Finding<'_>) -> ControlFlow<()>) -> Outcome<Summary>,
) -> Outcome<(f64, u64)> {
    let mut best = f64::MAX;
    let mut bytes = 0;
    for _ in 0..3 {
        let begun = Instant::now();
        bytes = 0;
        run(filter, &mut |finding| {
            if let Finding::Match(_, line) = finding {
                bytes += line.len() as u64;
            }
            ControlFlow::Continue(())
        })?;
        best = best.min(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok((best, bytes))
}

fn feed(dir: &Path, batch: usize, records: u64) -> Outcome<f64> {
    let mut index = Index::anew(dir)?;
    let (mut done, begun) = (0, processor_time()?);
    while done < records
        && let Step::Indexed { records, .. } = index.step(batch)?
    {
        done += records;
    }
    Ok((processor_time()? - begun) * 1e6 / done as f64)
}

fn main() -> Outcome<()> {
    let records = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let dir = tempfile::tempdir()?;
    let begun = Instant::now();
    fill(dir.path(), records)?;
    println!("{records} records written in {:.1} s", begun.elapsed().as_secs_f64());
    for (batch, of) in [(100, records / 20), (1_000, records / 4), (10_000, records / 2)] {
        println!("indexed in batches of {batch:>6}: {:.1} µs of a core a record", feed(dir.path(), batch, of)?);
    }
    let (begun, processor) = (Instant::now(), processor_time()?);
    let rebuilt = rebuild(dir.path(), &mut |_| {})?;
    println!(
        "rebuilt in {:.1} s, {:.1} µs of a core a record; {} bytes of {}, {:.0} bytes a record",
        begun.elapsed().as_secs_f64(),
        (processor_time()? - processor) * 1e6 / rebuilt.records as f64,
        rebuilt.size,
        rebuilt.bytes,
        rebuilt.size as f64 / rebuilt.records as f64,
    );
    for (what, filter) in questions()? {
        let (by_index, found) = ask(&filter, |filter, take| {
            let index = Lookup::open(dir.path())?.ok_or("no index")?;
            Ok(search(dir.path(), &index, filter, Order::OldestFirst, take)?.0)
        })?;
        let (by_scan, expected) = ask(&filter, |filter, take| Ok(scan(dir.path(), filter, Order::OldestFirst, take)?))?;
        if found != expected {
            return Err(format!("{what}: {found} bytes by the index, {expected} by the scan").into());
        }
        println!("{what:<32} {by_index:>8.1} ms by the index, {by_scan:>8.1} ms by the scan, {found:>9} bytes found");
    }
    Ok(())
}
