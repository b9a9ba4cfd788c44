//! The credential that the go command on this machine would send to a gateway, found as it finds it.
//!
//! What stands in GOPROXY itself (`https://LOGIN:PASSWORD@HOST`) goes before all. GOAUTH is a list (`cmd/go/internal/auth`): of
//! what all its commands give the longest prefix of the URL counts, and of one prefix's the first command's. The words `netrc` and
//! `off` are the go command's own; all else is run, as the go command runs it, but `git`, which may ask the person at the keyboard.

use super::authorization::basic;
use super::gateway_choice::goproxy;
use super::gateway_url::GatewayUrl;
use super::goauth::setting::{self, DEFAULT};
use super::netrc::{NetrcError, NetrcFile};
use super::terminal::{self, Failure};
use crate::config::Secret;
use crate::source::{Environment, Location, Upstreams, go_setting};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// A whole `Authorization`, and where it comes from.
pub(super) struct GoCredential {
    pub(super) authorization: Secret,
    pub(super) origin: Origin,
}

/// What the go command's search comes to.
pub(super) struct Search {
    pub(super) found: Option<GoCredential>,
    /// The commands of GOAUTH that failed. The go command goes on without them, and shows them with -x only.
    pub(super) failed: Vec<Failure>,
}

/// Where a credential comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// GOPROXY itself.
    Goproxy,
    /// A line of a netrc file.
    Netrc { file: String, line: usize },
    /// A command of GOAUTH.
    Helper(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Goproxy => f.write_str("GOPROXY"),
            Self::Netrc { file, line } => write!(f, "{file}:{line}"),
            Self::Helper(command) => write!(f, "GOAUTH command `{command}`"),
        }
    }
}

/// A command of GOAUTH that gave nothing because it failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum HelperError {
    #[error("`{0}` has a quote that is not closed, or no word at all")]
    Unquoted(String),
    #[error("`{command}` cannot be run: {cause}")]
    Unrunnable { command: String, cause: String },
    #[error("`{command}` failed{}", tail(.stderr))]
    Failed { command: String, stderr: String },
    #[error("`{0}` printed something that the go command does not understand")]
    Garbled(String),
}

fn tail(stderr: &str) -> String {
    let line = stderr.lines().map(str::trim).find(|line| !line.is_empty());
    line.map(|line| format!(": {}", super::audit::printable(line))).unwrap_or_default()
}

/// The setting in force.
pub(super) fn setting_of(environment: &Environment) -> String {
    go_setting("GOAUTH", environment).map_or_else(|| DEFAULT.to_owned(), |setting| setting.value)
}

/// What the go command would send to `base` with its first request.
///
/// # Errors
/// Where it refuses to run because of GOAUTH.
pub(super) fn of(base: &GatewayUrl, environment: &Environment) -> Result<Search, Failure> {
    if let Some(found) = of_goproxy(base, environment) {
        return Ok(Search { found: Some(found), failed: Vec::new() });
    }
    search(base, &setting_of(environment), NetrcFile::of_process)
}

/// What the commands of GOAUTH give together (`runGoAuth`): all are run, one that fails is passed over, and what an earlier one
/// has for a place takes the place of what a later one has for the same.
fn search(
    base: &GatewayUrl,
    setting: &str,
    netrc: impl Fn() -> Result<NetrcFile, NetrcError>,
) -> Result<Search, Failure> {
    let commands: Vec<(&str, &str)> = setting::commands(setting)
        .map(|command| (command.split_whitespace().next().unwrap_or_default(), command))
        .collect();
    match commands.as_slice() {
        [("off", _)] => return Ok(Search { found: None, failed: Vec::new() }),
        all if all.iter().any(|(word, _)| matches!(*word, "" | "off")) => {
            return Err(Failure::new(
                "the go command refuses to run: GOAUTH has an empty command, or `off` beside others",
            )
            .hint("`modgate doctor` says what to write".to_owned()));
        }
        _ => {}
    }
    let (mut credentials, mut failed) = (Credentials::new(base), Vec::new());
    for (word, command) in commands.into_iter().rev() {
        let added = match word {
            "netrc" => netrc().map(|file| credentials.add_netrc(&file)).map_err(|error| Failure::because(&error)),
            "git" => Ok(()),
            _ => credentials.add_helper(command).map_err(|error| Failure::because(&error)),
        };
        failed.extend(added.err());
    }
    failed.reverse();
    Ok(Search { found: credentials.best(), failed })
}

impl Search {
    /// The credential, which has to be there. What failed is told either way: as a warning where it did no harm.
    pub(super) fn needed(self, base: &GatewayUrl) -> Result<GoCredential, Failure> {
        match self.found {
            Some(found) => {
                self.failed.iter().for_each(terminal::note);
                Ok(found)
            }
            None => {
                let none = Failure::new(format!("the go command has no credential for {base}"));
                Err(none.hint(format!("modgate login {base}")).and(self.failed))
            }
        }
    }
}

