//! The backlog: what of the journal is not indexed yet.

use super::{
    super::{
        AuditError, Entry,
        lines::{Extent, Forward},
        segment::{name, numbers},
    },
    mark::{Look, Mark},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, path::Path};

/// How far an index is behind its journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    /// Bytes of the journal that are not indexed.
    pub bytes: u64,
    /// The time of the first record among them, if there is one that can be read.
    pub since: Option<Timestamp>,
}

impl Backlog {
    /// Compares the journal in `dir` with the marks of its segments.
    pub(super) fn of(dir: &Path, marks: &BTreeMap<u64, Mark>) -> Result<Self, AuditError> {
        let mut backlog = Self::default();
        for number in numbers(dir).map_err(AuditError::file("list", dir))? {
            let path = dir.join(name(number));
            // One that was removed meanwhile is not behind.
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            let look = Look::of(&metadata);
            let mark = marks.get(&number).copied().unwrap_or_default();
            if mark.is_level_with(look) || look.length == mark.bytes {
                continue;
            }
            backlog.bytes += look.length.saturating_sub(mark.bytes);
            if backlog.since.is_none() {
                backlog.since = time_at(&path, mark.bytes);
            }
        }
        Ok(backlog)
    }
}

/// The time of the first record from `offset` on.
fn time_at(path: &Path, offset: u64) -> Option<Timestamp> {
    let extent = Extent::of(path).ok()?;
    let mut lines = Forward::new(extent.file, extent.end);
    lines.seek(offset);
    while let Some(line) = lines.next().ok()? {
        if let Ok(entry) = Entry::parse(line.bytes) {
            return Some(entry.time);
        }
    }
    None
}
