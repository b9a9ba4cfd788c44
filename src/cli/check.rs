//! `modgate check`: is the configuration good, and what is in force?

mod ground;

use super::terminal::{self, Failure};
use super::{Configured, serve};
use crate::config::{self, ConfigError, Loaded, Mode, Place, Problem, Settings};
use crate::pipeline::{Flaw, Plan};
use crate::policy::Policy;
use crate::source::Environment;
use auth::{DirectorySettings, Finding, GroupsBy, Issuer, KeySource, KeysAt, Published};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, Write};

/// Check the configuration and say what is in force
///
/// Reads everything that `modgate serve` would read, and reports all problems at once, each with its place. Changes
/// nothing, locks nothing and listens nowhere, so it can run beside a server.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    modgate check --config /etc/modgate/modgate.toml\n  \
    modgate check --config modgate.toml --print     every setting and where it comes from, secrets masked\n  \
    modgate check --json | jq .problems\n\n\
    Exit codes: 0 the configuration is good, 1 it is not, 2 the arguments make no sense.")]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,
    /// Print every setting in force with its origin; secrets are masked
    #[arg(long)]
    print: bool,
    /// Print one JSON object: problems, warnings, what is in force, and with --print the settings
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let first_run = args.configured.file().is_none();
    let (loaded, found) = match config::load(&args.configured.inputs()?) {
        Ok(loaded) => {
            let found = Findings::of(&loaded, first_run, Timestamp::now());
            (Some(loaded), found)
        }
        Err(ConfigError { problems }) => (None, Findings { problems, ..Findings::default() }),
    };
    if args.json {
        print_json(args, loaded.as_ref(), &found)?;
    } else {
        print_text(args, loaded.as_ref(), &found)?;
    }
    if found.problems.is_empty() { Ok(()) } else { Err(ConfigError { problems: found.problems }.into()) }
}

/// Flaws with the places where they were written, in the order of those.
pub(super) fn located(loaded: &Loaded, flaws: Vec<Flaw>) -> Vec<Problem> {
    let problem = |Flaw { key, message, hint }| {
        let place = key.as_deref().map_or(Place::Default, |key| loaded.place(key));
        // A value that nobody wrote has no place, so its key says what is meant.
        let message = match (&place, key) {
            (Place::Default, Some(key)) => format!("`{key}`: {message}"),
            _ => message,
        };
        Problem { place, message, hint }
    };
    let mut problems: Vec<Problem> = flaws.into_iter().map(problem).collect();
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    problems
}

/// All that there is to say about a configuration.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    in_force: Option<InForce>,
}

/// What the settings come to.
struct InForce {
    /// Whether there is a store, and if not, whether the one behind is told who asks.
    mode: Mode,
    /// The upstream list and who said so.
    upstream: (String, String),
    /// Pattern and list of each private source.
    private: Vec<(String, String)>,
    /// The names of the checksum databases and who said so.
    checksum: (Vec<String>, String),
    /// Alias, `iss`, algorithms and the keys of each issuer.
    issuers: Vec<(String, String, String, Keys)>,
    /// The servers of the directory, how people are found there, and how their groups are.
    directory: Option<(Vec<String>, String, String)>,
    /// How many rules the policy has, and its digest.
    policy: (usize, String),
    /// Whose limit, and what it is.
    limits: Vec<(String, String)>,
}

impl Findings {
    /// What the settings name, read as `serve` would read it.
    fn of(loaded: &Loaded, first_run: bool, now: Timestamp) -> Self {
        let settings = &loaded.settings;
        let policy = match first_run && serve::ships_policy(settings) {
            true => Policy::shipped(),
            false => Plan::policy(settings),
        };
        let plan = Plan::read(settings, policy, &Environment::of_process(), 0);
        let (mut flaws, mut warnings) = ground::examine(settings, plan.as_ref().ok(), now);
        let in_force = match plan {
            Ok(plan) => {
                warnings.extend(plan.warnings.iter().cloned());
                Some(InForce::of(loaded, &plan))
            }
            Err(found) => {
                flaws.extend(found);
                None
            }
        };
        let problems = located(loaded, flaws);
        let warnings = loaded.warnings.iter().cloned().chain(located(loaded, warnings)).collect();
        Self { problems, warnings, in_force }
    }
}

