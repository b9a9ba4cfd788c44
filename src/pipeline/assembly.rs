//! Putting the gateway together: from a [`Plan`] to the parts, opened in the order in which they may refuse to.
//!
//! What only needs reading was read before, for the plan, so that a bad setting is told before anything is touched.
//! What leaves traces comes last (journal, store). An error names the part and what to do about it.

use super::{Clock, Front, Gateway, Holding, Plan, RequestIds, StandIn, lookout::Lookout, people::People};
use crate::{
    audit::{self, AuditError, Journal},
    checksum::{Database, Databases, Directory, OpenError, SourceWire},
    config::{self, Mode, Settings},
    console::{Console, Desk, Grants, Site},
    forward::{Forward, Identity},
    limit::{Limits, since_now},
    policy::Live,
    randomness::{self, NoRandomness},
    server::TrustedProxies,
    shelf::{Shelf, ShelfError},
    source::{SourceError, Sources},
    store::{Alarm, Parts, Rules, Store, StoreSettings},
    telemetry::{Metrics, label::Upstream},
};
use auth::{
    Authenticator, Codes, Devices, IssuerError, Issuers, Ledger, LedgerError, MEMORY_KEY_BYTES, NamePart, Principal,
    SealError, Sessions, Tokens, Whereabouts,
};
use jiff::{SignedDuration, Timestamp};
use std::{io, path::PathBuf, sync::Arc};
use tokio::runtime::Handle;

/// What the parts need beside the settings.
pub struct Surroundings {
    /// The runtime for what may wait.
    pub background: Handle,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// Random, for the request ids of this run.
    pub run: u64,
    /// Random and secret: keys what is remembered of credentials.
    pub memory_key: [u8; MEMORY_KEY_BYTES],
    /// For whom a trial asks; `None` on a server.
    pub stand_in: Option<StandIn>,
}

