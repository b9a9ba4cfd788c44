//! `modgate policy`: what the security team does with its files before they take effect.
//!
//! * `check` reads them as strictly as the server does, lints them, and asks casbin for a second opinion.
//! * `test` runs the decisions that are written down beside a policy.
//! * `explain` says how a request is decided, and by which row.
//!
//! Exit status: 0 all is well, 1 something was found, 2 the command line is wrong. Reports go to standard output, in
//! colour only on a terminal, or as one JSON value with `--json`.
mod check;
mod explain;
mod report;
mod test;

use super::terminal::Failure;
use crate::config;
use clap::{Args, Subcommand};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Check, test and explain policy files.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Read policy files strictly, report everything that is wrong or doubtful, and compare with casbin
    Check(check::CheckArgs),
    /// Run the decisions.csv of directories against the policy.csv beside it
    Test(test::TestArgs),
    /// Say how a request is decided, and why
    Explain(explain::ExplainArgs),
}

/// Which files, and how to answer: common to all subcommands.
#[derive(Debug, Args)]
struct Common {
    /// The Casbin model to compare with the built-in one (default: take the built-in one)
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// The day to decide for, in UTC (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Date>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Well,
    Findings,
    Usage,
}

/// Runs `modgate policy`; `in_force` says what the configuration names, for when the command line names no files.
///
/// # Errors
/// When the configuration is needed and bad.
pub fn run(
    mut args: PolicyArgs,
    in_force: impl FnOnce() -> Result<config::Policy, Failure>,
) -> Result<ExitCode, Failure> {
    args.command.complete(in_force)?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut out = anstream::stdout().lock();
    let ending = execute(&args, &mut out, today).and_then(|ending| out.flush().map(|()| ending));
    Ok(match ending {
        Ok(Ending::Well) => ExitCode::SUCCESS,
        Ok(Ending::Usage) => ExitCode::from(2),
        Ok(Ending::Findings) | Err(_) => ExitCode::FAILURE,
    })
}

impl PolicyCommand {
    fn complete(&mut self, in_force: impl FnOnce() -> Result<config::Policy, Failure>) -> Result<(), Failure> {
        let (files, common) = match self {
            Self::Check(args) => (&mut args.files, &mut args.common),
            Self::Explain(args) => (&mut args.policy, &mut args.common),
            Self::Test(_) => return Ok(()),
        };
        if files.is_empty() {
            let policy = in_force()?;
            *files = policy.files;
            common.model = common.model.take().or(policy.model);
        }
        Ok(())
    }
}

fn execute(args: &PolicyArgs, out: &mut dyn Write, today: Date) -> io::Result<Ending> {
    match &args.command {
        PolicyCommand::Check(args) => check::run(args, out, today),
        PolicyCommand::Test(args) => test::run(args, out),
        PolicyCommand::Explain(args) => explain::run(args, out, today),
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
