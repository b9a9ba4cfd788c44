//! The report for a person: a table, why something was refused, and sums.

use super::part::{Outcome, Part};
use super::report::{Report, Row, Totals};
use crate::cli::audit::printable;
use crate::shelf::Standing;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table as Drawn};
use indicatif::DecimalBytes;
use std::fmt::Write;
use std::path::Path;

const HEADER: [&str; 8] = ["module", "version", "fetched", "bytes", "source", "decision", "rule", "checksum"];

/// How it is to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// What matters stands out by colour.
    pub(super) colour: bool,
    /// Standard error is a terminal, whose width it fits.
    pub(super) terminal: bool,
}

impl Table {
    /// The whole text.
    pub(super) fn text(self, report: &Report) -> String {
        let mut text = String::new();
        let shown: Vec<_> = report.modules.iter().filter(|row| report.all || row.is_news()).collect();
        if !shown.is_empty() {
            // Writing to a text cannot fail, here and below.
            let _ = writeln!(text, "{}", self.draw(&shown));
        }
        for row in report.modules.iter().filter(|row| row.outcome == Outcome::Refused) {
            let _ = writeln!(text, "refused: {}", printable(&row.why(report)));
        }
        sums(&mut text, report);
        around(&mut text, report);
        if report.modules.iter().any(|row| row.outcome != Outcome::Fetched) {
            for note in &report.notes {
                let _ = writeln!(text, "note: {}", printable(note));
            }
        }
        text
    }

    fn draw(self, rows: &[&Row]) -> Drawn {
        let mut table = Drawn::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(HEADER);
        match self.terminal {
            true => table.use_stderr().set_content_arrangement(ContentArrangement::Dynamic),
            false => table.force_no_tty(),
        };
        if self.colour {
            table.enforce_styling();
        }
        if let Some(bytes) = table.column_mut(3) {
            bytes.set_cell_alignment(CellAlignment::Right);
        }
        for row in rows {
            let colour = row.colour().filter(|_| self.colour);
            let cells = row.cells().map(|text| {
                let cell = Cell::new(printable(&text));
                match colour {
                    Some(colour) => cell.fg(colour),
                    None => cell,
                }
            });
            table.add_row(cells);
        }
        table
    }
}

impl Row {
    /// Whether it is shown without `--all`.
    fn is_news(&self) -> bool {
        match self.outcome {
            Outcome::Refused | Outcome::Failed => true,
            Outcome::Fetched => self.version.is_some(),
            Outcome::NotFound => false,
        }
    }

    fn colour(&self) -> Option<Color> {
        match (self.outcome, &self.checksum) {
            (Outcome::Refused | Outcome::Failed, _) => Some(Color::Red),
            (Outcome::NotFound, _) => Some(Color::DarkGrey),
            (Outcome::Fetched, Some(Standing::Provisional)) => Some(Color::Yellow),
            (Outcome::Fetched, _) if !self.warnings.is_empty() => Some(Color::Yellow),
            (Outcome::Fetched, _) => None,
        }
    }

    fn cells(&self) -> [String; 8] {
        // Sums that were found are told by their effect, the standing.
        let told = |part: &&Part| part.name != "lookup" || part.outcome != Outcome::Fetched;
        let parts: Vec<_> = self.parts.iter().filter(told).map(Part::shown).collect();
        let bytes = if self.bytes == 0 { String::new() } else { DecimalBytes(self.bytes).to_string() };
        [
            self.module.clone(),
            self.version.clone().unwrap_or_default(),
            parts.join(" "),
            bytes,
            self.sources(),
            self.decision.to_owned(),
            self.rules(),
            self.checksum.as_ref().map(standing).unwrap_or_default(),
        ]
    }

    /// Who gave it, each once, and where the answers came from.
    fn sources(&self) -> String {
        let mut shown = Vec::new();
        for part in self.parts.iter().filter(|part| !part.source.is_empty()) {
            let cache: Vec<_> = part.cache.iter().copied().collect();
            let source = part.source.split_once("://").map_or(part.source.as_str(), |(_, rest)| rest);
            let source = format!("{source} ({})", cache.join(", "));
            if !shown.contains(&source) {
                shown.push(source);
            }
        }
        shown.join(", ")
    }

