//! `modgate policy explain`.
use super::{Common, Ending, report};
use crate::{
    module::{ModulePath, Version},
    policy::{Action, Considered, Explanation, Fate, Namespace, Request},
};
use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::PathBuf,
};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The module, as in go.mod; without a version (or with `latest` or a branch) as for a list
    #[arg(value_name = "MODULE[@VERSION]")]
    module: String,
    /// Who asks: `user:token/alice`, `ci:github/…`, or `anonymous`
    #[arg(long = "as", value_name = "SUBJECT")]
    subject: String,
    /// A group of theirs, as `group:ISSUER/NAME`; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// What they do
    #[arg(long, default_value = "read", value_parser = action)]
    action: Action,
    /// The scope of their token
    #[arg(long)]
    scope: Option<String>,
    /// The policy files, which together are one policy; may be repeated; without any, those of the configuration
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

fn action(text: &str) -> Result<Action, String> {
    Action::parse(text).ok_or_else(|| "one of read, write, manage, audit".into())
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write, today: Date) -> io::Result<Ending> {
    let (module, version) = match named(&args.module) {
        Ok(named) => named,
        Err(error) => {
            let bad = report::BAD;
            writeln!(out, "{bad}error{bad:#}: {error}")?;
            return Ok(Ending::Usage);
        }
    };
    let policy = match report::load(&args.common, &args.policy) {
        Ok(policy) => policy,
        Err(errors) => {
            report::errors(out, &errors)?;
            return Ok(Ending::Findings);
        }
    };
    let identities = identities(args);
    let request = Request {
        identities: &identities,
        module: &module,
        version: version.as_ref(),
        action: args.action,
        day: args.common.day.unwrap_or(today),
    };
    let explanation = policy.explain(&request, args.scope.as_deref());
    if args.common.json {
        report::json(out, &as_json(&request, &explanation))?;
    } else {
        print(out, &request, &explanation)?;
    }
    Ok(Ending::Well)
}

/// Module and version; a branch or `latest` is no version, as in a request.
fn named(text: &str) -> Result<(ModulePath, Option<Version>), String> {
    let (path, version) = match text.split_once('@') {
        Some((path, version)) => (path, Version::parse(version).ok()),
        None => (text, None),
    };
    ModulePath::parse(path).map(|path| (path, version)).map_err(|error| error.to_string())
}

fn identities(args: &ExplainArgs) -> Vec<&str> {
    let mut identities = vec![&*args.subject];
    if args.subject != "anonymous" {
        identities.push("authenticated");
    }
    identities.extend(args.groups.iter().map(String::as_str));
    identities
}

fn print(out: &mut dyn Write, request: &Request<'_>, told: &Explanation) -> io::Result<()> {
    let style = if told.verdict == "allow" { report::GOOD } else { report::BAD };
    let version = request.version.map(|version| format!("@{version}")).unwrap_or_default();
    writeln!(
        out,
        "{style}{}{style:#}  {} {}{version} on {}",
        told.verdict, request.action, request.module, request.day
    )?;
    let field = |name: &str, value: &str| format!("  {name:<10} {value}\n");
    let mut text = field("asked as", &request.identities.join(", "));
    if request.version.is_none() {
        text += &field("version", "none: list, @latest or a branch; only rows with `*` speak of it");
    }
    text += &field("namespace", &namespace(&told.namespace));
    text += &field("because", &because(told));
    if told.path.len() > 1 {
        text += &field("by way of", &told.path.join(" > "));
    }
    if let Some(rule) = &told.decision.rule {
        for (name, value) in [("reason", rule.reason()), ("contact", rule.contact())] {
            text += &value.map(|value| field(name, value)).unwrap_or_default();
        }
    }
    out.write_all(text.as_bytes())?;
    print_considered(out, &told.considered)
}

fn print_considered(out: &mut dyn Write, considered: &[Considered]) -> io::Result<()> {
    if considered.is_empty() {
        return writeln!(out, "no row speaks of this caller and this module");
    }
    writeln!(out, "considered:")?;
    let faint = report::FAINT;
    for Considered { rule, fate } in considered {
        let mark = if *fate == Fate::Decides { ">" } else { " " };
        writeln!(out, "{mark} {}:{}: {}", rule.file(), rule.line(), rule.text())?;
        writeln!(out, "      {faint}{}{faint:#}", fate.describe())?;
    }
    Ok(())
}

fn namespace(namespace: &Namespace) -> String {
    match namespace {
        Namespace::Public => "public".into(),
        Namespace::Private(rule) => format!("private by {rule}"),
        Namespace::Withheld(rule) => format!("withheld, a parent of what {rule} makes private"),
    }
}

fn because(told: &Explanation) -> String {
    match &told.decision.rule {
        Some(rule) => format!("{rule}: {}", rule.text()),
        None if told.decision.outside_scope => "the token's scope does not cover it, or is malformed".into(),
        None => "no row allows it".into(),
    }
}

fn as_json(request: &Request<'_>, told: &Explanation) -> Value {
    let by = match &told.namespace {
        Namespace::Public => None,
        Namespace::Private(rule) | Namespace::Withheld(rule) => Some(report::rule_json(rule)),
    };
    let considered: Value = told
        .considered
        .iter()
        .map(|row| json!({ "rule": report::rule_json(&row.rule), "fate": row.fate.describe() }))
        .collect();
    let warnings: Value = told.decision.warnings.iter().map(|rule| report::rule_json(rule)).collect();
    json!({
        "verdict": told.verdict,
        "identities": request.identities,
        "module": request.module.as_str(),
        "version": request.version.map(Version::as_str),
        "action": request.action.as_str(),
        "day": request.day.to_string(),
        "namespace": { "kind": told.namespace.as_str(), "by": by },
        "rule": told.decision.rule.as_ref().map(|rule| report::rule_json(rule)),
        "role": told.decision.role.as_deref(),
        "path": told.path.iter().map(|name| &**name).collect::<Vec<_>>(),
        "outside_scope": told.decision.outside_scope,
        "warnings": warnings,
        "considered": considered,
    })
}
