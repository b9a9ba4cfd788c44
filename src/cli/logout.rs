//! `modgate logout`: the credential is taken back at the gateway and removed here.
//!
//! What can be done is done: a gateway that is down keeps nobody from cleaning up this machine, but it is said that the token
//! still counts there.

use super::authorization::is_issued;
use super::gateway_choice::{Choice, block_on, entries, goproxy};
use super::gateway_client::{GatewayClient, GatewayError};
use super::gateway_url::GatewayUrl;
use super::go_credential;
use super::go_env;
use super::goauth::setting;
use super::netrc::{Entry, NetrcFile, ownership};
use super::revocation;
use super::terminal::Failure;
use super::wallet::Wallet;
use crate::config::Secret;
use crate::source::Environment;
use std::io::{self, Write};

/// Take back the credential for a gateway
///
/// Revokes the tokens of the netrc file and of the GOAUTH helper at the gateway, and removes them from this machine.
/// Everything else in the netrc file and in GOAUTH stays as it is.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    gateway: Choice,
}

/// Logs out.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let wallet = Wallet::of_process().map_err(|error| Failure::because(&error))?;
    let (done, failures) = block_on(async {
        let base = match known(&args.gateway, &wallet, &environment) {
            Some(base) => base,
            None => args.gateway.client(&environment).await?.base().clone(),
        };
        // Without TLS nothing can be taken back, but removed all the same.
        let gateway = GatewayClient::new(base.clone(), args.gateway.ca.as_deref());
        Ok(log_out(&base, gateway, &wallet, &environment).await)
    })?;
    for line in &done {
        writeln!(io::stderr(), "{line}")?;
    }
    match Failure::all(failures) {
        Some(failure) => Err(failure),
        None if done.is_empty() => Ok(writeln!(io::stderr(), "nobody was logged in")?),
        None => Ok(()),
    }
}

/// The gateway without asking it, for it may be down: the argument, or the one entry of GOPROXY that something is kept for.
fn known(choice: &Choice, wallet: &Wallet, environment: &Environment) -> Option<GatewayUrl> {
    if choice.url.is_some() {
        return choice.url.clone();
    }
    let netrc = NetrcFile::of_process().ok()?;
    let list = goproxy(environment);
    let kept = |base: &GatewayUrl| {
        netrc.netrc.entries().any(|entry| ownership::is_own(&entry, base)) || !matches!(wallet.read(base), Ok(None))
    };
    let mut found = entries(&list).filter(kept);
    found.next().filter(|_| found.next().is_none())
}

/// What was done, and what failed.
async fn log_out(
    base: &GatewayUrl,
    gateway: Result<GatewayClient, GatewayError>,
    wallet: &Wallet,
    environment: &Environment,
) -> (Vec<String>, Vec<Failure>) {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    let mut note = |result: Result<Option<String>, Failure>| match result {
        Ok(line) => done.extend(line),
        Err(failure) => failures.push(failure),
    };
    note(of_goauth(base, environment));
    let tokens = match of_wallet(base, wallet) {
        Ok(tokens) => tokens,
        Err(failure) => {
            note(Err(failure));
            Vec::new()
        }
    };
    if !tokens.is_empty() {
        note(Ok(Some("removed what `modgate goauth` kept".to_owned())));
    }
    note(revoke(base, &gateway, &tokens, "the tokens of `modgate goauth`").await);
    match NetrcFile::of_process().map_err(|error| Failure::because(&error)).and_then(|file| of_netrc(base, file)) {
        Ok((lines, tokens)) => {
            lines.into_iter().for_each(|line| note(Ok(Some(line))));
            note(revoke(base, &gateway, &tokens, "the token of the netrc file").await);
        }
        Err(failure) => note(Err(failure)),
    }
    (done, failures)
}

fn of_goauth(base: &GatewayUrl, environment: &Environment) -> Result<Option<String>, Failure> {
    let before = go_credential::setting_of(environment);
    if !setting::commands(&before).any(|command| setting::is_ours(command, base)) {
        return Ok(None);
    }
    let change = go_env::write(environment, "GOAUTH", setting::without(&before, base).as_deref())?;
    Ok(Some(change.to_string()))
}

fn of_wallet(base: &GatewayUrl, wallet: &Wallet) -> Result<Vec<Secret>, Failure> {
    if matches!(wallet.read(base), Ok(None)) {
        return Ok(Vec::new());
    }
    let locked = wallet.lock(base).map_err(|error| Failure::because(&error))?;
    // What is damaged is removed all the same.
    let held = locked.read().ok().flatten();
    locked.remove().map_err(|error| Failure::because(&error))?;
    Ok(held.into_iter().flat_map(|held| held.refresh.into_iter().chain([held.access])).collect())
}

/// What was done to the file, and the tokens that were in it. What is no token of a gateway's, such as a password, is sent to
/// nobody.
fn of_netrc(base: &GatewayUrl, mut file: NetrcFile) -> Result<(Vec<String>, Vec<Secret>), Failure> {
    let is_own = |entry: &Entry<'_>| ownership::is_own(entry, base);
    let passwords = file.netrc.entries().filter(is_own).map(|entry| entry.password());
    let tokens = passwords.filter(|password| is_issued(password)).filter_map(|token| str::from_utf8(token).ok());
    let tokens: Vec<_> = tokens.map(Secret::new).collect();
    let own = file.netrc.entries().find(is_own).map(|entry| String::from_utf8_lossy(entry.name()).into_owned());
    let (machine, shown) = (base.machine(), file.path.display().to_string());
    let mut lines = Vec::new();
    if file.netrc.remove(is_own).map_err(Failure::new)? > 0 {
        file.write().map_err(|error| Failure::because(&error))?;
        lines.extend(own.map(|own| format!("removed `machine {own}` from {shown}")));
    }
    for line in ownership::strangers(&file.netrc, base) {
        lines.push(format!("left `machine {machine}` in {shown}:{line}, which may be of something else at that host"));
    }
    Ok((lines, tokens))
}

async fn revoke(
    base: &GatewayUrl,
    gateway: &Result<GatewayClient, GatewayError>,
    tokens: &[Secret],
    which: &str,
) -> Result<Option<String>, Failure> {
    revocation::take_back(base, gateway.as_ref(), tokens, which).await?;
    Ok((!tokens.is_empty()).then(|| format!("took back {which}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_something_else_at_the_host_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("netrc");
        let stranger = "machine gw.test login git password s3cret\n";
        std::fs::write(&path, format!("machine gw.test login modgate password mg_a_x\n{stranger}")).unwrap();
        let base: GatewayUrl = "https://gw.test/go".parse().unwrap();
        let out =
            || of_netrc(&base, NetrcFile::read(path.clone()).unwrap()).unwrap_or_else(|failure| panic!("{failure}"));
        let (lines, tokens) = out();
        assert_eq!(tokens.iter().map(Secret::expose).collect::<Vec<_>>(), ["mg_a_x"]);
        assert!(lines.len() == 2 && lines[1].contains("netrc:1"), "{lines:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), stranger);
        let (lines, tokens) = out();
        assert!(lines.len() == 1 && tokens.is_empty(), "{lines:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), stranger);
    }
}
