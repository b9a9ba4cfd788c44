//! A table whose keys are not known beforehand: the conditions of a trust rule.

use super::{Found, Section};
use crate::config::quantity::quoted;
use toml::de::DeValue;

/// A value of a table whose keys are not known beforehand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::config) enum Scalar {
    Text(String),
    Boolean(bool),
    Integer(i64),
}

impl Section<'_, '_> {
    /// The entries of a table whose keys are not known beforehand, each a text, a truth or a whole number; in the order of
    /// their names. `None` if it is not written.
    pub(in crate::config) fn entries(&mut self, key: &'static str) -> Option<Vec<(String, Found<Scalar>)>> {
        self.asked.push(key);
        let name = self.dotted(key);
        let (written, value) = self.table.remove_entry(key)?;
        let place = self.report.place(written.span().start);
        let table = match value.into_inner() {
            DeValue::Table(table) => table,
            other => {
                let message = format!("`{name}`: expected a table, found {}", other.type_str());
                self.report.problem(place, message, Some(format!("{key} = {{ … }}")));
                return Some(Vec::new());
            }
        };
        let mut entries = Vec::new();
        for (written, value) in table {
            let (entry, place) = (written.into_inner().into_owned(), self.report.place(value.span().start));
            let scalar = match value.into_inner() {
                DeValue::String(text) => Scalar::Text(text.into_owned()),
                DeValue::Boolean(truth) => Scalar::Boolean(truth),
                DeValue::Integer(number) if number.radix() == 10 => match number.as_str().parse() {
                    Ok(number) => Scalar::Integer(number),
                    Err(_) => {
                        self.report.problem(place, format!("`{name}.{entry}` is too large a number"), None);
                        continue;
                    }
                },
                other => {
                    let found = other.type_str();
                    let message =
                        format!("`{name}.{entry}`: expected a text, a truth or a whole number, found {found}");
                    self.report.problem(place, message, None);
                    continue;
                }
            };
            let shown = match &scalar {
                Scalar::Text(text) => quoted(text),
                Scalar::Boolean(truth) => truth.to_string(),
                Scalar::Integer(number) => number.to_string(),
            };
            self.in_force(&format!("{key}.{entry}"), shown, place.clone());
            entries.push((entry, Found { value: scalar, place }));
        }
        Some(entries)
    }
}
