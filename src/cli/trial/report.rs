//! The report: what the trial's journal says, by module and version.
//!
//! Its JSON form is an interface: fields are added, never renamed, or `schema` is raised. Modules come by path, then by
//! version, so two trials of the same thing differ in times and in nothing else.

use super::go_settings::Patterns;
use super::part::{Outcome, Part};
use super::process::Ended;
use crate::audit::{Decision, Entry, Kind};
use crate::module::Version;
use crate::shelf::{Meta, Standing};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The JSON form's version.
const SCHEMA: u32 = 1;

/// What the report tells besides the records.
#[derive(Clone, Debug, Default)]
pub(super) struct Background {
    pub(super) command: Vec<String>,
    pub(super) subject: String,
    pub(super) groups: Vec<String>,
    pub(super) policy: String,
    pub(super) upstream: String,
    pub(super) upstream_origin: String,
    /// GOPRIVATE holds in the command.
    pub(super) bypassing: bool,
    pub(super) around: Patterns,
    pub(super) notes: Vec<String>,
}

/// The side records of the store by module, version and kind of file.
pub(super) type Held = BTreeMap<(String, String, String), Meta>;

/// What is known when the gateway has ended.
pub(super) struct Records {
    /// The journal.
    pub(super) entries: Vec<Entry>,
    /// Lines of it that cannot be read.
    pub(super) flaws: u64,
    /// Reason and contact of a policy's row, by `file:line`.
    pub(super) grounds: BTreeMap<String, (Option<String>, Option<String>)>,
    pub(super) held: Held,
    /// The throw-away directory, whose path says nothing to anybody.
    pub(super) directory: PathBuf,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    command: Vec<String>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    seconds: f64,
    pub(super) subject: String,
    groups: Vec<String>,
    policy: String,
    pub(super) upstream: String,
    upstream_origin: String,
    pub(super) modules: Vec<Row>,
    pub(super) totals: Totals,
    pub(super) around: Around,
    pub(super) notes: Vec<String>,
    /// Whether the table is to have every row.
    #[serde(skip)]
    pub(super) all: bool,
    #[serde(skip)]
    pub(super) elapsed: Duration,
}

/// A version of a module, or a module of which no version was named.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) module: String,
    /// None for lists, `@latest` and branches.
    pub(super) version: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) parts: Vec<Part>,
    /// The size of everything that was fetched of it.
    pub(super) bytes: u64,
    pub(super) decision: &'static str,
    /// The deciding row's `file:line`.
    pub(super) rule: String,
    pub(super) rule_id: String,
    pub(super) reason: Option<String>,
    pub(super) contact: Option<String>,
    /// The `warn` rows that matched.
    pub(super) warnings: Vec<String>,
    /// How far the zip, or else the go.mod, is to be trusted.
    pub(super) checksum: Option<Standing>,
    /// The zip's hash.
    pub(super) h1: String,
    /// GOPRIVATE would have sent it around the gateway.
    pub(super) around: bool,
}

/// Sums. Requests are those that the journal has as answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Totals {
    pub(super) requests: u64,
    /// Versions of which something was fetched.
    pub(super) versions: u64,
    /// Of those.
    pub(super) bytes: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    pub(super) not_found: u64,
    /// Answered as absent to keep a private name private; not among `not_found`.
    pub(super) withheld: u64,
    pub(super) checksum_database: u64,
    /// Requests for which a source was asked.
    pub(super) asked: u64,
    /// Records in the journal.
    pub(super) records: u64,
    /// Places of it that cannot be read.
    pub(super) flaws: u64,
}

/// What GOPRIVATE would have kept from every proxy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Around {
    /// The variable, and where it was set.
    pub(super) named: String,
    pub(super) patterns: String,
    /// It holds in the command, so nothing of it was seen.
    pub(super) bypassing: bool,
    /// The modules that were asked for and match.
    pub(super) modules: Vec<String>,
}

impl Report {
    pub(super) fn new(background: Background, all: bool, ended: Ended, elapsed: Duration, records: &Records) -> Self {
        let modules = rows(&background.around, records);
        let mut names: Vec<_> = modules.iter().filter(|row| row.around).map(|row| row.module.clone()).collect();
        names.dedup();
        let Background { around: Patterns { text, named, .. }, .. } = &background;
        let around =
            Around { named: named.clone(), patterns: text.clone(), bypassing: background.bypassing, modules: names };
        Self {
            schema: SCHEMA,
            command: background.command,
            exit_code: ended.code,
            signal: ended.signal,
            seconds: elapsed.as_secs_f64(),
            subject: background.subject,
            groups: background.groups,
            policy: background.policy,
            upstream: background.upstream,
            upstream_origin: background.upstream_origin,
            totals: Totals::of(&modules, records),
            modules,
            around,
            notes: background.notes,
            all,
            elapsed,
        }
    }

