//! The raw form: a table of the file whose values are taken out one by one.

mod entries;

pub(super) use entries::Scalar;

use super::environment;
use super::place::{InForce, Place};
use super::quantity::{Form, Value, masked, quoted};
use super::report::{GivenOption, Report};
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A value before it is read.
enum Raw<'i> {
    /// Of the environment or the command line.
    Text(String),
    /// Of the file.
    Toml(DeValue<'i>),
}

/// One table of the file.
pub(super) struct Section<'a, 'i> {
    report: &'a Report<'a>,
    /// Dotted, empty for the whole file.
    name: String,
    place: Place,
    table: DeTable<'i>,
    asked: Vec<&'static str>,
}

impl<'a, 'i> Section<'a, 'i> {
    /// The whole file.
    pub(super) fn root(report: &'a Report<'a>, table: DeTable<'i>) -> Self {
        Self { report, name: String::new(), place: Place::Default, table, asked: Vec::new() }
    }

    /// Where the section begins.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// A value, if it is written anywhere and good.
    pub(super) fn get<T: Value>(&mut self, key: &'static str) -> Option<Found<T>> {
        let (raw, place) = self.take(key)?;
        let written = written(&raw, T::FORM);
        match written.as_deref().map(T::parse) {
            Some(Ok(value)) => {
                self.in_force(key, value.show(), place.clone());
                Some(Found { value, place })
            }
            Some(Err(reason)) => {
                self.wrong::<T>(key, place, written.as_deref().unwrap_or_default(), &reason);
                None
            }
            None => {
                self.wrong::<T>(key, place, type_name(&raw), "");
                None
            }
        }
    }

    /// A value, or `default` if it is not written.
    pub(super) fn or<T: Value>(&mut self, key: &'static str, default: T) -> T {
        if self.is_written(key) {
            return self.get(key).map_or(default, |found| found.value);
        }
        self.asked.push(key);
        self.in_force(key, default.show(), Place::Default);
        default
    }

    /// As [`Section::or`], and it must lie between the two others.
    pub(super) fn within<T: Value + PartialOrd>(&mut self, key: &'static str, least: T, default: T, most: T) -> T {
        if !self.is_written(key) {
            return self.or(key, default);
        }
        match self.get::<T>(key) {
            Some(Found { value, .. }) if value >= least && value <= most => value,
            Some(Found { value, place }) => {
                let key = self.dotted(key);
                let message = format!("`{key}` is {}, not between {} and {}", value.show(), least.show(), most.show());
                self.report.problem(place, message, None);
                default
            }
            None => default,
        }
    }

    /// A value that must be there.
    pub(super) fn required<T: Value>(&mut self, key: &'static str) -> Option<Found<T>> {
        if !self.is_written(key) {
            self.asked.push(key);
            self.report.problem(self.place(), format!("`{}` is missing", self.dotted(key)), None);
            return None;
        }
        self.get(key)
    }

    /// A list; in the environment and on the command line its elements are separated by commas.
    pub(super) fn many<T: Value>(&mut self, key: &'static str) -> Option<Found<Vec<T>>> {
        let (raw, place) = self.take(key)?;
        let elements: Vec<(String, Place)> = match raw {
            Raw::Text(text) => text.split(',').map(|part| (part.trim().to_owned(), place.clone())).collect(),
            Raw::Toml(DeValue::Array(array)) => array
                .iter()
                .map(|element| {
                    let text = element.get_ref().as_str().unwrap_or_else(|| element.get_ref().type_str());
                    (text.to_owned(), self.report.place(element.span().start))
                })
                .collect(),
            Raw::Toml(other) => {
                let message = format!("`{}`: expected a list, found {}", self.dotted(key), other.type_str());
                self.report.problem(place, message, Some(format!("{key} = [ … ]")));
                return None;
            }
        };
        let mut values = Vec::new();
        for (text, place) in elements {
            match T::parse(&text) {
                Ok(value) => values.push(value),
                Err(reason) => self.wrong::<T>(key, place, &text, &reason),
            }
        }
        let shown: Vec<String> = values.iter().map(T::show).collect();
        self.in_force(key, format!("[{}]", shown.join(", ")), place.clone());
        Some(Found { value: values, place })
    }

