//! `modgate serve`: from the settings to a running server.

use super::first_run::{self, Development, FirstRunError, FirstToken, Instructions};
use super::terminal::{self, Failure};
use super::{Configured, check};
use crate::config::{self, ConfigError, Place, Problem, Settings};
use crate::pipeline::{AssemblyError, Plan, Surroundings, Upkeep, Walk, assemble, tokens_path, wall_clock};
use crate::randomness::draw;
use crate::server::{self, CertificateFiles, Ending, Hooks, Readiness, TrustedProxies};
use crate::source::Environment;
use crate::telemetry::{Metrics, log};
use auth::{Grant, Kind, Ledger, RANDOM_BYTES};
use jiff::Timestamp;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Serve modules
///
/// Without a configuration this makes everything that one machine needs under the data directory: a development
/// certificate, a first token, the shipped policy. Then it prints the lines to paste for the go command.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    modgate serve                                          on this machine, nothing configured\n  \
    modgate serve --listen 127.0.0.1:9443                  another port\n  \
    modgate serve --config /etc/modgate/modgate.toml       everything as the file says\n\n\
    Signals: SIGHUP reads the certificate, the policy, the keys of issuers and the tokens again; SIGTERM and SIGINT\n\
    complete the answers under way and end, a second one ends at once.\n\n\
    Exit codes: 0 ended as told, 1 it could not start or connections were cut, 2 the arguments make no sense.")]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,
    /// Where to listen; wins over the configuration and MODGATE_LISTEN [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve plain HTTP, also on addresses that others can reach, because something in front encrypts
    #[arg(long)]
    insecure_http: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let inputs = args
        .configured
        .inputs()?
        .option("listen.address", "--listen", args.listen.map(|address| address.to_string()))
        .option("listen.insecure_http", "--insecure-http", args.insecure_http.then(|| "true".to_owned()));
    let loaded = config::load(&inputs)?;
    let mut settings = loaded.settings.clone();
    log::install(&settings.log).map_err(Failure::new)?;
    warn_of(&loaded.warnings);
    raise_descriptor_limit(settings.listen.max_connections);

    let first_run = args.configured.file().is_none();
    let development = if first_run { development(&settings)? } else { None };
    if development.is_some() && settings.public_url.is_none() {
        let port = settings.listen.address.port();
        settings.public_url = url::Url::parse(&format!("https://localhost:{port}")).ok();
    }
    let run = draw()?;
    let plan = Plan::read(&settings, Plan::policy(&settings), &Environment::of_process(), u64::from_le_bytes(run));
    let plan = plan.map_err(|flaws| ConfigError { problems: check::located(&loaded, flaws) })?;
    warn_of(&check::located(&loaded, plan.warnings.clone()));
    first_run::private_directory(&settings.data)?;
    let token = if first_run { first_run::token(&settings.data, || first_token(&settings))? } else { None };

    let background = server::background()?;
    let (metrics, readiness) = (Metrics::new(), Readiness::new());
    let around = Surroundings {
        background: background.handle().clone(),
        metrics: Arc::clone(&metrics),
        clock: wall_clock(),
        run: u64::from_le_bytes(run),
        stand_in: None,
        memory_key: draw()?,
    };
    let assembled = assemble(&settings, plan, around)?;
    let upkeep = Upkeep::start(&assembled, &settings, background.handle());
    let (reloading, gateway) = (Arc::clone(&upkeep), assembled.gateway);

    let announce = announce(settings.data.clone(), development.clone(), token);
    let (started, ready) = (Arc::clone(&upkeep), readiness.clone());
    let hooks = Hooks {
        started: Box::new(move |server| {
            started.started(&ready);
            announce(server);
        }),
        reload: Arc::new(move || reloading.reload()),
        drained: Box::new(move || upkeep.end()),
    };
    let server = listener(&settings, development);
    match server::run(server, &background, metrics, readiness, move |_| Walk::new(Arc::clone(&gateway)), hooks)? {
        Ending::Complete => Ok(()),
        Ending::Cut(connections) => {
            let hint = "listen.drain_timeout says how long answers under way are waited for".to_owned();
            Err(Failure::new(format!("{connections} connections were cut")).hint(hint))
        }
    }
}

/// Where a first run writes the policy, below the data directory.
const SHIPPED_DIRECTORY: &str = "policies";
/// The policy that a first run writes: names below that directory, and contents.
const SHIPPED_POLICY: &[(&str, &str)] = &[
    ("model.conf", crate::policy::SHIPPED_MODEL),
    ("policy.csv", crate::policy::SHIPPED_POLICY),
    ("README.md", include_str!("../../policies/README.md")),
];

fn warn_of(warnings: &[Problem]) {
    for warning in warnings {
        let place = (warning.place != Place::Default).then(|| warning.place.to_string());
        tracing::warn!(place, hint = warning.hint, "{}", warning.message);
    }
}

