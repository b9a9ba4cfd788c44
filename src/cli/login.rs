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
//! INVARIANT: nothing on this machine changes before the gateway has accepted the credential; no secret is printed.

mod browser;
mod deposit;
mod device;
mod loopback;

use super::gateway_choice::{Choice, block_on};
use super::gateway_client::GatewayClient;
use super::netrc::LOGIN;
use super::oauth::Granted;
use super::terminal::Failure;
use crate::config::Secret;
use crate::source::Environment;
use base64::{Engine, prelude::BASE64_STANDARD};
use deposit::{Deposited, Place};
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
    let deposited = block_on(async {
        let logged_in = log_in(args, &environment);
        tokio::select! {
            deposited = logged_in => deposited,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
        }
    })?;
    deposited.tell(&environment);
    if args.json {
        let text = serde_json::to_string(&deposited).map_err(Failure::new)?;
        writeln!(io::stdout().lock(), "{text}")?;
    }
    Ok(())
}

async fn log_in(args: &Args, environment: &Environment) -> Result<Deposited, Failure> {
    let gateway = args.gateway.client(environment).await?;
    if args.goauth && !gateway.base().is_https() {
        return Err(Failure::new("the go command asks its GOAUTH helper for https only"));
    }
    let place = if args.goauth { Place::Goauth { ca: args.gateway.ca.clone() } } else { Place::Netrc };
    if args.token_stdin {
        let token = read_token(io::stdin().lock())?;
        let who = gateway.whoami(Some(&basic(&args.login, &token))).await?;
        return deposit::into_netrc(gateway.base(), &args.login, &token, &who);
    }
    let granted = if args.browser {
        loopback::grant(&gateway, args.scope.as_deref(), opener(args)).await?
    } else {
        device::grant(&gateway, args.scope.as_deref(), opener(args), device::SECOND).await?
    };
    accept(&gateway, granted, place, args.scope.as_deref(), environment).await
}

/// Puts what was granted where the go command finds it.
async fn accept(
    gateway: &GatewayClient,
    granted: Granted,
    place: Place,
    scope: Option<&str>,
    environment: &Environment,
) -> Result<Deposited, Failure> {
    let who = gateway.whoami(Some(&bearer(&granted.access))).await?;
    match place {
        Place::Goauth { ca } => deposit::into_wallet(gateway.base(), granted, ca.as_deref(), &who, environment),
        Place::Netrc => {
            let long = deposit::long_lived(gateway, &granted.access, scope).await?;
            let deposited = deposit::into_netrc(gateway.base(), LOGIN, &long.token, &who)?;
            deposit::discard(gateway, granted).await;
            Ok(deposited.until(long.expires))
        }
    }
}

fn opener(args: &Args) -> &'static dyn Fn(&str) {
    if args.no_browser { &|_| {} } else { &browser::open }
}

pub(super) fn bearer(token: &Secret) -> Secret {
    Secret::of(format!("Bearer {}", token.expose()))
}

fn basic(login: &str, token: &Secret) -> Secret {
    let pair = Zeroizing::new(format!("{login}:{}", token.expose()));
    Secret::of(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))
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
