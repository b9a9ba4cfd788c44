//! Tokens as they are printed: a table for people, JSON for programs. Never with a secret, except the object that
//! `create --json` prints once.
//!
//! The names of the JSON fields and the words for the state are an interface: they only grow.

use std::io::{self, Write};

use auth::{Issued, Purpose, Standing, TokenText};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Which tokens a list shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    Live,
    All,
}

impl Shown {
    pub(super) fn includes(self, issued: &Issued, now: Timestamp) -> bool {
        self == Self::All || issued.validity.standing(now) == Standing::Live
    }
}

/// A token in JSON. Names are the policy's, times RFC 3339 in UTC.
#[derive(serde::Serialize)]
struct Row<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    subject: &'a str,
    groups: Vec<&'a str>,
    scope: Option<&'a str>,
    note: Option<&'a str>,
    purpose: &'static str,
    state: String,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
    revoked: Option<String>,
}

impl<'a> Row<'a> {
    fn new(issued: &'a Issued, now: Timestamp) -> Self {
        let time = |at: Timestamp| at.to_string();
        Self {
            id: issued.id.to_string(),
            token: None,
            subject: issued.subject(),
            groups: issued.group_names().collect(),
            scope: issued.scope.as_ref().map(|scope| scope.as_str()),
            note: issued.note.as_ref().map(|note| note.as_str()),
            purpose: issued.purpose.as_str(),
            state: issued.validity.standing(now).to_string(),
            created: issued.created.to_string(),
            expires: issued.validity.expires.map(time),
            last_used: issued.last_used.map(time),
            revoked: issued.validity.revoked.map(time),
        }
    }
}

/// A new token, with its secret, as one line of JSON.
pub(super) fn write_created(
    output: &mut dyn Write,
    issued: &Issued,
    token: &TokenText,
    now: Timestamp,
) -> io::Result<()> {
    let row = Row { token: Some(token.expose()), ..Row::new(issued, now) };
    serde_json::to_writer(&mut *output, &row)?;
    writeln!(output)?;
    output.flush()
}

/// A JSON array.
pub(super) fn write_json(output: &mut dyn Write, tokens: &[Issued], now: Timestamp) -> io::Result<()> {
    let rows: Vec<_> = tokens.iter().map(|issued| Row::new(issued, now)).collect();
    serde_json::to_writer_pretty(&mut *output, &rows)?;
    writeln!(output)?;
    output.flush()
}

/// A table: fitted to the terminal if it goes to one, else one line a token.
pub(super) fn write_table(
    output: &mut dyn Write,
    tokens: &[Issued],
    now: Timestamp,
    on_terminal: bool,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if on_terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table.set_header(["ID", "SUBJECT", "GROUPS", "SCOPE", "STATE", "CREATED", "EXPIRES", "LAST USED", "NOTE"]);
    for issued in tokens {
        table.add_row(cells(issued, now));
    }
    for line in table.lines() {
        // Every line has a blank on both sides of every column.
        writeln!(output, "{}", line.strip_prefix(' ').unwrap_or(&line).trim_end())?;
    }
    output.flush()
}

fn cells(issued: &Issued, now: Timestamp) -> [String; 9] {
    let absent = || "-".to_owned();
    // Groups of the built-in issuer as they were typed.
    let short = |group| str::strip_prefix(group, "group:token/").unwrap_or(group);
    let groups: Vec<_> = issued.group_names().map(short).collect();
    let state = match (issued.validity.standing(now), issued.purpose) {
        (Standing::Revoked(at), _) => format!("revoked {}", day(at)),
        (Standing::Live, Purpose::Refresh) => "live, refresh".to_owned(),
        (other, _) => other.to_string(),
    };
    [
        issued.id.to_string(),
        issued.subject().to_owned(),
        if groups.is_empty() { absent() } else { groups.join(",") },
        issued.scope.as_ref().map_or_else(absent, ToString::to_string),
        state,
        day(issued.created),
        issued.validity.expires.map_or("never".to_owned(), minute),
        issued.last_used.map_or_else(absent, minute),
        issued.note.as_ref().map_or_else(absent, ToString::to_string),
    ]
}

fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// `2026-12-31 00:00 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}
