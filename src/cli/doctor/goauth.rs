//! GOAUTH: whether the go command can use it, and what its commands answer.

use super::finding::Finding;
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::go_credential;
use crate::cli::go_env;
use crate::cli::goauth::setting;
use crate::source::Environment;
use std::path::Path;

const CHECK: &str = "GOAUTH";

/// Looks at the setting, and runs its commands as the go command does before its first request.
pub(super) fn examine(base: &GatewayUrl, goauth: &str, environment: &Environment) -> Vec<Finding> {
    let commands: Vec<&str> = setting::commands(goauth).collect();
    let default = || go_env::line(environment, CHECK, None);
    if goauth == "off" {
        return vec![Finding::bad(CHECK, "`off` keeps the go command from sending any credential", default())];
    }
    if commands.contains(&"off") {
        return vec![Finding::bad(
            CHECK,
            "`off` stands beside other commands: the go command refuses to run",
            default(),
        )];
    }
    if commands.iter().any(|command| command.is_empty()) {
        let whole: Vec<_> = commands.into_iter().filter(|command| !command.is_empty()).collect();
        let fix = go_env::line(
            environment,
            CHECK,
            Some(&whole.join(";")).filter(|left| !left.is_empty()).map(|x| x.as_str()),
        );
        return vec![Finding::bad(CHECK, "there is an empty command in it: the go command refuses to run", fix)];
    }
    commands.into_iter().filter(|command| *command != "netrc").map(|command| one(base, command)).collect()
}

fn one(base: &GatewayUrl, command: &str) -> Finding {
    let mut words = command.split_whitespace();
    if words.next() == Some("git") {
        let directory = words.next().filter(|directory| words.next().is_none() && Path::new(directory).is_absolute());
        return match directory.filter(|directory| Path::new(directory).is_dir()) {
            Some(_) => Finding::ok(CHECK, format!("`{command}` asks git's credential helper, which is not asked now")),
            None => Finding::bad(
                CHECK,
                format!("`{command}` has to name a directory by its absolute path"),
                "GOAUTH='git /DIRECTORY'",
            ),
        };
    }
    let login = format!("modgate login --goauth {base}");
    match go_credential::of_helper(command, base) {
        Ok(Some(_)) => Finding::ok(CHECK, format!("`{command}` has a credential for the gateway")),
        Ok(None) if setting::is_ours(command, base) => {
            Finding::bad(CHECK, format!("`{command}` has no credential"), login)
        }
        Ok(None) => Finding::ok(CHECK, format!("`{command}` has no credential for this gateway")),
        Err(error) => Finding::bad(CHECK, error.to_string(), login),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::source::Platform;

    #[test]
    fn every_setting_has_its_finding() {
        let base: GatewayUrl = "https://gw.test:8443".parse().unwrap();
        let environment = Environment::new(Platform::Unix, []);
        for (goauth, level, text) in [
            ("off", Level::Bad, "any credential"),
            ("netrc;off", Level::Bad, "refuses to run"),
            ("netrc;", Level::Bad, "empty command"),
            ("git relative", Level::Bad, "absolute path"),
            ("git /nowhere/at/all", Level::Bad, "absolute path"),
            ("/nowhere/modgate goauth https://gw.test:8443;netrc", Level::Bad, "cannot be run"),
            ("'unclosed", Level::Bad, "quote"),
        ] {
            let findings = examine(&base, goauth, &environment);
            let found = |one: &Finding| one.level == level && one.text.contains(text) && one.fix.is_some();
            assert!(findings.iter().any(found), "{goauth}: {findings:?}");
        }
        assert_eq!(examine(&base, "netrc", &environment), []);
    }

    #[cfg(unix)]
    #[test]
    fn what_commands_answer_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let base: GatewayUrl = "https://gw.test:8443".parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let helper = directory.path().join("helper");
        for (body, level, text) in [
            (
                "printf 'https://gw.test:8443\\n\\nAuthorization: Bearer s3cret\\n\\n'",
                Level::Ok,
                "has a credential for the gateway",
            ),
            (
                "printf 'https://other.test\\n\\nAuthorization: Bearer s3cret\\n\\n'",
                Level::Ok,
                "no credential for this gateway",
            ),
            (
                "printf 'https://gw.test:8443\\r\\n\\r\\nAuthorization: Bearer s3cret\\r\\n'",
                Level::Bad,
                "does not understand",
            ),
            ("echo no luck >&2; exit 3", Level::Bad, "no luck"),
        ] {
            std::fs::write(&helper, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
            let finding = one(&base, &format!("sh {}", helper.display()));
            assert!(finding.level == level && finding.text.contains(text), "{finding:?}");
            assert!(!format!("{finding:?}").contains("s3cret"));
        }
    }
}