/// Why the gateway cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The token database.
    #[error(transparent)]
    Tokens(#[from] LedgerError),
    /// What is kept of a checksum database.
    #[error(transparent)]
    Databases(#[from] OpenError),
    /// The client that asks issuers.
    #[error("asking issuers: {0}")]
    Issuers(#[from] IssuerError),
    /// What issuers gave cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The journal.
    #[error("the audit journal: {0}")]
    Journal(#[from] AuditError),
    /// The store's directory.
    #[error("the store: {0}")]
    Shelf(#[from] ShelfError),
    /// A file that the settings name.
    #[error("`{}`: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl AssemblyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Journal(AuditError::Locked { .. }) | Self::Shelf(ShelfError::InUse(_)) => {
                Some("stop the other modgate, or give this one a data directory of its own: `--data DIR`".to_owned())
            }
            _ => None,
        }
    }
}

/// The gateway, and what its upkeep needs.
pub struct Assembled {
    /// Ready to answer.
    pub gateway: Arc<Gateway>,
    /// The issued tokens.
    pub tokens: Arc<Tokens>,
    /// The issuers of JWTs.
    pub issuers: Arc<Issuers>,
    /// Random, for this run.
    pub run: u64,
    /// Whoever knows what became of people.
    pub judges: Vec<Arc<dyn Whereabouts>>,
}

/// Where the issued tokens are.
pub fn tokens_path(settings: &Settings) -> PathBuf {
    settings.data.join("tokens.sqlite")
}

/// Where what is kept of the checksum databases is.
pub fn databases_path(settings: &Settings) -> PathBuf {
    settings.data.join("sumdb")
}

/// Opens all parts. Blocking.
pub fn assemble(settings: &Settings, plan: Plan, around: Surroundings) -> Result<Assembled, AssemblyError> {
    let Plan { policy, issuers, directory, databases, sources, .. } = plan;
    around.metrics.policy_in_force(policy.digest());
    let metrics = Arc::clone(&around.metrics);
    sources.observe(Box::new(move |error| metrics.upstream(upstream_result(error))));
    let sources = Arc::new(sources);
    let tokens = Arc::new(Tokens::over(Ledger::open_or_create(&tokens_path(settings))?)?);
    let issuers = Arc::new(Issuers::new(issuers, &around.memory_key));
    let directory =
        directory.map(|(settings, roots)| Arc::new(auth::Directory::new(settings, roots, &around.memory_key)));

    let segment = audit::Settings { segment_size: settings.audit.segment, ..audit::Settings::default() };
    let (journal, repairs) = Journal::open(&settings.audit.dir, segment, (around.clock)())?;
    for repair in repairs {
        tracing::warn!(%repair, "the audit journal was repaired");
    }
    let journal = Arc::new(journal);
    let databases = Arc::new(open_databases(settings, databases, &sources, &around)?);
    let holding = match &settings.mode {
        Mode::Store => Holding::Store(open_store(settings, &sources, &databases, &journal, &around)?),
        Mode::Forward(forward) => {
            let identity = forward.identity.as_deref().map(identity);
            Holding::Forward(Forward::new(Arc::clone(&sources), identity, around.background.clone()))
        }
    };

    let public_url = public_url(settings);
    let policy = Arc::new(Live::new(policy));
    let authenticator = Arc::new(Authenticator::new(Arc::clone(&tokens), Arc::clone(&issuers), directory.clone()));
    let limits = Arc::new(Limits::new(&settings.limits, since_now()));
    let grants = Arc::new(Grants {
        tokens: Arc::clone(&tokens),
        devices: Devices::default(),
        codes: Codes::default(),
        authenticator: Arc::clone(&authenticator),
        issuers: Arc::clone(&issuers),
        limits: Arc::clone(&limits),
        journal: Arc::clone(&journal),
        policy: Arc::clone(&policy),
        settings: settings.tokens.clone(),
        public_url: public_url.clone(),
        background: around.background.clone(),
        random: Arc::new(randomness::fill),
    });
    let site = Site::new(&public_url);
    let People { logins, renewals, judges } = People::open(settings, &site, directory.as_ref(), &tokens)?;
    let desk = Desk {
        policy: Arc::clone(&policy),
        logins,
        renewals,
        site,
        sessions: Arc::new(Sessions::new(settings.sessions)),
        grants,
    };
    let gateway = Gateway {
        front: Front {
            base: base_path(settings),
            trusted: TrustedProxies::new(settings.listen.trusted_proxies.iter().copied()),
        },
        public_url,
        contact: settings.contact.clone(),
        authenticator,
        certificate_name: settings.tls.as_ref().map_or(NamePart::CommonName, |tls| tls.client_name),
        background: around.background.clone(),
        lookout: Lookout::default(),
        stand_in: around.stand_in,
        policy,
        console: Console::new(Arc::new(desk), around.background),
        limits,
        journal,
        holding,
        databases,
        sources,
        metrics: around.metrics,
        ids: RequestIds::new(around.run),
        system: Arc::new(Principal { subject: "system".into(), ..Principal::anonymous() }),
        clock: around.clock,
    };
    Ok(Assembled { gateway: Arc::new(gateway), tokens, issuers, judges, run: around.run })
}

/// How a request to a source counts.
fn upstream_result(error: Option<&SourceError>) -> Upstream {
    match error {
        None => Upstream::Found,
        Some(SourceError::Absent { .. }) => Upstream::Absent,
        Some(SourceError::Refused { .. }) => Upstream::Refused,
        Some(SourceError::Overloaded { .. }) => Upstream::Overloaded,
        Some(SourceError::Failed { .. } | SourceError::Status { .. } | SourceError::NoSource { .. }) => {
            Upstream::Failed
        }
        Some(SourceError::TimedOut { .. }) => Upstream::TimedOut,
        Some(SourceError::TooLarge { .. }) => Upstream::TooLarge,
        Some(SourceError::Invalid { .. }) => Upstream::Invalid,
        Some(SourceError::Loop { .. }) => Upstream::Loop,
    }
}

fn open_databases(
    settings: &Settings,
    databases: Vec<Database>,
    sources: &Arc<Sources>,
    around: &Surroundings,
) -> Result<Databases, AssemblyError> {
    let path = databases_path(settings);
    let cache = Directory::open(&path).map_err(|cause| AssemblyError::File { path, cause })?;
    let wire = Arc::new(SourceWire::new(Arc::clone(sources)));
    Ok(Databases::open(databases, Arc::new(cache), wire, Arc::clone(&around.clock), around.background.clone())?)
}

fn open_store(
    settings: &Settings,
    sources: &Arc<Sources>,
    databases: &Arc<Databases>,
    journal: &Arc<Journal>,
    around: &Surroundings,
) -> Result<Store, AssemblyError> {
    let (shelf, swept) = Shelf::open(&settings.store.dir)?;
    if swept.files > 0 {
        tracing::info!(files = swept.files, bytes = swept.bytes, "transfers that a stop had cut off were removed");
    }
    let parts = Parts {
        shelf,
        origin: Arc::clone(sources) as _,
        vouch: Arc::clone(databases) as _,
        inspect: Arc::new(Rules),
        alarm: alarm_sink(Arc::clone(journal), Arc::clone(&around.clock)),
        background: around.background.clone(),
    };
    let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    let settings = StoreSettings {
        list_fresh: signed(settings.store.list_fresh),
        query_fresh: signed(settings.store.query_fresh),
        stale_wait: signed(settings.store.stale_wait),
        absent_for: signed(settings.store.negative),
        memory_bytes: settings.store.memory,
        ..StoreSettings::default()
    };
    Ok(Store::new(parts, settings))
}

/// How the store behind is told who asks.
fn identity(settings: &config::Identity) -> Identity {
    Identity::new(settings.secret.expose().as_bytes(), settings.headers.clone())
}

/// An alarm is logged, and kept in the journal as an act.
fn alarm_sink(journal: Arc<Journal>, clock: Clock) -> Arc<dyn Fn(&Alarm) + Send + Sync> {
    Arc::new(move |alarm| {
        tracing::error!(%alarm, "store alarm");
        journal.act(clock(), "store.alarm", &alarm.to_string());
    })
}

/// `public_url` without its trailing slash; the listener's own address where there is none.
fn public_url(settings: &Settings) -> String {
    match &settings.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", settings.listen.address),
    }
}

fn base_path(settings: &Settings) -> String {
    settings.public_url.as_ref().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// The wall clock.
pub fn wall_clock() -> Clock {
    Arc::new(Timestamp::now)
}