    /// A path. In the file it is relative to the file's directory, elsewhere to the working directory.
    pub(super) fn path(&mut self, key: &'static str) -> Option<Found<PathBuf>> {
        let (raw, place) = self.take(key)?;
        match written(&raw, Form::Text).map(|text| String::parse(&text)) {
            Some(Ok(text)) => {
                let value = self.resolve(&text, &place);
                self.in_force(key, quoted(&value.to_string_lossy()), place.clone());
                Some(Found { value, place })
            }
            _ => {
                let message = format!("`{}`: expected a path, found {}", self.dotted(key), type_name(&raw));
                self.report.problem(place, message, None);
                None
            }
        }
    }

    /// A path, or `default`.
    pub(super) fn path_or(&mut self, key: &'static str, default: PathBuf) -> PathBuf {
        if self.is_written(key) {
            return self.path(key).map_or(default, |found| found.value);
        }
        self.asked.push(key);
        self.in_force(key, quoted(&default.to_string_lossy()), Place::Default);
        default
    }

    /// A list of paths, or `default`.
    pub(super) fn paths_or(&mut self, key: &'static str, default: Vec<PathBuf>) -> Vec<PathBuf> {
        if self.is_written(key) {
            let Some(found) = self.many::<String>(key) else {
                return default;
            };
            return found.value.iter().map(|text| self.resolve(text, &found.place)).collect();
        }
        self.asked.push(key);
        let shown: Vec<String> = default.iter().map(|path| quoted(&path.to_string_lossy())).collect();
        self.in_force(key, format!("[{}]", shown.join(", ")), Place::Default);
        default
    }