impl InForce {
    fn of(loaded: &Loaded, plan: &Plan) -> Self {
        let Settings { mode, upstream, checksum, .. } = &loaded.settings;
        let summary = plan.sources.summary();
        let written = |key: &str| loaded.place(key).to_string();
        let by_go = matches!(checksum, config::Checksum::GoCommand);
        Self {
            mode: mode.clone(),
            upstream: (
                summary.public.clone(),
                upstream.list.as_ref().map_or_else(|| summary.origin.clone(), |_| written("upstream.list")),
            ),
            private: summary.private.clone(),
            checksum: (
                plan.databases.iter().map(|database| database.name().0.to_string()).collect(),
                if by_go { plan.databases_origin.clone() } else { "the configuration".to_owned() },
            ),
            issuers: plan.issuers.iter().map(issuer).collect(),
            directory: plan.directory.as_ref().map(|(settings, _)| directory(settings)),
            policy: (plan.policy.rules().len(), plan.policy.digest().to_owned()),
            limits: loaded.settings.limits.described(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let (list, origin) = &self.upstream;
        let mut lines = match &self.mode {
            Mode::Store => vec![format!("upstream list: {list} (by {origin})")],
            Mode::Forward(forward) => {
                let told = if forward.identity.is_some() { "is told who asks" } else { "is not told who asks" };
                vec![format!("forward mode: nothing is kept, the store behind is {list} (by {origin}) and {told}")]
            }
        };
        lines.extend(self.private.iter().map(|(pattern, list)| format!("private source: {pattern} from {list}")));
        let (names, origin) = &self.checksum;
        let names = match (&self.mode, names.is_empty()) {
            (Mode::Store, true) => "none, modules are not verified".to_owned(),
            (Mode::Forward(_), true) => "none".to_owned(),
            (Mode::Store, false) => names.join(", "),
            (Mode::Forward(_), false) => format!("{} for clients, modules are not verified here", names.join(", ")),
        };
        lines.push(format!("checksum database: {names} (by {origin})"));
        lines.extend(
            self.issuers
                .iter()
                .map(|(alias, iss, algorithms, keys)| format!("issuer: {alias} is {iss}, {algorithms}, {keys}")),
        );
        lines.extend(self.directory.iter().map(|(servers, people, groups)| {
            format!("directory: {}, people by {people}, groups by {groups}", servers.join(", then "))
        }));
        let (rules, digest) = &self.policy;
        let rules = if *rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
        lines.push(format!("policy: {rules}, digest {digest}"));
        let limits = self.limits.iter().map(|(whose, rate)| format!("{rate} ({whose})")).collect::<Vec<_>>();
        lines.push(format!("limits: {}", limits.join("; ")));
        lines
    }

    fn json(&self) -> Value {
        let private = self.private.iter().map(|(pattern, list)| json!({ "pattern": pattern, "list": list }));
        let issuers = self.issuers.iter().map(|(alias, iss, algorithms, keys)| {
            json!({ "name": alias, "issuer": iss, "algorithms": algorithms, "keys": keys.json() })
        });
        json!({
            "mode": if self.mode == Mode::Store { "store" } else { "forward" },
            "upstream": { "list": self.upstream.0, "origin": self.upstream.1 },
            "sources": private.collect::<Vec<_>>(),
            "checksum": { "databases": self.checksum.0, "origin": self.checksum.1 },
            "issuers": issuers.collect::<Vec<_>>(),
            "directory": self.directory.as_ref().map(|(servers, people, groups)| {
                json!({ "servers": servers, "people": people, "groups": groups })
            }),
            "policy": { "rules": self.policy.0, "digest": self.policy.1 },
            "limits": self.limits.iter().map(|(whose, rate)| (whose.clone(), json!(rate))).collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// How many keys an issuer has, or where it publishes them; nobody is asked for them here.
enum Keys {
    Read(usize),
    Published(String),
}

impl Keys {
    fn json(&self) -> Value {
        match self {
            Self::Read(count) => json!(count),
            Self::Published(place) => json!(place),
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(1) => out.write_str("1 key"),
            Self::Read(count) => write!(out, "{count} keys"),
            Self::Published(place) => write!(out, "keys {place}"),
        }
    }
}

fn issuer(issuer: &Issuer) -> (String, String, String, Keys) {
    let settings = issuer.settings();
    let algorithms: Vec<_> = settings.algorithms.iter().map(|one| one.as_str()).collect();
    let keys = match &settings.keys {
        KeySource::File(_) => Keys::Read(issuer.key_count(Timestamp::now())),
        KeySource::Published(Published { at: KeysAt::Discovery, .. }) => Keys::Published("by discovery".to_owned()),
        KeySource::Published(Published { at: KeysAt::Url(url), .. }) => Keys::Published(format!("at {url}")),
    };
    (settings.alias.to_string(), settings.issuer.clone(), algorithms.join(", "), keys)
}

fn directory(settings: &DirectorySettings) -> (Vec<String>, String, String) {
    let people = match &settings.finding {
        Finding::Search { base, filter } => format!("{} below {base}", filter.as_str()),
        Finding::Template(template) => template.as_str().to_owned(),
    };
    let groups = match &settings.groups.by {
        GroupsBy::Nothing => "nothing, there are none".to_owned(),
        GroupsBy::Attribute(attribute) => attribute.clone(),
        GroupsBy::Search { base, filter } => format!("{} below {base}", filter.as_str()),
    };
    (settings.servers.iter().map(ToString::to_string).collect(), people, groups)
}

fn print_text(args: &Args, loaded: Option<&Loaded>, found: &Findings) -> io::Result<()> {
    for Problem { place, message, hint } in &found.warnings {
        match place {
            Place::Default => terminal::warn(message, hint.as_deref()),
            place => terminal::warn(format_args!("{place}: {message}"), hint.as_deref()),
        }
    }
    let mut out = io::stdout().lock();
    if let (true, Some(loaded)) = (args.print, loaded) {
        for one in &loaded.in_force {
            writeln!(out, "{one}")?;
        }
    }
    if !found.problems.is_empty() {
        return Ok(());
    }
    if !args.print {
        writeln!(out, "the configuration is good")?;
    }
    let begin = if args.print { "# " } else { "  " };
    for line in found.in_force.iter().flat_map(InForce::lines) {
        writeln!(out, "{begin}{line}")?;
    }
    Ok(())
}

fn print_json(args: &Args, loaded: Option<&Loaded>, found: &Findings) -> io::Result<()> {
    let mut shown = json!({ "problems": found.problems, "warnings": found.warnings });
    if let Some(object) = shown.as_object_mut() {
        if let Some(in_force) = &found.in_force {
            object.insert("in_force".to_owned(), in_force.json());
        }
        if let (true, Some(loaded)) = (args.print, loaded) {
            object.insert("settings".to_owned(), json!(loaded.in_force));
        }
    }
    writeln!(io::stdout().lock(), "{shown:#}")
}
