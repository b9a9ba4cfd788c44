//! `modgate audit`: what an auditor asks the journal.
//!
//! Records go to standard output, all else to standard error: places that cannot be read, a progress bar when it takes
//! longer, how far the index is behind, and a closing line. The journal is only read, so this runs beside the server and on
//! a copy.

mod answer;
mod meter;
mod moment;
mod printer;
mod query;
mod reindex;

use crate::audit::{AuditError, index::IndexError};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use meter::Meter;
pub(super) use printer::printable;
use query::{Console, QueryArgs};
use reindex::ReindexArgs;
use std::{
    io::{self, BufWriter, IsTerminal},
    path::Path,
    process::ExitCode,
};

/// The arguments of `modgate audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand, Debug)]
enum AuditCommand {
    /// Find records: who asked for which module when, from where, and under which rule
    Query(Box<QueryArgs>),
    /// Make the index anew from the journal
    ///
    /// The index only says where in the journal to read; it can be deleted at any time. A running server makes and feeds
    /// it by itself. This is for a journal whose server does not run, for a copy, and for whoever does not trust it.
    Reindex(ReindexArgs),
}

/// Why `modgate audit` gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditQueryError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] AuditError),
    /// The index cannot be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// `--since` is not before `--until`.
    #[error("nothing lies between --since {since} and --until {until}")]
    EmptySpan {
        /// The beginning.
        since: Timestamp,
        /// The end.
        until: Timestamp,
    },
    /// A time that lies outside of the calendar.
    #[error("there is no such time: {0}")]
    NoSuchTime(#[source] jiff::Error),
    /// The answer cannot be printed.
    #[error("cannot print the records")]
    Output(#[source] io::Error),
}

impl AuditQueryError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            // Only whoever keeps it may put another in its place.
            Self::Index(error) if error.is_damage() => {
                Some("delete `index.sqlite`: the running server makes another one within seconds".to_owned())
            }
            _ => None,
        }
    }
}

/// Runs `modgate audit …` on the journal in `journal_dir`; `now` is what relative times count from.
///
/// The code is 0, also when nothing was found, and 1 with `--strict` if a part of the journal could not be read.
pub fn run(args: &AuditArgs, journal_dir: &Path, now: Timestamp) -> Result<ExitCode, AuditQueryError> {
    let stdout = io::stdout();
    let console = Console {
        terminal: stdout.is_terminal(),
        width: None,
        meter: Meter::on_stderr(),
        out: &mut BufWriter::new(stdout.lock()),
        notes: &mut io::stderr(),
    };
    let ran = match &args.command {
        AuditCommand::Query(query) => query.run(journal_dir, now, console).map(|summary| match query.strict {
            true if summary.flaws > 0 => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }),
        AuditCommand::Reindex(reindex) => reindex.run(journal_dir, console).map(|()| ExitCode::SUCCESS),
    };
    match ran {
        // As `| head` does.
        Err(AuditQueryError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        ran => ran,
    }
}

#[cfg(test)]
mod tests;
