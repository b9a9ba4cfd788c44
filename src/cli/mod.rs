//! The command line: arguments in, an exit code out.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | it worked |
//! | 1 | it failed, or what was checked is bad; stderr says `error: …` and often `hint: …` |
//! | 2 | the arguments make no sense |
//!
//! `modgate try` ends as the command does that it runs; its own codes are in [`trial`].
//!
//! Each subcommand is a file: its arguments with their help, and a `run` that returns a [`Failure`]
//! or nothing. What a command is asked to print goes to stdout, all else to stderr.

pub mod audit;
mod authorization;
mod check;
mod completions;
mod doctor;
#[cfg(test)]
mod fake_gateway;
mod first_run;
mod gateway_choice;
mod gateway_client;
mod gateway_url;
mod go_credential;
mod go_env;
mod goauth;
mod login;
mod logout;
mod netrc;
mod oauth;
mod own_tokens;
pub mod policy;
mod revocation;
mod serve;
pub mod terminal;
pub mod token;
mod trial;
mod wallet;
mod whoami;

use crate::pipeline::tokens_path;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use gateway_choice::masked;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use terminal::Failure;

/// A gateway between the go command and the code that a company depends on.
#[derive(Parser, Debug)]
#[command(
    name = "modgate",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 it worked, 1 it failed, 2 the arguments make no sense.\n\n\
                  Begin with `modgate serve`, which needs no configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Token(TokenCommand),
    Policy(PolicyCommand),
    Audit(AuditCommand),
    Try(Box<trial::Args>),
    Login(login::Args),
    Logout(logout::Args),
    Whoami(whoami::Args),
    Tokens(own_tokens::Args),
    Goauth(goauth::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
}

/// Create, list and revoke tokens
#[derive(clap::Args, Debug)]
struct TokenCommand {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    token: token::TokenArgs,
}

/// Check, test and explain policy files
#[derive(clap::Args, Debug)]
struct PolicyCommand {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    policy: policy::PolicyArgs,
}

/// Ask the audit journal
#[derive(clap::Args, Debug)]
struct AuditCommand {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    audit: audit::AuditArgs,
}

/// Where the configuration is.
#[derive(clap::Args, Clone, Default, Debug)]
pub struct Configured {
    /// The configuration file (TOML); without one, everything has its default
    #[arg(long, value_name = "FILE", env = "MODGATE_CONFIG", hide_env_values = true, global = true)]
    pub config: Option<PathBuf>,
    /// Where everything is kept
    ///
    /// Wins over `data` in the configuration and over MODGATE_DATA. Default: $XDG_DATA_HOME/modgate or
    /// ~/.local/share/modgate; on macOS ~/Library/Application Support/modgate, on Windows %LOCALAPPDATA%\modgate.
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
}

impl Configured {
    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<PathBuf> {
        self.config.clone().filter(|file| !file.as_os_str().is_empty())
    }

    /// The inputs of the configuration, from this process's environment.
    pub fn inputs(&self) -> Result<crate::config::Inputs, Failure> {
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let data = match &self.data {
            Some(data) => Some(data.to_str().ok_or_else(|| Failure::new("the path of --data is not UTF-8"))?),
            None => None,
        };
        Ok(crate::config::Inputs::new(self.file(), environment).option("data", "--data", data.map(str::to_owned)))
    }

    /// The settings in force, for commands that only need to know where things are. Warnings are left out.
    pub fn settings(&self) -> Result<crate::config::Settings, Failure> {
        Ok(crate::config::load(&self.inputs()?)?.settings)
    }
}

