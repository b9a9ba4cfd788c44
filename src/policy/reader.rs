//! Policy files, read strictly.
//!
//! Casbin drops or misreads a bad line without a word: a wrong effect is no effect, a wrong section is no row, a wrong
//! number of columns fails every decision afterwards. So each file is read here first, line by line, and everything
//! that Casbin would not take as it was meant is an error. What is accepted is accepted by Casbin with the same meaning.
//!
//! Several files are one policy: their rows follow one another in the order in which the files are given.
use super::{
    columns::{parse_action, parse_effect, parse_glob, parse_kind, parse_modules, parse_until},
    fault::{Fault, PolicyError},
    roles::RoleGrant,
    row,
    rule::{Access, Clause, NamespaceLine, Note, Place, Rule},
    subject,
    versions::VersionRange,
};
use std::{collections::HashMap, sync::Arc};

const ACCESS_COLUMNS: &str = "p, sub, mod, ver, act, eft, until, note";
const NAMESPACE_COLUMNS: &str = "p2, mod, kind, note";
const ROLE_COLUMNS: &str = "g, member, role";

/// What was read so far, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) grants: Vec<RoleGrant>,
    pub(super) errors: Vec<PolicyError>,
    ids: HashMap<Box<str>, Place>,
    order: u32,
}

impl Reader {
    /// Reads one more file.
    pub(super) fn read(&mut self, file: &Arc<str>, bytes: &[u8]) {
        let text = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(text) => {
                let fault = Fault::new("the file begins with a byte order mark");
                self.errors.push(fault.hint("save it as UTF-8 without one").at(file, 1));
                text
            }
            None => bytes,
        };
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let place = Place { file: Arc::clone(file), line: number };
            match str::from_utf8(line) {
                Ok(line) => self.line(&place, line),
                Err(_) => self.fault(&place, Fault::new("not UTF-8").hint("save the file as UTF-8")),
            }
        }
    }

    fn line(&mut self, place: &Place, line: &str) {
        match row::split(line) {
            Ok(None) => {}
            Ok(Some(cells)) => self.row(place, line, &cells),
            Err(fault) => self.fault(place, fault),
        }
    }

    fn row(&mut self, place: &Place, line: &str, cells: &[&str]) {
        match cells {
            ["p", sub, modules, versions, action, effect, until, note] => {
                let columns = [*sub, *modules, *versions, *action, *effect, *until];
                let clause = self.access(place, columns).map(Clause::Access);
                self.rule(place, line, clause, note);
            }
            ["p2", glob, kind, note] => {
                let clause = self.namespace(place, glob, kind).map(Clause::Namespace);
                self.rule(place, line, clause, note);
            }
            ["g", member, role] => self.grant(place, member, role),
            ["p", rest @ ..] => self.fault(place, column_fault(ACCESS_COLUMNS, rest)),
            ["p2", rest @ ..] => self.fault(place, column_fault(NAMESPACE_COLUMNS, rest)),
            ["g", rest @ ..] => self.fault(place, column_fault(ROLE_COLUMNS, rest)),
            [section, ..] => self.fault(place, unknown_section(section)),
            [] => {}
        }
    }

    fn access(&mut self, place: &Place, columns: [&str; 6]) -> Option<Access> {
        let [sub, modules, versions, action, effect, until] = columns;
        let subject = self.keep(place, subject::check(sub));
        let modules = self.keep(place, parse_modules(modules));
        let versions = self.keep(place, VersionRange::parse(versions));
        let action = self.keep(place, parse_action(action));
        let effect = self.keep(place, parse_effect(effect));
        let until = self.keep(place, parse_until(until));
        subject?;
        Some(Access {
            subject: sub.into(),
            modules: modules?,
            versions: versions?,
            action: action?,
            effect: effect?,
            until: until?,
        })
    }

    fn namespace(&mut self, place: &Place, glob: &str, kind: &str) -> Option<NamespaceLine> {
        let kind = self.keep(place, parse_kind(kind));
        let glob = match glob {
            "public" | "private" => Err(Fault::new(format!("`{glob}` is a kind, not a path"))
                .hint(format!("columns: {NAMESPACE_COLUMNS}; `p2, corp.example/*, private, -`"))),
            _ => parse_glob(glob),
        };
        Some(NamespaceLine { glob: self.keep(place, glob)?, kind: kind? })
    }

    /// Keeps a row of which nothing is wrong. The note is checked even if something else is.
    fn rule(&mut self, place: &Place, line: &str, clause: Option<Clause>, note: &str) {
        let Some(note) = self.keep(place, Note::parse(note)) else {
            return;
        };
        if let Some(id) = &note.id {
            if let Some(first) = self.ids.get(id) {
                let fault = Fault::new(format!("id `{id}` is taken by {first}"));
                self.fault(place, fault.hint("an id stands for one row: add a suffix"));
            } else {
                self.ids.insert(id.clone(), place.clone());
            }
        }
        let Some(clause) = clause else { return };
        self.rules.push(Arc::new(Rule {
            place: place.clone(),
            order: self.order,
            text: line.trim_start_matches(' ').into(),
            note,
            clause,
        }));
        self.order = self.order.saturating_add(1);
    }

    fn grant(&mut self, place: &Place, member: &str, role: &str) {
        let checked = self.keep(place, subject::check(member));
        if self.keep(place, subject::check_role(role)).and(checked).is_some() {
            self.grants.push(RoleGrant { place: place.clone(), member: member.into(), role: role.into() });
        }
    }

    fn keep<T>(&mut self, place: &Place, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.fault(place, fault)).ok()
    }

    fn fault(&mut self, place: &Place, fault: Fault) {
        self.errors.push(fault.at(&place.file, place.line));
    }
}

fn column_fault(columns: &str, found: &[&str]) -> Fault {
    let wanted = columns.split(", ").count().saturating_sub(1);
    let fault = Fault::new(format!("{} columns where {wanted} are needed", found.len()));
    let too_many = found.len() > wanted;
    if too_many && found.iter().filter(|cell| cell.starts_with(['<', '>'])).count() > 1 {
        return fault.hint("comparisons of a version range are joined by a blank, not by a comma");
    }
    let in_note = found.get(wanted.saturating_sub(1));
    if too_many && in_note.is_some_and(|cell| cell.contains('=')) {
        return fault.hint("a note that holds a comma stands in double quotes");
    }
    fault.hint(format!("columns: {columns}; `-` for none, `*` for any"))
}

fn unknown_section(section: &str) -> Fault {
    let fault = Fault::new(format!("unknown section `{section}`"));
    match section.to_ascii_lowercase().as_str() {
        known @ ("p" | "p2" | "g") => fault.hint(format!("in lower case: `{known}`")),
        _ => fault.hint("a row begins with p, p2 or g; a comment with #"),
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
