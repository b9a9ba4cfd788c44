//! `modgate login`: a person proves who they are once, and from then on the go command has a credential.
//!
//! ```text
//! approval   device    a code, approved in any browser (RFC 8628)           device
//!            loopback  a browser on this machine, code + PKCE (RFC 8252)    loopback
//!            stdin     a token that somebody else issued                    here
//! deposit    netrc     a long-lived token in the netrc file                 deposit
//!            goauth    short-lived ones, refreshed by `modgate goauth`      deposit
//! ```
//!
//! INVARIANT: no setting and no file with credentials changes before the gateway has accepted the credential; no secret is printed. Nobody is
//! asked to approve what could not be put down then, and a login that fails leaves nothing that counts at the gateway.

mod browser;
mod deposit;
mod device;
mod loopback;

use super::authorization::{basic, bearer};
use super::gateway_choice::{Choice, block_on};
use super::gateway_client::GatewayClient;
use super::netrc::LOGIN;
use super::oauth::Granted;
use super::revocation;
use super::terminal::Failure;
use crate::config::Secret;
use crate::source::Environment;
use deposit::{Deposited, Place};
use std::future::Future;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Longer input is no token.
const LONGEST: u64 = 64 << 10;

/// Log in at a gateway, so that the go command has a credential
///
/// Prints a code that you approve in a browser, here or on another machine, then writes an entry into the netrc file.
/// Everything else in that file stays as it is.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    modgate login https://goproxy.corp.example                 approve a code in any browser\n  \
    modgate login --browser https://goproxy.corp.example       the browser on this machine comes back by itself\n  \
    modgate login --goauth https://goproxy.corp.example        short-lived tokens (go 1.24 and later)\n  \
    modgate login --token-stdin https://goproxy.corp.example < token")]
pub(super) struct Args {
    #[command(flatten)]
    gateway: Choice,
    /// Have `modgate goauth` give the go command short-lived tokens, instead of a long-lived one in the netrc file
    #[arg(long, conflicts_with = "token_stdin")]
    goauth: bool,
    /// Log in with the browser on this machine, without a code to type
    #[arg(long, conflicts_with = "token_stdin")]
    browser: bool,
    /// Open no browser, only print where to go
    #[arg(long)]
    no_browser: bool,
    /// Write a token from standard input into the netrc file
    #[arg(long)]
    token_stdin: bool,
    /// The login that goes with the token of --token-stdin, where it is a password of a directory
    #[arg(long, value_name = "NAME", default_value = LOGIN, requires = "token_stdin")]
    login: String,
    /// What the token is to be limited to, as for `modgate token create`
    #[arg(long, value_name = "SCOPE", conflicts_with = "token_stdin")]
    scope: Option<String>,
    /// As one JSON object, without the credential
    #[arg(long)]
    json: bool,
}

/// Logs in.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let environment = Environment::of_process();
    // Before there is a handler for Ctrl-C.
    let token = args.token_stdin.then(|| read_token(io::stdin().lock())).transpose()?;
    let deposited = block_on(log_in(args, token, &environment))?;
    deposited.tell(&environment);
    if args.json {
        let text = serde_json::to_string(&deposited).map_err(Failure::new)?;
        writeln!(io::stdout().lock(), "{text}")?;
    }
    Ok(())
}

async fn log_in(args: &Args, token: Option<Secret>, environment: &Environment) -> Result<Deposited, Failure> {
    let gateway = interruptible(args.gateway.client(environment)).await?;
    let base = gateway.base();
    let place = match args.goauth {
        true => Place::goauth(base, args.gateway.ca.as_deref(), environment)?,
        false => Place::netrc(base)?,
    };
    if let (Some(token), Place::Netrc { path }) = (token, &place) {
        let credential = basic(args.login.as_bytes(), token.expose().as_bytes());
        let who = interruptible(async { Ok(gateway.whoami(Some(&credential)).await?) }).await?;
        return deposit::into_netrc(path, base, &args.login, &token, &who);
    }
    let scope = args.scope.as_deref();
    let granted = match args.browser {
        true => interruptible(loopback::grant(&gateway, scope, opener(args))).await?,
        false => interruptible(device::grant(&gateway, scope, opener(args), device::SECOND)).await?,
    };
    accept(&gateway, granted, &place, scope, environment).await
}

/// Puts what was granted where the go command finds it, or takes it back.
async fn accept(
    gateway: &GatewayClient,
    granted: Granted,
    place: &Place,
    scope: Option<&str>,
    environment: &Environment,
) -> Result<Deposited, Failure> {
    let short: Vec<Secret> = granted.refresh.iter().chain([&granted.access]).cloned().collect();
    let mut long = None;
    let deposited = interruptible(async {
        let who = gateway.whoami(Some(&bearer(&granted.access))).await?;
        match place {
            Place::Goauth { wallet, command } => {
                deposit::into_wallet(wallet, gateway.base(), granted, command, &who, environment)
            }
            Place::Netrc { path } => {
                let made = deposit::long_lived(gateway, &granted.access, scope).await?;
                let token = long.insert(made.token);
                Ok(deposit::into_netrc(path, gateway.base(), LOGIN, token, &who)?.until(made.expires))
            }
        }
    });
    let deposited = deposited.await;
    let needless = match (&deposited, place) {
        (Ok(_), Place::Goauth { .. }) => Vec::new(),
        (Ok(_), Place::Netrc { .. }) => short,
        (Err(_), _) => short.into_iter().chain(long).collect(),
    };
    let taken = interruptible(revocation::take_back(gateway.base(), Ok(gateway), &needless, "what was granted")).await;
    match deposited {
        // The short-lived ones end by themselves soon.
        Ok(deposited) => Ok(deposited),
        Err(failure) => Err(failure.and(taken.err())),
    }
}

/// Ctrl-C ends what waits, and lets what has to be done then be done.
async fn interruptible<T>(waiting: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        done = waiting => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
    }
}

fn opener(args: &Args) -> &'static dyn Fn(&str) {
    if args.no_browser { &|_| {} } else { &browser::open }
}

/// One word, as a netrc file can have it.
fn read_token(input: impl Read) -> Result<Secret, Failure> {
    let mut text = Zeroizing::new(String::new());
    input
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(format!("cannot read the token: {error}")))?;
    match text.trim() {
        "" => Err(Failure::new("there is no token on standard input")),
        token if token.contains(|char: char| char.is_whitespace() || char.is_control()) => {
            Err(Failure::new("a token for the netrc file is one word"))
        }
        token => Ok(Secret::new(token)),
    }
}

#[cfg(test)]
mod tests;
