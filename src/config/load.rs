//! Reading the configuration: the list of keys with their defaults and bounds, and what must hold between them.

use super::directory::directory;
use super::environment;
use super::forward::{check_upstream, forward};
use super::issuers::issuers;
use super::limits::limits;
use super::listener::{Around, admin, listen, tls};
use super::login::{check_public_url, sessions};
use super::origins::{database, source, upstream};
use super::place::{ConfigError, InForce, Place, Problem};
use super::quantity::{Form, Size, Value, quoted};
use super::report::{GivenOption, Report};
use super::section::{Section, nearest};
use super::settings::{Audit, Checksum, Mode, Policy, Settings, Store};
use super::tokens::tokens;
use crate::telemetry::log;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// What a configuration is made of.
#[derive(Clone, Default, Debug)]
pub struct Inputs {
    file: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    options: Vec<GivenOption>,
}

impl Inputs {
    /// A file, if any, and an environment. Variables that are not UTF-8 are to be left out.
    pub fn new(file: Option<PathBuf>, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { file, environment: environment.into_iter().collect(), options: Vec::new() }
    }

    /// Has a command-line option stand for a key, over the environment.
    #[must_use]
    pub fn option(mut self, key: &'static str, option: &'static str, value: Option<String>) -> Self {
        self.options.extend(value.map(|value| GivenOption { key, option, value }));
        self
    }
}

/// A good configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What should be known.
    pub warnings: Vec<Problem>,
    /// Every setting with its origin, in the order of the documentation.
    pub in_force: Vec<InForce>,
}

impl Loaded {
    /// Where the value of a dotted key was written.
    pub fn place(&self, key: &str) -> Place {
        let one = self.in_force.iter().find(|one| one.key == key);
        one.map_or(Place::Default, |one| one.origin.clone())
    }
}

/// Reads and validates. All problems are reported at once; syntax errors of the file hide the others.
pub fn load(inputs: &Inputs) -> Result<Loaded, ConfigError> {
    let file = inputs.file.as_deref();
    let text = file.map(read).transpose()?.unwrap_or_default();
    let report = Report {
        file: file.unwrap_or(Path::new("")),
        text: &text,
        environment: &inputs.environment,
        options: &inputs.options,
        problems: RefCell::default(),
        warnings: RefCell::default(),
        in_force: RefCell::default(),
    };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let place = report.place(error.span().map_or(0, |span| span.start));
        report.problem(place, error.message(), None);
    }
    if !report.problems.borrow().is_empty() {
        return Err(ConfigError { problems: report.problems.into_inner() });
    }
    let settings = settings(Section::root(&report, table.into_inner()), &inputs.environment, file.is_none());
    for variable in inputs.environment.keys().filter(|name| name.starts_with("MODGATE_") && !environment::known(name)) {
        let known = environment::VARIABLES.iter().map(|(_, variable)| *variable);
        let hint = nearest_variable(variable, known).map(|known| format!("did you mean `{known}`?"));
        report.warning(Place::Default, format!("the environment variable `{variable}` means nothing here"), hint);
    }
    let mut problems = report.problems.into_inner();
    problems.sort();
    problems.dedup();
    match settings {
        Some(settings) if problems.is_empty() => {
            let warnings = report.warnings.into_inner();
            Ok(Loaded { settings, warnings, in_force: report.in_force.into_inner() })
        }
        _ => Err(ConfigError { problems }),
    }
}

fn nearest_variable<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower: Vec<(String, &str)> = known.map(|known| (known.to_lowercase(), known)).collect();
    let found = nearest(name, lower.iter().map(|(lower, _)| lower.as_str()))?;
    lower.iter().find(|(lower, _)| lower == found).map(|(_, known)| *known)
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read the configuration file `{}`: {error}", file.display());
        ConfigError { problems: vec![Problem { place: Place::Default, message, hint: None }] }
    })
}

