//! Where modules come from: the public upstream list, and the sources of private namespaces.
//!
//! [`Sources::fetch`] takes a [`Target`] and gives bytes as they come, or a [`SourceError`] that is exact about what
//! went wrong. It verifies nothing (that is the store's and the checksum database's), keeps nothing, knows no
//! principals and no policy. An `@latest` that a source does not have is derived by the store.
//!
//! | file | what |
//! |---|---|
//! | `settings`, `upstreams`, `goenv`, `builder` | what the operator said, or else the `go` command would |
//! | `chain`, `member`, `sumdb` | who is asked, in which order, and which error is told |
//! | `ask` | for how much of it, under which condition, on whose behalf |
//! | `access` | whether a source may be asked now, how many at a time, how often again |
//! | `circuit`, `health`, `slots`, `budget`, `latency`, `chance` | what that is decided by |
//! | `proxy`, `redirect`, `reason`, `body`, `transport` | one server, asked over HTTP |
//! | `tree` | one directory |
//! | `guard`, `origin`, `credential`, `allowance`, `own` | what may be connected to, shown, taken, asked |
//! | `observer`, `state` | who is told how requests ended, and how the sources are doing |
//!
//! INVARIANT (private stays private): what a private source's pattern matches, letter case ignored, and what the caller
//! calls private, is asked of that source's own list or of nobody. The public list and the checksum databases never
//! hear of it, whatever fails. In forward mode the list is no public one ([`SourceSettings::inside`]): the operator named
//! the store behind, which is asked about private modules that no private source serves. Checksum databases still never
//! hear of them.

mod access;
mod allowance;
mod ask;
mod body;
mod budget;
mod builder;
mod chain;
mod chance;
mod circuit;
mod credential;
mod error;
mod goenv;
mod guard;
mod health;
mod latency;
mod member;
mod observer;
mod origin;
mod own;
mod proxy;
mod reason;
mod redirect;
mod settings;
mod slots;
mod state;
mod sumdb;
#[cfg(test)]
mod tests;
mod transport;
mod tree;
mod upstreams;

pub use ask::{Ask, Extent, Introduce};
pub use body::Told;
pub use circuit::Standing;
pub use credential::{Credential, CredentialError, Login, Secret};
pub use error::SourceError;
pub use goenv::{Environment, GoSetting, Platform, go_setting};
pub use observer::Observer;
pub use settings::{FailureSettings, Hedge, PrivateSource, SettingsError, SourceSettings};
pub use state::SourceState;
pub use upstreams::{Location, Then, Upstream, Upstreams, UpstreamsError};

use crate::{
    goproxy::Target,
    module::{Glob, ModulePath},
};
use access::{Access, Errand, Terms};
use allowance::Allowance;
use builder::{Builder, best};
use bytes::Bytes;
use chain::{Chain, Found};
use chance::Chance;
use futures_util::stream::BoxStream;
use guard::{Lookup, SystemLookup};
use http::HeaderMap;
use observer::Observed;
use origin::{Origin, Origins};
use proxy::Proxy;
use reqwest::Url;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use transport::Transport;

/// All sources of this instance. Immutable; a reload makes another.
pub struct Sources {
    public: Chain,
    inside: bool,
    private: Vec<(Glob, Chain)>,
    credentials: Vec<Credential>,
    transport: Arc<Transport>,
    /// The access to what [`Sources::get`] asks, by origin: as many as checksum databases are configured.
    direct: Mutex<BTreeMap<String, Arc<Access>>>,
    terms: Terms,
    summary: Summary,
}

/// What is in force, for `check` and the log. Nothing secret.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The public list.
    pub public: String,
    /// Where that list came from: `upstream.list`, `the environment`, or a file of the `go` command.
    pub origin: String,
    /// Pattern and list of each private source.
    pub private: Vec<(String, String)>,
    /// What was ignored, and why.
    pub warnings: Vec<String>,
}

/// What a source gave.
pub struct Fetched {
    /// Who; printable, no secrets.
    pub source: Arc<str>,
    /// The length in bytes, when it is known beforehand.
    pub length: Option<u64>,
    /// The bytes. An end without an error means that all of them came. Dropping it ends the request.
    pub body: BoxStream<'static, Result<Bytes, SourceError>>,
}

impl Sources {
    /// Sets everything up; nothing is asked yet. Needs a default rustls crypto provider to be installed.
    pub fn new(settings: &SourceSettings, environment: &Environment) -> Result<Self, SettingsError> {
        Self::with_lookup(settings, environment, Arc::new(SystemLookup))
    }

