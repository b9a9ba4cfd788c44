//! `modgate policy test`.
use super::{Common, Ending, report};
use crate::policy::{PolicyErrors, Source, read_cases};
use clap::Args;
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Directories with a policy.csv and a decisions.csv, or directories of such directories
    #[arg(value_name = "DIR", default_value = "policies/examples")]
    dirs: Vec<PathBuf>,
    /// Test these policy files instead of the policy.csv beside the decisions
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What came of one directory.
struct Outcome {
    dir: PathBuf,
    result: Result<Tried, PolicyErrors>,
}

struct Tried {
    decisions: usize,
    failures: Vec<Failure>,
}

struct Failure {
    place: String,
    expected: String,
    said: String,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> io::Result<Ending> {
    let mut dirs = Vec::new();
    for dir in &args.dirs {
        let found = directories(dir);
        if found.is_empty() {
            let bad = report::BAD;
            writeln!(out, "{bad}error{bad:#}: no decisions.csv in `{}` or below it", dir.display())?;
            return Ok(Ending::Usage);
        }
        dirs.extend(found);
    }
    let outcomes: Vec<Outcome> = dirs.into_iter().map(|dir| try_directory(args, dir)).collect();
    if args.common.json {
        report::json(out, &outcomes.iter().map(as_json).collect())?;
    } else {
        print(out, &outcomes)?;
    }
    let well = outcomes.iter().all(|outcome| outcome.result.as_ref().is_ok_and(|tried| tried.failures.is_empty()));
    Ok(if well { Ending::Well } else { Ending::Findings })
}

/// The directory itself if it has decisions, else those directly below it that have, by name.
fn directories(dir: &Path) -> Vec<PathBuf> {
    let has_decisions = |dir: &Path| dir.join("decisions.csv").is_file();
    if has_decisions(dir) {
        return vec![dir.to_owned()];
    }
    let below = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = below.filter(|dir| has_decisions(dir)).collect();
    found.sort();
    found
}

fn try_directory(args: &TestArgs, dir: PathBuf) -> Outcome {
    let result = decide_all(args, &dir);
    Outcome { dir, result }
}

fn decide_all(args: &TestArgs, dir: &Path) -> Result<Tried, PolicyErrors> {
    let beside = [dir.join("policy.csv")];
    let files: &[PathBuf] = if args.policy.is_empty() { &beside } else { &args.policy };
    let policy = report::load(&args.common, files)?;
    let source = Source::read(&dir.join("decisions.csv")).map_err(|error| PolicyErrors(vec![error]))?;
    let cases = read_cases(&source)?;
    let failures = cases.iter().filter_map(|case| {
        case.check(&policy).map(|said| Failure {
            place: format!("{}:{}", source.name, case.line),
            expected: case.expected.clone(),
            said,
        })
    });
    Ok(Tried { decisions: cases.len(), failures: failures.collect() })
}

fn print(out: &mut dyn Write, outcomes: &[Outcome]) -> io::Result<()> {
    let (bad, good) = (report::BAD, report::GOOD);
    let (mut decisions, mut failed, mut unread) = (0_usize, 0_usize, 0_usize);
    for Outcome { dir, result } in outcomes {
        match result {
            Ok(tried) if tried.failures.is_empty() => {
                writeln!(
                    out,
                    "{good}ok{good:#}      {}: {}",
                    dir.display(),
                    report::count(tried.decisions, "decision")
                )?;
            }
            Ok(tried) => writeln!(
                out,
                "{bad}FAILED{bad:#}  {}: {} of {}",
                dir.display(),
                tried.failures.len(),
                report::count(tried.decisions, "decision")
            )?,
            Err(_) => writeln!(out, "{bad}FAILED{bad:#}  {}: cannot be read", dir.display())?,
        }
        match result {
            Ok(tried) => {
                decisions = decisions.saturating_add(tried.decisions);
                failed = failed.saturating_add(tried.failures.len());
                for failure in &tried.failures {
                    writeln!(out, "{}: expected `{}`, decided `{}`", failure.place, failure.expected, failure.said)?;
                }
            }
            Err(errors) => {
                unread = unread.saturating_add(1);
                report::errors(out, errors)?;
            }
        }
    }
    let passed = decisions.saturating_sub(failed);
    let policies = if outcomes.len() == 1 { "1 policy".into() } else { format!("{} policies", outcomes.len()) };
    write!(out, "{policies}, {}: {passed} passed, {failed} failed", report::count(decisions, "decision"))?;
    if unread > 0 {
        write!(out, ", {unread} could not be read")?;
    }
    writeln!(out)
}

fn as_json(outcome: &Outcome) -> Value {
    let dir = outcome.dir.display().to_string();
    match &outcome.result {
        Ok(tried) => {
            let failures: Value = tried
                .failures
                .iter()
                .map(|failure| json!({ "place": failure.place, "expected": failure.expected, "decided": failure.said }))
                .collect();
            json!({ "dir": dir, "decisions": tried.decisions, "failures": failures })
        }
        Err(errors) => json!({ "dir": dir, "errors": report::findings_json(&errors.0) }),
    }
}