/// `first_run`: there is no file, so `serve` makes a certificate where none is configured.
fn settings(mut root: Section<'_, '_>, environment: &BTreeMap<String, String>, first_run: bool) -> Option<Settings> {
    let data = match (root.path("data"), default_data(environment)) {
        (Some(found), _) => Some(found.value),
        (None, Some(default)) => Some(root.path_or("data", default)),
        (None, None) => {
            root.problem(Place::Default, "there is no home directory to keep data in", "set `data` or MODGATE_DATA");
            None
        }
    };
    let under = |name: &str| data.clone().unwrap_or_default().join(name);
    let mode = root.get::<Mode>("mode");
    let public_url = root.get("public_url").map(|found| found.value);
    let contact = root.get::<Contact>("contact").map(|found| found.value.0);
    let instance = root.get::<Instance>("instance").map(|found| found.value.0);
    let tls = tls(root.section("tls"));
    let listen =
        listen(root.section("listen"), &Around { tls: tls.is_some(), first_run, public_url: public_url.is_some() });
    let admin = admin(root.section("admin"));
    let issuers = issuers(root.sections("issuer").unwrap_or_default());
    let directory = directory(root.section("ldap"));
    check_public_url(&root, public_url.as_ref(), issuers.iter().any(|issuer| issuer.login.is_some()));
    let sessions = sessions(root.section("sessions"));
    let policy = policy(root.section("policy"), under("policies"));
    let mode = forward(mode, root.section("forward"));
    let upstream = upstream(root.section("upstream"));
    check_upstream(&root, &mode, &upstream);
    let sources = root.sections("source").unwrap_or_default().into_iter().filter_map(source).collect();
    let checksum = match root.sections("checksum") {
        None => Checksum::GoCommand,
        Some(sections) if sections.is_empty() => Checksum::Off,
        Some(sections) => Checksum::Databases(sections.into_iter().filter_map(database).collect()),
    };
    let store = store(root.section("store"), under("store"), &mode.value);
    let limits = limits(root.section("limits"));
    let tokens = tokens(root.section("tokens"));
    let audit = audit(root.section("audit"), under("audit"));
    let log = logging(root.section("log"));
    root.finish();
    Some(Settings {
        data: data?,
        mode: mode.value,
        public_url,
        contact,
        instance,
        listen,
        tls,
        admin,
        issuers,
        directory,
        sessions,
        policy,
        upstream,
        sources,
        checksum,
        store,
        limits,
        tokens,
        audit,
        log,
    })
}

/// Where data is kept unless somebody says otherwise.
fn default_data(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |variable: &str| environment.get(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return set("LOCALAPPDATA").map(|base| base.join("modgate"));
    }
    if cfg!(target_os = "macos") {
        return set("HOME").map(|home| home.join("Library/Application Support/modgate"));
    }
    // The XDG specification has relative paths ignored.
    let data = set("XDG_DATA_HOME").filter(|path| path.is_absolute());
    data.or_else(|| set("HOME").map(|home| home.join(".local/share"))).map(|base| base.join("modgate"))
}

fn policy(mut section: Section<'_, '_>, directory: PathBuf) -> Policy {
    let policy = Policy {
        model: section.path("model").map(|found| found.value),
        files: section.paths_or("files", vec![directory.join("policy.csv")]),
        allow_widening: section.or("allow_widening", false),
    };
    if policy.files.is_empty() {
        section.problem(section.place(), "`policy.files` is empty, so nobody could read anything", "name a file");
    }
    section.finish();
    policy
}

fn store(mut section: Section<'_, '_>, directory: PathBuf, mode: &Mode) -> Store {
    if *mode != Mode::Store {
        section.without_effect("in forward mode, which keeps no store");
    }
    let (zero, seconds, day) = (Duration::ZERO, Duration::from_secs, Duration::from_secs(86_400));
    let store = Store {
        dir: section.path_or("dir", directory),
        list_fresh: section.within("list_fresh", zero, seconds(60), day * 30),
        query_fresh: section.within("query_fresh", zero, seconds(60), day * 30),
        stale_wait: section.within("stale_wait", zero, seconds(3600), day * 30),
        negative: section.within("negative", zero, seconds(10), day),
        memory: section.within("memory", Size(0), Size(64 << 20), Size(1 << 40)).0,
    };
    section.finish();
    store
}

fn audit(mut section: Section<'_, '_>, directory: PathBuf) -> Audit {
    let seconds = Duration::from_secs;
    let audit = Audit {
        dir: section.path_or("dir", directory),
        segment: section.within("segment", Size(1 << 20), Size(64 << 20), Size(1 << 40)).0,
        index: section.or("index", true),
        index_every: section.within("index_every", Duration::from_millis(100), seconds(5), seconds(3600)),
    };
    section.finish();
    audit
}

fn logging(mut section: Section<'_, '_>) -> log::Settings {
    let format = section.or("format", log::Format::by_terminal());
    let level = section.or("level", Level("info".to_owned())).0;
    section.finish();
    log::Settings { format, level }
}

/// Whom to ask: part of a line that a terminal shows, as `contact=` in the policy.
struct Contact(String);

impl Value for Contact {
    const EXPECTED: &'static str = "one line of at most 120 bytes such as \"security@corp.example\"";
    fn parse(text: &str) -> Result<Self, String> {
        let good = !text.trim().is_empty() && text.len() <= 120 && !text.contains(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// An instance's name in `Via`: a pseudonym, so a token of RFC 9110.
struct Instance(String);

impl Value for Instance {
    const EXPECTED: &'static str = "a name of letters, digits, `.`, `-` and `_`";
    fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let good = !text.is_empty() && text.len() <= 64 && text.bytes().all(plain);
        if good { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}

impl Value for log::Format {
    const EXPECTED: &'static str = "\"text\" or \"json\"";
    const FORM: Form = Form::Text;
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(String::new()),
        }
    }
    fn show(&self) -> String {
        quoted(if *self == Self::Text { "text" } else { "json" })
    }
}

/// A log level or directives.
struct Level(String);

impl Value for Level {
    const EXPECTED: &'static str = "a log level such as \"info\" or \"info,modgate::source=debug\"";
    fn parse(text: &str) -> Result<Self, String> {
        log::check_level(text).map(|()| Self(text.to_owned())).map_err(|_| String::new())
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}
