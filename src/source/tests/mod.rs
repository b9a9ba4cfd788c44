//! Tests against servers that misbehave on demand.

mod accesses;
mod bodies;
mod circuits;
mod failover;
mod faulty;
mod lists;
mod namespaces;
mod redirects;
mod secure;

use super::{guard::Lookup, *};
use crate::{
    goproxy::{Asked, DatabaseName, SumdbAsk},
    module::Version,
};
use futures_util::{TryStreamExt, future::BoxFuture};
use std::{collections::HashMap, io, net::IpAddr, sync::Mutex, time::Duration};

/// Settings that no slow machine trips over, and with which everything is asked once.
fn settings(upstream: impl Into<String>) -> SourceSettings {
    SourceSettings {
        upstream: Some(upstream.into()),
        instance_id: "under-test".into(),
        proxy_from_environment: false,
        failures: FailureSettings { retries: 0, hedge: Hedge::Off, ..FailureSettings::default() },
        ..SourceSettings::default()
    }
}

/// As `settings`, for tests in which one of the limits has to pass.
fn hasty(upstream: impl Into<String>) -> SourceSettings {
    let moment = Duration::from_millis(60);
    SourceSettings { answer_timeout: moment, read_timeout: moment, ..settings(upstream) }
}

fn sources(settings: &SourceSettings) -> Sources {
    named(settings, &Names::default())
}

fn named(settings: &SourceSettings, names: &Names) -> Sources {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Sources::with_lookup(settings, &nothing(), Arc::new(names.clone())).unwrap_or_else(|error| panic!("{error}"))
}

fn nothing() -> Environment {
    Environment::new(Platform::Unix, [])
}

/// Names for tests; all others do not exist.
#[derive(Clone, Default)]
struct Names {
    known: HashMap<String, Vec<IpAddr>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    fn of(known: &[(&str, &str)]) -> Self {
        let known = known.iter().map(|(name, address)| ((*name).to_owned(), vec![address.parse().unwrap()])).collect();
        Self { known, ..Self::default() }
    }
}

impl Lookup for Names {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.known.get(&host).cloned();
        self.asked.lock().unwrap().push(host);
        Box::pin(async { found.ok_or_else(|| io::Error::other("no such host")) })
    }
}

fn path() -> ModulePath {
    ModulePath::parse("example.com/a").unwrap()
}

fn version() -> Version {
    Version::parse("v1.0.0").unwrap()
}

fn list() -> Target {
    Target::Module { path: path(), asked: Asked::List }
}

fn info() -> Target {
    Target::Module { path: path(), asked: Asked::Info(version()) }
}

fn zip() -> Target {
    Target::Module { path: path(), asked: Asked::Zip(version()) }
}

fn lookup() -> Target {
    Target::Sumdb { name: DatabaseName("sum.example".into()), asked: SumdbAsk::Lookup(path(), version()) }
}

/// Fetches to the end: what came, or the first error, be it of the fetch or of the body.
async fn all(sources: &Sources, target: &Target) -> Result<Vec<u8>, SourceError> {
    let fetched = sources.fetch(target, false).await?;
    drained(fetched).await
}

async fn drained(mut fetched: Fetched) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = fetched.body.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// An error's variant, for tables.
fn kind(error: &SourceError) -> &'static str {
    match error {
        SourceError::Absent { .. } => "absent",
        SourceError::NoSource { .. } => "no source",
        SourceError::Refused { .. } => "refused",
        SourceError::Overloaded { .. } => "overloaded",
        SourceError::Failed { .. } | SourceError::Status { .. } => "failed",
        SourceError::TimedOut { .. } => "timed out",
        SourceError::TooLarge { .. } => "too large",
        SourceError::Invalid { .. } => "invalid",
        SourceError::Loop { .. } => "loop",
    }
}
