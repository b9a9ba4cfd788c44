//! Settings by which modules go around the gateway, or are not verified.

use super::finding::Finding;
use crate::cli::go_env;
use crate::source::{Environment, go_setting};

/// Looks at all of them.
pub(super) fn examine(environment: &Environment) -> Vec<Finding> {
    let mut findings = vec![around(environment)];
    findings.extend(unsummed(environment));
    findings.extend(flags(environment));
    findings
}

/// The patterns of the first of these settings that is set, and its name.
fn patterns<'n>(names: &[&'n str], environment: &Environment) -> Option<(&'n str, String)> {
    let (name, setting) = names.iter().find_map(|name| Some((*name, go_setting(name, environment)?)))?;
    let real = setting.value.split(',').any(|pattern| !pattern.is_empty() && pattern != "none");
    real.then_some((name, setting.value))
}

/// GONOPROXY, which GOPRIVATE sets where it is not set itself.
fn around(environment: &Environment) -> Finding {
    match patterns(&["GONOPROXY", "GOPRIVATE"], environment) {
        Some((name, value)) => {
            let fix = go_env::line(environment, "GONOPROXY", Some("none"));
            Finding::bad(name, format!("what matches `{value}` goes around the gateway"), fix)
        }
        None => Finding::ok("GONOPROXY", "nothing goes around the gateway"),
    }
}

fn unsummed(environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    if go_setting("GOSUMDB", environment).is_some_and(|setting| setting.value == "off") {
        let text = "no checksum database is asked about any module";
        findings.push(Finding::warn("GOSUMDB", text, go_env::line(environment, "GOSUMDB", None)));
    }
    if let Some((name, value)) = patterns(&["GONOSUMDB", "GOPRIVATE"], environment)
        && value.split(',').any(|pattern| pattern.trim_matches(['*', '/']).is_empty() && !pattern.is_empty())
    {
        let text = format!("`{value}` keeps every module from being verified");
        findings.push(Finding::warn(name, text, "name private modules only, as in GONOSUMDB=corp.example"));
    }
    if environment.get("GONOSUMCHECK").is_some() {
        findings.push(Finding::warn("GONOSUMCHECK", "it is of no use to the go command", "unset GONOSUMCHECK"));
    }
    findings
}

fn flags(environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let flags = go_setting("GOFLAGS", environment).map(|setting| setting.value).unwrap_or_default();
    let (insecure, others): (Vec<_>, Vec<_>) = flags
        .split_whitespace()
        .partition(|flag| matches!(flag.trim_start_matches('-').split('=').next(), Some("insecure")));
    if !insecure.is_empty() {
        let others = others.join(" ");
        let fix = go_env::line(environment, "GOFLAGS", Some(others.as_str()).filter(|others| !others.is_empty()));
        findings.push(Finding::bad(
            "GOFLAGS",
            "`-insecure` has modules fetched without verification, or go refuse to run",
            fix,
        ));
    }
    if let Some((name, value)) = patterns(&["GOINSECURE"], environment) {
        let text = format!("what matches `{value}` may be fetched over http where it goes around the gateway");
        findings.push(Finding::warn(name, text, go_env::line(environment, "GOINSECURE", None)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::source::Platform;

    #[test]
    fn every_bypass_has_its_finding() {
        for (variables, level, check, text) in [
            (&[][..], Level::Ok, "GONOPROXY", "nothing"),
            (&[("GOPRIVATE", "corp.test,*.corp.test")], Level::Bad, "GOPRIVATE", "corp.test,*.corp.test"),
            (&[("GOPRIVATE", "corp.test"), ("GONOPROXY", "none")], Level::Ok, "GONOPROXY", "nothing"),
            (&[("GONOPROXY", "*")], Level::Bad, "GONOPROXY", "around"),
            (&[("GOSUMDB", "off")], Level::Warn, "GOSUMDB", "no checksum database"),
            (&[("GONOSUMDB", "*")], Level::Warn, "GONOSUMDB", "every module"),
            (&[("GONOSUMDB", "corp.test")], Level::Ok, "GONOPROXY", "nothing"),
            (&[("GONOSUMCHECK", "1")], Level::Warn, "GONOSUMCHECK", "no use"),
            (&[("GOFLAGS", "-mod=mod -insecure")], Level::Bad, "GOFLAGS", "-insecure"),
            (&[("GOINSECURE", "corp.test")], Level::Warn, "GOINSECURE", "http"),
        ] {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let findings = examine(&Environment::new(Platform::Unix, owned));
            let found = |one: &Finding| one.level == level && one.check == check && one.text.contains(text);
            assert!(findings.iter().any(found), "{variables:?}: {findings:?}");
            assert!(findings.iter().all(|one| one.level <= level), "{variables:?}: {findings:?}");
        }
        let flags = [("GOFLAGS".to_owned(), "-mod=mod -insecure".to_owned())];
        let findings = examine(&Environment::new(Platform::Unix, flags));
        assert!(findings.iter().any(|one| one.fix.as_deref() == Some("export GOFLAGS=-mod=mod")), "{findings:?}");
    }
}
