//! A plan: which terms, and which times, a filter comes down to.
//!
//! INVARIANT: every record that a filter admits has, for each condition of the plan, one of its terms, and its time is in the
//! plan's span. A condition of which that cannot be said is left out; the filter itself judges the lines.

use super::{
    super::{Filter, ModulePattern},
    term,
};
use rusqlite::{Connection, OptionalExtension};

/// A condition that more terms meet than this is not looked up: reading would be cheaper.
const MOST_TERMS: usize = 2000;

/// What to look up. All conditions are to be met, each by any of its terms.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) conditions: Vec<Vec<i64>>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Plan {
    /// The plan for a filter, with the terms that there are now.
    pub(super) fn of(filter: &Filter, connection: &Connection) -> rusqlite::Result<Self> {
        // Times are kept in microseconds: a nanosecond may be cut off either side.
        let since = filter.since.map(|since| since.as_microsecond().saturating_sub(1));
        let until = filter.until.map(|until| until.as_microsecond().saturating_add(1));
        let mut plan = Self { conditions: Vec::new(), since, until };
        if let Some(request) = filter.request.as_ref().filter(|request| !request.is_empty()) {
            plan.conditions.push(vec![term::request(request)]);
        }
        plan.conditions.extend(subjects(filter, connection)?);
        plan.conditions.extend(modules(filter, connection)?);
        if !filter.decisions.is_empty() && filter.decisions.iter().all(|decision| term::is_rare_decision(*decision)) {
            plan.conditions.push(any_of(
                &filter.decisions,
                |key, value| term::spell_decision(key, *value),
                connection,
            )?);
        }
        if !filter.kinds.is_empty() && filter.kinds.iter().all(|kind| term::is_rare_kind(*kind)) {
            plan.conditions.push(any_of(&filter.kinds, |key, value| term::spell_kind(key, *value), connection)?);
        }
        // Few terms are mostly few places, and no place is none at all.
        plan.conditions.sort_by_key(Vec::len);
        Ok(plan)
    }

    /// Whether it says nothing.
    pub(super) fn is_everything(&self) -> bool {
        self.conditions.is_empty() && self.since.is_none() && self.until.is_none()
    }

    /// Whether records of these times, in microseconds, may be asked for.
    pub(super) fn meets(&self, earliest: i64, latest: i64) -> bool {
        self.since.is_none_or(|since| latest >= since) && self.until.is_none_or(|until| earliest <= until)
    }
}

/// The terms of some values.
fn any_of<T>(values: &[T], spell: impl Fn(&mut Vec<u8>, &T), connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let (mut key, mut terms) = (Vec::new(), Vec::new());
    for value in values {
        spell(&mut key, value);
        terms.extend(number(connection, &key)?);
    }
    Ok(terms)
}

fn subjects(filter: &Filter, connection: &Connection) -> rusqlite::Result<Option<Vec<i64>>> {
    let Some(pattern) = &filter.subject else {
        return Ok(None);
    };
    if let Some(exact) = pattern.exact() {
        return any_of(&[exact], |key, subject| term::spell_subject(key, subject), connection).map(Some);
    }
    matching(connection, &[term::SUBJECT], &[term::SUBJECT + 1], |key| pattern.matches(term::text(key)))
}

/// A record without module and version has no term, so a condition that it could meet is not looked up.
fn modules(filter: &Filter, connection: &Connection) -> rusqlite::Result<Option<Vec<i64>>> {
    let module = filter.module.as_ref().filter(|pattern| !pattern.matches(""));
    let version = filter.version.as_deref().filter(|version| !version.is_empty());
    if module.is_none() && version.is_none() {
        return Ok(None);
    }
    let meets = |key: &[u8]| {
        term::modules(key).any(|(path, of)| {
            module.is_none_or(|pattern| pattern.matches(path)) && version.is_none_or(|version| version == of)
        })
    };
    let (mut from, mut to) = (vec![term::MODULE], vec![term::MODULE + 1]);
    if let Some(ModulePattern::Exact(path)) = module {
        term::spell_module(&mut from, path, "");
        to.clone_from(&from);
        // Behind all versions of the module.
        to.pop();
        to.push(1);
    }
    matching(connection, &from, &to, meets)
}

/// The terms from `from` to before `to` that match; none if they are too many.
fn matching(
    connection: &Connection,
    from: &[u8],
    to: &[u8],
    mut matches: impl FnMut(&[u8]) -> bool,
) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut statement = connection.prepare_cached("SELECT key, id FROM term WHERE key >= ?1 AND key < ?2")?;
    let mut rows = statement.query([from, to])?;
    let mut terms = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        if matches(key) {
            terms.push(row.get(1)?);
        }
        if terms.len() > MOST_TERMS {
            return Ok(None);
        }
    }
    Ok(Some(terms))
}

fn number(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT id FROM term WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}