/// Runs the command that the arguments of this process ask for.
pub fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit());
    // The one TLS provider, also for what asks for the process's default. Fails only if it is set already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Try(args) => Ok(trial::run(&args)),
        Command::Login(args) => login::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Logout(args) => logout::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Whoami(args) => whoami::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Tokens(args) => own_tokens::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Goauth(args) => goauth::run(&args, Timestamp::now()).map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => doctor::run(&args, Timestamp::now()),
        Command::Completions(args) => completions::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Policy(command) => {
            policy::run(command.policy, || command.configured.settings().map(|settings| settings.policy))
        }
        Command::Token(command) => run_token(command),
        Command::Audit(command) => run_audit(&command),
    };
    result.unwrap_or_else(|failure| {
        terminal::report(&failure);
        ExitCode::FAILURE
    })
}

/// An error of usage without what may be a password: of a URL what is no place, and of what is meant for a gateway all before an
/// `@`. Other arguments have an `@` of their own (MODULE@VERSION) and are shown.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let is_gateway = argument.contains("GATEWAY");
    let shown = |text: &String| match text.contains("://") {
        true => masked(text),
        false if is_gateway && text.contains('@') => "***".to_owned(),
        false => text.clone(),
    };
    let shown = |value: &ContextValue| match value {
        ContextValue::String(text) => Some(ContextValue::String(shown(text))),
        ContextValue::Strings(texts) => Some(ContextValue::Strings(texts.iter().map(shown).collect())),
        ContextValue::StyledStrs(texts) if texts.iter().any(|text| text.to_string().contains("://")) => {
            Some(ContextValue::StyledStrs(Vec::new()))
        }
        _ => None,
    };
    let masked: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, shown(value)?))).collect();
    for (kind, value) in masked {
        error.insert(kind, value);
    }
    error
}

fn run_token(command: TokenCommand) -> Result<ExitCode, Failure> {
    let settings = command.configured.settings()?;
    if command.token.creates() {
        first_run::private_directory(&settings.data)?;
    }
    match token::run(command.token, &tokens_path(&settings), Timestamp::now()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            terminal::report(&Failure::new(&error));
            Ok(ExitCode::from(error.exit_code()))
        }
    }
}

fn run_audit(command: &AuditCommand) -> Result<ExitCode, Failure> {
    let settings = command.configured.settings()?;
    audit::run(&command.audit, &settings.audit.dir, Timestamp::now())
        .map_err(|error| Failure::because(&error).hint(error.hint()))
}

/// The command line as clap has it, for completions.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn no_error_of_usage_shows_a_password() {
        let url = "https://me:s3cret@gw.test";
        for arguments in [
            &["login", url][..],
            &["whoami", "https://gw.test", url],
            &["goauth", url],
            &["goauth", "https://gw.test", "https://gw.test", url],
            &["tokens", "list", &format!("--json={url}")],
            &["tokens", "revoke", url],
            &["doctor", "https://me:s3/cret@gw.test"],
            &["login", "me:s3cret@gw.test"],
            &["login", &format!("--{url}")],
            &["login", "https://gw.test/?token=s3cret"],
            &[url],
        ] {
            let error = Cli::try_parse_from([&["modgate"], arguments].concat()).unwrap_err();
            let text = without_secrets(error).render().to_string();
            assert!(!text.contains("s3") && !text.contains("cret"), "{text}");
        }
        for (arguments, shown) in [
            (&["login", "gw.test"][..], "'gw.test'"),
            (&["login", url], "'https://gw.test'"),
            (&["whoami", "--nonsense", "a@b"], "'--nonsense'"),
            (&["policy", "explain", "--nonsense=example.com/x@v1"], "--nonsense"),
            (&["tokens", "revoke", "alice@corp"], "'alice@corp'"),
        ] {
            let error = Cli::try_parse_from([&["modgate"], arguments].concat()).unwrap_err();
            let text = without_secrets(error).render().to_string();
            assert!(text.contains(shown), "{text}");
        }
    }

    #[test]
    fn nothing_is_an_error_of_usage() {
        assert_eq!(Cli::try_parse_from(["modgate"]).unwrap_err().exit_code(), 2);
        assert_eq!(Cli::try_parse_from(["modgate", "--version"]).unwrap_err().exit_code(), 0);
    }
}
