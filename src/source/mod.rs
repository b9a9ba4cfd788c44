//! Where modules come from: the public upstream list, and the sources of private namespaces.
//!
//! [`Sources::fetch`] takes a [`Target`] and gives bytes as they come, or a [`SourceError`] that is exact about what
//! went wrong. It verifies nothing (that is the store's and the checksum database's), keeps nothing, knows no
//! principals and no policy. An `@latest` that a source does not have is derived by the store.
//!
//! | file | what |
//! |---|---|
//! | `settings`, `upstreams`, `goenv` | what the operator said, or else the `go` command would |
//! | `chain`, `sumdb` | who is asked, in which order, and which error is told |
//! | `proxy`, `redirect`, `reason`, `body`, `transport` | one server, asked over HTTP |
//! | `tree` | one directory |
//! | `guard`, `origin`, `credential`, `allowance`, `own` | what may be connected to, shown, taken, asked |
//! | `observer` | who is told how requests ended |
//!
//! INVARIANT (private stays private): what a private source's pattern matches, letter case ignored, and what the caller
//! calls private, is asked of that source's own list or of nobody. The public list and the checksum databases never
//! hear of it, whatever fails.

mod allowance;
mod body;
mod chain;
mod credential;
mod error;
mod goenv;
mod guard;
mod observer;
mod origin;
mod own;
mod proxy;
mod reason;
mod redirect;
mod settings;
mod sumdb;
#[cfg(test)]
mod tests;
mod transport;
mod tree;
mod upstreams;

pub use credential::{Credential, CredentialError, Login, Secret};
pub use error::SourceError;
pub use goenv::{Environment, GoSetting, Platform, go_setting};
pub use observer::Observer;
pub use settings::{PrivateSource, SettingsError, SourceSettings};
pub use upstreams::{Location, Then, Upstream, Upstreams, UpstreamsError};

use crate::{
    goproxy::Target,
    module::{Glob, ModulePath},
};
use allowance::Allowance;
use bytes::Bytes;
use chain::{Chain, Found, Member, Source};
use futures_util::stream::BoxStream;
use guard::{Lookup, SystemLookup};
use http::HeaderMap;
use observer::Observed;
use origin::{Origin, Origins};
use proxy::Proxy;
use reqwest::Url;
use std::sync::Arc;
use transport::Transport;
use tree::Tree;

/// All sources of this instance. Immutable; a reload makes another.
pub struct Sources {
    public: Chain,
    private: Vec<(Glob, Chain)>,
    credentials: Vec<Credential>,
    transport: Arc<Transport>,
    observed: Observed,
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
        let observed = Observed::default();
        let mut builder = Builder { settings, transport: &transport, observed: observed.clone(), warnings: Vec::new() };
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
        Ok(Self { public, private, credentials: settings.credentials.clone(), transport, observed, summary })
    }

    /// Has `observer` told how each request ends, from now on. The first observer stays.
    pub fn observe(&self, observer: Observer) {
        self.observed.by(observer);
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
        let no_source = |reason: String| SourceError::NoSource { reason: reason.into() };
        let allowance = Allowance::of(target).ok_or_else(|| no_source("no source is asked for `/`".into()))?;
        let namespace = target.module().and_then(|path| self.namespace(path));
        let Found { at, body } = match (target, namespace) {
            (Target::Sumdb { .. }, _) if private || namespace.is_some() => {
                return Err(no_source("a checksum database is never asked about a private module".into()));
            }
            (Target::Sumdb { name, .. }, _) => self.public.get_sumdb(name, target, allowance).await?,
            (_, Some(chain)) => chain.get(target, allowance).await?,
            (_, None) if private => {
                let path = target.module().map_or("", ModulePath::as_str);
                return Err(no_source(format!("no source is configured for the private module `{path}`")));
            }
            (_, None) => self.public.get(target, allowance).await?,
        };
        Ok(Fetched { source: at, length: body.length, body: body.bytes })
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
        let whole = async {
            let body = proxy.get("", Allowance::whole(limit)).await?;
            body.whole(proxy.name(), self.transport.timeouts.whole).await
        };
        self.observed.tell(whole.await)
    }

    /// Whether a private source serves `path`; letter case is ignored.
    pub fn private_source(&self, path: &ModulePath) -> bool {
        self.namespace(path).is_some()
    }

    /// Whether a message with these headers has passed this very instance: a request that has is answered 508.
    pub fn is_own_via(&self, headers: &HeaderMap) -> bool {
        self.transport.via().is_in(headers)
    }

    fn namespace(&self, path: &ModulePath) -> Option<&Chain> {
        self.private.iter().find(|(pattern, _)| pattern.matches_ignoring_case(path.as_str())).map(|(_, chain)| chain)
    }
}

/// The credential for what is at `url`: the one with the longest prefix.
fn best(credentials: &[Credential], url: &Url) -> Option<Credential> {
    credentials.iter().filter(|credential| credential.covers(url)).max_by_key(|credential| credential.reach()).cloned()
}

/// Makes chains of lists.
struct Builder<'a> {
    settings: &'a SourceSettings,
    transport: &'a Arc<Transport>,
    observed: Observed,
    warnings: Vec<String>,
}

impl Builder<'_> {
    /// The chain of the list `text`, and the list as it may be printed. `setting` says where it came from, `what` what
    /// it is.
    fn chain(&mut self, text: &str, setting: &str, what: &str) -> Result<(Chain, String), SettingsError> {
        let list =
            Upstreams::parse(text).map_err(|error| SettingsError::Upstreams { setting: setting.to_owned(), error })?;
        self.warnings.extend(list.warnings().iter().cloned());
        let configured = Arc::new(self.configured(&list));
        let mut members = Vec::new();
        for upstream in list.entries() {
            let source = match &upstream.location {
                Location::Proxy { base, .. } if own::is_own(base, self.settings) => {
                    self.warnings.push(format!("`{}` is this gateway itself and is skipped", upstream.location));
                    continue;
                }
                Location::Proxy { base, credential } => {
                    let credential = credential.clone().or_else(|| best(&self.settings.credentials, base));
                    Source::Proxy(Proxy::new(base.clone(), credential, configured.clone(), self.transport.clone()))
                }
                Location::Tree { root } => Source::Tree(Tree::new(upstream.location.to_string().into(), root.clone())),
            };
            let (then, observed) = (upstream.then, self.observed.clone());
            members.push(Member { source, then, support: sumdb::Support::default(), observed });
        }
        let empty = match list.end() {
            Some(end) => format!("{what} names nobody who could be asked, only `{end}`"),
            None => format!("{what} names nobody but this gateway itself"),
        };
        Ok((Chain::new(members, empty.into(), configured, self.settings.whole_timeout), list.to_string()))
    }

    /// INVARIANT: what may be inside the house is what the operator named for this very list: a public source cannot
    /// redirect to the internal proxy of a private namespace.
    fn configured(&self, list: &Upstreams) -> Origins {
        let mut origins = Origins::default();
        let bases = list.entries().iter().filter_map(|upstream| match &upstream.location {
            Location::Proxy { base, .. } => Some(base),
            Location::Tree { .. } => None,
        });
        for origin in bases.chain(&self.settings.redirect_origins).filter_map(Origin::of) {
            origins.insert(origin);
        }
        origins
    }
}
