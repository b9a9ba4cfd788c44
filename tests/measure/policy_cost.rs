//! What a decision costs, by the number of rules: the figures of docs/adr/0003-policy-index.md.
//!
//! ```text
//! cargo run --profile dist --example policy_cost [casbin]
//! ```
//!
//! A tenth of the rows denies, a tenth speaks of whole organisations, one in twenty of some versions only; a
//! thousand people hold up to five roles. With `casbin`, casbin answers a few of the same questions.
#![expect(clippy::print_stdout, reason = "a measuring program prints its measurements")]

mod numbers;

use auth::{Method, Principal};
use modgate::{
    goproxy::{Asked, Target},
    module::{ModulePath, Version},
    policy::{Oracle, Policy, Request, SHIPPED_MODEL, Source},
};
use numbers::Numbers;
use std::{error::Error, fmt::Write, hint::black_box, sync::Arc, time::Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn rows(rules: u64, numbers: &mut Numbers) -> Outcome<String> {
    let mut text = String::from("p2, corp.example/*, private, -\n");
    for _ in 0..rules {
        let (role, organisation, project) = (numbers.below(50), numbers.below(rules / 4 + 1), numbers.below(20));
        let effect = if numbers.below(10) == 0 { "deny" } else { "allow" };
        let module = if numbers.below(10) == 0 { "*".to_owned() } else { format!("project{project}") };
        let versions = if numbers.below(20) == 0 { "<v1.4.0" } else { "*" };
        writeln!(text, "p, role:r{role}, github.com/org{organisation}/{module}, {versions}, read, {effect}, -, -")?;
    }
    for person in 0..1_000 {
        for _ in 0..numbers.below(5) + 1 {
            writeln!(text, "g, user:token/u{person}, role:r{}", numbers.below(50))?;
        }
    }
    Ok(text)
}

fn principal(person: u64) -> Principal {
    Principal {
        subject: format!("user:token/u{person}").into(),
        groups: Arc::from([Arc::from("group:corp/dev"), Arc::from("group:corp/all")]),
        method: Method::Token,
        ..Principal::anonymous()
    }
}

fn target(rules: u64, numbers: &mut Numbers) -> Outcome<Target> {
    let (organisation, project) = (numbers.below(rules / 4 + 1), numbers.below(20));
    Ok(Target::Module {
        path: ModulePath::parse(&format!("github.com/org{organisation}/project{project}/v2"))?,
        asked: Asked::Zip(Version::parse("v2.3.4")?),
    })
}

fn measure(rules: u64, with_casbin: bool) -> Outcome<()> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let text = rows(rules, &mut numbers)?;
    let begun = Instant::now();
    let policy = Policy::parse(&Source::new("model", SHIPPED_MODEL), vec![Source::new("rows", &text)])?;
    let compiled = begun.elapsed();
    let today = "2026-11-22".parse()?;
    let asked: Vec<(Principal, Target)> = (0..4_096)
        .map(|_| Ok((principal(numbers.below(1_000)), target(rules, &mut numbers)?)))
        .collect::<Outcome<_>>()?;
    let rounds = 50;
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let begun = Instant::now();
        for (principal, target) in &asked {
            black_box(policy.authorize(principal, target, today));
        }
        best = best.min(begun.elapsed().as_secs_f64() * 1e9 / asked.len() as f64);
    }
    print!("{rules:>7} rules: compiled in {:>8.2} ms, {best:>6.0} ns a decision", compiled.as_secs_f64() * 1e3);
    if with_casbin {
        print!(", {:>9.0} ns by casbin", ask_casbin(&policy, &asked, today)?);
    }
    println!();
    Ok(())
}

/// Half of what the oracle takes, because it asks two enforcers.
fn ask_casbin(policy: &Policy, asked: &[(Principal, Target)], today: jiff::civil::Date) -> Outcome<f64> {
    let mut oracle = Oracle::load(policy)?;
    let asked = asked.get(..20).unwrap_or(asked);
    let begun = Instant::now();
    for (principal, target) in asked {
        if let Target::Module { path, asked: Asked::Zip(version) } = target {
            let identities: Vec<&str> = principal.identities().collect();
            let request = Request {
                identities: &identities,
                module: path,
                version: Some(version),
                action: modgate::policy::Action::Read,
                day: today,
            };
            black_box(oracle.ask(policy, &request)?);
        }
    }
    Ok(begun.elapsed().as_secs_f64() * 1e9 / asked.len() as f64 / 2.0)
}

fn main() -> Outcome<()> {
    let with_casbin = std::env::args().any(|argument| argument == "casbin");
    for rules in [10, 100, 1_000, 10_000, 100_000] {
        measure(rules, with_casbin && rules <= 10_000)?;
    }
    Ok(())
}
