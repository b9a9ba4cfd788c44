//! `modgate tokens`: one's own tokens at a gateway, seen and changed from one's own machine.
//!
//! The gateway is asked with the credential that the go command would send. What changes something takes a token of it
//! as Bearer, so whoever has only a password in the netrc file logs in first. The operator's command, which needs no
//! gateway, is `modgate token`.

use super::authorization::as_bearer;
use super::gateway_choice::{Choice, block_on};
use super::gateway_client::GatewayClient;
use super::go_credential::GoCredential;
use super::terminal::Failure;
use crate::config::Secret;
use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};
use std::io::{self, IsTerminal, Write};
use zeroize::Zeroizing;

/// See, make and take back your own tokens at a gateway
///
/// Asks the gateway with the credential that the go command would send. A new token has no more rights than that
/// credential.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List your tokens
    List(ListArgs),
    /// Make a token and print it, once
    Create(CreateArgs),
    /// Take a token back
    Revoke(RevokeArgs),
}

#[derive(clap::Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    gateway: Choice,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct CreateArgs {
    #[command(flatten)]
    gateway: Choice,
    /// What it is limited to: `read:github.com/corp/*`
    #[arg(long)]
    scope: Option<String>,
    /// A remark for whoever lists the tokens
    #[arg(long)]
    note: Option<String>,
    /// For how many days it is good; without it, as long as the gateway allows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: Option<u64>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct RevokeArgs {
    /// The token's id, as in the list
    id: auth::TokenId,
    #[command(flatten)]
    gateway: Choice,
}

/// A token, as `/-/api/v1/tokens` tells it.
#[derive(Deserialize, Serialize, Debug)]
struct Row {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
    standing: String,
    purpose: String,
}

/// A new token.
#[derive(Deserialize)]
struct Created {
    id: String,
    token: Zeroizing<String>,
    #[serde(default)]
    expires: Option<String>,
}

/// Does what is asked.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Create(args) => create(args),
        Command::Revoke(args) => revoke(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let rows: Vec<Row> = block_on(async {
        let (gateway, credential) = args.gateway.with_credential().await?;
        let answer = gateway.get("api/v1/tokens", Some(&credential.authorization)).await?;
        Ok(gateway.success(answer)?.json(gateway.base())?)
    })?;
    let mut out = io::stdout().lock();
    if args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(Failure::new)?;
        return Ok(writeln!(out, "{text}")?);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match io::stdout().is_terminal() {
        true => table.set_content_arrangement(ContentArrangement::Dynamic),
        false => table.force_no_tty(),
    };
    table.set_header(["ID", "SCOPE", "STATE", "CREATED", "EXPIRES", "LAST USED", "NOTE"]);
    for row in &rows {
        let state = if row.purpose == "refresh" { format!("{}, refresh", row.standing) } else { row.standing.clone() };
        let shown = |text: &Option<String>| super::audit::printable(text.as_deref().unwrap_or("-"));
        let cells = [
            super::audit::printable(&row.id),
            shown(&row.scope),
            super::audit::printable(&state),
            super::audit::printable(&row.created),
            shown(&row.expires),
            shown(&row.last_used),
            shown(&row.note),
        ];
        table.add_row(cells);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(&line).trim_end())?;
    }
    Ok(())
}

fn create(args: &CreateArgs) -> Result<(), Failure> {
    let mut wanted = serde_json::Map::new();
    let texts = [("scope", &args.scope), ("note", &args.note)];
    wanted.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.as_deref()?.into()))));
    if let Some(days) = args.days {
        wanted.insert("expires_in".to_owned(), days.saturating_mul(24 * 60 * 60).into());
    }
    let created: Created = block_on(async {
        let (gateway, credential) = args.gateway.with_credential().await?;
        let answer = gateway.post_json("api/v1/tokens", &changing(&gateway, &credential)?, &wanted.into()).await?;
        Ok(gateway.success(answer)?.json(gateway.base())?)
    })?;
    let mut out = io::stdout().lock();
    match args.json {
        true => {
            let (id, token) = (&created.id, created.token.as_str());
            writeln!(out, "{}", serde_json::json!({"id": id, "token": token, "expires": created.expires}))?;
        }
        false => writeln!(out, "{}", created.token.as_str())?,
    }
    Ok(())
}

fn revoke(args: &RevokeArgs) -> Result<(), Failure> {
    block_on(async {
        let (gateway, credential) = args.gateway.with_credential().await?;
        let page = format!("api/v1/tokens/{}", args.id);
        let answer = gateway.delete(&page, &changing(&gateway, &credential)?).await?;
        gateway.success(answer)?;
        Ok(())
    })?;
    Ok(writeln!(io::stderr(), "{} is taken back", args.id)?)
}

/// The credential as Bearer, which what changes something takes.
fn changing(gateway: &GatewayClient, credential: &GoCredential) -> Result<Secret, Failure> {
    as_bearer(&credential.authorization).ok_or_else(|| {
        Failure::new("the credential is a password, and making or taking back tokens takes a token")
            .hint(format!("modgate login {}", gateway.base()))
    })
}
