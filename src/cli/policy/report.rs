//! How findings are printed, and how files are read for that.
use super::Common;
use crate::policy::{Policy, PolicyError, PolicyErrors, Rule};
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::PathBuf,
};

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();

/// Reads the files into a policy.
pub(super) fn load(common: &Common, files: &[PathBuf]) -> Result<Policy, PolicyErrors> {
    Policy::load(common.model.as_deref(), files)
}

/// One finding: `FILE:LINE: error: …`, the hint on a line of its own.
pub(super) fn finding(out: &mut dyn Write, style: Style, kind: &str, error: &PolicyError) -> io::Result<()> {
    let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
    writeln!(out, "{}{line}: {style}{kind}{style:#}: {}", error.file, error.message)?;
    match &error.hint {
        Some(hint) => writeln!(out, "    {FAINT}hint:{FAINT:#} {hint}"),
        None => Ok(()),
    }
}

/// All errors of a policy, and how many they are.
pub(super) fn errors(out: &mut dyn Write, errors: &PolicyErrors) -> io::Result<()> {
    for error in &errors.0 {
        finding(out, BAD, "error", error)?;
    }
    writeln!(out, "{}", count(errors.0.len(), "error"))
}

/// `1 error`, `2 errors`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

pub(super) fn finding_json(error: &PolicyError) -> Value {
    json!({ "file": &*error.file, "line": error.line, "message": error.message, "hint": error.hint })
}

pub(super) fn findings_json(errors: &[PolicyError]) -> Value {
    errors.iter().map(finding_json).collect()
}

pub(super) fn rule_json(rule: &Rule) -> Value {
    json!({
        "file": rule.file(), "line": rule.line(), "row": rule.text(),
        "id": rule.id(), "reason": rule.reason(), "contact": rule.contact(),
    })
}

/// Prints one JSON value.
pub(super) fn json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value:#}")
}
