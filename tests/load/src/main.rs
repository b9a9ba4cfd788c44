//! Drives the same requests against several module servers, in rounds one after the other, and compares them:
//! requests per second, latency, CPU time of all their processes and threads, memory.
//!
//! `tests/load/run` sets up a scene with this program (`load tree`, `load policy`, `load certificate`), nginx and modgate,
//! and then runs it (`load drive`). docs/performance.md says how to read the figures.
//!
//! * [`forge`], [`rules`], [`certificate`]: what the servers are given.
//! * [`answers`], [`server`], [`netrc`], [`connection`]: what is asked of whom, and what must come back.
//! * [`round`], [`processes`], [`tally`]: one round and what it cost. [`drive`]: all of them. [`cold`], [`page_cache`]: from disk.
//! * [`comparison`], [`machine`], [`report`], [`grid`]: what they come to.
//!
//! INVARIANT: a run with one wrong answer has no figures.

mod answers;
mod certificate;
mod cold;
mod comparison;
mod connection;
mod drive;
mod failure;
mod forge;
mod grid;
mod machine;
mod netrc;
mod numbers;
mod page_cache;
mod processes;
mod report;
mod round;
mod rules;
mod server;
mod tally;

use clap::{Parser, Subcommand};
use failure::Failure;
use grid::Grid;
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

/// In which form figures are printed
#[derive(Debug, clap::Args)]
struct Form {
    /// Print every round as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table of docs/performance.md
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Drive the same requests against each server and compare them
    ///
    /// Rounds are interleaved. Every answer is compared with the tree; one wrong answer ends the run (exit code 1).
    Drive {
        #[command(flatten)]
        plan: Box<drive::Plan>,
        #[command(flatten)]
        form: Form,
    },
    /// Stream large zips that are not in memory, and see how long small answers wait meanwhile
    ///
    /// In each round the files below --stored are written to disk and dropped from the page cache; then all large zips are
    /// asked for, while other connections ask for small answers that were asked for before. The same follows once more,
    /// from memory: what small answers wait for then is the processor, not the disk.
    Cold {
        #[command(flatten)]
        plan: Box<cold::Plan>,
        #[command(flatten)]
        form: Form,
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
        Command::Drive { plan, form } => {
            let report = plan.run()?;
            form.print(&report, &report.grid())
        }
        Command::Cold { plan, form } => {
            let report = plan.run()?;
            form.print(&report, &report.grid())
        }
        Command::Tree { root, extent } => forge::write_tree(&root, &extent),
        Command::Policy { file, rules, person } => {
            fs::write(&file, rules::policy(rules, &person)).map_err(Failure::file(file))
        }
        Command::Certificate { folder } => certificate::write_pair(&folder),
    }
}

impl Form {
    fn print(&self, figures: &impl serde::Serialize, grid: &Grid) -> Result<(), Failure> {
        let text = match (self.json, self.markdown) {
            (true, _) => serde_json::to_string_pretty(figures).map_err(io::Error::from)?,
            (_, true) => grid.markdown(),
            _ => grid.text(),
        };
        Ok(writeln!(io::stdout(), "{text}")?)
    }
}
