//! `modgate goauth`: the helper that the go command asks for credentials (`go help goauth`, go 1.24 and later).
//!
//! ```text
//! modgate goauth BASE        → BASE, empty line, Authorization: Bearer …, empty line
//! modgate goauth BASE URL    the same, after URL was answered with a 4xx, whose head is on stdin
//! ```
//!
//! The go command runs it once at its start and again for every 4xx, 404 too: so the answer comes from the wallet, and the
//! network is touched only when the short-lived token is about to end, or was answered with 401.
//!
//! INVARIANT: a header is printed for this gateway only. On failure nothing is printed to stdout, and stderr says what to do;
//! the go command shows that with -x.

mod refresh;
pub(super) mod setting;

use super::authorization::bearer;
use super::gateway_url::GatewayUrl;
use super::terminal::Failure;
use super::wallet::Wallet;
use jiff::Timestamp;
use refresh::Need;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The most of a response's head that is looked at, in bytes: its first line is what matters.
const HEAD: u64 = 64 << 10;

/// Answer the go command as its GOAUTH helper
///
/// `modgate login --goauth` sets it up. The go command runs it; there is nothing in it for people, but to see what would
/// be sent. Prints a token.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  go env -w GOAUTH='modgate goauth https://goproxy.corp.example;netrc'\n\n\
                  Exit codes: 0 a credential was printed, or the URL is not this gateway's; 1 there is none, see stderr;\n\
                  2 the arguments make no sense.")]
pub(super) struct Args {
    /// The gateway, as in GOPROXY
    #[arg(value_name = "GATEWAY")]
    base: GatewayUrl,
    /// What was answered with a 4xx; the go command appends it and writes the answer's head to stdin
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Trust the certificates in this file (PEM) too, when the token is refreshed
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Answers.
pub(super) fn run(args: &Args, now: Timestamp) -> Result<(), Failure> {
    if args.url.as_ref().is_some_and(|url| !args.base.covers(url)) {
        return Ok(());
    }
    if !args.base.is_https() {
        return Err(Failure::new("the go command sends no credentials over http"));
    }
    let need = match (&args.url, io::stdin().is_terminal()) {
        (Some(_), false) => Need::after(&head(io::stdin().lock())),
        _ => Need::Any,
    };
    let wallet = Wallet::of_process().map_err(|error| Failure::because(&error))?;
    let access = refresh::access(&wallet, &args.base, need, args.ca.as_deref(), now)?;
    let text = Zeroizing::new(format!("{}\n\nAuthorization: {}\n\n", args.base, bearer(&access).expose()));
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The first line of a response's head. What is longer than [`HEAD`] is left unread; all else is read to its end, so that
/// whoever writes it is not cut off.
fn head(input: impl Read) -> String {
    let mut text = Vec::new();
    // What cannot be read says nothing.
    let _ = input.take(HEAD).read_to_end(&mut text);
    String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned()
}
