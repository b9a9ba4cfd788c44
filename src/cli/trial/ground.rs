//! What the trial's gateway is made of: settings, policy, in whose name.

use super::report::Background;
use super::{Args, Directory, GoSettings, logins};
use crate::cli::check;
use crate::cli::terminal::Failure;
use crate::config::{self, ConfigError, Inputs, Loaded, Place, Problem, Settings, Source};
use crate::limit;
use crate::pipeline::{Plan, StandIn};
use crate::randomness::draw;
use crate::source::{Location, Upstreams, go_setting};
use auth::{Method, Principal};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The token's holder.
pub(super) const HOLDER: &str = "try";
/// Lets the holder read everything that nothing else denies. The id is left out: another policy may have it.
const OPEN: &str = "# The trial's own row: everything is let through that no other row denies.\n\
                    p, user:token/try, *, *, read, allow, -, -\n";
/// The own policy's name in the directory, and so in the report.
const OPEN_FILE: &str = "try.csv";
/// Connections that outlive the command are not waited for longer.
const DRAIN: Duration = Duration::from_secs(1);

/// Everything that the gateway needs, found good.
pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) plan: Plan,
    pub(super) run: u64,
    pub(super) stand_in: Option<StandIn>,
    /// HTTPS; else plain HTTP behind a path that cannot be guessed.
    pub(super) encrypted: bool,
    notes: Vec<String>,
}

impl Ground {
    pub(super) fn prepare(args: &Args, directory: &Directory, go: &GoSettings) -> Result<Self, Failure> {
        if (args.subject.is_some() || !args.groups.is_empty()) && args.policy.is_empty() && args.config.is_none() {
            let failure = Failure::new("--as and --group need a policy that knows them");
            return Err(failure.hint("name it with --policy FILE, or a configuration with --config FILE".to_owned()));
        }
        let run = u64::from_le_bytes(draw()?);
        let encrypted = !(args.plain_http || cfg!(target_os = "macos") || cfg!(windows));
        let loaded = config::load(&inputs(args, directory)?)?;
        let mut settings = loaded.settings.clone();
        policy(args, directory, &loaded, &mut settings)?;
        let configured = settings.sources.len();
        kept_back(&mut settings, go);
        logins(args, &mut settings, go);
        enclose(&mut settings, directory, encrypted)?;
        let plan = Plan::read(&settings, Plan::policy(&settings), &go.environment, run);
        let plan = plan.map_err(|flaws| ConfigError { problems: check::located(&loaded, flaws) })?;
        // That no row covers the sources which the trial added is no news to anybody.
        let told = plan.warnings.iter().filter(|warning| !is_added(warning.key.as_deref(), configured)).cloned();
        let notes = check::located(&loaded, told.collect()).iter().map(Problem::to_string).collect();
        let stand_in = stand_in(args, encrypted);
        Ok(Self { settings, plan, run, stand_in, encrypted, notes })
    }

