//! `modgate audit query`: the arguments, and what they ask for.

use super::{
    AuditQueryError,
    answer::{Answer, Word},
    meter::Meter,
    moment::Moment,
};
use crate::audit::{
    Decision, Filter, Kind, ModulePattern, Order, StatusPattern, SubjectPattern, Summary, index::Lookup, scan, search,
};
use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{io::Write, net::IpAddr, num::NonZeroU64, path::Path};

/// Every condition that is given must be met; a list is met by any of its values.
#[derive(Args, Debug)]
pub(super) struct QueryArgs {
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
    pub(super) strict: bool,
    /// Read the whole journal instead of asking the index where to read
    #[arg(long)]
    no_index: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum First {
    Oldest,
    Newest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// Columns for a terminal, a part of the fields
    Table,
    /// The records as they are, one a line
    Json,
    /// All fields, safe to open in a spreadsheet
    Csv,
}

/// Where a query's answer goes.
pub(super) struct Console<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) notes: &'a mut dyn Write,
    pub(super) meter: Meter,
    /// Whether `out` is a terminal.
    pub(super) terminal: bool,
    /// The columns of a table; none: those of the terminal, if it is one.
    pub(super) width: Option<u16>,
}

impl QueryArgs {
    pub(super) fn run(&self, dir: &Path, now: Timestamp, console: Console<'_>) -> Result<Summary, AuditQueryError> {
        let filter = self.filter(now)?;
        let limit = self.limit.map_or(u64::MAX, NonZeroU64::get);
        let mut answer = Answer::new(console, self.format(), limit);
        let order = self.order();
        let index = if self.no_index { Err(Word::Unwanted) } else { Lookup::open(dir).map_err(Word::Unusable) };
        let (summary, word) = match index {
            Ok(Some(index)) => {
                let (summary, reach) = search(dir, &index, &filter, order, &mut |finding| answer.take(finding))?;
                (summary, Word::Asked(reach))
            }
            Ok(None) => (scan(dir, &filter, order, &mut |finding| answer.take(finding))?, Word::None),
            Err(word) => (scan(dir, &filter, order, &mut |finding| answer.take(finding))?, word),
        };
        answer.end(&summary, self.limit.is_some(), &word.tell(now)).map_err(AuditQueryError::Output)?;
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
