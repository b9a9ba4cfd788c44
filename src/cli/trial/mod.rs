//! `modgate try`: a command behind a gateway of its own, and what it fetched.
//!
//! ```text
//! Directory   throw-away: data, module cache, netrc         directory
//! GoSettings  what the go command is told on this machine   go_settings, logins
//! Settings    of the gateway, from all of these             ground
//! Running     the gateway, on a free loopback port          running
//! Ended       the command, in an environment of its own     surroundings, process, signals
//! Report      what the journal says was asked and answered  report, part, table
//! ```
//!
//! The gateway is the one that `modgate serve` runs, put together in the same way; what is different is where it keeps
//! things and who asks. The report is made from the trial's journal: it shows what an auditor would see.
//!
//! INVARIANT: nothing of the developer's changes but by the command itself: not their netrc, module cache or `go env`.
//! INVARIANT (private stays private): what the go command on this machine would have kept from the upstream or from
//! the checksum database is kept from them here too (docs/adr/0014).
//!
//! Exit codes: the command's own; 128 and the signal's number if one ended it; 127 if there is no such command, 126 if
//! it cannot be run; 125 if the trial itself failed.
//!
//! Each line here that is for Unix has its counterpart for Windows; docs/adr/0014 says what keeps the server from it.

mod directory;
mod go_settings;
mod ground;
mod logins;
mod part;
mod process;
mod report;
mod running;
mod signals;
mod surroundings;
mod table;

use super::terminal::{self, Failure};
use crate::telemetry::log;
use directory::Directory;
use go_settings::GoSettings;
use ground::Ground;
use report::Report;
use running::Running;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use table::Table;

/// The trial itself failed; as `timeout` and `docker run` have it.
const FAILED: u8 = 125;

/// Run a command behind a gateway of its own, then show what it fetched
///
/// Starts a gateway on a free loopback port with a throw-away token, store, journal and module cache, runs the command
/// with GOPROXY and NETRC pointing there, and prints what was fetched, refused and recorded. Needs no configuration.
/// Everything that it made is removed at the end.
#[derive(clap::Args, Debug)]
#[command(
    name = "try",
    after_help = "Examples:\n  \
    modgate try -- go build ./...                          what does this build fetch?\n  \
    modgate try --policy policy.csv -- go mod download     what would this policy refuse?\n  \
    modgate try --policy policy.csv --as user:corp/alice --group group:corp/dev -- go build ./...\n  \
    modgate try --config modgate.toml -- go test ./...     with the sources of a real gateway\n  \
    modgate try --json report.json --all -- go get example.com/mod@latest\n\n\
    Exit codes: those of the command; 128+N if signal N ended it; 127 there is no such command; 126 it cannot be run;\n\
    125 the trial itself failed; 2 the arguments make no sense."
)]
pub(super) struct Args {
    /// Try these policy files instead of one that lets everything through; may be repeated
    #[arg(long = "policy", value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// In whose name, as the policy knows them: `user:ISSUER/SUBJECT`, `ci:ISSUER/…` or `anonymous`
    #[arg(long = "as", value_name = "SUBJECT", value_parser = ground::subject)]
    subject: Option<String>,
    /// A group of theirs, as `group:ISSUER/NAME`; may be repeated
    #[arg(long = "group", value_name = "GROUP", value_parser = ground::group)]
    groups: Vec<String>,
    /// Take upstreams, sources, checksum databases and private namespaces from a gateway's configuration
    ///
    /// Without --as and --policy, its policy holds too, with one more row that lets the trial read everything that no
    /// row denies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The upstream list, in GOPROXY's syntax [default: what the go command would use]
    #[arg(long, value_name = "LIST")]
    upstream: Option<String>,
    /// Which module cache the command uses: an empty one, so that everything is fetched, or the developer's own
    #[arg(long, value_enum, default_value_t = ModuleCache::ThrowAway)]
    module_cache: ModuleCache,
    /// Let GOPRIVATE and GONOPROXY send modules around the gateway as on every other day; those are not seen then
    #[arg(long)]
    bypass: bool,
    /// Speak plain HTTP behind a path that cannot be guessed, as on macOS and Windows
    ///
    /// There the go command takes no certificate from a file, and over plain HTTP it sends no token.
    #[arg(long)]
    plain_http: bool,
    /// List also what was not found, lists and branches
    #[arg(long)]
    all: bool,
    /// Write the table to a file instead of standard error
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the report as one JSON object to a file, or with `-` to standard output after the command's own
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep the directory with the journal, the store and the module cache, and say where it is
    #[arg(long)]
    keep: bool,
    /// What the gateway logs on standard error: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "error", value_parser = level)]
    log: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// Whose module cache.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum ModuleCache {
    /// Empty at the start, removed at the end.
    ThrowAway,
    /// The developer's own: what is in it is not fetched.
    Shared,
}

