//! Drives the same requests against several module servers, in rounds one after the other, and compares them:
//! requests per second, latency, CPU time of all their processes and threads, memory.
//!
//! `tests/load/run` sets up a scene with this program (`load tree`, `load policy`, `load certificate`), nginx and modgate,
//! and then runs it (`load drive`). docs/performance.md says how to read the figures.
//!
//! * [`forge`], [`rules`], [`certificate`]: what the servers are given.
//! * [`answers`], [`server`], [`netrc`], [`connection`]: what is asked of whom, and what must come back.
//! * [`round`], [`processes`]: one round and what it cost. [`drive`]: all of them.
//! * [`comparison`], [`machine`], [`report`]: what they come to.
//!
//! INVARIANT: a run with one wrong answer has no figures.

mod answers;
mod certificate;
mod comparison;
mod connection;
mod drive;
mod failure;
mod forge;
mod machine;
mod netrc;
mod numbers;
mod processes;
mod report;
mod round;
mod rules;
mod server;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Compares module servers under load
#[derive(Debug, Parser)]
#[command(name = "load", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Drive the same requests against each server and compare them
    ///
    /// Rounds are interleaved. Every answer is compared with the tree; one wrong answer ends the run (exit code 1).
    Drive {
        #[command(flatten)]
        plan: Box<drive::Plan>,
        /// Print every round as JSON
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// Print the table of docs/performance.md
        #[arg(long)]
        markdown: bool,
    },
    /// Make modules in GOPROXY's layout, the same each time
    Tree {
        /// The directory to make them in
        root: PathBuf,
        #[command(flatten)]
        extent: forge::Extent,
    },
    /// Make a policy, the same each time
    Policy {
        /// The file to write
        file: PathBuf,
        /// Rows that allow, deny or warn
        #[arg(long, default_value_t = 1_000)]
        rules: usize,
        /// The name in the token that drives the load
        #[arg(long, default_value = "load")]
        person: String,
    },
    /// Make certificate.pem and key.pem for localhost
    Certificate {
        /// The directory to make them in
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "load: {failure}");
            let mut cause = failure.source().and_then(Error::source);
            while let Some(error) = cause {
                let _ = writeln!(io::stderr(), "  {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Drive { plan, json, markdown } => {
            let report = plan.run()?;
            let text = match (json, markdown) {
                (true, _) => serde_json::to_string_pretty(&report).map_err(io::Error::from)?,
                (_, true) => report.markdown(),
                _ => report.table(),
            };
            writeln!(io::stdout(), "{text}")?;
            Ok(())
        }
        Command::Tree { root, extent } => forge::write_tree(&root, &extent),
        Command::Policy { file, rules, person } => {
            fs::write(&file, rules::policy(rules, &person)).map_err(Failure::file(file))
        }
        Command::Certificate { folder } => certificate::write_pair(&folder),
    }
}
