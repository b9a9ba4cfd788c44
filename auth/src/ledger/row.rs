//! Rows of the ledger, read back with suspicion: the file may have been edited by hand.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql};

use super::LedgerError;
use super::file::FIRST;
use crate::issued::{Issued, Validity};
use crate::principal::Claim;
use crate::subject::Group;
use crate::token::TokenDigest;

/// The most claims of a row, and the most characters of one's value.
const CLAIMS: usize = 16;
const CLAIM: usize = 256;

const COLUMNS: &str = "id, subject, member_of, scope, note, created, expires, last_used, revoked, digest, \
                       purpose, family, maker, rule, claims, spent";
/// The same of a file that is only looked at and was not migrated.
const FIRST_COLUMNS: &str = "id, subject, replace(member_of, ' ', char(10)) AS member_of, scope, note, created, expires, \
                             last_used, revoked, digest, 'access' AS purpose, NULL AS family, NULL AS maker, \
                             NULL AS rule, '' AS claims, NULL AS spent";

/// All rows of a file with this schema, the oldest first.
pub(super) fn all(
    connection: &Connection,
    path: &Path,
    version: i32,
) -> Result<Vec<(Issued, TokenDigest)>, LedgerError> {
    let columns = if version == FIRST { FIRST_COLUMNS } else { COLUMNS };
    query(connection, path, columns, "true", &[])
}

/// The rows that meet a condition, the oldest first.
pub(super) fn select(
    connection: &Connection,
    path: &Path,
    condition: &str,
    arguments: &[&dyn ToSql],
) -> Result<Vec<(Issued, TokenDigest)>, LedgerError> {
    query(connection, path, COLUMNS, condition, arguments)
}

fn query(
    connection: &Connection,
    path: &Path,
    columns: &str,
    condition: &str,
    arguments: &[&dyn ToSql],
) -> Result<Vec<(Issued, TokenDigest)>, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let mut statement = connection
        .prepare_cached(&format!("SELECT {columns} FROM token WHERE {condition} ORDER BY created, id"))
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
    let issued = Issued {
        id: parsed(row, "id")?.ok_or("id")?,
        owner: parsed(row, "subject")?.ok_or("subject")?,
        groups: groups(&row.get::<_, String>("member_of").map_err(|_| "member_of")?)?,
        scope: parsed(row, "scope")?,
        note: parsed(row, "note")?,
        purpose: parsed(row, "purpose")?.ok_or("purpose")?,
        family: parsed(row, "family")?,
        maker: parsed(row, "maker")?,
        rule: parsed(row, "rule")?,
        claims: claims(&row.get::<_, String>("claims").map_err(|_| "claims")?)?,
        created: moment(row, "created")?.ok_or("created")?,
        last_used: moment(row, "last_used")?,
        spent: moment(row, "spent")?,
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

/// Takes apart the column `member_of`: full group names, one a line.
fn groups(member_of: &str) -> Result<Vec<Group>, &'static str> {
    member_of.split_terminator('\n').map(|group| group.parse().ok()).collect::<Option<_>>().ok_or("member_of")
}

/// Takes apart the column `claims`: `name=value`, one a line.
fn claims(text: &str) -> Result<Arc<[Claim]>, &'static str> {
    let claim = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let fits = !name.is_empty() && value.len() <= CLAIM && !line.chars().any(char::is_control);
        fits.then(|| Claim { name: name.into(), value: value.into() })
    };
    let claims: Arc<[Claim]> = text.split_terminator('\n').map(claim).collect::<Option<_>>().ok_or("claims")?;
    if claims.len() > CLAIMS { Err("claims") } else { Ok(claims) }
}

/// What [`claims`] reads; what it would not read is left out.
pub(super) fn claims_column(claims: &[Claim]) -> String {
    let fits = |claim: &&Claim| {
        let plain = |text: &str| !text.chars().any(char::is_control);
        !claim.name.is_empty()
            && !claim.name.contains('=')
            && plain(&claim.name)
            && plain(&claim.value)
            && claim.value.len() <= CLAIM
    };
    claims.iter().filter(fits).take(CLAIMS).map(|claim| format!("{}={}\n", claim.name, claim.value)).collect()
}
