//! What a server would stand on: certificates, directories, the token database, the heads of the checksum databases.
//!
//! INVARIANT: nothing is created, locked or changed, so whoever has the right to read may check. What another process
//! holds (the address, the locks) is not looked at: usually that is the very server whose next start is being checked.

use crate::checksum::Databases;
use crate::config::{Mode, Settings, Tls};
use crate::pipeline::{Flaw, Plan, databases_path, tokens_path};
use crate::server::{CertificateFiles, TlsError, check_certificate, check_client_authority};
use auth::{Ledger, LedgerError};
use jiff::Timestamp;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::path::Path;

/// Problems and warnings. Without a plan the checksum databases are not known.
pub(super) fn examine(settings: &Settings, plan: Option<&Plan>, now: Timestamp) -> (Vec<Flaw>, Vec<Flaw>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    match certificate(settings.tls.as_ref(), now) {
        Ok(warning) => warnings.extend(warning),
        Err(problem) => problems.push(problem),
    }
    let Settings { data, store, audit, .. } = settings;
    let stored = (settings.mode == Mode::Store).then_some(("store.dir", &store.dir));
    let places = [("data", data), ("audit.dir", &audit.dir)].into_iter().chain(stored);
    let mut unusable: Vec<Flaw> = Vec::new();
    for (key, path) in places {
        // What lies in a bad data directory is bad for its sake.
        let told = !unusable.is_empty() && path.starts_with(data);
        unusable.extend(directory(key, path).err().filter(|_| !told));
    }
    if unusable.is_empty() {
        problems.extend(tokens(settings));
        let heads = plan.map(|plan| Databases::examine(&plan.databases, &databases_path(settings)));
        problems.extend(heads.into_iter().flatten().map(|error| Flaw::at("data", error)));
    }
    problems.extend(unusable);
    (problems, warnings)
}

fn certificate(tls: Option<&Tls>, now: Timestamp) -> Result<Option<Flaw>, Flaw> {
    let Some(Tls { certificate, key, client_ca, .. }) = tls.cloned() else { return Ok(None) };
    if let Some(file) = client_ca {
        check_client_authority(&file).map_err(|error| Flaw::at("tls.client_ca", error))?;
    }
    match check_certificate(&CertificateFiles { certificate, key: key.clone() }, now) {
        Ok(warning) => Ok(warning.map(|warning| Flaw::at("tls.certificate", warning))),
        Err(error) => {
            let at_key = match &error {
                TlsError::Unreadable { path, .. } | TlsError::Unusable { path, .. } => *path == key,
                TlsError::Mismatch { .. } => true,
                TlsError::Setup(_) => false,
            };
            Err(Flaw::at(if at_key { "tls.key" } else { "tls.certificate" }, error))
        }
    }
}

/// Whether this user may write in a directory, or make it where it is missing.
fn directory(key: &str, path: &Path) -> Result<(), Flaw> {
    let shown = path.display();
    // An empty name, above a relative path, is the working directory.
    let there = path.ancestors().find(|one| one.as_os_str().is_empty() || one.symlink_metadata().is_ok());
    let there = there.filter(|one| !one.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whose = if there == path { String::new() } else { format!(", because of `{}`", there.display()) };
    if !there.is_dir() {
        return Err(Flaw::at(key, format_args!("`{shown}` cannot be a directory{whose}: that is a file")));
    }
    accessat(CWD, there, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|error| Flaw::at(key, format_args!("cannot write in `{shown}`{whose}: {error}")))
}

/// A token database that is missing is made at the start; any other must be readable.
fn tokens(settings: &Settings) -> Option<Flaw> {
    match Ledger::examine(&tokens_path(settings)) {
        Ok(_) | Err(LedgerError::Missing { .. }) => None,
        Err(LedgerError::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(Flaw::at("data", error)),
    }
}
