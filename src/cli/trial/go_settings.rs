//! What the go command on this machine is told: by the environment, by `go env -w`, by its installation.

use crate::cli::netrc::{Netrc, NetrcFile};
use crate::module::Glob;
use crate::source::{Environment, go_setting};

/// The settings that a trial takes over or replaces.
pub(super) struct GoSettings {
    /// The environment that all of this was read from.
    pub(super) environment: Environment,
    /// What would go around every proxy: GONOPROXY or, by default, GOPRIVATE.
    pub(super) around: Patterns,
    /// What no checksum database is asked about: GONOSUMDB or, by default, GOPRIVATE.
    pub(super) unsummed: Patterns,
    /// GOFLAGS, which may be empty.
    pub(super) flags: String,
    /// The netrc file, unless GOAUTH has the go command not read it.
    pub(super) netrc: Netrc,
}

/// A list of patterns as of GOPRIVATE, and who named it.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    /// As written; empty if nobody did.
    pub(super) text: String,
    /// `GOPRIVATE of the environment`
    pub(super) named: String,
    /// Those that are patterns; the go command ignores the others too.
    pub(super) globs: Vec<Glob>,
}

impl GoSettings {
    pub(super) fn of_process() -> Self {
        let environment = Environment::of_process();
        // What is not known is not sent: an entry of a netrc is used only where the go command would use it.
        let authenticators = go_setting("GOAUTH", &environment);
        let reads_netrc =
            authenticators.is_none_or(|setting| setting.value.split(';').any(|command| command.trim() == "netrc"));
        Self {
            around: Patterns::first_of(&["GONOPROXY", "GOPRIVATE"], &environment),
            unsummed: Patterns::first_of(&["GONOSUMDB", "GOPRIVATE"], &environment),
            flags: go_setting("GOFLAGS", &environment).map(|setting| setting.value).unwrap_or_default(),
            netrc: NetrcFile::of_process().ok().filter(|_| reads_netrc).map(|file| file.netrc).unwrap_or_default(),
            environment,
        }
    }
}

impl Patterns {
    fn first_of(names: &[&str], environment: &Environment) -> Self {
        let found = names.iter().find_map(|name| Some((name, go_setting(name, environment)?)));
        found.map_or_else(Self::default, |(name, setting)| {
            Self::parse(&setting.value, format!("{name} of {}", setting.origin))
        })
    }

    pub(super) fn parse(text: &str, named: String) -> Self {
        let globs = text.split(',').filter(|pattern| !pattern.is_empty() && *pattern != "none");
        Self { text: text.to_owned(), named, globs: globs.filter_map(|pattern| Glob::parse(pattern).ok()).collect() }
    }

    /// Whether one of them matches a module path, as the go command compares.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Platform;

    fn around(variables: &[(&str, &str)]) -> Patterns {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Patterns::first_of(&["GONOPROXY", "GOPRIVATE"], &Environment::new(Platform::Unix, variables))
    }

    #[test]
    fn the_narrower_setting_wins_and_none_is_none() {
        let private = ("GOPRIVATE", "corp.test,*.corp.example/team");
        assert!(around(&[private]).matches("corp.test/a/b"));
        assert!(around(&[private]).matches("git.corp.example/team/x"));
        assert!(!around(&[private]).matches("corp.tests/a"));
        assert!(!around(&[private, ("GONOPROXY", "none")]).matches("corp.test/a"));
        assert!(!around(&[]).matches("corp.test/a"));
    }

    #[test]
    fn what_is_no_pattern_is_ignored_as_go_does() {
        let patterns = around(&[("GOPRIVATE", "[,corp.test,")]);
        assert_eq!(patterns.globs.len(), 1);
        assert_eq!(patterns.named, "GOPRIVATE of the environment");
    }
}