    fn with_lookup(
        settings: &SourceSettings,
        environment: &Environment,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, SettingsError> {
        let transport = Arc::new(Transport::new(settings, lookup)?);
        let terms = Terms {
            failures: settings.failures.clone(),
            timeouts: transport.timeouts,
            chance: Arc::new(Chance::new(settings.failures.seed)),
            observed: Observed::default(),
            hands_on: settings.inside,
        };
        let mut builder = Builder::new(settings, &transport, &terms);
        let list = match &settings.upstream {
            Some(list) => GoSetting { value: list.clone(), origin: "`upstream.list`".into() },
            None => go_setting("GOPROXY", environment).ok_or(SettingsError::Unset)?,
        };
        let named = match &settings.upstream {
            Some(_) => list.origin.clone(),
            None => format!("GOPROXY of {}", list.origin),
        };
        let (public, printed) = builder.chain(&list.value, &named, "the upstream list")?;
        let (mut private, mut named) = (Vec::new(), Vec::new());
        for source in &settings.private {
            let setting = format!("the source of `{}`", source.pattern.as_str());
            let (chain, printed) = builder.chain(&source.upstream, &setting, &setting)?;
            private.push((source.pattern.clone(), chain));
            named.push((source.pattern.as_str().to_owned(), printed));
        }
        let summary = Summary { public: printed, origin: list.origin, private: named, warnings: builder.warnings };
        let (inside, credentials) = (settings.inside, settings.credentials.clone());
        Ok(Self { public, inside, private, credentials, transport, direct: Mutex::default(), terms, summary })
    }

    /// Has `observer` told how each request ends, from now on. The first observer stays.
    pub fn observe(&self, observer: Observer) {
        self.terms.observed.by(observer);
    }

    /// What is in force.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Asks for `target`: with `private` only a configured private source, never the public list; without, the public
    /// list, unless the path belongs to a private source after all. What a checksum database is asked goes to the first
    /// upstream that mirrors it, and is `Absent` if none does.
    ///
    /// Everything but a zip is whole when this returns; a zip streams. Time and size are limited throughout.
    pub async fn fetch(&self, target: &Target, private: bool) -> Result<Fetched, SourceError> {
        self.fetch_as(target, private, &Ask::default()).await.map(|(fetched, _)| fetched)
    }

    /// As [`Sources::fetch`], in the manner of `ask`; also what was said of it.
    pub async fn fetch_as(&self, target: &Target, private: bool, ask: &Ask) -> Result<(Fetched, Told), SourceError> {
        let no_source = |reason: String| SourceError::NoSource { reason: reason.into() };
        let allowance = Allowance::of(target).ok_or_else(|| no_source("no source is asked for `/`".into()))?;
        let namespace = target.module().and_then(|path| self.namespace(path));
        let Found { at, body } = match (target, namespace) {
            (Target::Sumdb { .. }, _) if private || namespace.is_some() => {
                return Err(no_source("a checksum database is never asked about a private module".into()));
            }
            (Target::Sumdb { name, .. }, _) => self.public.get_sumdb(name, target, allowance).await?,
            (_, Some(chain)) => chain.get(target, allowance, &ask.anonymous()).await?,
            (_, None) if private && !self.inside => {
                let path = target.module().map_or("", ModulePath::as_str);
                return Err(no_source(format!("no source is configured for the private module `{path}`")));
            }
            (_, None) => self.public.get(target, allowance, ask).await?,
        };
        Ok((Fetched { source: at, length: body.length, body: body.bytes }, body.told))
    }

    /// Asks a URL that the operator configured (a checksum database's own) for at most `limit` bytes, under the same
    /// guards as any source. The URL's userinfo is not used; credentials are found by prefix.
    pub async fn get(&self, url: &Url, limit: u64) -> Result<Bytes, SourceError> {
        let mut configured = Origins::clone(&self.public.configured);
        if let Some(origin) = Origin::of(url) {
            configured.insert(origin);
        }
        let mut base = url.clone();
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let credential = best(&self.credentials, &base);
        let proxy = Proxy::new(base, credential, Arc::new(configured), self.transport.clone());
        let errand = Errand { subject: member::hash(url.path()), streamed: false, hedged: true, alternative: false };
        let ask = Ask::default();
        let body = self.direct(url).ask(errand, || proxy.get("", Allowance::whole(limit), &ask)).await?;
        body.whole(proxy.name(), self.transport.timeouts.whole).await
    }

    /// How each source is doing.
    pub fn states(&self) -> Vec<SourceState> {
        let mut states = self.public.states(&"upstream".into());
        for (number, (_, chain)) in self.private.iter().enumerate() {
            states.extend(chain.states(&format!("source.{number}").into()));
        }
        let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        states.extend(direct.values().map(|access| access.state(&"checksum".into())));
        states
    }

    /// Whether a private source serves `path`; letter case is ignored.
    pub fn private_source(&self, path: &ModulePath) -> bool {
        self.namespace(path).is_some()
    }

    /// Whether there is somebody who may be asked about private modules under `path`.
    pub fn may_ask_privately(&self, path: &ModulePath) -> bool {
        self.inside || self.private_source(path)
    }

    /// Whether a message with these headers has passed this very instance: a request that has is answered 508.
    pub fn is_own_via(&self, headers: &HeaderMap) -> bool {
        self.transport.via().is_in(headers)
    }

    fn direct(&self, url: &Url) -> Arc<Access> {
        let name = url.origin().ascii_serialization();
        let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        direct.entry(name.clone()).or_insert_with(|| Arc::new(Access::new(name.into(), &self.terms))).clone()
    }

    fn namespace(&self, path: &ModulePath) -> Option<&Chain> {
        self.private.iter().find(|(pattern, _)| pattern.matches_ignoring_case(path.as_str())).map(|(_, chain)| chain)
    }
}
