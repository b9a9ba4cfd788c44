//! The rows of the tables, read and written. Transactions are begun and ended by the callers.

use super::{
    batch::{Batch, Term},
    mark::{Look, Mark},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

/// A stretch takes further batches until it has so many records. Few in tests, whose journals are small.
const STRETCH: i64 = if cfg!(test) { 4 } else { 4096 };
/// A bucket is 4 MiB of a segment.
const BUCKET_BITS: u32 = if cfg!(test) { 10 } else { 22 };

/// Texts of terms with their numbers.
pub(super) type Numbers = HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>;

/// What was forgotten so far, as a number; what was read under one is void under another.
pub(super) fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT generation FROM state")?.query_row((), |row| row.get(0))
}

/// All marks, by segment.
pub(super) fn marks(connection: &Connection) -> rusqlite::Result<BTreeMap<u64, Mark>> {
    let text = "SELECT bytes, records, checksum, length, modified, number FROM segment";
    let mut statement = connection.prepare_cached(text)?;
    let marks = statement.query_map((), |row| Ok((row.get::<_, i64>(5)?.cast_unsigned(), mark(row)?)))?;
    marks.collect()
}

/// The mark of one segment.
pub(super) fn mark_of(connection: &Connection, number: u64) -> rusqlite::Result<Option<Mark>> {
    let text = "SELECT bytes, records, checksum, length, modified FROM segment WHERE number = ?1";
    connection.prepare_cached(text)?.query_row([number.cast_signed()], mark).optional()
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    let look = match (row.get::<_, Option<i64>>(3)?, row.get::<_, Option<i64>>(4)?) {
        (Some(length), Some(modified)) => Some(Look { length: length.cast_unsigned(), modified }),
        _ => None,
    };
    Ok(Mark {
        bytes: row.get::<_, i64>(0)?.cast_unsigned(),
        records: row.get::<_, i64>(1)?.cast_unsigned(),
        checksum: row.get(2)?,
        look,
    })
}

/// Puts the cursor where the mark says.
pub(super) fn write_mark(transaction: &Transaction<'_>, number: u64, mark: &Mark) -> rusqlite::Result<()> {
    let text = "INSERT OR REPLACE INTO segment (number, bytes, records, checksum, length, modified)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (length, modified) = (mark.look.map(|look| look.length.cast_signed()), mark.look.map(|look| look.modified));
    let (bytes, records) = (mark.bytes.cast_signed(), mark.records.cast_signed());
    let values = params![number.cast_signed(), bytes, records, mark.checksum, length, modified];
    transaction.prepare_cached(text)?.execute(values)?;
    Ok(())
}

/// The numbers of texts, in their order; new ones are given to those that have none.
pub(super) fn number_terms(
    transaction: &Transaction<'_>,
    known: &mut Numbers,
    texts: &[Box<[u8]>],
) -> rusqlite::Result<Vec<i64>> {
    let mut count: i64 = transaction.query_row("SELECT terms FROM state", (), |row| row.get(0))?;
    let before = count;
    let mut find = transaction.prepare_cached("SELECT id FROM term WHERE key = ?1")?;
    let mut add = transaction.prepare_cached("INSERT INTO term (key, id) VALUES (?1, ?2)")?;
    let mut numbers = Vec::with_capacity(texts.len());
    for text in texts {
        if let Some(number) = known.get(text) {
            numbers.push(*number);
            continue;
        }
        let number = match find.query_row([&**text], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => {
                count += 1;
                add.execute(params![&**text, count])?;
                count
            }
        };
        known.insert(text.clone(), number);
        numbers.push(number);
    }
    if count > before {
        transaction.execute("UPDATE state SET terms = ?1", [count])?;
    }
    Ok(numbers)
}

/// Writes where the terms of a batch are.
pub(super) fn write_postings(transaction: &Transaction<'_>, batch: &Batch, numbers: &[i64]) -> rusqlite::Result<()> {
    let number = |term: &Term| match term {
        Term::Number(number) => Some(*number),
        Term::Text(text) => numbers.get(*text).copied(),
    };
    let postings = batch.postings.iter().filter_map(|(term, offset)| Some((number(term)?, offset.cast_signed())));
    // In the order of the table: neighbours go to the same page.
    let mut postings: Vec<(i64, i64)> = postings.collect();
    postings.sort_unstable();
    postings.dedup();
    let text = "INSERT INTO posting (segment, bucket, term, place) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = transaction.prepare_cached(text)?;
    for (term, place) in postings {
        statement.execute([batch.segment.cast_signed(), place >> BUCKET_BITS, term, place])?;
    }
    Ok(())
}

/// The lines of a range that have a term, in ascending order.
pub(super) fn places(
    connection: &Connection,
    number: u64,
    term: i64,
    range: &Range<u64>,
) -> rusqlite::Result<Vec<u64>> {
    let text = "SELECT place FROM posting
                WHERE segment = ?1 AND bucket = ?2 AND term = ?3 AND place >= ?4 AND place < ?5";
    let mut statement = connection.prepare_cached(text)?;
    let (segment, from, to) = (number.cast_signed(), range.start.cast_signed(), range.end.cast_signed());
    let mut places = Vec::new();
    for bucket in from >> BUCKET_BITS..=to >> BUCKET_BITS {
        let rows = statement.query_map([segment, bucket, term, from, to], |row| row.get::<_, i64>(0))?;
        for place in rows {
            places.push(place?.cast_unsigned());
        }
    }
    Ok(places)
}

/// Lengthens the last stretch of the segment, or begins another.
pub(super) fn write_stretch(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    let (segment, from, to) =
        (batch.segment.cast_signed(), batch.from.bytes.cast_signed(), batch.to.bytes.cast_signed());
    let (earliest, latest) = (batch.span.map(|span| span.earliest), batch.span.map(|span| span.latest));
    let records = batch.records().cast_signed();
    // min and max of NULL and a number are NULL, hence coalesce.
    let text = "UPDATE stretch SET end = ?3, records = records + ?4,
                    earliest = min(coalesce(earliest, ?5), coalesce(?5, earliest)),
                    latest = max(coalesce(latest, ?6), coalesce(?6, latest))
                WHERE segment = ?1 AND end = ?2 AND records < ?7
                    AND start = (SELECT max(start) FROM stretch WHERE segment = ?1)";
    let mut lengthen = transaction.prepare_cached(text)?;
    if lengthen.execute(params![segment, from, to, records, earliest, latest, STRETCH])? > 0 {
        return Ok(());
    }
    let text = "INSERT INTO stretch (segment, start, end, records, earliest, latest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    transaction.prepare_cached(text)?.execute(params![segment, from, to, records, earliest, latest])?;
    Ok(())
}