fn level(text: &str) -> Result<String, String> {
    log::check_level(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// Runs the trial. All that there is to say was said when this returns.
pub(super) fn run(args: &Args) -> ExitCode {
    match tried(args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal::report(&failure);
            ExitCode::from(FAILED)
        }
    }
}

fn tried(args: &Args) -> Result<u8, Failure> {
    let began = Instant::now();
    log::install(&log::Settings { format: log::Format::Text, level: args.log.clone() }).map_err(Failure::new)?;
    let mut outlets = Outlets::open(args)?;
    let directory = Directory::create(args.keep)?;
    let go = GoSettings::of_process();
    let ground = Ground::prepare(args, &directory, &go)?;
    let background = ground.background(args, &go);
    let running = Running::start(ground, &directory)?;
    let surroundings = surroundings::of(args, &go, &directory, running.access());
    let ended = running.block_on(process::run(&args.command, &surroundings));
    let records = running.end()?;
    let code = match ended {
        Ok(ended) => {
            outlets.write(&Report::new(background, args.all, ended, began.elapsed(), &records))?;
            ended.exit_code()
        }
        Err(unrunnable) => {
            terminal::report(&Failure::new(&unrunnable).hint(unrunnable.hint()));
            unrunnable.exit_code()
        }
    };
    kept(&directory);
    Ok(code)
}

/// Says where everything is that was to be kept.
fn kept(directory: &Directory) {
    if let Some(path) = directory.kept() {
        let data = directory.data();
        let text = format!("kept: {}\n  modgate audit query --data {}\n", path.display(), data.display());
        // If stderr is gone, nobody is there to be told.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Where the report goes. Opened before anything is started, so that a file that cannot be written costs no build.
struct Outlets {
    table: Option<(PathBuf, File)>,
    json: Option<(PathBuf, Option<File>)>,
}

impl Outlets {
    fn open(args: &Args) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match File::create(path) {
            Ok(file) => Ok((path.clone(), file)),
            Err(cause) => Err(unwritable(path, &cause)),
        };
        let json = match &args.json {
            Some(path) if path.as_os_str() == "-" => Some((path.clone(), None)),
            Some(path) => Some(create(path).map(|(path, file)| (path, Some(file)))?),
            None => None,
        };
        Ok(Self { table: args.report.as_ref().map(create).transpose()?, json })
    }

    fn write(&mut self, report: &Report) -> Result<(), Failure> {
        if let Some((path, file)) = &mut self.json {
            let json = report.json();
            let written = match file {
                Some(file) => file.write_all(json.as_bytes()),
                None => io::stdout().write_all(json.as_bytes()),
            };
            written.map_err(|cause| unwritable(path, &cause))?;
        }
        match &mut self.table {
            Some((path, file)) => {
                let text = Table { colour: false, terminal: false }.text(report);
                file.write_all(text.as_bytes()).map_err(|cause| unwritable(path, &cause))
            }
            None => {
                let terminal = io::stderr().is_terminal();
                let text = Table { colour: terminal::colours(terminal), terminal }.text(report);
                // If stderr is gone, nobody is there to be told.
                let _ = io::stderr().write_all(text.as_bytes());
                Ok(())
            }
        }
    }
}

fn unwritable(path: &Path, cause: &io::Error) -> Failure {
    Failure::new(format!("cannot write the report to `{}`: {cause}", path.display()))
}
