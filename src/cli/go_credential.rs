//! The credential that the go command on this machine would send to a gateway, found as it finds it.
//!
//! What stands in GOPROXY itself (`https://LOGIN:PASSWORD@HOST`) goes before all. GOAUTH is a list; of each place's credentials the first command's counts (`cmd/go/internal/auth`). The words `netrc` and `off`
//! are the go command's own; all else is run, as the go command runs it, but `git`, which may ask the person at the keyboard.

use super::gateway_url::GatewayUrl;
use super::goauth::setting::{self, DEFAULT};
use super::netrc::{NetrcError, NetrcFile};
use super::terminal::Failure;
use crate::config::Secret;
use crate::source::{Environment, Location, Upstreams, go_setting};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// A whole `Authorization`, and where it comes from.
pub(super) struct GoCredential {
    pub(super) authorization: Secret,
    pub(super) origin: Origin,
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
pub(super) fn of(base: &GatewayUrl, environment: &Environment) -> Result<Option<GoCredential>, Failure> {
    if let Some(found) = of_goproxy(base, environment) {
        return Ok(Some(found));
    }
    let setting = setting_of(environment);
    for command in setting::commands(&setting) {
        let found = match command {
            "off" => return Ok(None),
            "netrc" => of_netrc(base).map_err(|error| Failure::because(&error))?,
            _ if command.split_whitespace().next() == Some("git") => None,
            _ => of_helper(command, base).map_err(|error| Failure::because(&error))?,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// What stands before the gateway's `@` in GOPROXY.
pub(super) fn of_goproxy(base: &GatewayUrl, environment: &Environment) -> Option<GoCredential> {
    let list = Upstreams::parse(&go_setting("GOPROXY", environment)?.value).ok()?;
    let credential = list.entries().iter().find_map(|entry| match &entry.location {
        Location::Proxy { base: url, credential } if url.as_str().parse().is_ok_and(|url: GatewayUrl| url == *base) => {
            credential.as_ref()
        }
        Location::Proxy { .. } | Location::Tree { .. } => None,
    })?;
    let authorization = Secret::new(credential.header().to_str().ok()?);
    Some(GoCredential { authorization, origin: Origin::Goproxy })
}

/// The entry of the netrc file.
pub(super) fn of_netrc(base: &GatewayUrl) -> Result<Option<GoCredential>, NetrcError> {
    let file = NetrcFile::of_process()?;
    let Some(entry) = file.netrc.best(base.place()) else { return Ok(None) };
    let pair = Zeroizing::new([entry.login(), b":", entry.password()].concat());
    let authorization = Secret::of(format!("Basic {}", BASE64_STANDARD.encode(&*pair)));
    let origin = Origin::Netrc { file: file.path.display().to_string(), line: entry.line() };
    Ok(Some(GoCredential { authorization, origin }))
}

/// What a command prints for the gateway, without an argument of the go command's: as before its first request.
pub(super) fn of_helper(command: &str, base: &GatewayUrl) -> Result<Option<GoCredential>, HelperError> {
    let words = setting::words(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(HelperError::Unquoted(command.to_owned()));
    };
    let mut process = Command::new(program);
    process.args(arguments).stdin(Stdio::null());
    let output = process.output();
    let output =
        output.map_err(|error| HelperError::Unrunnable { command: command.to_owned(), cause: error.to_string() })?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(HelperError::Failed { command: command.to_owned(), stderr });
    }
    let garbled = || HelperError::Garbled(command.to_owned());
    let text = str::from_utf8(&stdout).map_err(|_| garbled())?;
    let authorization = printed(text, base.place()).ok_or_else(garbled)?;
    let origin = || Origin::Helper(command.to_owned());
    Ok(authorization.map(|value| GoCredential { authorization: Secret::new(value), origin: origin() }))
}

/// The `Authorization` in what a helper prints (`parseUserAuth`) for `HOST[:PORT][/PATH]`; the longest prefix counts.
/// `None`: it is not the format.
fn printed<'t>(text: &'t str, place: &str) -> Option<Option<&'t str>> {
    let (mut rest, mut best): (_, Option<(usize, &str)>) = (text, None);
    while !rest.is_empty() {
        let mut longest = None;
        loop {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            if line.is_empty() {
                break;
            }
            url::Url::parse(line).ok()?;
            let prefix = line.strip_prefix("https://").unwrap_or(line);
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let below = place.strip_prefix(prefix).is_some_and(|below| below.is_empty() || below.starts_with('/'));
            longest = longest.max(below.then_some(prefix.len()));
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
            if let Some(length) = longest.filter(|length| best.is_none_or(|(best, _)| *length >= best))
                && name.eq_ignore_ascii_case("authorization")
            {
                best = Some((length, value.trim()));
            }
        }
    }
    Some(best.map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_helpers_output_is_read_as_the_go_command_does() {
        let text = "https://gw.test:8443\nhttps://other.test/\n\nAuthorization: Bearer one\n\n\
                    https://gw.test:8443/go\n\nX: y\nAuthorization: Bearer two\n\n";
        assert_eq!(printed(text, "gw.test:8443"), Some(Some("Bearer one")));
        assert_eq!(printed(text, "gw.test:8443/go"), Some(Some("Bearer two")));
        assert_eq!(printed(text, "gw.test:84"), Some(None));
        assert_eq!(printed("", "gw.test"), Some(None));
        for wrong in [
            "https://gw.test\n",
            "https://gw.test\n\nAuthorization: x\n",
            "x\n\nA: b\n\n",
            "https://gw.test\n\nAuth\n\n",
        ] {
            assert_eq!(printed(wrong, "gw.test"), None, "{wrong:?}");
        }
        assert_eq!(printed("https://gw.test\r\n\r\nAuthorization: x\r\n\r\n", "gw.test"), None);
    }

    proptest! {
        #[test]
        fn no_output_breaks_it(text in "(https://gw.test|Authorization: x|\n|[a-z: ]{1,4}){0,12}") {
            let _ = printed(&text, "gw.test");
        }
    }
}
