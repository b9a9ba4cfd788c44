//! Rows of the ledger, read back with suspicion: the file may have been edited by hand.

use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql};

use super::LedgerError;
use crate::issued::{GROUP_PREFIX, Issued, Kind, Validity};
use crate::name::Name;
use crate::token::TokenDigest;

const COLUMNS: &str = "id, subject, member_of, scope, note, created, expires, last_used, revoked, digest";

/// The rows that meet a condition, the oldest first.
pub(super) fn select(
    connection: &Connection,
    path: &Path,
    condition: &str,
    arguments: &[&dyn ToSql],
) -> Result<Vec<(Issued, TokenDigest)>, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let mut statement = connection
        .prepare(&format!("SELECT {COLUMNS} FROM token WHERE {condition} ORDER BY created, id"))
        .map_err(sqlite)?;
    let mut rows = statement.query(arguments).map_err(sqlite)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        all.push(read(row).map_err(|problem| LedgerError::Row {
            path: path.to_owned(),
            id: row.get("id").unwrap_or_default(),
            problem,
        })?);
    }
    Ok(all)
}

/// One row, in the order of [`COLUMNS`]; the error names the column.
fn read(row: &Row<'_>) -> Result<(Issued, TokenDigest), &'static str> {
    let subject: String = row.get("subject").map_err(|_| "subject")?;
    let (kind, name) = [Kind::User, Kind::Ci]
        .into_iter()
        .find_map(|kind| Some((kind, subject.strip_prefix(kind.prefix())?)))
        .ok_or("subject")?;
    let issued = Issued {
        id: parsed(row, "id")?.ok_or("id")?,
        kind,
        name: name.parse().map_err(|_| "subject")?,
        groups: groups(&row.get::<_, String>("member_of").map_err(|_| "member_of")?)?,
        scope: parsed(row, "scope")?,
        note: parsed(row, "note")?,
        created: moment(row, "created")?.ok_or("created")?,
        last_used: moment(row, "last_used")?,
        validity: Validity { expires: moment(row, "expires")?, revoked: moment(row, "revoked")? },
    };
    let digest: [u8; 32] = row.get("digest").map_err(|_| "digest")?;
    Ok((issued, TokenDigest::from_bytes(digest)))
}

fn parsed<T: FromStr>(row: &Row<'_>, column: &'static str) -> Result<Option<T>, &'static str> {
    let text: Option<String> = row.get(column).map_err(|_| column)?;
    text.map(|text| text.parse().map_err(|_| column)).transpose()
}

fn moment(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>, &'static str> {
    let second: Option<i64> = row.get(column).map_err(|_| column)?;
    second.map(|second| Timestamp::from_second(second).map_err(|_| column)).transpose()
}

/// Takes apart the column `member_of`: full group names with a blank between.
fn groups(member_of: &str) -> Result<Vec<Name>, &'static str> {
    member_of
        .split_terminator(' ')
        .map(|group| group.strip_prefix(GROUP_PREFIX)?.parse().ok())
        .collect::<Option<_>>()
        .ok_or("member_of")
}
