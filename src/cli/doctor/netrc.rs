//! The netrc file: whether the go command finds an entry for the gateway in it.

use super::finding::Finding;
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::go_env::shell;
use crate::cli::goauth::setting;
use crate::cli::netrc::{Netrc, NetrcFile};
use crate::source::Environment;

const CHECK: &str = "netrc";

/// The file as it is.
pub(super) struct File {
    /// What there is, or why it cannot be read.
    found: Result<NetrcFile, String>,
    /// The variable NETRC names it.
    named: bool,
    /// Its mode, where files have one.
    mode: Option<u32>,
}

impl File {
    pub(super) fn of_process(environment: &Environment) -> Self {
        let found = NetrcFile::of_process().map_err(|error| error.to_string());
        let mode = found.as_ref().ok().filter(|file| file.exists).and_then(mode);
        Self { found, named: environment.get("NETRC").is_some(), mode }
    }
}

#[cfg(unix)]
fn mode(file: &NetrcFile) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(&file.path).ok().map(|metadata| metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &NetrcFile) -> Option<u32> {
    None
}

/// Looks at the file.
pub(super) fn examine(base: &GatewayUrl, file: &File, goauth: &str) -> Vec<Finding> {
    let login = format!("modgate login {base}");
    let has_helper = setting::commands(goauth).any(|command| !matches!(command, "netrc" | "off" | ""));
    let is_read = setting::commands(goauth).any(|command| command == "netrc");
    let found = match &file.found {
        Ok(found) => found,
        Err(error) if is_read => return vec![Finding::bad(CHECK, error.clone(), login)],
        Err(_) => return Vec::new(),
    };
    let path = found.path.display().to_string();
    if !found.exists {
        return match (file.named && is_read, has_helper) {
            (true, _) => vec![Finding::bad(CHECK, format!("NETRC names `{path}`, which is not there"), "unset NETRC")],
            (false, true) => Vec::new(),
            (false, false) => vec![Finding::bad(CHECK, format!("there is no `{path}`"), login)],
        };
    }
    let mut findings = Vec::new();
    if !found.netrc.is_text() {
        let fix = format!("save `{path}` as UTF-8, or remove it; then: {login}");
        return vec![Finding::bad(
            CHECK,
            format!("`{path}` is no text (UTF-16?), so the go command finds nothing in it"),
            fix,
        )];
    }
    if let Some(mode) = file.mode.filter(|mode| mode & 0o077 != 0) {
        let text = format!("others can read `{path}` (mode {mode:o})");
        findings.push(Finding::warn(CHECK, text, format!("chmod 600 {}", shell(&path))));
    }
    findings.extend(entry(base, &found.netrc, &path, is_read, has_helper, &login));
    findings
}

fn entry(base: &GatewayUrl, netrc: &Netrc, path: &str, is_read: bool, has_helper: bool, login: &str) -> Vec<Finding> {
    let machine = base.machine();
    let mut findings = Vec::new();
    let Some(best) = netrc.best(base.place()) else {
        if !has_helper {
            findings.push(missing(base, netrc, path, login));
        }
        return findings;
    };
    let place = format!("{path}:{}", best.line());
    if is_read {
        findings.push(Finding::ok(CHECK, format!("the entry for `{machine}` is at {place}")));
    } else {
        let text = format!("there is an entry at {place}, but GOAUTH has the go command not read it");
        findings.push(Finding::warn(CHECK, text, "add `netrc` to GOAUTH, separated by `;`"));
    }
    let others: Vec<_> = netrc.named(&machine).skip(1).map(|entry| entry.line().to_string()).collect();
    if !others.is_empty() {
        let lines = others.join(", ");
        let text = format!("`{machine}` has more than one entry; the go command uses the first ({place})");
        findings.push(Finding::warn(CHECK, text, format!("remove line {lines} of {path}")));
    }
    findings
}

