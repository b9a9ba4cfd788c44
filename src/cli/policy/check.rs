//! `modgate policy check`.
use super::{Common, Ending, report};
use crate::policy::{Oracle, OracleError, Policy, PolicyError, Question};
use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Questions times rows that casbin is asked at most, at about a microsecond each, twice.
const CASBIN_BUDGET: usize = 2_000_000;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The policy files, which together are one policy; without any, those of the configuration
    #[arg(value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
    /// End with status 1 also for warnings
    #[arg(long)]
    deny_warnings: bool,
}

/// What casbin was asked, and where it says something else.
struct Comparison {
    asked: usize,
    differences: Vec<String>,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write, today: Date) -> io::Result<Ending> {
    let today = args.common.day.unwrap_or(today);
    let policy = match report::load(&args.common, &args.files) {
        Ok(policy) => policy,
        Err(errors) if args.common.json => {
            report::json(out, &json!({ "errors": report::findings_json(&errors.0), "warnings": [] }))?;
            return Ok(Ending::Findings);
        }
        Err(errors) => {
            report::errors(out, &errors)?;
            return Ok(Ending::Findings);
        }
    };
    let warnings = policy.lint(today);
    let compared = compare(&policy, today);
    if args.common.json {
        report::json(out, &as_json(&policy, &warnings, &compared))?;
    } else {
        print(out, &policy, &warnings, &compared)?;
    }
    let agreed = compared.is_ok_and(|compared| compared.differences.is_empty());
    let well = agreed && (warnings.is_empty() || !args.deny_warnings);
    Ok(if well { Ending::Well } else { Ending::Findings })
}

fn compare(policy: &Policy, today: Date) -> Result<Comparison, OracleError> {
    let mut oracle = Oracle::load(policy)?;
    let limit = (CASBIN_BUDGET / policy.rules().len().max(1)).clamp(20, 1_000);
    let questions = policy.questions(today, limit);
    let mut differences = Vec::new();
    for question in &questions {
        let ours = question.with(|request| policy.decide(request)).effect;
        let theirs = question.with(|request| oracle.ask(policy, request))?;
        if ours != theirs {
            differences.push(format!("{}: {} here, {} by casbin", describe(question), ours.as_str(), theirs.as_str()));
        }
    }
    Ok(Comparison { asked: questions.len(), differences })
}

fn describe(question: &Question) -> String {
    let version = question.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    let who = question.identities.join(" ");
    format!("{who}: {} {}{version} on {}", question.action, question.module, question.day)
}

fn print(
    out: &mut dyn Write,
    policy: &Policy,
    warnings: &[PolicyError],
    compared: &Result<Comparison, OracleError>,
) -> io::Result<()> {
    for warning in warnings {
        report::finding(out, report::DOUBTFUL, "warning", warning)?;
    }
    let bad = report::BAD;
    let agreement = match compared {
        Ok(compared) => {
            for difference in &compared.differences {
                writeln!(out, "{bad}difference{bad:#}: {difference}")?;
            }
            let asked = report::count(compared.asked, "question");
            match compared.differences.len() {
                0 => format!("casbin agrees on {asked}"),
                number => format!("casbin differs on {number} of {asked}: please report this"),
            }
        }
        Err(error) => format!("{bad}error{bad:#}: {error}"),
    };
    let rules = report::count(policy.rules().len(), "rule");
    writeln!(out, "{rules}, {}; {agreement}", report::count(warnings.len(), "warning"))?;
    writeln!(out, "policy digest {}", policy.digest())
}

fn as_json(policy: &Policy, warnings: &[PolicyError], compared: &Result<Comparison, OracleError>) -> Value {
    let oracle = match compared {
        Ok(compared) => json!({ "asked": compared.asked, "differences": compared.differences }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    json!({
        "errors": [],
        "warnings": report::findings_json(warnings),
        "rules": policy.rules().len(),
        "digest": policy.digest(),
        "casbin": oracle,
    })
}
