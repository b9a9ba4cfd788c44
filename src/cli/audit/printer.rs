//! Records on paper: a table that fits the terminal, JSON lines, or CSV.
//!
//! What a record quotes was chosen by whoever sent the request or named the group. So a table shows no character that a
//! terminal would obey, and CSV no cell that a spreadsheet would run. JSON lines are the journal's own bytes, in which
//! such characters are escaped already.

use super::query::Format;
use crate::audit::{Entry, could_mislead};
use comfy_table::{ContentArrangement, Table};
use std::io::{self, Write};

/// Tables are printed in pages of so many rows, so that memory stays bounded; each has its header.
const PAGE: usize = 500;

/// Prints records in one format.
pub(super) enum Printer<'a> {
    /// Rows wait until a page is full.
    Table { out: &'a mut dyn Write, page: Vec<[String; 8]>, width: Option<u16> },
    /// The lines as they are.
    Json(&'a mut dyn Write),
    /// The header is written with the first record.
    Csv { out: Box<csv::Writer<&'a mut dyn Write>>, headed: bool },
}

impl<'a> Printer<'a> {
    pub(super) fn new(format: Format, out: &'a mut dyn Write, width: Option<u16>) -> Self {
        match format {
            Format::Table => Self::Table { out, page: Vec::new(), width },
            Format::Json => Self::Json(out),
            Format::Csv => Self::Csv { out: Box::new(csv::Writer::from_writer(out)), headed: false },
        }
    }

    /// Whether the next record makes something appear.
    pub(super) fn prints_next(&self) -> bool {
        match self {
            Self::Table { page, .. } => page.len() + 1 >= PAGE,
            Self::Json(_) | Self::Csv { .. } => true,
        }
    }

    /// Prints a record, or keeps it for the page.
    pub(super) fn record(&mut self, entry: &Entry, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Table { out, page, width } => {
                page.push(row(entry));
                if page.len() < PAGE { Ok(()) } else { print_page(*out, page, *width) }
            }
            Self::Json(out) => out.write_all(line).and_then(|()| out.write_all(b"\n")),
            Self::Csv { out, headed } => {
                if !std::mem::replace(headed, true) {
                    out.write_record(cells(entry).map(|(name, _)| name))?;
                }
                Ok(out.write_record(cells(entry).map(|(_, cell)| harmless(cell)))?)
            }
        }
    }

    /// Prints what is kept.
    pub(super) fn end(self) -> io::Result<()> {
        match self {
            Self::Table { out, mut page, width } => {
                if !page.is_empty() {
                    print_page(out, &mut page, width)?;
                }
                out.flush()
            }
            Self::Json(out) => out.flush(),
            Self::Csv { mut out, .. } => out.flush(),
        }
    }
}

const HEADER: [&str; 8] = ["time (UTC)", "kind", "subject", "what", "decision", "rule", "status", "client"];

fn row(entry: &Entry) -> [String; 8] {
    let rule = match (entry.rule.as_str(), entry.rule_id.as_str()) {
        (rule, "") => rule.into(),
        (rule, id) => format!("{rule} {id}"),
    };
    let shown = [
        format!("{:.0}", entry.time).replace('T', " ").replace('Z', ""),
        entry.kind.as_str().into(),
        entry.subject.clone(),
        what(entry),
        entry.decision.as_str().into(),
        rule,
        entry.status.map(|status| status.to_string()).unwrap_or_default(),
        entry.client.map(|client| client.to_string()).unwrap_or_default(),
    ];
    shown.map(|cell| printable(&cell))
}

/// `zip example.com/mod@v1.0.0`, or what was done.
fn what(entry: &Entry) -> String {
    if !entry.act.is_empty() {
        return format!("{}: {}", entry.act, entry.detail);
    }
    let version = if entry.version.is_empty() { &entry.query } else { &entry.version };
    let asked = match (entry.module.as_str(), version.as_str()) {
        ("", _) => entry.target.clone(),
        (module, "") => format!("{} {module}", entry.target),
        (module, version) => format!("{} {module}@{version}", entry.target),
    };
    if entry.sumdb.is_empty() { asked } else { format!("{} {asked}", entry.sumdb) }
}

/// With what a terminal would obey spelled out.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if could_mislead(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn print_page(out: &mut dyn Write, page: &mut Vec<[String; 8]>, width: Option<u16>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER);
    if let Some(width) = width {
        table.set_width(width);
    }
    for row in page.drain(..) {
        table.add_row(row);
    }
    writeln!(out, "{table}")
}

/// All fields, in the order of `docs/audit.md`. Lists are joined by spaces.
fn cells(entry: &Entry) -> [(&'static str, String); 29] {
    [
        ("v", entry.v.to_string()),
        ("time", format!("{:.6}", entry.time)),
        ("kind", entry.kind.as_str().into()),
        ("request", entry.request.clone()),
        ("trace", entry.trace.clone()),
        ("subject", entry.subject.clone()),
        ("groups", entry.groups.join(" ")),
        ("roles", entry.roles.join(" ")),
        ("method", entry.method.clone()),
        ("token", entry.token.clone()),
        ("peer", entry.peer.map(|peer| peer.to_string()).unwrap_or_default()),
        ("client", entry.client.map(|client| client.to_string()).unwrap_or_default()),
        ("http", entry.http.clone()),
        ("target", entry.target.clone()),
        ("module", entry.module.clone()),
        ("version", entry.version.clone()),
        ("query", entry.query.clone()),
        ("sumdb", entry.sumdb.clone()),
        ("decision", entry.decision.as_str().into()),
        ("rule", entry.rule.clone()),
        ("rule_id", entry.rule_id.clone()),
        ("warnings", entry.warnings.join(" ")),
        ("policy", entry.policy.clone()),
        ("status", entry.status.map(|status| status.to_string()).unwrap_or_default()),
        ("cache", entry.cache.as_str().into()),
        ("source", entry.source.clone()),
        ("h1", entry.h1.clone()),
        ("act", entry.act.clone()),
        ("detail", entry.detail.clone()),
    ]
}

/// INVARIANT: no cell begins with what makes a spreadsheet take it for a formula.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