    fn rules(&self) -> String {
        let warned = self.warnings.iter().map(|warning| format!("warn {}", file_name(warning)));
        self.rule().into_iter().chain(warned).collect::<Vec<_>>().join(", ")
    }

    /// The deciding row, by the file's bare name.
    fn rule(&self) -> Option<String> {
        let name = file_name(&self.rule);
        match (self.rule.as_str(), self.rule_id.as_str()) {
            ("", _) => None,
            (_, "") => Some(name),
            (_, id) => Some(format!("{name} ({id})")),
        }
    }

    /// Why it was refused, in one line.
    fn why(&self, report: &Report) -> String {
        let version = self.version.as_deref().map(|version| format!("@{version}")).unwrap_or_default();
        let because = match (self.rule(), self.decision) {
            (Some(rule), _) => format!("by {rule}"),
            (None, "unauthenticated") => "as a credential is needed".to_owned(),
            (None, _) => format!("as no rule allows it to {}", report.subject),
        };
        let reason = self.reason.as_deref().map(|reason| format!("; reason: {reason}")).unwrap_or_default();
        let contact = self.contact.as_deref().map(|contact| format!("; contact: {contact}")).unwrap_or_default();
        format!("{}{version} {because}{reason}{contact}", self.module)
    }
}

impl Part {
    /// Its name, and what came of it unless it was fetched.
    fn shown(&self) -> String {
        match self.outcome {
            Outcome::Fetched => self.name.clone(),
            Outcome::Failed if self.status < 400 => format!("{}:broken", self.name),
            Outcome::Refused | Outcome::Failed | Outcome::NotFound => format!("{}:{}", self.name, self.status),
        }
    }
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Verified { by } => format!("verified by {by}"),
        Standing::Provisional => "not in the database yet".to_owned(),
        Standing::Private => "private".to_owned(),
        Standing::Unverified => "unverified".to_owned(),
    }
}

/// `policy.csv:12` of a path and line.
fn file_name(rule: &str) -> String {
    Path::new(rule).file_name().map_or_else(|| rule.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn sums(text: &mut String, report: &Report) {
    let Totals { requests, versions, bytes, refused, failed, not_found, withheld, checksum_database, .. } =
        report.totals;
    let Totals { asked, records, flaws, .. } = report.totals;
    if requests == 0 {
        let hint = "vendored, in the module cache already, or no go command?";
        let _ = writeln!(text, "the command asked for no module ({hint})");
    }
    let hint = if report.all || not_found == 0 { "" } else { " (--all lists them)" };
    let mut sums = vec![
        format!("{} fetched, {}", count(versions, "version"), DecimalBytes(bytes)),
        format!("{refused} refused"),
        format!("{failed} failed"),
        format!("{not_found} not found{hint}"),
    ];
    if withheld > 0 {
        sums.push(format!("{withheld} withheld"));
    }
    if checksum_database > 0 {
        sums.push(format!("{checksum_database} to the checksum database"));
    }
    let _ =
        writeln!(text, "{} in {:.1} s: {}", count(requests, "request"), report.elapsed.as_secs_f64(), sums.join(", "));
    let _ = writeln!(
        text,
        "{} in the journal, {asked} of them before asking {}",
        count(records, "record"),
        report.upstream
    );
    if flaws > 0 {
        let _ = writeln!(text, "{} of the journal cannot be read", count(flaws, "place"));
    }
}

fn around(text: &mut String, report: &Report) {
    let around = &report.around;
    let (named, patterns) = (printable(&around.named), printable(&around.patterns));
    if around.bypassing && !around.patterns.is_empty() {
        let _ = writeln!(text, "{named} ({patterns}) sent what it matches around the gateway: that is not seen here");
        return;
    }
    if around.modules.is_empty() {
        return;
    }
    let modules = printable(&around.modules.join(", "));
    let _ = writeln!(text, "{named} ({patterns}) would have sent around the gateway: {modules}");
    let unserved = report.modules.iter().any(|row| row.around && row.outcome == Outcome::Failed);
    if unserved {
        let _ = writeln!(
            text,
            "  nobody was asked for what has no source of its own; --config gives it one, --bypass lets it go around"
        );
    }
}

/// `1 record`, `2 records`.
fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
