//! What is written where, and what was found out while reading it.

use super::place::{InForce, Place, Problem};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// An option of the command line that stands for a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GivenOption {
    pub(super) key: &'static str,
    pub(super) option: &'static str,
    pub(super) value: String,
}

/// What is written where, and what was found out while reading it.
pub(super) struct Report<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) options: &'a [GivenOption],
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Problem>>,
    pub(super) in_force: RefCell<Vec<InForce>>,
}

impl Report<'_> {
    /// The place of a byte of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::File { path: self.file.to_owned(), line, column }
    }

    pub(super) fn problem(&self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.problems.borrow_mut().push(Problem { place, message: message.into(), hint });
    }

    pub(super) fn warning(&self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.warnings.borrow_mut().push(Problem { place, message: message.into(), hint });
    }
}