/// Why there is no entry: often there nearly is one.
fn missing(base: &GatewayUrl, netrc: &Netrc, path: &str, login: &str) -> Finding {
    let (machine, host) = (base.machine(), base.host());
    let near = netrc.entries().find(|entry| {
        let name = String::from_utf8_lossy(entry.name()).to_ascii_lowercase();
        let name = name.split('/').next().unwrap_or_default();
        let without_port = name.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        name == machine || without_port.map_or(name, |(host, _)| host) == host
    });
    if let Some(near) = near {
        let name = String::from_utf8_lossy(near.name());
        let text =
            format!("{path}:{} says `machine {name}`, but the go command looks for exactly `{machine}`", near.line());
        return Finding::bad(CHECK, text, format!("write `machine {machine}` in {path}:{}, or: {login}", near.line()));
    }
    if let Some(line) = netrc.mentions(&machine) {
        let text = format!(
            "the entry for `{machine}` at {path}:{line} has no login or no password, so the go command ignores it"
        );
        return Finding::bad(CHECK, text, login);
    }
    if netrc.has_default() {
        let text = format!("`{path}` has no entry for `{machine}`, and the go command does not use `default`");
        return Finding::bad(CHECK, text, login);
    }
    Finding::bad(CHECK, format!("`{path}` has no entry for `{machine}`"), login)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn file(text: Option<&str>, named: bool, mode: Option<u32>) -> File {
        let netrc = Netrc::new(text.unwrap_or_default().into());
        File { found: Ok(NetrcFile { path: "/home/me/.netrc".into(), netrc, exists: text.is_some() }), named, mode }
    }

    #[test]
    fn every_file_has_its_finding() {
        let base: GatewayUrl = "https://gw.test:8443".parse().unwrap();
        let good = "machine gw.test:8443 login modgate password mg_x\n";
        let helper = "modgate goauth https://gw.test:8443";
        for (text, goauth, level, said) in [
            (Some(good), "netrc", Level::Ok, "/home/me/.netrc:1"),
            (None, "netrc", Level::Bad, "there is no"),
            (
                Some("machine gw.test login modgate password mg_x\n"),
                "netrc",
                Level::Bad,
                "looks for exactly `gw.test:8443`",
            ),
            (Some("machine gw.test:443 login modgate password mg_x\n"), "netrc", Level::Bad, "looks for exactly"),
            (Some("machine GW.test:8443 login modgate password mg_x\n"), "netrc", Level::Bad, "looks for exactly"),
            (Some("machine gw.test:8443 password mg_x\n"), "netrc", Level::Bad, "has no login"),
            (Some("default login modgate password mg_x\n"), "netrc", Level::Bad, "does not use `default`"),
            (Some("machine other.test login a password b\n"), "netrc", Level::Bad, "no entry for"),
            (Some(&format!("{good}{good}")), "netrc", Level::Warn, "more than one entry"),
            (Some(good), "off", Level::Warn, "not read it"),
            (Some(good), helper, Level::Warn, "not read it"),
            (Some("m\0a\0"), "netrc", Level::Bad, "UTF-16"),
        ] {
            let findings = examine(&base, &file(text, false, Some(0o600)), goauth);
            assert!(findings.iter().any(|one| one.level == level && one.text.contains(said)), "{text:?}: {findings:?}");
            assert!(findings.iter().all(|one| one.level <= level), "{text:?}: {findings:?}");
            assert!(!format!("{findings:?}").contains("mg_x"));
        }
        assert_eq!(examine(&base, &file(None, false, None), helper), []);
        let open = examine(&base, &file(Some(good), false, Some(0o644)), "netrc");
        assert_eq!(open[0].fix.as_deref(), Some("chmod 600 /home/me/.netrc"));
        let gone = examine(&base, &file(None, true, None), "netrc");
        assert!(gone[0].text.contains("NETRC names"), "{gone:?}");
    }
}
