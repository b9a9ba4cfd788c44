//! The trial's gateway from start to end: that of `modgate serve`, with a token of its own.

use super::report::{Held, Records};
use super::{
    Directory,
    ground::{Ground, HOLDER},
};
use crate::audit::{self, Filter, Finding, Order};
use crate::cli::netrc::{LOGIN, Netrc};
use crate::cli::terminal::Failure;
use crate::cli::{first_run, serve};
use crate::goproxy::Target;
use crate::pipeline::{Gateway, Surroundings, Upkeep, Walk, assemble, tokens_path, wall_clock};
use crate::randomness::draw;
use crate::server::{self, Readiness, Server};
use crate::telemetry::Metrics;
use auth::{Grant, Kind, Ledger};
use jiff::Timestamp;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long what was begun in the background may take to end.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// How the command reaches the gateway.
pub(super) struct Access {
    /// For GOPROXY.
    pub(super) url: String,
    /// What its certificate is trusted by; none: plain HTTP.
    pub(super) bundle: Option<PathBuf>,
}

/// A gateway that accepts connections.
pub(super) struct Running {
    server: Server,
    gateway: Arc<Gateway>,
    upkeep: Arc<Upkeep>,
    background: Runtime,
    access: Access,
    journal: PathBuf,
    directory: PathBuf,
}

impl Running {
    /// Starts it, and writes the netrc.
    pub(super) fn start(ground: Ground, directory: &Directory) -> Result<Self, Failure> {
        let Ground { settings, plan, run, stand_in, encrypted, .. } = ground;
        let development = encrypted.then(|| certificates(directory)).transpose()?;
        let token = issue(&tokens_path(&settings))?;

        let background = server::background()?;
        let (metrics, readiness) = (Metrics::new(), Readiness::new());
        let (clock, handle) = (wall_clock(), background.handle().clone());
        let (metrics_of, memory_key) = (Arc::clone(&metrics), draw()?);
        let around = Surroundings { background: handle, metrics: metrics_of, clock, run, stand_in, memory_key };
        let assembled = assemble(&settings, plan, around)?;
        let upkeep = Upkeep::start(&assembled, &settings, background.handle());
        let gateway = Arc::clone(&assembled.gateway);
        let bundle = development.as_ref().map(|development| development.bundle.clone());
        let listener = serve::listener(&settings, development);
        let server = Server::start(listener, background.handle(), metrics, readiness.clone(), move |_| {
            Walk::new(Arc::clone(&gateway))
        })?;
        upkeep.started(&readiness);

        let scheme = if encrypted { "https" } else { "http" };
        let base = settings.public_url.as_ref().map_or("", |url| url.path());
        let url = format!("{scheme}://{}{base}", server.address());
        let netrc = Netrc::of_one(&server.address().to_string(), LOGIN, &token).map_err(Failure::new)?;
        first_run::write_private(&directory.netrc(), netrc.text())?;
        Ok(Self {
            server,
            gateway: assembled.gateway,
            upkeep,
            background,
            access: Access { url, bundle },
            journal: settings.audit.dir,
            directory: directory.path().to_owned(),
        })
    }

    /// How the command reaches it.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Waits for something while the gateway serves.
    pub(super) fn block_on<T>(&self, something: impl Future<Output = T>) -> T {
        self.background.block_on(something)
    }

    /// Ends it, and reads what it recorded.
    pub(super) fn end(self) -> Result<Records, Failure> {
        let Self { mut server, gateway, upkeep, background, journal, directory, .. } = self;
        background.block_on(async {
            server.drain().await;
            server.end().await
        });
        upkeep.end();
        let records = read(&journal, &gateway, directory);
        background.shutdown_timeout(SHUTDOWN);
        records
    }
}

fn certificates(directory: &Directory) -> Result<first_run::Development, Failure> {
    let data = directory.data();
    let ssl_cert_file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let roots = first_run::system_roots(&data, ssl_cert_file.as_deref());
    Ok(first_run::certificates(&data, &roots, Timestamp::now())?)
}

fn issue(ledger: &std::path::Path) -> Result<String, Failure> {
    let mut ledger = Ledger::open_or_create(ledger).map_err(Failure::new)?;
    let holder = HOLDER.parse().map_err(Failure::new)?;
    let grant = Grant::by_hand(Kind::User, &holder, &[]).map_err(Failure::new)?;
    let grant = Grant { note: "made by a trial".parse().ok(), ..grant };
    let (token, _) = ledger.issue(&grant, Timestamp::now(), &draw()?).map_err(Failure::new)?;
    Ok(token.expose().to_owned())
}

/// Everything in the journal, and what the store and the policy add to it.
fn read(journal: &std::path::Path, gateway: &Gateway, directory: PathBuf) -> Result<Records, Failure> {
    let (mut entries, mut flaws) = (Vec::new(), 0);
    let scanned = audit::scan(journal, &Filter::default(), Order::OldestFirst, &mut |finding| {
        match finding {
            Finding::Match(entry, _) => entries.push(entry.clone()),
            Finding::Flaw(_) => flaws += 1,
            Finding::Progress(_) => {}
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| Failure::because(&error))?;
    let policy = gateway.policy.load_full();
    let held = held(&entries, gateway);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let grounds = policy
        .rules()
        .iter()
        .map(|rule| (format!("{}:{}", rule.file(), rule.line()), (owned(rule.reason()), owned(rule.contact()))));
    Ok(Records { entries, flaws, grounds: grounds.collect(), held, directory })
}

/// What the store recorded of everything that was answered from it.
fn held(entries: &[audit::Entry], gateway: &Gateway) -> Held {
    let mut held = Held::default();
    for entry in entries.iter().filter(|entry| entry.status == Some(200)) {
        let Some(target) = target(entry) else { continue };
        if let Some(meta) = gateway.holding.store().and_then(|store| store.record(&target)) {
            held.insert((entry.module.clone(), entry.version.clone(), entry.target.clone()), meta);
        }
    }
    held
}

/// What a record of a version's file is about.
fn target(entry: &audit::Entry) -> Option<Target> {
    use crate::{
        goproxy::Asked,
        module::{ModulePath, Version},
    };
    let path = ModulePath::parse(&entry.module).ok()?;
    let version = Version::parse(&entry.version).ok()?;
    let asked = match entry.target.as_str() {
        "info" => Asked::Info(version),
        "mod" => Asked::Mod(version),
        "zip" => Asked::Zip(version),
        _ => return None,
    };
    Some(Target::Module { path, asked })
}