    /// One JSON object and a newline.
    pub(super) fn json(&self) -> String {
        // Texts, numbers and lists: this cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// The rows, by module path and then by version.
fn rows(around: &Patterns, records: &Records) -> Vec<Row> {
    let mut rows = BTreeMap::<(&str, &str), Row>::new();
    for entry in records.entries.iter().filter(|entry| !entry.module.is_empty()) {
        if matches!(entry.kind, Kind::Answered | Kind::Broken) {
            let row = rows.entry((&entry.module, &entry.version));
            row.or_insert_with(|| Row::new(entry, around.matches(&entry.module))).take(entry, records);
        }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    for row in &mut rows {
        row.parts.sort_by(|one, other| (one.rank(), &one.name).cmp(&(other.rank(), &other.name)));
    }
    rows.sort_by(Row::order);
    rows
}

impl Row {
    fn new(entry: &Entry, around: bool) -> Self {
        Self {
            module: entry.module.clone(),
            version: (!entry.version.is_empty()).then(|| entry.version.clone()),
            outcome: Outcome::NotFound,
            parts: Vec::new(),
            bytes: 0,
            decision: "",
            rule: String::new(),
            rule_id: String::new(),
            reason: None,
            contact: None,
            warnings: Vec::new(),
            checksum: None,
            h1: String::new(),
            around,
        }
    }

    fn take(&mut self, entry: &Entry, records: &Records) {
        let key = (entry.module.clone(), entry.version.clone(), entry.target.clone());
        let meta = records.held.get(&key);
        let name = Part::name_of(entry);
        let place = self.parts.iter().position(|part| part.name == name).unwrap_or_else(|| {
            self.parts.push(Part::new(&name));
            self.parts.len() - 1
        });
        if let Some(part) = self.parts.get_mut(place) {
            part.take(entry, meta.map(|meta| meta.size));
        }
        if entry.kind == Kind::Answered && (self.outcome != Outcome::Refused || Outcome::of(entry) == Outcome::Refused)
        {
            self.ground(entry, records);
        }
        if entry.target == "zip" && !entry.h1.is_empty() {
            self.h1.clone_from(&entry.h1);
        }
        if let Some(meta) = meta.filter(|_| entry.target == "zip" || (entry.target == "mod" && self.h1.is_empty())) {
            self.checksum = Some(meta.standing.clone());
        }
        self.bytes = self.parts.iter().filter_map(|part| part.bytes).sum();
        self.outcome = self.parts.iter().map(|part| part.outcome).min().unwrap_or(Outcome::NotFound);
    }

    /// On what grounds it was answered so. Of several the one that refuses.
    fn ground(&mut self, entry: &Entry, records: &Records) {
        self.decision = entry.decision.as_str();
        self.rule = bare(&entry.rule, records);
        self.rule_id.clone_from(&entry.rule_id);
        (self.reason, self.contact) = records.grounds.get(&entry.rule).cloned().unwrap_or_default();
        self.warnings = entry.warnings.iter().map(|warning| bare(warning, records)).collect();
    }

    /// By path, then by version; what has none comes first.
    fn order(&self, other: &Self) -> Ordering {
        let parsed = |row: &Self| row.version.as_deref().and_then(|version| Version::parse(version).ok());
        self.module.cmp(&other.module).then_with(|| parsed(self).cmp(&parsed(other)))
    }
}

/// A rule's place without the throw-away directory.
fn bare(rule: &str, records: &Records) -> String {
    let directory = records.directory.to_string_lossy();
    let rest = rule.strip_prefix(&*directory).and_then(|rest| rest.strip_prefix(['/', '\\']));
    rest.unwrap_or(rule).to_owned()
}

impl Totals {
    fn of(rows: &[Row], records: &Records) -> Self {
        let fetched =
            |row: &&Row| row.version.is_some() && row.parts.iter().any(|part| part.outcome == Outcome::Fetched);
        let mut totals = Self {
            versions: rows.iter().filter(fetched).count() as u64,
            bytes: rows.iter().map(|row| row.bytes).sum(),
            records: records.entries.len() as u64,
            flaws: records.flaws,
            ..Self::default()
        };
        for entry in &records.entries {
            match entry.kind {
                Kind::Asked => totals.asked += 1,
                Kind::Answered => totals.count(entry),
                Kind::Broken => totals.failed += 1,
                Kind::Act => {}
            }
        }
        totals
    }

    fn count(&mut self, entry: &Entry) {
        self.requests += 1;
        self.checksum_database += u64::from(!entry.sumdb.is_empty());
        match Outcome::of(entry) {
            Outcome::NotFound if entry.decision == Decision::Withheld => self.withheld += 1,
            Outcome::NotFound => self.not_found += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Fetched => {}
        }
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
