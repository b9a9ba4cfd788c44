//! Reading what the settings name: the policy, the keys of issuers, the checksum databases, the sources.
//!
//! The first half of putting the gateway together. It opens, locks and creates nothing, so `modgate check` does it and
//! stops, while `modgate serve` goes on with [`assemble`](super::assemble): what one refuses, the other does too.
//!
//! All that is wrong is told at once. A [`Flaw`] names the key of the configuration; whoever loaded the configuration
//! knows where that was written.

use crate::{
    checksum::{Database, DatabaseError},
    config::{self, Checksum, DatabaseKey, Login, Mode, Settings},
    module::Glob,
    policy::{Policy, PolicyErrors},
    source::{self, Environment, PrivateSource, SettingsError, SourceSettings, Sources, go_setting},
};
use auth::{Directory, DirectorySettings, Issuer, IssuerError, KeyFile, KeySource, KeysAt, Published, Roots};
use std::{fmt, fs};

/// What the gateway will be made of.
pub struct Plan {
    /// The policy.
    pub policy: Policy,
    /// Whose JWTs are believed, with their keys.
    pub issuers: Vec<Issuer>,
    /// Whose passwords are accepted, and by which certificates its servers are known.
    pub directory: Option<(DirectorySettings, Roots)>,
    /// What vouches for public modules.
    pub databases: Vec<Database>,
    /// Who named them.
    pub databases_origin: String,
    /// Where modules come from.
    pub sources: Sources,
    /// What should be known.
    pub warnings: Vec<Flaw>,
}

