//! `modgate audit`: what an auditor asks the journal.
//!
//! Records go to standard output, all else to standard error: places that cannot be read, a progress bar when a scan
//! takes longer, and a closing line. The journal is only read, so this runs beside the server and on a copy.

mod meter;
mod moment;
mod printer;

use crate::audit::{
    AuditError, Decision, Filter, Finding, Flaw, Kind, ModulePattern, Order, StatusPattern, SubjectPattern, Summary,
    scan,
};
use clap::{
    Args, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ipnet::IpNet;
use jiff::Timestamp;
use meter::Meter;
use moment::Moment;
use printer::Printer;
pub(super) use printer::printable;
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    net::IpAddr,
    num::NonZeroU64,
    ops::ControlFlow,
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
}

/// Every condition that is given must be met; a list is met by any of its values.
#[derive(Args, Debug)]
struct QueryArgs {
    /// The subject; `*` stands for any text: `user:corp/alice`, `user:corp/*`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<SubjectPattern>,
    /// The module path; `PATH/...` for all below it too, or a pattern as in GOPRIVATE
    #[arg(long, value_name = "PATH")]
    module: Option<ModulePattern>,
    /// The version, or the branch or commit that was asked for
    #[arg(long)]
    version: Option<String>,
    /// What was asked for: `zip`, `mod`, `info`, `list`, `latest`, `query`, `lookup`, …
    #[arg(long, value_name = "TARGET", value_delimiter = ',')]
    target: Vec<String>,
    /// The kind of record
    #[arg(long, value_delimiter = ',', value_parser = one_of(&KINDS, Kind::as_str))]
    kind: Vec<Kind>,
    /// The decision
    #[arg(long, value_delimiter = ',', value_parser = one_of(&DECISIONS, decision_name))]
    decision: Vec<Decision>,
    /// The answered status: `403`, or `4xx`
    #[arg(long, value_delimiter = ',')]
    status: Vec<StatusPattern>,
    /// The client's address or network: `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    client: Option<IpNet>,
    /// The request's id, as answers, denials and log lines show it
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Not before: `2026-11-22`, `2026-11-22T08:00:00Z`, or `24h`, `7d` ago (s, m, h, d, w); dates are UTC
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before, in the same forms; a date includes that day
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Show that many records at most, and the newest first
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,
    /// Which records come first [default: oldest, or newest with --limit]
    #[arg(long)]
    order: Option<First>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
    /// The same as --format json: one record a line, as they stand in the journal
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Exit with 1 if any part of the journal could not be read
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum First {
    Oldest,
    Newest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// Columns for a terminal, a part of the fields
    Table,
    /// The records as they are, one a line
    Json,
    /// All fields, safe to open in a spreadsheet
    Csv,
}

/// Why a query gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditQueryError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] AuditError),
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

/// Runs `modgate audit …` on the journal in `journal_dir`; `now` is what relative times count from.
///
/// The code is 0, also when nothing was found, and 1 with `--strict` if a part of the journal could not be read.
pub fn run(args: &AuditArgs, journal_dir: &Path, now: Timestamp) -> Result<ExitCode, AuditQueryError> {
    let AuditCommand::Query(query) = &args.command;
    let stdout = io::stdout();
    let console = Console {
        terminal: stdout.is_terminal(),
        width: None,
        meter: Meter::on_stderr(),
        out: &mut BufWriter::new(stdout.lock()),
        notes: &mut io::stderr(),
    };
    match query.run(journal_dir, now, console) {
        Ok(summary) if query.strict && summary.flaws > 0 => Ok(ExitCode::FAILURE),
        Ok(_) => Ok(ExitCode::SUCCESS),
        // As `| head` does.
        Err(AuditQueryError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Where a query's answer goes.
struct Console<'a> {
    out: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    meter: Meter,
    /// Whether `out` is a terminal.
    terminal: bool,
    /// The columns of a table; none: those of the terminal, if it is one.
    width: Option<u16>,
}

/// So many flaws are shown each; the others are counted.
const SHOWN_FLAWS: u64 = 100;

impl QueryArgs {
    fn run(&self, dir: &Path, now: Timestamp, console: Console<'_>) -> Result<Summary, AuditQueryError> {
        let filter = self.filter(now)?;
        let limit = self.limit.map_or(u64::MAX, NonZeroU64::get);
        let printer = Printer::new(self.format(), console.out, console.width);
        let mut answer = Answer {
            printer,
            notes: console.notes,
            meter: console.meter,
            terminal: console.terminal,
            left: limit,
            flaws: 0,
            failed: None,
        };
        let summary = scan(dir, &filter, self.order(), &mut |finding| answer.take(finding))?;
        answer.end(&summary, self.limit.is_some()).map_err(AuditQueryError::Output)?;
        Ok(summary)
    }

    fn filter(&self, now: Timestamp) -> Result<Filter, AuditQueryError> {
        let since = self.since.map(|moment| moment.beginning(now)).transpose().map_err(AuditQueryError::NoSuchTime)?;
        let until = self.until.map(|moment| moment.end(now)).transpose().map_err(AuditQueryError::NoSuchTime)?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(AuditQueryError::EmptySpan { since, until });
        }
        Ok(Filter {
            subject: self.subject.clone(),
            module: self.module.clone(),
            version: self.version.clone(),
            targets: self.target.clone(),
            kinds: self.kind.clone(),
            decisions: self.decision.clone(),
            statuses: self.status.clone(),
            client: self.client,
            request: self.request.clone(),
            since,
            until,
        })
    }

    fn order(&self) -> Order {
        match (self.order, self.limit) {
            (Some(First::Newest), _) | (None, Some(_)) => Order::NewestFirst,
            (Some(First::Oldest), _) | (None, None) => Order::OldestFirst,
        }
    }

    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// A query's answer while it comes in.
struct Answer<'a> {
    printer: Printer<'a>,
    notes: &'a mut dyn Write,
    meter: Meter,
    terminal: bool,
    left: u64,
    flaws: u64,
    failed: Option<io::Error>,
}

impl Answer<'_> {
    fn take(&mut self, finding: Finding<'_>) -> ControlFlow<()> {
        let taken = match finding {
            Finding::Match(entry, line) => {
                self.left -= 1;
                if self.terminal && self.printer.prints_next() {
                    self.meter.clear();
                }
                self.printer.record(entry, line)
            }
            Finding::Flaw(flaw) => self.flaw(&flaw),
            Finding::Progress(progress) => {
                self.meter.show(progress);
                Ok(())
            }
        };
        self.failed = taken.err();
        if self.failed.is_some() || self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flaw(&mut self, flaw: &Flaw) -> io::Result<()> {
        self.flaws += 1;
        let notes = &mut *self.notes;
        match self.flaws {
            ..=SHOWN_FLAWS => self.meter.aside(|| writeln!(notes, "{flaw} (skipped)")),
            n if n == SHOWN_FLAWS + 1 => self.meter.aside(|| writeln!(notes, "further damage is only counted")),
            _ => Ok(()),
        }
    }

    fn end(mut self, summary: &Summary, limited: bool) -> io::Result<()> {
        self.meter.clear();
        match self.failed {
            Some(error) => return Err(error),
            None => self.printer.end()?,
        }
        let Summary { matched, records, segments, flaws } = summary;
        let stopped = if limited && self.left == 0 { ", stopped at --limit" } else { "" };
        writeln!(
            self.notes,
            "{matched} of {records} records match; {segments} segments read, {flaws} flaws skipped{stopped}"
        )
    }
}

const KINDS: [Kind; 4] = [Kind::Asked, Kind::Answered, Kind::Broken, Kind::Act];
const DECISIONS: [Decision; 5] =
    [Decision::Allow, Decision::Deny, Decision::Withheld, Decision::Unauthenticated, Decision::None];

fn decision_name(decision: Decision) -> &'static str {
    match decision {
        Decision::None => "none",
        decision => decision.as_str(),
    }
}

/// Reads one of the values by its name, and lists the names in errors and completions.
fn one_of<T: Copy + Send + Sync + 'static>(
    values: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.iter().map(|value| name(*value))).try_map(move |text| {
        let found = values.iter().copied().find(|value| name(*value) == text);
        found.ok_or_else(|| format!("`{text}` is not known"))
    })
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "write an address or a network as `10.1.2.3` or `10.0.0.0/8`".into())
}

#[cfg(test)]
mod tests;
