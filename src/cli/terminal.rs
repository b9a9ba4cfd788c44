//! What people see: errors with hints, colour where there is a terminal.

use crate::config::{ConfigError, Problem};
use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Each is reported for itself; the first may be the only one.
    causes: Vec<(String, Option<String>)>,
}

impl Failure {
    /// With a message: lower case, no full stop, input in backticks.
    pub fn new(message: impl Display) -> Self {
        Self { causes: vec![(message.to_string(), None)] }
    }

    /// With an error and its causes, as far as its text does not tell them.
    pub fn because(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self::new(message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        if let Some((_, slot)) = self.causes.last_mut() {
            *slot = hint.into();
        }
        self
    }

    /// With others that came after it.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        self.causes.extend(others.into_iter().flat_map(|failure| failure.causes));
        self
    }

    /// Several failures as one; `None` if there are none.
    pub fn all(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        let causes: Vec<_> = failures.into_iter().flat_map(|failure| failure.causes).collect();
        (!causes.is_empty()).then_some(Self { causes })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let place = |problem: &Problem| Problem { hint: None, ..problem.clone() };
        let causes = error.problems.iter().map(|problem| (place(problem).to_string(), problem.hint.clone()));
        Self { causes: causes.collect() }
    }
}

impl From<crate::server::ServerError> for Failure {
    fn from(error: crate::server::ServerError) -> Self {
        Self::new(&error).hint(error.hint())
    }
}

impl From<crate::randomness::NoRandomness> for Failure {
    fn from(error: crate::randomness::NoRandomness) -> Self {
        Self::new(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written { failure: self, colour: false }.fmt(f)
    }
}

/// Writes a failure to stderr.
pub fn report(failure: &Failure) {
    let stderr = io::stderr();
    let colour = colours(stderr.is_terminal());
    // If stderr is gone, nobody is there to be told.
    let _ = write!(stderr.lock(), "{}", Written { failure, colour });
}

/// Writes a failure that did no harm to stderr, as a warning.
pub fn note(failure: &Failure) {
    for (message, hint) in &failure.causes {
        warn(message, hint.as_deref());
    }
}

/// Writes a warning to stderr.
pub fn warn(message: impl Display, hint: Option<&str>) {
    let stderr = io::stderr();
    let (yellow, reset) = if colours(stderr.is_terminal()) { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
    let mut stderr = stderr.lock();
    let _ = writeln!(stderr, "{yellow}warning{reset}: {message}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "  hint: {hint}");
    }
}

/// Whether to use colour on a stream: only on a terminal, and not if `NO_COLOR` is set to anything.
pub fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

struct Written<'f> {
    failure: &'f Failure,
    colour: bool,
}

impl Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (red, cyan, reset) = if self.colour { ("\x1b[1;31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        for (message, hint) in &self.failure.causes {
            writeln!(f, "{red}error{reset}: {message}")?;
            if let Some(hint) = hint {
                writeln!(f, "  {cyan}hint{reset}: {hint}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_error_with_its_hint() {
        let failure = Failure::new("cannot listen").hint("choose another address".to_owned());
        assert_eq!(failure.to_string(), "error: cannot listen\n  hint: choose another address\n");
        let all = Failure::all([failure, Failure::new("and more")]).unwrap();
        assert!(all.to_string().ends_with("error: and more\n"));
        assert!(Failure::all([]).is_none());
    }

    #[test]
    fn there_is_no_colour_without_a_terminal() {
        assert!(!colours(false));
        assert!(!Failure::new("x").to_string().contains('\x1b'));
    }
}
