//! `modgate whoami`: whom a gateway takes the go command on this machine for.

use super::gateway_choice::{Choice, block_on};
use super::gateway_client::Whoami;
use super::terminal::Failure;
use std::io::{self, Write};

/// Ask the gateway who you are to it
///
/// Sends the credential that the go command would send: from the netrc file, or of the GOAUTH helper.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    gateway: Choice,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (who, origin) = block_on(async {
        let (gateway, credential) = args.gateway.with_credential().await?;
        let who = gateway.whoami(Some(&credential.authorization)).await?;
        Ok((who, credential.origin))
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        let text = serde_json::to_string(&who).map_err(Failure::new)?;
        return Ok(writeln!(out, "{text}")?);
    }
    out.write_all(text(&who).as_bytes())?;
    writeln!(out, "credential  {origin}")?;
    Ok(())
}

fn text(who: &Whoami) -> String {
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let mut lines = vec![
        ("subject", who.subject.clone()),
        ("groups", list(&who.groups)),
        ("roles", list(&who.roles)),
        ("method", who.method.clone()),
    ];
    lines.extend(who.token.clone().map(|token| ("token", token)));
    lines.extend(who.scope.clone().map(|scope| ("scope", scope)));
    lines.extend(who.expires.map(|expires| ("expires", expires.to_string())));
    lines.iter().map(|(name, value)| format!("{name:<10}  {}\n", super::audit::printable(value))).collect()
}
