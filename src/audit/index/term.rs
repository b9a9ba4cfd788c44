//! Terms: what a record is found by.
//!
//! | term | of |
//! |---|---|
//! | 0 | every line that cannot be read, so that a query names it as a scan does |
//! | below 0 | the request's id, hashed |
//! | `s` SUBJECT | every record |
//! | `m` MODULE NUL VERSION | every record with a module or a version; another one for its query, if it has both |
//! | `d` DECISION | what is not `allow` |
//! | `k` KIND | `act` and `broken` |
//!
//! The last four are texts, numbered from 1 as they come. Two requests may share a hash: lines that are looked up are
//! judged by the filter anyway. What almost every record has is no term; it would not narrow anything.

use super::super::{Decision, Entry, Kind};

/// The term of lines that cannot be read.
pub(super) const FLAW: i64 = 0;

/// What text terms begin with.
pub(super) const SUBJECT: u8 = b's';
/// See [`SUBJECT`].
pub(super) const MODULE: u8 = b'm';
const DECISION: u8 = b'd';
const KIND: u8 = b'k';

/// Ends the module in a term.
const BETWEEN: u8 = 0;

/// The term of a request's id.
pub(super) fn request(id: &str) -> i64 {
    -1 - i64::from(crc32fast::hash(id.as_bytes()) & 0x7fff_ffff)
}

/// Whether a decision is a term.
pub(super) fn is_rare_decision(decision: Decision) -> bool {
    matches!(decision, Decision::Deny | Decision::Withheld | Decision::Unauthenticated)
}

/// Whether a kind is a term.
pub(super) fn is_rare_kind(kind: Kind) -> bool {
    matches!(kind, Kind::Act | Kind::Broken)
}

/// Writes a term's text into `key`.
pub(super) fn spell_subject(key: &mut Vec<u8>, subject: &str) {
    spell(key, SUBJECT, subject);
}

/// See [`spell_subject`].
pub(super) fn spell_decision(key: &mut Vec<u8>, decision: Decision) {
    spell(key, DECISION, decision.as_str());
}

/// See [`spell_subject`].
pub(super) fn spell_kind(key: &mut Vec<u8>, kind: Kind) {
    spell(key, KIND, kind.as_str());
}

/// See [`spell_subject`]; `version` may be a query.
pub(super) fn spell_module(key: &mut Vec<u8>, module: &str, version: &str) {
    spell(key, MODULE, module);
    key.push(BETWEEN);
    key.extend_from_slice(version.as_bytes());
}

fn spell(key: &mut Vec<u8>, class: u8, text: &str) {
    key.clear();
    key.push(class);
    key.extend_from_slice(text.as_bytes());
}

/// The text of a term that is no module.
pub(super) fn text(key: &[u8]) -> &str {
    std::str::from_utf8(key.get(1..).unwrap_or_default()).unwrap_or_default()
}

/// The module and version of a term. A journal that others wrote may have texts with NUL: then there are several ways.
pub(super) fn modules(key: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = text(key);
    text.match_indices(char::from(BETWEEN)).filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
}

/// Hands over the text terms of a record, spelled into `key`.
pub(super) fn each(entry: &Entry, key: &mut Vec<u8>, mut term: impl FnMut(&[u8])) {
    spell_subject(key, &entry.subject);
    term(key);
    let (version, query) = (entry.version.as_str(), entry.query.as_str());
    if !(entry.module.is_empty() && version.is_empty() && query.is_empty()) {
        let first = if version.is_empty() { query } else { version };
        spell_module(key, &entry.module, first);
        term(key);
        if !version.is_empty() && !query.is_empty() && version != query {
            spell_module(key, &entry.module, query);
            term(key);
        }
    }
    if is_rare_decision(entry.decision) {
        spell_decision(key, entry.decision);
        term(key);
    }
    if is_rare_kind(entry.kind) {
        spell_kind(key, entry.kind);
        term(key);
    }
}
