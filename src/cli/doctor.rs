//! `modgate doctor`: is this machine set up so that its go command goes through the gateway, and gets in?
//!
//! | file | what is looked at |
//! |---|---|
//! | `proxy_list` | GOPROXY: is the gateway in it, and alone |
//! | `bypass` | what goes around the gateway, or around verification |
//! | `netrc` | the entry for the gateway, as the go command finds it |
//! | `goauth` | GOAUTH: its commands, run as the go command runs them |
//! | `network` | live: proxies, TLS, who answers, the clock, whom the gateway takes us for |
//! | `finding`, `report` | what is said, each with the line that mends it |
//!
//! Settings are read as the go command reads them (`source::go_setting`): the environment, `go env -w`, the installation. Nothing
//! is changed.

mod bypass;
mod finding;
mod goauth;
mod netrc;
mod network;
mod proxy_list;
mod report;

use super::gateway_choice::{block_on, entries, goproxy};
use super::gateway_client::GatewayClient;
use super::gateway_url::GatewayUrl;
use super::go_credential;
use super::terminal::Failure;
use crate::source::Environment;
use finding::{Finding, Level};
use jiff::Timestamp;
use std::process::{Command, ExitCode};

/// Check that the go command on this machine goes through the gateway, and gets in
///
/// Looks at the go command's settings, the netrc file and GOAUTH, then asks the gateway. Each finding that is not well
/// comes with the line that mends it. Nothing is changed.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 nothing is bad, 1 something is, 2 the arguments make no sense.")]
pub(super) struct Args {
    /// The gateway, as in GOPROXY [default: the entry of GOPROXY that answers as modgate, else the first]
    #[arg(value_name = "GATEWAY")]
    url: Option<GatewayUrl>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks and tells.
pub(super) fn run(args: &Args, now: Timestamp) -> Result<ExitCode, Failure> {
    let environment = Environment::of_process();
    let list = goproxy(&environment);
    let (base, findings) = block_on(async {
        let base = match &args.url {
            Some(url) => Some(url.clone()),
            None => chosen(&list).await,
        };
        let findings = match &base {
            Some(base) => examine(base, &list, &environment, now).await,
            None => vec![go_version(), proxy_list::nobody(&list, &environment)],
        };
        Ok((base, findings))
    })?;
    report::print(base.as_ref(), &findings, args.json)?;
    let is_bad = findings.iter().any(|finding| finding.level == Level::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The entry that answers as modgate; if none does, the first, so that it is looked into why.
async fn chosen(list: &str) -> Option<GatewayUrl> {
    let all: Vec<GatewayUrl> = entries(list).collect();
    for base in all.iter().filter(|_| all.len() > 1) {
        let Ok(client) = GatewayClient::new(base.clone(), None) else { continue };
        if client.get("api/v1/whoami", None).await.is_ok_and(|answer| answer.is_modgates()) {
            return Some(base.clone());
        }
    }
    all.into_iter().next()
}

/// Everything, in the order in which it is best mended.
async fn examine(base: &GatewayUrl, list: &str, environment: &Environment, now: Timestamp) -> Vec<Finding> {
    let goauth = go_credential::setting_of(environment);
    let mut findings = vec![go_version()];
    findings.extend(proxy_list::examine(base, list, environment));
    findings.extend(bypass::examine(environment));
    // What stands in GOPROXY itself goes before both.
    if go_credential::of_goproxy(base, environment).is_none() {
        let file = netrc::File::of_process(environment);
        findings.extend(netrc::examine(base, &file, &goauth));
        findings.extend(goauth::examine(base, &goauth, environment));
    }
    findings.extend(network::surroundings(base, environment));
    findings.extend(network::examine(base, environment, now).await);
    findings
}

/// The go command itself.
fn go_version() -> Finding {
    // Elsewhere a go.mod could have another toolchain fetched.
    let mut command = Command::new("go");
    command.args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").current_dir(std::env::temp_dir());
    match command.output() {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Finding::ok("go", version)
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Finding::bad("go", format!("`go env` fails: {}", said.trim()), "go env")
        }
        Err(error) => Finding::bad("go", format!("`go` cannot be run: {error}"), "install it from https://go.dev/dl"),
    }
}
