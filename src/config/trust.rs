//! `[[issuer.trust]]`: which workloads of an issuer are trusted, and as whom.

use super::quantity::{Value, quoted};
use super::section::{Found, Scalar, Section};
use auth::{Alias, ClaimPath, ClaimPattern, GroupName, Name, SubjectTemplate, TextPattern, TrustRule};
use std::time::Duration;

/// The longest that an exchanged token may live.
const MOST_LIFETIME: Duration = Duration::from_hours(24);

/// Reads a rule; `None` if there is a problem with it, which was reported.
pub(super) fn rule(mut section: Section<'_, '_>, alias: Option<&Alias>, before: &[TrustRule]) -> Option<TrustRule> {
    let name = section.required::<Name>("name");
    let conditions = conditions(&mut section);
    let subject = subject(&mut section, alias);
    let groups = section.many::<GroupName>("groups").map(|found| found.value).unwrap_or_default();
    let record = section.many::<ClaimPath>("record").map(|found| found.value).unwrap_or_default();
    let lifetime = section.get::<Duration>("lifetime");
    let bad = lifetime.as_ref().filter(|found| found.value.is_zero() || found.value > MOST_LIFETIME);
    if let Some(found) = bad {
        section.problem(found.place.clone(), "`lifetime` is between a second and a day", "");
    }
    if let Some(name) = name.as_ref().filter(|name| before.iter().any(|other| other.name == name.value)) {
        section.problem(name.place.clone(), "a rule before it has the same name", "give each another name");
    }
    section.finish();
    let lifetime = lifetime.map(|found| found.value);
    Some(TrustRule { name: name?.value, conditions: conditions?, subject: subject?, groups, record, lifetime })
}

fn conditions(section: &mut Section<'_, '_>) -> Option<Vec<(ClaimPath, ClaimPattern)>> {
    let hint = "claims = { repository = \"corp/*\", ref = \"refs/heads/main\" }";
    let Some(entries) = section.entries("claims") else {
        section.problem(
            section.place(),
            "a rule without `claims` would trust everybody that the issuer signs for",
            hint,
        );
        return None;
    };
    let mut conditions = Vec::new();
    for (claim, Found { value, place }) in entries {
        let path = claim.parse::<ClaimPath>().map_err(|error| error.to_string());
        let pattern = match value {
            Scalar::Text(text) => {
                text.parse::<TextPattern>().map(ClaimPattern::Text).map_err(|error| error.to_string())
            }
            Scalar::Boolean(truth) => Ok(ClaimPattern::Boolean(truth)),
            Scalar::Integer(number) => Ok(ClaimPattern::Integer(number)),
        };
        match (path, pattern) {
            (Ok(path), Ok(pattern)) => conditions.push((path, pattern)),
            (Err(error), _) | (_, Err(error)) => {
                section.problem(place, format!("the condition on `{}`: {error}", claim.escape_debug()), "");
            }
        }
    }
    if !conditions.iter().any(|(_, pattern)| pattern.is_particular()) {
        let message =
            "none of the conditions keeps anybody out, so the rule would trust everybody that the issuer signs for";
        section.problem(section.place(), message, hint);
        return None;
    }
    Some(conditions)
}

/// The template, with or without the `ci:ALIAS/` that stands before every workload's name.
fn subject(section: &mut Section<'_, '_>, alias: Option<&Alias>) -> Option<SubjectTemplate> {
    let Found { value: text, place } = section.required::<String>("subject")?;
    let own = alias.map(|alias| format!("ci:{alias}/"));
    let name = own.as_deref().and_then(|own| text.strip_prefix(own)).unwrap_or(&text);
    let hint = "write what comes after `ci:NAME/`, such as \"{repository}\"";
    if ["user:", "group:", "role:", "ci:"].iter().any(|kind| name.starts_with(kind)) {
        section.problem(place, "a workload's subject is below `ci:` and the issuer's own `name`", hint);
        return None;
    }
    match name.parse() {
        Ok(template) => Some(template),
        Err(error) => {
            section.problem(place, format!("`{}`: {error}", section.dotted("subject")), hint);
            None
        }
    }
}

impl Value for Name {
    const EXPECTED: &'static str = "a name such as \"deploy\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: auth::NameError| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for GroupName {
    const EXPECTED: &'static str = "a group such as \"deploy\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: auth::NameError| error.to_string())
    }
    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}