    /// A table; empty if it is not written.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a, 'i> {
        self.asked.push(key);
        let name = self.dotted(key);
        let (table, place) = match self.table.remove_entry(key) {
            None => (DeTable::new(), Place::Default),
            Some((written, value)) => {
                let place = self.report.place(written.span().start);
                match value.into_inner() {
                    DeValue::Table(table) => (table, place),
                    other => {
                        let message = format!("`{name}`: expected a table, found {}", other.type_str());
                        self.report.problem(place.clone(), message, Some(format!("[{name}]")));
                        (DeTable::new(), place)
                    }
                }
            }
        };
        Section { report: self.report, name, place, table, asked: Vec::new() }
    }

    /// A list of tables: `None` if it is not written, empty if it says `"off"` or `[]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Option<Vec<Section<'a, 'i>>> {
        self.asked.push(key);
        let name = self.dotted(key);
        let (written, value) = self.table.remove_entry(key)?;
        let place = self.report.place(written.span().start);
        let expected = |place, found: &str| {
            let message = format!("`{name}`: expected a list of tables, found {found}");
            self.report.problem(place, message, Some(format!("[[{name}]]")));
        };
        let array = match value.into_inner() {
            DeValue::Array(array) => array,
            DeValue::String(text) if text == "off" => return Some(Vec::new()),
            other => {
                expected(place, other.type_str());
                return Some(Vec::new());
            }
        };
        let mut sections = Vec::new();
        for (number, element) in array.into_iter().enumerate() {
            let place = self.report.place(element.span().start);
            match element.into_inner() {
                DeValue::Table(table) => {
                    let name = format!("{name}.{number}");
                    sections.push(Section { report: self.report, name, place, table, asked: Vec::new() });
                }
                other => expected(place, other.type_str()),
            }
        }
        Some(sections)
    }

    /// Whether it is written nowhere.
    pub(super) fn is_absent(&self) -> bool {
        self.place == Place::Default
    }

    /// Warns of every key that is written in the file, because none of them does anything; `why` completes the sentence.
    /// To be called before any is read.
    pub(super) fn without_effect(&self, why: &str) {
        for (key, _) in &self.table {
            let message = format!("`{}` is without effect {why}", self.dotted(key.get_ref()));
            self.report.warning(self.report.place(key.span().start), message, Some("remove it".to_owned()));
        }
    }

    /// Reports what nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in &self.table {
            let name = key.get_ref().as_ref();
            let hint = nearest(name, self.asked.iter().copied()).map(|known| format!("did you mean `{known}`?"));
            let hint = hint.unwrap_or_else(|| format!("known here: {}", self.asked.join(", ")));
            let message = match self.name.as_str() {
                "" => format!("unknown key `{name}`"),
                section => format!("unknown key `{name}` in `{section}`"),
            };
            self.report.problem(self.report.place(key.span().start), message, Some(hint));
        }
    }

    /// Says that a good value is bad together with others.
    pub(super) fn problem(&self, place: Place, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.report.problem(place, message, hint);
    }

    /// Says what should be known.
    pub(super) fn warning(&self, place: Place, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.report.warning(place, message, hint);
    }

    /// The key with the names of the tables that it is in.
    pub(super) fn dotted(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Whether anybody wrote it.
    pub(super) fn is_written(&self, key: &str) -> bool {
        let dotted = self.dotted(key);
        self.option(&dotted).is_some() || self.variable(&dotted).is_some() || self.table.contains_key(key)
    }

    fn option(&self, dotted: &str) -> Option<&'a GivenOption> {
        self.report.options.iter().find(|option| option.key == dotted)
    }

    fn variable(&self, dotted: &str) -> Option<(&'static str, &'a String)> {
        let variable = environment::variable(dotted)?;
        let value = self.report.environment.get(variable).filter(|value| !value.is_empty())?;
        Some((variable, value))
    }

    /// Takes a value out of the table; what wins over it is preferred, but it is gone from the table all the same.
    fn take(&mut self, key: &'static str) -> Option<(Raw<'i>, Place)> {
        self.asked.push(key);
        let dotted = self.dotted(key);
        let in_file = self.table.remove(key);
        if let Some(option) = self.option(&dotted) {
            return Some((Raw::Text(option.value.clone()), Place::Option(option.option)));
        }
        if let Some((variable, value)) = self.variable(&dotted) {
            return Some((Raw::Text(value.clone()), Place::Environment(variable)));
        }
        let value: Spanned<DeValue<'i>> = in_file?;
        let Range { start, .. } = value.span();
        Some((Raw::Toml(value.into_inner()), self.report.place(start)))
    }

    fn resolve(&self, text: &str, place: &Place) -> PathBuf {
        match (place, self.report.file.parent()) {
            (Place::File { .. }, Some(directory)) => directory.join(text),
            _ => PathBuf::from(text),
        }
    }

    fn wrong<T: Value>(&self, key: &str, place: Place, found: &str, reason: &str) {
        let found = match masked(found) {
            // On one line, and nothing that a terminal would obey.
            found if found.contains(char::is_control) => found.escape_debug().to_string(),
            found => found,
        };
        let mut message = format!("`{}`: expected {}, found `{found}`", self.dotted(key), T::EXPECTED);
        if !reason.is_empty() {
            message.push_str(": ");
            message.push_str(reason);
        }
        self.report.problem(place, message, None);
    }

    fn in_force(&self, key: &str, value: String, origin: Place) {
        self.report.in_force.borrow_mut().push(InForce { key: self.dotted(key), value, origin });
    }
}

/// The text of a value if it is written in that form.
fn written(raw: &Raw<'_>, form: Form) -> Option<String> {
    let value = match raw {
        Raw::Text(text) => return Some(text.clone()),
        Raw::Toml(value) => value,
    };
    match (form, value) {
        (Form::Text | Form::TextOrInteger, DeValue::String(text)) => Some(text.to_string()),
        (Form::Integer | Form::TextOrInteger, DeValue::Integer(number)) if number.radix() == 10 => {
            Some(number.as_str().to_owned())
        }
        (Form::Boolean, DeValue::Boolean(truth)) => Some(truth.to_string()),
        _ => None,
    }
}

fn type_name(raw: &Raw<'_>) -> &'static str {
    match raw {
        Raw::Text(_) => "text",
        Raw::Toml(value) => value.type_str(),
    }
}

/// The known name that was probably meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase().replace('-', "_"), known);
    known
        .map(|known| (distance(known), known))
        .filter(|(distance, _)| *distance <= 2.max(name.len() / 4))
        .min()
        .map(|(_, known)| known)
}
