//! `modgate token`: creates, lists and revokes issued tokens in the ledger, also while the server runs.
//!
//! What is meant for a program goes to standard output and nothing else does: `create` prints the token alone on one
//! line, once and never again. Hints go to standard error, and only when that is a terminal. The token is repeated in
//! the netrc hint only if standard output is a terminal too: whoever pipes it away does not want it on the screen.
//!
//! Where the ledger lies is the caller's business; so are the clock and the process's exit ([`TokenCommandError::exit_code`]).

mod expiry;
mod listing;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use auth::{
    Grant, Issued, Kind, Ledger, LedgerError, Line, Name, RANDOM_BYTES, Subject, SubjectError, TokenId, TokenText,
};
use jiff::Timestamp;
use zeroize::Zeroizing;

use self::expiry::{Expiry, PastError};
use self::listing::Shown;

/// Arguments of `modgate token`.
#[derive(clap::Args, Debug)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

impl TokenArgs {
    /// Whether the ledger is to be made if there is none.
    pub fn creates(&self) -> bool {
        matches!(self.command, Command::Create(_))
    }
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Create a token and print it, once
    Create(CreateArgs),
    /// List the tokens that are good
    List(ListArgs),
    /// Take tokens back; a running server refuses them within a second
    Revoke(RevokeArgs),
}

#[derive(clap::Args, Debug)]
struct CreateArgs {
    /// For whom: the policy knows the holder as user:token/NAME
    name: Name,
    /// Make the holder a member of group:token/GROUP; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Name>,
    /// Limit what the token may be used for: `read`, `read:github.com/corp/*,read:golang.org/x`
    #[arg(long, value_parser = scope_of)]
    scope: Option<Line>,
    /// How long it is good: hours (8h), days (90d), through a day (2026-12-31, UTC), or never to expire
    #[arg(long, value_name = "90d|DATE|never", default_value = "90d")]
    expires: Expiry,
    /// For a machine: the policy knows it as ci:token/NAME
    #[arg(long)]
    ci: bool,
    /// A remark for whoever lists the tokens
    #[arg(long)]
    note: Option<Line>,
    /// Print a JSON object instead of the bare token
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    /// Expired and revoked tokens too
    #[arg(long)]
    all: bool,
    /// Only those of one owner, such as user:corp/alice
    #[arg(long, value_name = "SUBJECT")]
    owner: Option<Subject>,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct RevokeArgs {
    /// The token's id, or the whole token
    #[arg(value_parser = id_of)]
    id: Option<TokenId>,
    /// Every token of this name that was made by hand, a person's and a machine's
    #[arg(long)]
    name: Option<Name>,
    /// Every token of this owner, such as user:corp/alice
    #[arg(long, value_name = "SUBJECT")]
    owner: Option<Subject>,
}

/// A scope that the policy can read; one that it cannot would make a token that opens nothing.
fn scope_of(text: &str) -> Result<Line, String> {
    crate::policy::Scope::parse(text).map_err(|error| error.to_string())?;
    text.parse().map_err(|error: auth::NameError| error.to_string())
}

/// The id alone, or taken out of a token, which may be cut: whoever finds one in a log has what it takes to revoke it.
fn id_of(text: &str) -> Result<TokenId, String> {
    let id = text.strip_prefix("mg_").unwrap_or(text);
    let id = id.split_once('_').map_or(id, |(id, _secret)| id);
    id.parse().map_err(|error: auth::TokenIdError| error.to_string())
}

/// Why `modgate token` failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenCommandError {
    /// The ledger is missing, damaged or cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// `--expires` with a day that is over.
    #[error(transparent)]
    Past(#[from] PastError),
    /// `revoke` of an id that was never issued.
    #[error("there is no token `{id}`; `modgate token list --all` shows them all")]
    UnknownId {
        /// What was asked for.
        id: TokenId,
    },
    /// `revoke` of a name that has no tokens.
    #[error("there is no token for `{name}`; `modgate token list --all` shows them all")]
    UnknownName {
        /// What was asked for.
        name: Name,
    },
    /// `revoke` of an owner who has no tokens.
    #[error("there is no token of `{owner}`; `modgate token list --all` shows them all")]
    UnknownOwner {
        /// Who was asked for.
        owner: Subject,
    },
    /// `create` for a name that no policy could speak of.
    #[error("no token can be made for that name: {0}")]
    Subject(#[from] SubjectError),
    /// The system has no randomness to give.
    #[error("the system gives no random bytes")]
    Random,
    /// The new token could not be printed: nobody knows it, and it was revoked again.
    #[error("cannot print the token, so it was revoked again: {cause}")]
    Unprinted {
        /// What the system says.
        cause: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl TokenCommandError {
    /// 2 when the arguments make no sense, as for arguments that do not parse; 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Past(_) | Self::Subject(_) => 2,
            Self::Ledger(_)
            | Self::UnknownId { .. }
            | Self::UnknownName { .. }
            | Self::UnknownOwner { .. }
            | Self::Random
            | Self::Unprinted { .. }
            | Self::Output(_) => 1,
        }
    }
}

/// Runs `modgate token` on the ledger at a path. `create` makes the ledger if there is none; its directory must exist.
///
/// # Errors
/// See [`TokenCommandError`]; nothing was changed, except that an unprintable token stands in the ledger as revoked.
pub fn run(args: TokenArgs, database: &Path, now: Timestamp) -> Result<(), TokenCommandError> {
    let (mut output, mut hints) = (io::stdout().lock(), io::stderr().lock());
    let mut streams = Streams {
        on_terminal: output.is_terminal(),
        hinting: hints.is_terminal(),
        output: &mut output,
        hints: &mut hints,
    };
    execute(args, database, now, system_random, &mut streams)
}

/// Where to write, and what is at the other end.
struct Streams<'a> {
    output: &'a mut dyn Write,
    on_terminal: bool,
    hints: &'a mut dyn Write,
    hinting: bool,
}

impl Streams<'_> {
    /// A hint that cannot be written is not worth a failure.
    fn hint(&mut self, text: std::fmt::Arguments<'_>) {
        if self.hinting {
            let _ = writeln!(self.hints, "{text}");
        }
    }
}

