//! A policy's own tests: `decisions.csv` beside `policy.csv`.
//!
//! ```text
//! sub, groups, mod, ver, act, day, effect, rule
//! user:token/alice, group:corp/dev;group:corp/pay, github.com/a/b, v1.2.3, read, 2026-11-22, deny, MAL-7
//! ```
//!
//! * `sub` is `anonymous` or a subject that proved who it is (and so is `authenticated`, too); `groups` are joined by
//!   `;`. `-` stands for none in `groups`, `ver` and `rule`.
//! * `effect` is allow, deny or withheld; `rule` the id of the deciding row, then those of the warnings, joined by `;`.
//! * Rows are taken apart as strictly as those of a policy; comments begin with `#`. There is no heading.
use super::{
    compiled::{Policy, Request, Source},
    decision::Decision,
    fault::{Fault, PolicyError, PolicyErrors},
    row,
    rule::{Action, Rule},
    subject,
};
use crate::module::{ModulePath, Version};
use jiff::civil::Date;
use std::sync::Arc;

/// One line of a `decisions.csv`.
#[derive(Debug, Clone)]
pub struct Case {
    /// The line, from 1.
    pub line: u32,
    /// Subject and groups, and `authenticated` unless anonymous.
    pub identities: Vec<String>,
    /// The module.
    pub module: ModulePath,
    /// The version; none for list, `@latest` and branches.
    pub version: Option<Version>,
    /// What is done.
    pub action: Action,
    /// The day.
    pub day: Date,
    /// What is expected, as `effect, rule`.
    pub expected: String,
}

impl Case {
    /// What the policy says instead of what is expected; none if it says that.
    pub fn check(&self, policy: &Policy) -> Option<String> {
        let said = self.ask(policy);
        (said != self.expected).then_some(said)
    }

    /// The identities as the policy takes them.
    pub fn identities(&self) -> Vec<&str> {
        self.identities.iter().map(String::as_str).collect()
    }

    fn ask(&self, policy: &Policy) -> String {
        let identities = self.identities();
        let request = Request {
            identities: &identities,
            module: &self.module,
            version: self.version.as_ref(),
            action: self.action,
            day: self.day,
        };
        let ruling = policy.ruling_on(&request, None);
        let effect = if ruling.withheld { "withheld" } else { ruling.decision.effect.as_str() };
        format!("{effect}, {}", rules_of(&ruling.decision))
    }
}

fn rules_of(decision: &Decision) -> String {
    let name = |rule: &Arc<Rule>| rule.id().map_or_else(|| rule.line().to_string(), str::to_owned);
    let first = decision.rule.as_ref().map_or_else(|| "-".into(), name);
    let all: Vec<String> = std::iter::once(first).chain(decision.warnings.iter().map(name)).collect();
    all.join(";")
}

/// Reads a `decisions.csv`; everything that is wrong with it at once.
pub fn read_cases(source: &Source) -> Result<Vec<Case>, PolicyErrors> {
    let mut cases = Vec::new();
    let mut errors: Vec<PolicyError> = Vec::new();
    let text = String::from_utf8_lossy(&source.content);
    for (number, line) in (1..).zip(text.lines()) {
        match row::split(line).and_then(|cells| cells.map(|cells| read_case(number, &cells)).transpose()) {
            Ok(case) => cases.extend(case),
            Err(fault) => errors.push(fault.at(&source.name, number)),
        }
    }
    if cases.is_empty() && errors.is_empty() {
        errors.push(
            Fault::new("no decision is expected")
                .hint("columns: sub, groups, mod, ver, act, day, effect, rule")
                .at(&source.name, 1),
        );
    }
    if errors.is_empty() { Ok(cases) } else { Err(PolicyErrors(errors)) }
}

fn read_case(line: u32, cells: &[&str]) -> Result<Case, Fault> {
    let [sub, groups, module, version, action, day, effect, rule] = cells else {
        return Err(Fault::new(format!("{} columns where 8 are needed", cells.len()))
            .hint("sub, groups, mod, ver, act, day, effect, rule"));
    };
    if !matches!(*effect, "allow" | "deny" | "withheld") {
        return Err(Fault::new(format!("unknown effect `{effect}`")).hint("allow, deny or withheld"));
    }
    let version = match *version {
        "-" => None,
        text => Some(Version::parse(text).map_err(|error| Fault::new(error.to_string()))?),
    };
    Ok(Case {
        line,
        identities: identities(sub, groups)?,
        module: ModulePath::parse(module).map_err(|error| Fault::new(error.to_string()))?,
        version,
        action: Action::parse(action).ok_or_else(|| Fault::new(format!("unknown action `{action}`")))?,
        day: day.parse().map_err(|_| Fault::new(format!("bad day `{day}`")).hint("as 2026-12-31"))?,
        expected: format!("{effect}, {rule}"),
    })
}

fn identities(sub: &str, groups: &str) -> Result<Vec<String>, Fault> {
    let mut identities = vec![sub.to_owned()];
    if sub != "anonymous" {
        identities.push("authenticated".into());
    }
    if groups != "-" {
        identities.extend(groups.split(';').map(|group| group.trim().to_owned()));
    }
    for identity in &identities {
        subject::check(identity)?;
        if subject::is_role(identity) {
            return Err(Fault::new(format!("nobody comes as `{identity}`")).hint("roles are given by `g` rows"));
        }
    }
    Ok(identities)
}
