//! What the limits cost a request: the figures of docs/adr/0009-limits.md.
//!
//! ```text
//! cargo run --profile dist --example limit_cost
//! ```
//!
//! By the number of accounts that there are already, and from several threads at once, each with principals of its own or all
//! with one. The least and the median of 51 rounds; the clock is the one that is used.
#![expect(clippy::print_stdout, reason = "a measuring program prints its measurements")]

use jiff::Timestamp;
use modgate::{
    goproxy::{Asked, Target},
    limit::{Limits, Payer, Rate, Settings, since_now},
    module::{ModulePath, Version},
};
use std::{
    error::Error,
    hint::black_box,
    num::NonZeroU32,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 51;
const CALLS: usize = 10_000;

/// No limit that this program could reach.
fn limits() -> Limits {
    let largest = NonZeroU32::new(10_000_000).unwrap_or(NonZeroU32::MIN);
    let rate = Some(Rate { units: largest, per: Duration::from_secs(1), burst: largest });
    Limits::new(&Settings { principal: rate, ..Settings::default() }, since_now())
}

fn subjects(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|n| format!("user:corp/developer.{n}@corp.example").into()).collect()
}

fn charge(limits: &Limits, subject: &Arc<str>) {
    if let Some(mut tab) = limits.open(Payer::Subject(subject), &[]) {
        // An error is a limit that was reached, which the text above excludes.
        let _ = black_box(limits.charge(&mut tab));
    }
}

/// Nanoseconds a call: the least and the median of the rounds.
fn measure(mut call: impl FnMut(usize)) -> (f64, f64) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            (0..CALLS).for_each(&mut call);
            begun.elapsed().as_secs_f64() * 1e9 / CALLS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let at = |place: usize| rounds.get(place).copied().unwrap_or_default();
    (at(0), at(ROUNDS / 2))
}

fn print(what: &str, (least, median): (f64, f64)) {
    println!("{what:<55} {least:>6.0} {median:>6.0} ns");
}

fn of_threads(threads: usize, limits: &Limits, subjects: &[Arc<str>]) -> (f64, f64) {
    let each = subjects.len() / threads;
    let run = |mine: &[Arc<str>]| measure(|n| mine.get(n % mine.len()).into_iter().for_each(|one| charge(limits, one)));
    thread::scope(|scope| {
        let started: Vec<_> =
            subjects.chunks(each.max(1)).take(threads).map(|mine| scope.spawn(move || run(mine))).collect();
        let results: Vec<_> = started.into_iter().filter_map(|thread| thread.join().ok()).collect();
        results.into_iter().fold((0.0, 0.0), |(least, median), (l, m)| (f64::max(least, l), f64::max(median, m)))
    })
}

fn main() -> Outcome<()> {
    for count in [1, 1_000, 60_000] {
        let (limits, subjects) = (limits(), subjects(count));
        subjects.iter().for_each(|subject| charge(&limits, subject));
        let of = |n: usize| subjects.get(n * 7919 % count);
        let cost = measure(|n| of(n).into_iter().for_each(|subject| charge(&limits, subject)));
        print(&format!("a request of a known principal, {count} accounts"), cost);
    }
    let (limits, all) = (limits(), subjects(1_000));
    print("the same, 2 threads, 500 principals each", of_threads(2, &limits, &all));
    let one: Vec<Arc<str>> = (0..2).filter_map(|_| all.first().cloned()).collect();
    print("the same, 2 threads, all of one principal", of_threads(2, &limits, &one));

    let path = ModulePath::parse("github.com/prometheus/client_golang")?;
    let target = Some(Arc::new(Target::Module { path, asked: Asked::Zip(Version::parse("v1.20.5")?) }));
    let (subject, now) = (Arc::<str>::from("user:corp/alice"), Timestamp::UNIX_EPOCH);
    let repeat = |_| _ = black_box(limits.is_repeat(Payer::Subject(black_box(&subject)), black_box(&target), now));
    print("whether it is the repeat of a 4xx", measure(repeat));
    let client = "192.0.2.7".parse()?;
    print("whether an address is shut, none being known", measure(|_| _ = black_box(limits.is_shut(client))));
    drop(limits.failed(client));
    print("the same, one being known", measure(|_| _ = black_box(limits.is_shut(client))));
    Ok(())
}