/// What stands before the gateway's `@` in GOPROXY.
pub(super) fn of_goproxy(base: &GatewayUrl, environment: &Environment) -> Option<GoCredential> {
    let list = Upstreams::parse(&goproxy(environment)).ok()?;
    let credential = list.entries().iter().find_map(|entry| match &entry.location {
        Location::Proxy { base: url, credential } if url.as_str().parse().is_ok_and(|url: GatewayUrl| url == *base) => {
            credential.as_ref()
        }
        Location::Proxy { .. } | Location::Tree { .. } => None,
    })?;
    let authorization = Secret::new(credential.header().to_str().ok()?);
    Some(GoCredential { authorization, origin: Origin::Goproxy })
}

/// What a command prints for the gateway, without an argument of the go command's: as before its first request.
pub(super) fn of_helper(command: &str, base: &GatewayUrl) -> Result<Option<GoCredential>, HelperError> {
    let mut credentials = Credentials::new(base);
    credentials.add_helper(command)?;
    Ok(credentials.best())
}

/// The credentials for places at or above a gateway's, by place (`credentialCache`).
struct Credentials<'b> {
    place: &'b str,
    /// None: other headers than `Authorization`.
    found: BTreeMap<String, Option<GoCredential>>,
}

impl<'b> Credentials<'b> {
    fn new(base: &'b GatewayUrl) -> Self {
        Self { place: base.place(), found: BTreeMap::new() }
    }

    /// What is longest is nearest: all are prefixes of one place.
    fn best(mut self) -> Option<GoCredential> {
        self.found.pop_last()?.1
    }

    /// The key for a prefix, if that is one of the gateway's (`storeCredential`, `loadCredential`).
    fn key(&self, prefix: &str) -> Option<String> {
        let prefix = prefix.strip_prefix("https://").unwrap_or(prefix);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let below = self.place.strip_prefix(prefix)?;
        (below.is_empty() || below.starts_with('/')).then(|| prefix.to_owned())
    }

    /// The entries of a file; the first of a name counts.
    fn add_netrc(&mut self, file: &NetrcFile) {
        let shown = file.path.display().to_string();
        for entry in file.netrc.entries().collect::<Vec<_>>().into_iter().rev() {
            let Some(key) = self.key(&String::from_utf8_lossy(entry.name())) else { continue };
            let authorization = basic(entry.login(), entry.password());
            let origin = Origin::Netrc { file: shown.clone(), line: entry.line() };
            self.found.insert(key, Some(GoCredential { authorization, origin }));
        }
    }

    /// What a command prints; the last for a prefix counts.
    fn add_helper(&mut self, command: &str) -> Result<(), HelperError> {
        let text = output(command)?;
        let garbled = || HelperError::Garbled(command.to_owned());
        for block in str::from_utf8(&text).ok().and_then(printed).ok_or_else(garbled)? {
            let keys: Vec<_> = block.prefixes.iter().filter_map(|prefix| self.key(prefix)).collect();
            for key in keys {
                let credential = |value: &&str| GoCredential {
                    authorization: Secret::new(value),
                    origin: Origin::Helper(command.to_owned()),
                };
                match block.is_empty {
                    true => self.found.remove(&key),
                    false => self.found.insert(key, block.authorization.as_ref().map(credential)),
                };
            }
        }
        Ok(())
    }
}

/// Runs a command as the go command does before its first request: without an argument of its own.
fn output(command: &str) -> Result<Zeroizing<Vec<u8>>, HelperError> {
    let words = setting::words(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(HelperError::Unquoted(command.to_owned()));
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output =
        output.map_err(|error| HelperError::Unrunnable { command: command.to_owned(), cause: error.to_string() })?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(HelperError::Failed { command: command.to_owned(), stderr });
    }
    Ok(stdout)
}

/// Headers for URLs, as a helper prints them.
struct Block<'t> {
    prefixes: Vec<&'t str>,
    authorization: Option<&'t str>,
    /// There is no header at all, which takes back what was given for the prefixes before.
    is_empty: bool,
}

/// What a helper prints (`parseUserAuth`). `None`: it is not the format.
fn printed(text: &str) -> Option<Vec<Block<'_>>> {
    let (mut rest, mut blocks) = (text, Vec::new());
    while !rest.is_empty() {
        let mut block = Block { prefixes: Vec::new(), authorization: None, is_empty: true };
        loop {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            if line.is_empty() {
                break;
            }
            url::Url::parse(line).ok()?;
            block.prefixes.push(line);
        }
        loop {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ")?;
            if value.contains('\r') {
                return None;
            }
            block.is_empty = false;
            if name.eq_ignore_ascii_case("authorization") {
                block.authorization = Some(value.trim());
            }
        }
        blocks.push(block);
    }
    Some(blocks)
}

#[cfg(test)]
#[path = "go_credential_tests.rs"]
mod tests;