/// Something wrong, or (as a warning) something to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The dotted key at fault, entries of lists numbered from 0; none: the message names the place.
    pub key: Option<String>,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Flaw {
    /// At a key.
    pub fn at(key: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { key: Some(key.into()), message: message.to_string(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Plan {
    /// Reads everything; `run` tells this run from others.
    ///
    /// # Errors
    /// All flaws, the policy's first; at least one.
    pub fn read(
        settings: &Settings,
        policy: Result<Policy, PolicyErrors>,
        environment: &Environment,
        run: u64,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let policy = policy.map_err(|errors| flaws.extend(policy_flaws(settings, errors)));
        let issuers = issuers(settings).map_err(|found| flaws.extend(found));
        let directory = directory(settings).map_err(|found| flaws.extend(found));
        let databases = databases(&settings.checksum, environment).map_err(|found| flaws.extend(found));
        let sources = sources(settings, environment, run).map_err(|found| flaws.extend(found));
        let (Ok(policy), Ok(issuers), Ok(directory), Ok((databases, databases_origin)), Ok(sources)) =
            (policy, issuers, directory, databases, sources)
        else {
            return Err(flaws);
        };
        let ignored = sources.summary().warnings.iter().map(|warning| Flaw::at("upstream.list", warning));
        let warnings = ignored.chain(uncovered(settings, &policy)).chain(unused_keys(&issuers));
        let warnings = warnings.chain(roles_of_nobody(settings, &policy)).collect();
        Ok(Self { policy, issuers, directory, databases, databases_origin, sources, warnings })
    }

    /// The policy that the settings name.
    ///
    /// # Errors
    /// All that is wrong with its files.
    pub fn policy(settings: &Settings) -> Result<Policy, PolicyErrors> {
        Policy::load(settings.policy.model.as_deref(), &settings.policy.files)
    }
}

fn policy_flaws(settings: &Settings, PolicyErrors(errors): PolicyErrors) -> impl Iterator<Item = Flaw> {
    let model = settings.policy.model.as_ref().map(|model| model.display().to_string());
    errors.into_iter().map(move |error| {
        let key = match (error.line, model.as_deref()) {
            (Some(_), _) => None,
            (None, Some(model)) if *error.file == *model => Some("policy.model".to_owned()),
            (None, _) => Some("policy.files".to_owned()),
        };
        let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
        Flaw { key, message: format!("{}{line}: {}", error.file, error.message), hint: error.hint }
    })
}

/// Reads the files of all issuers. Nobody is asked for keys yet.
fn issuers(settings: &Settings) -> Result<Vec<Issuer>, Vec<Flaw>> {
    let (mut issuers, mut flaws) = (Vec::new(), Vec::new());
    for (number, one) in settings.issuers.iter().enumerate() {
        match Issuer::read(one.clone()) {
            Ok(issuer) => issuers.push(issuer),
            Err(IssuerError::Keys(error)) => {
                let flaw = Flaw::at(key_of(number, &one.keys), format_args!("cannot use the keys in {error}"));
                flaws.push(Flaw { hint: error.hint().map(str::to_owned), ..flaw });
            }
            Err(error) => flaws.push(Flaw::at(format!("issuer.{number}.ca"), error)),
        }
    }
    if flaws.is_empty() { Ok(issuers) } else { Err(flaws) }
}

/// What was left out of key files.
fn unused_keys(issuers: &[Issuer]) -> Vec<Flaw> {
    let notes = issuers.iter().enumerate().flat_map(|(number, issuer)| {
        let keys = &issuer.settings().keys;
        let path = keys.file().map(|file| file.path().display().to_string()).unwrap_or_default();
        let flaw = move |note| Flaw::at(key_of(number, keys), format_args!("`{path}`: {note}"));
        issuer.notes().iter().map(flaw)
    });
    notes.collect()
}

fn key_of(number: usize, keys: &KeySource) -> String {
    let key = match keys {
        KeySource::File(KeyFile::Public(_)) => "keys",
        KeySource::File(KeyFile::Secret(_)) => "secret_file",
        KeySource::Published(Published { at: KeysAt::Discovery, .. }) => "discovery",
        KeySource::Published(Published { at: KeysAt::Url(_), .. }) => "keys_url",
    };
    format!("issuer.{number}.{key}")
}

/// Reads the certificates of the directory, and looks at the password of the account that searches. Nobody is asked.
fn directory(settings: &Settings) -> Result<Option<(DirectorySettings, Roots)>, Vec<Flaw>> {
    let Some(directory) = &settings.directory else { return Ok(None) };
    let mut flaws = Vec::new();
    if let Some(account) = &directory.account
        && let Err(error) = Directory::check_password_file(&account.password_file)
    {
        let message = format!("`{}`: {error}", account.password_file.display());
        flaws.push(Flaw::at("ldap.bind_password_file", message));
    }
    match Roots::read(directory.roots.as_deref()) {
        Ok(roots) if flaws.is_empty() => return Ok(Some((directory.clone(), roots))),
        Ok(_) => {}
        Err(error) => flaws.push(Flaw::at("ldap.roots", error)),
    }
    Err(flaws)
}

/// The databases by the settings, or by GOSUMDB as the `go` command would resolve it; and who named them.
fn databases(checksum: &Checksum, environment: &Environment) -> Result<(Vec<Database>, String), Vec<Flaw>> {
    match checksum {
        Checksum::Off => Ok((Vec::new(), "checksum".to_owned())),
        Checksum::Databases(databases) => Ok((configured_databases(databases)?, "checksum".to_owned())),
        Checksum::GoCommand => {
            let (text, origin) = match go_setting("GOSUMDB", environment) {
                Some(setting) => (setting.value, setting.origin),
                None => ("sum.golang.org".to_owned(), "the default".to_owned()),
            };
            match Database::parse(&text) {
                Ok(database) => Ok((database.into_iter().collect(), origin)),
                Err(error) => {
                    let flaw = Flaw::at("checksum", format_args!("GOSUMDB of {origin}: {error}"));
                    Err(vec![flaw.hint("correct it there, or name the databases with [[checksum]]")])
                }
            }
        }
    }
}

fn configured_databases(configured: &[config::Database]) -> Result<Vec<Database>, Vec<Flaw>> {
    let (mut databases, mut flaws) = (Vec::<Database>::new(), Vec::new());
    for (number, one) in configured.iter().enumerate() {
        let (field, key) = match &one.key {
            DatabaseKey::Name(name) => ("name", name),
            DatabaseKey::Key(key) => ("key", key),
        };
        // GOSUMDB's syntax.
        let text = one.url.as_ref().map_or_else(|| key.clone(), |url| format!("{key} {url}"));
        match Database::parse(&text) {
            Ok(Some(database)) if databases.iter().any(|other| other.name() == database.name()) => {
                let message = format!("the checksum database `{}` is configured twice", database.name().0);
                flaws.push(Flaw::at(format!("checksum.{number}.{field}"), message).hint("remove one"));
            }
            Ok(database) => databases.extend(database),
            Err(error) => {
                let field = if matches!(error, DatabaseError::Url { .. }) { "url" } else { field };
                flaws.push(Flaw::at(format!("checksum.{number}.{field}"), error));
            }
        }
    }
    if flaws.is_empty() { Ok(databases) } else { Err(flaws) }
}

fn sources(settings: &Settings, environment: &Environment, run: u64) -> Result<Sources, Vec<Flaw>> {
    let settings = source_settings(settings, run)?;
    Sources::new(&settings, environment).map_err(|error| {
        let key = match &error {
            SettingsError::Roots(_) => "upstream.roots",
            SettingsError::InstanceId(_) => "instance",
            _ => "upstream.list",
        };
        vec![Flaw::at(key, error)]
    })
}

fn source_settings(settings: &Settings, run: u64) -> Result<SourceSettings, Vec<Flaw>> {
    let upstream = &settings.upstream;
    let mut flaws = Vec::new();
    let mut private = Vec::new();
    for (number, one) in settings.sources.iter().enumerate() {
        match Glob::parse(&one.pattern) {
            Ok(pattern) => private.push(PrivateSource { pattern, upstream: one.list.clone() }),
            Err(error) => flaws.push(Flaw::at(format!("source.{number}.pattern"), error)),
        }
        if let Err(error) = source::Upstreams::parse(&one.list) {
            flaws.push(Flaw::at(format!("source.{number}.list"), error));
        }
    }
    let mut credentials = Vec::new();
    for (number, one) in upstream.credentials.iter().enumerate() {
        match source::Credential::new(one.url.as_str(), &login(&one.login)) {
            Ok(credential) => credentials.push(credential),
            Err(error) => flaws.push(Flaw::at(format!("upstream.credential.{number}.url"), error)),
        }
    }
    let mut extra_roots = Vec::new();
    if let Some(path) = &upstream.roots {
        match fs::read(path) {
            Ok(pem) => extra_roots.push(pem),
            Err(error) => {
                flaws.push(Flaw::at("upstream.roots", format_args!("cannot read `{}`: {error}", path.display())))
            }
        }
    }
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let forward = settings.mode != Mode::Store;
    Ok(SourceSettings {
        upstream: upstream.list.clone(),
        inside: forward,
        http1_only: forward,
        private,
        credentials,
        connect_timeout: upstream.connect_timeout,
        read_timeout: upstream.read_timeout,
        answer_timeout: upstream.read_timeout.saturating_mul(2),
        whole_timeout: upstream.whole_timeout,
        redirect_origins: upstream.redirect_origins.clone(),
        proxy_from_environment: upstream.proxy_from_environment,
        failures: failure_settings(&upstream.failures, run),
        extra_roots,
        instance_id: settings.instance.clone().unwrap_or_else(|| format!("{run:016x}")),
        own_addresses: vec![settings.listen.address],
        own_urls: settings.public_url.iter().cloned().collect(),
    })
}

fn failure_settings(failures: &config::Failures, seed: u64) -> source::FailureSettings {
    let config::Failures { threshold, cool_down, max_cool_down, retries, hedge, max_in_flight } = *failures;
    let hedge = match hedge {
        config::Hedge::Auto => source::Hedge::Adaptive,
        config::Hedge::Off => source::Hedge::Off,
        config::Hedge::After(delay) => source::Hedge::After(delay),
    };
    let max_in_flight = usize::try_from(max_in_flight).unwrap_or(usize::MAX);
    source::FailureSettings { threshold, cool_down, max_cool_down, retries, hedge, max_in_flight, seed }
}

fn login(login: &Login) -> source::Login {
    match login {
        Login::Basic { login, password } => {
            source::Login::Basic { login: login.clone(), password: source::Secret::new(password.expose()) }
        }
        Login::Bearer(secret) => source::Login::Bearer(source::Secret::new(secret.expose())),
    }
}

/// Private sources of paths that the policy does not call private: they are asked, but the parents of these paths are
/// asked of the public list. In forward mode there is no public list.
fn uncovered(settings: &Settings, policy: &Policy) -> impl Iterator<Item = Flaw> {
    let sources = if settings.mode == Mode::Store { settings.sources.as_slice() } else { &[] };
    sources.iter().enumerate().filter_map(|(number, source)| {
        let pattern = Glob::parse(&source.pattern).ok().filter(|pattern| !policy.is_private_pattern(pattern))?;
        let message = format!(
            "no `private` row of the policy covers `{}`, so the parents of these paths are asked of the public list",
            pattern.as_str()
        );
        let hint = format!("add to the policy: p2, {}, private, -", pattern.as_str());
        Some(Flaw::at(format!("source.{number}.pattern"), message).hint(hint))
    })
}

/// Limits of roles that the policy gives nobody.
fn roles_of_nobody(settings: &Settings, policy: &Policy) -> impl Iterator<Item = Flaw> {
    settings.limits.roles.iter().enumerate().filter(|(_, limit)| !policy.gives(&limit.role)).map(|(number, limit)| {
        let message = format!("no `g` row of the policy gives `{}`, so this limit is nobody's", limit.role);
        Flaw::at(format!("limits.role.{number}.role"), message).hint("is the role spelled right?")
    })
}