    /// What the report tells besides the records.
    pub(super) fn background(&self, args: &Args, go: &GoSettings) -> Background {
        let summary = self.plan.sources.summary();
        let principal = self.stand_in.as_ref().map(|stand_in| &stand_in.principal);
        Background {
            command: args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            subject: principal.map_or_else(|| holder().to_string(), |principal| principal.subject.to_string()),
            groups: args.groups.clone(),
            policy: self.plan.policy.digest().to_owned(),
            upstream: summary.public.clone(),
            upstream_origin: summary.origin.clone(),
            bypassing: args.bypass,
            around: go.around.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// Without a configuration no variable of ours counts either: a trial is the same on every machine.
fn inputs(args: &Args, directory: &Directory) -> Result<Inputs, Failure> {
    let configured = args.config.is_some();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| configured || !name.starts_with("MODGATE_"));
    let data = directory.data();
    let data = data.to_str().ok_or_else(|| Failure::new("the path of the throw-away directory is not UTF-8"))?;
    Ok(Inputs::new(args.config.clone(), environment)
        .option("data", "the throw-away directory", Some(data.to_owned()))
        .option("upstream.list", "--upstream", args.upstream.clone()))
}

/// The files of --policy alone; else those of the configuration, if it names any; and the trial's own row unless it is
/// tried what a policy says to somebody.
fn policy(args: &Args, directory: &Directory, loaded: &Loaded, settings: &mut Settings) -> Result<(), Failure> {
    if !args.policy.is_empty() {
        settings.policy.files.clone_from(&args.policy);
        if args.config.is_none() {
            settings.policy.model = None;
        }
        return Ok(());
    }
    if args.config.is_none() || loaded.place("policy.files") == Place::Default {
        settings.policy.files.clear();
    }
    if args.subject.is_none() && args.groups.is_empty() {
        let own = directory.path().join(OPEN_FILE);
        fs::write(&own, OPEN)?;
        settings.policy.files.push(own);
    }
    if settings.policy.files.is_empty() {
        let failure = Failure::new("the configuration names no policy that --as could be asked of");
        return Err(failure.hint("name one with --policy FILE".to_owned()));
    }
    Ok(())
}

/// INVARIANT (private stays private): what the go command would fetch around its proxies is asked of nobody here, and
/// what it would not show to a checksum database comes from the upstream list unverified, as it does without a gateway.
/// With --bypass too: then the former do not come here, and the latter do. The configuration's own sources go first.
fn kept_back(settings: &mut Settings, go: &GoSettings) {
    let source = |pattern: &str, list: String| Source { pattern: pattern.to_owned(), list };
    settings.sources.extend(go.around.globs.iter().map(|glob| source(glob.as_str(), "off".to_owned())));
    let upstream = settings.upstream.list.clone();
    let upstream = upstream.or_else(|| go_setting("GOPROXY", &go.environment).map(|setting| setting.value));
    let Some(upstream) = upstream else { return };
    settings.sources.extend(go.unsummed.globs.iter().map(|glob| source(glob.as_str(), upstream.clone())));
}

fn is_added(key: Option<&str>, configured: usize) -> bool {
    let number = key.and_then(|key| key.strip_prefix("source.")).and_then(|rest| rest.split('.').next());
    number.and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number >= configured)
}

/// The logins that the go command would send to its upstream. A configuration has its own.
fn logins(args: &Args, settings: &mut Settings, go: &GoSettings) {
    if args.config.is_some() && args.upstream.is_none() {
        return;
    }
    let list = settings.upstream.list.clone();
    let list = list.or_else(|| go_setting("GOPROXY", &go.environment).map(|setting| setting.value));
    // A list that cannot be read is told of where it is read.
    let Some(list) = list.and_then(|list| Upstreams::parse(&list).ok()) else { return };
    let bases = list.entries().iter().filter_map(|upstream| match &upstream.location {
        Location::Proxy { base, credential: None } => Some(base.clone()),
        Location::Proxy { .. } | Location::Tree { .. } => None,
    });
    settings.upstream.credentials.extend(logins::credentials(&go.netrc, bases));
}

/// Everything that is kept lies in the directory, and nobody but this machine is listened to.
fn enclose(settings: &mut Settings, directory: &Directory, encrypted: bool) -> Result<(), Failure> {
    let data = directory.data();
    settings.store.dir = data.join("store");
    settings.audit.dir = data.join("audit");
    settings.data = data;
    // One principal, and records that are read once.
    settings.limits = limit::Settings::off();
    settings.audit.index = false;
    // A real gateway under this name may be the upstream.
    settings.instance = None;
    settings.tls = None;
    settings.admin.address = None;
    settings.public_url = (!encrypted).then(hidden_url).transpose()?;
    let listen = &mut settings.listen;
    listen.address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listen.insecure_http = false;
    listen.proxy_protocol = false;
    listen.trusted_proxies.clear();
    listen.drain_delay = Duration::ZERO;
    listen.drain_timeout = DRAIN;
    Ok(())
}

/// A path that nobody else on this machine can guess: over plain HTTP the go command sends no credential.
fn hidden_url() -> Result<Url, Failure> {
    let path = u128::from_le_bytes(draw()?);
    Url::parse(&format!("http://127.0.0.1/{path:032x}")).map_err(Failure::new)
}

/// Somebody stands in where the policy is asked for another than the token's holder, and where no token is sent.
fn stand_in(args: &Args, encrypted: bool) -> Option<StandIn> {
    if args.subject.is_none() && args.groups.is_empty() && encrypted {
        return None;
    }
    let subject = args.subject.as_deref().map_or_else(holder, Arc::from);
    let method = if &*subject == "anonymous" { Method::Anonymous } else { Method::Token };
    let groups = args.groups.iter().map(|group| Arc::from(group.as_str())).collect();
    let principal = Principal { subject, groups, method, ..Principal::anonymous() };
    Some(StandIn { principal: Arc::new(principal), without_credential: !encrypted })
}

fn holder() -> Arc<str> {
    format!("user:token/{HOLDER}").into()
}

/// The value of --as.
pub(super) fn subject(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        None if text == "anonymous" => Ok(text.to_owned()),
        Some(("user" | "ci", name)) if is_issued(name) => Ok(text.to_owned()),
        _ => Err("write user:ISSUER/SUBJECT, ci:ISSUER/… or anonymous, as in the policy".to_owned()),
    }
}

/// The value of --group.
pub(super) fn group(text: &str) -> Result<String, String> {
    let named = text.strip_prefix("group:").is_some_and(is_issued);
    if named { Ok(text.to_owned()) } else { Err("write group:ISSUER/NAME, as in the policy".to_owned()) }
}

fn is_issued(name: &str) -> bool {
    name.split_once('/').is_some_and(|(issuer, name)| !issuer.is_empty() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_groups_are_those_of_a_policy() {
        for good in
            ["user:token/alice", "user:ldap/Alice Smith", "ci:github/repo:corp/pay:ref:refs/heads/main", "anonymous"]
        {
            assert_eq!(subject(good).as_deref(), Ok(good));
        }
        for bad in
            ["alice", "user:alice", "user:/alice", "user:ldap/", "role:developer", "authenticated", "group:a/b", ""]
        {
            assert!(subject(bad).is_err(), "{bad}");
        }
        assert!(group("group:corp/dev").is_ok() && group("corp/dev").is_err() && group("group:dev").is_err());
    }

    #[test]
    fn warnings_about_what_the_trial_added_are_its_own() {
        assert!(is_added(Some("source.2.pattern"), 2) && !is_added(Some("source.1.pattern"), 2));
        assert!(!is_added(Some("upstream.list"), 0) && !is_added(None, 0));
    }
}
