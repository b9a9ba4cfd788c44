//! `modgate logout`: the credential is taken back at the gateway and removed here.
//!
//! What can be done is done: a gateway that is down keeps nobody from cleaning up this machine, but it is said that the token
//! still counts there.

use super::gateway_choice::{Choice, block_on, entries};
use super::gateway_client::{GatewayClient, GatewayError};
use super::gateway_url::GatewayUrl;
use super::go_credential;
use super::go_env;
use super::goauth::setting;
use super::netrc::NetrcFile;
use super::oauth;
use super::terminal::Failure;
use super::wallet::Wallet;
use crate::config::Secret;
use crate::source::{Environment, go_setting};
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
    let list = go_setting("GOPROXY", environment)?.value;
    let kept = |base: &GatewayUrl| {
        netrc.netrc.named(&base.machine()).next().is_some() || !matches!(wallet.read(base), Ok(None))
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
    match of_netrc(base) {
        Ok(Some((file, tokens))) => {
            note(Ok(Some(format!("removed `machine {}` from {file}", base.machine()))));
            note(revoke(base, &gateway, &tokens, "the token of the netrc file").await);
        }
        Ok(None) => {}
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

/// The file, and the tokens that were in it. What is no token of a gateway's, such as a password, is sent to nobody.
fn of_netrc(base: &GatewayUrl) -> Result<Option<(String, Vec<Secret>)>, Failure> {
    let mut file = NetrcFile::of_process().map_err(|error| Failure::because(&error))?;
    let machine = base.machine();
    let passwords =
        file.netrc.named(&machine).filter_map(|entry| str::from_utf8(entry.password()).ok().map(Secret::new));
    let tokens: Vec<_> = passwords.filter(|password| password.expose().starts_with("mg_")).collect();
    if file.netrc.remove(&machine).map_err(Failure::new)? == 0 {
        return Ok(None);
    }
    file.write().map_err(|error| Failure::because(&error))?;
    Ok(Some((file.path.display().to_string(), tokens)))
}

async fn revoke(
    base: &GatewayUrl,
    gateway: &Result<GatewayClient, GatewayError>,
    tokens: &[Secret],
    which: &str,
) -> Result<Option<String>, Failure> {
    for token in tokens {
        let cause = match gateway {
            Ok(gateway) => oauth::revoke(gateway, token).await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(cause) = cause {
            let id = token.expose().split('_').nth(1).unwrap_or_default();
            let hint =
                format!("it still counts there: `modgate token revoke {id}` on the gateway, or its page {base}/-/");
            return Err(Failure::new(format!("could not take back {which}: {cause}")).hint(hint));
        }
    }
    Ok((!tokens.is_empty()).then(|| format!("took back {which}")))
}