type RandomBytes = Zeroizing<[u8; RANDOM_BYTES]>;

fn system_random() -> Result<RandomBytes, TokenCommandError> {
    let mut random = Zeroizing::new([0; RANDOM_BYTES]);
    crate::randomness::fill(&mut *random).map_err(|_| TokenCommandError::Random)?;
    Ok(random)
}

fn execute(
    args: TokenArgs,
    database: &Path,
    now: Timestamp,
    random: impl FnOnce() -> Result<RandomBytes, TokenCommandError>,
    streams: &mut Streams<'_>,
) -> Result<(), TokenCommandError> {
    match args.command {
        Command::Create(args) => create(args, database, now, &random()?, streams),
        Command::List(args) => list(&args, &Ledger::open(database)?, now, streams),
        Command::Revoke(args) => revoke(args, Ledger::open(database)?, now, streams),
    }
}

fn create(
    args: CreateArgs,
    database: &Path,
    now: Timestamp,
    random: &RandomBytes,
    streams: &mut Streams<'_>,
) -> Result<(), TokenCommandError> {
    let grant = Grant {
        scope: args.scope,
        expires: args.expires.from(now)?,
        note: args.note,
        ..Grant::by_hand(if args.ci { Kind::Ci } else { Kind::User }, &args.name, &args.groups)?
    };
    let mut ledger = Ledger::open_or_create(database)?;
    let (token, issued) = ledger.issue(&grant, now, random)?;
    let printed = if args.json {
        listing::write_created(streams.output, &issued, &token, now)
    } else {
        writeln!(streams.output, "{}", token.expose()).and_then(|()| streams.output.flush())
    };
    if let Err(cause) = printed {
        // Whether somebody saw it is not known; that nobody can use it is.
        ledger.revoke(issued.id, now)?;
        return Err(TokenCommandError::Unprinted { cause });
    }
    explain(&issued, &token, streams);
    Ok(())
}

fn explain(issued: &Issued, token: &TokenText, streams: &mut Streams<'_>) {
    let until = issued.validity.expires.map_or("for ever".to_owned(), |at| format!("until {}", listing::minute(at)));
    let secret = if streams.on_terminal { token.expose() } else { "TOKEN" };
    streams.hint(format_args!(
        "token {} for {}, good {until}; it is shown only this once",
        issued.id,
        issued.subject()
    ));
    streams.hint(format_args!("in .netrc, with HOST:PORT as in GOPROXY (without :PORT if there is none there):"));
    streams.hint(format_args!("machine HOST:PORT login {} password {secret}", issued.owner.name()));
}

fn list(args: &ListArgs, ledger: &Ledger, now: Timestamp, streams: &mut Streams<'_>) -> Result<(), TokenCommandError> {
    let shown = if args.all { Shown::All } else { Shown::Live };
    let known = match &args.owner {
        Some(owner) => ledger.owned(owner)?,
        None => ledger.all()?,
    };
    let tokens: Vec<_> = known.into_iter().filter(|issued| shown.includes(issued, now)).collect();
    let written = if args.json {
        listing::write_json(streams.output, &tokens, now)
    } else {
        listing::write_table(streams.output, &tokens, now, streams.on_terminal)
    };
    match written {
        // The reader has seen enough, as in `… | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    }
    if tokens.is_empty() && !args.all {
        streams.hint(format_args!("no token is good now; --all shows expired and revoked ones"));
    }
    Ok(())
}

fn revoke(
    args: RevokeArgs,
    mut ledger: Ledger,
    now: Timestamp,
    streams: &mut Streams<'_>,
) -> Result<(), TokenCommandError> {
    let mut revoked = Vec::new();
    if let Some(id) = args.id {
        revoked.push(ledger.revoke(id, now)?.ok_or(TokenCommandError::UnknownId { id })?);
    }
    if let Some(name) = args.name {
        revoked.extend(ledger.revoke_name(&name, now)?);
        if revoked.is_empty() {
            return Err(TokenCommandError::UnknownName { name });
        }
    }
    if let Some(owner) = args.owner {
        revoked.extend(ledger.revoke_owner(&owner, now)?);
        if revoked.is_empty() {
            return Err(TokenCommandError::UnknownOwner { owner });
        }
    }
    for issued in &revoked {
        let before = issued.validity.revoked.filter(|at| at.as_second() != now.as_second());
        let (id, subject) = (issued.id, issued.subject());
        match before {
            Some(at) => writeln!(streams.output, "already revoked on {}: {id} {subject}", listing::minute(at))?,
            None => writeln!(streams.output, "revoked {id} {subject}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
