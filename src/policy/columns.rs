//! The columns of `p` and `p2` rows that are words, dates and patterns, each read for itself.
//!
//! Every mistake gets a hint, found by what people write instead: URLs, `path@version`, `...`, capital letters.
use super::{
    fault::Fault,
    rule::{Action, Modules, NamespaceKind, RowEffect},
};
use crate::module::Glob;
use jiff::civil::Date;

pub(super) fn parse_action(text: &str) -> Result<Option<Action>, Fault> {
    if text == "*" {
        return Ok(None);
    }
    Action::parse(text).map(Some).ok_or_else(|| {
        Fault::new(format!("unknown action `{text}`")).hint("read, write, manage, audit or `*`; one action a row")
    })
}

pub(super) fn parse_effect(text: &str) -> Result<RowEffect, Fault> {
    [RowEffect::Allow, RowEffect::Deny, RowEffect::Warn]
        .into_iter()
        .find(|effect| effect.as_str() == text)
        .ok_or_else(|| Fault::new(format!("unknown effect `{text}`")).hint("allow, deny or warn, in lower case"))
}

pub(super) fn parse_until(text: &str) -> Result<Option<Date>, Fault> {
    if text == "-" {
        return Ok(None);
    }
    let bad =
        || Fault::new(format!("bad date `{text}`")).hint("the last day on which the row holds, as 2026-12-31, or `-`");
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return Err(bad());
    }
    text.parse().map(Some).map_err(|_| bad())
}

pub(super) fn parse_kind(text: &str) -> Result<NamespaceKind, Fault> {
    match text {
        "private" => Ok(NamespaceKind::Private),
        "public" => Ok(NamespaceKind::Public),
        _ => Err(Fault::new(format!("unknown kind `{text}`")).hint("private or public")),
    }
}

/// Reads a module column; also what may stand after the colon of a token's scope.
pub(super) fn parse_modules(text: &str) -> Result<Modules, Fault> {
    Ok(match text {
        "*" => Modules::All,
        "public" => Modules::Public,
        "private" => Modules::Private,
        _ => Modules::Glob(parse_glob(text)?),
    })
}

pub(super) fn parse_glob(text: &str) -> Result<Glob, Fault> {
    let glob = Glob::parse(text).map_err(|error| Fault::new(error.to_string()).hint(glob_hint(text)))?;
    let first = glob.elements().next().unwrap_or_default();
    if text.ends_with('/') || text.contains("...") || text.contains("**") {
        return Err(Fault::new(format!("`{text}` is not how GOPRIVATE writes it")).hint(glob_hint(text)));
    }
    if !first.contains(['.', '*', '?', '[', '\\']) || text.contains([':', '@', '!', ' ']) {
        return Err(Fault::new(format!("`{text}` matches no module path")).hint(glob_hint(text)));
    }
    Ok(glob)
}

fn glob_hint(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if matches!(&*lower, "public" | "private") {
        return format!("in lower case: `{lower}`");
    }
    if let Some((_, rest)) = text.split_once("://") {
        return format!("without the scheme: `{}`", rest.trim_end_matches('/'));
    }
    if let Some((path, version)) = text.split_once('@') {
        return format!("`{path}` here, `{version}` in the column of versions");
    }
    if text.contains("...") || text.ends_with('/') || text.contains("**") {
        return "a pattern matches whole elements and all that is below: `corp.example/team`".into();
    }
    if text.contains('!') {
        return "capital letters as in go.mod, not escaped".into();
    }
    "elements joined by `/`, the first with a dot, `*` within one element; one pattern a row".into()
}