/// Whether a start without a configuration is to write the shipped policy: it is what would be read, and not there yet.
pub(super) fn ships_policy(settings: &Settings) -> bool {
    let shipped = settings.data.join(SHIPPED_DIRECTORY);
    settings.policy.files.iter().all(|file| file.starts_with(&shipped)) && !shipped.exists()
}

/// Issues the first token of a first run; none if there are tokens already.
fn first_token(settings: &Settings) -> Result<Option<String>, Failure> {
    let mut ledger = Ledger::open_or_create(&tokens_path(settings)).map_err(Failure::new)?;
    if !ledger.all().map_err(Failure::new)?.is_empty() {
        return Ok(None);
    }
    let random = draw::<RANDOM_BYTES>()?;
    let developer = "developer".parse().map_err(Failure::new)?;
    let grant = Grant::by_hand(Kind::User, &developer, &[]).map_err(Failure::new)?;
    let grant = Grant { note: "made by the first run".parse().ok(), ..grant };
    let (token, _) = ledger.issue(&grant, Timestamp::now(), &random).map_err(Failure::new)?;
    Ok(Some(token.expose().to_owned()))
}

/// What a first run makes: the policy, and the development certificate unless TLS is settled otherwise.
fn development(settings: &Settings) -> Result<Option<Development>, FirstRunError> {
    first_run::private_directory(&settings.data)?;
    if ships_policy(settings) {
        first_run::policies(&settings.data.join(SHIPPED_DIRECTORY), SHIPPED_POLICY)?;
    }
    if settings.tls.is_some() || settings.listen.insecure_http {
        return Ok(None);
    }
    let ssl_cert_file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let roots = first_run::system_roots(&settings.data, ssl_cert_file.as_deref());
    if roots.is_empty() {
        tracing::warn!("the system has no root certificates: the bundle has the development CA only");
    }
    first_run::certificates(&settings.data, &roots, Timestamp::now()).map(Some)
}

/// Says that the server listens, and on a first run what to paste.
fn announce(
    data: PathBuf,
    development: Option<Development>,
    token: Option<FirstToken>,
) -> Box<dyn FnOnce(&server::Server) + Send> {
    Box::new(move |server| {
        tracing::info!(address = %server.address(), admin = server.admin().map(tracing::field::display), "listening");
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let (address, development, token) = (server.address(), development.as_ref(), token.as_ref());
        let instructions = Instructions { address, data: &data, development, token, terminal };
        if let Err(error) = instructions.write(&mut stdout.lock()) {
            terminal::warn(format_args!("cannot print what to paste: {error}"), None);
        }
    })
}

/// The server's settings. A development certificate is there only if no other is configured.
pub(super) fn listener(settings: &Settings, development: Option<Development>) -> server::Settings {
    let listen = &settings.listen;
    let configured = settings.tls.clone().map(|tls| CertificateFiles { certificate: tls.certificate, key: tls.key });
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = listen.workers.and_then(|workers| NonZeroUsize::new(usize::try_from(workers).ok()?));
    server::Settings {
        address: listen.address,
        admin: settings.admin.address,
        client_ca: settings.tls.as_ref().and_then(|tls| tls.client_ca.clone()),
        tls: configured.or(development.map(|development| development.files)),
        insecure_http: listen.insecure_http,
        proxy_protocol: listen.proxy_protocol,
        trusted_proxies: TrustedProxies::new(listen.trusted_proxies.iter().copied()),
        workers: workers.unwrap_or(cores),
        header_timeout: listen.header_timeout,
        idle_timeout: listen.idle_timeout,
        max_connections: usize::try_from(listen.max_connections).unwrap_or(usize::MAX),
        max_streams: listen.max_streams,
        max_header_bytes: u32::try_from(listen.max_header_bytes).unwrap_or(u32::MAX),
        drain_delay: listen.drain_delay,
        drain_timeout: listen.drain_timeout,
    }
}

/// Descriptors besides those of connections: files being served, sources, the journal.
#[cfg(unix)]
const OTHER_DESCRIPTORS: u64 = 1024;

/// Takes as many descriptors as the system lets us have, and warns if they do not suffice.
#[cfg(unix)]
fn raise_descriptor_limit(max_connections: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let needed = u64::from(max_connections) + OTHER_DESCRIPTORS;
    if let Some(current) = getrlimit(Resource::Nofile).current.filter(|current| *current < needed) {
        tracing::warn!(limit = current, needed, "listen.max_connections needs more file descriptors than are allowed");
    }
}

#[cfg(not(unix))]
fn raise_descriptor_limit(_max_connections: u32) {}

impl From<FirstRunError> for Failure {
    fn from(error: FirstRunError) -> Self {
        Self::new(error)
    }
}

impl From<AssemblyError> for Failure {
    fn from(error: AssemblyError) -> Self {
        Self::because(&error).hint(error.hint())
    }
}
