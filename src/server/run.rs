//! From start to end: who is told what, in which order.
//!
//! ```text
//! start    sockets are opened (an error here starts nothing), workers, the certificate is watched, `started`
//! SIGHUP   the certificate is read again, then `reload` (policy, configuration: their owners')
//! SIGTERM  1. readiness fails; for `drain_delay` everything else goes on, so that balancers notice
//! SIGINT   2. the listeners close; connections finish the answers under way, for at most `drain_timeout`
//!          3. what is left is cut, then `drained` (journal and store are closed by their owners)
//!          a second signal goes to 3 at once
//! ```
//!
//! The admin listener is up throughout.

use super::tls::{Certificate, Reload, TlsError};
use super::worker::{self, Shared};
use super::{Handler, Readiness, ServerError, Settings, admin, listener};
use crate::telemetry::label::{Reloaded, Success};
use crate::telemetry::{Metrics, Reading};
use crate::watch::{Watch, watch};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long a worker may take to end when it was told to; a handler that blocks its thread is not waited for.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);
/// The certificate's directory has to be quiet for this long before its files are read.
const QUIET: Duration = Duration::from_millis(200);

/// What others have to do with the server's life.
pub struct Hooks {
    /// Called once, as soon as connections are accepted.
    pub started: Box<dyn FnOnce(&Server) + Send>,
    /// Called on SIGHUP after the certificate was read again, on a thread that may block.
    pub reload: Arc<dyn Fn() + Send + Sync>,
    /// Called once, after the last connection has ended.
    pub drained: Box<dyn FnOnce() + Send>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { started: Box::new(|_| {}), reload: Arc::new(|| {}), drained: Box::new(|| {}) }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Every answer under way was completed.
    Complete,
    /// That many connections were cut.
    Cut(usize),
}

/// The runtime for whatever may wait: sources, syncs, the admin listener. Serving hits never runs on it.
pub fn background() -> Result<Runtime, ServerError> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("background")
        .enable_all()
        .build()
        .map_err(|cause| ServerError::Start { what: "the background runtime", cause })
}

/// Serves until the process is told to end.
///
/// `factory` makes the handler of each worker, in the worker's own thread and runtime. Blocks the calling thread.
pub fn run<H: Handler>(
    settings: Settings,
    background: &Runtime,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    factory: impl Fn(usize) -> H + Send + Sync + 'static,
    hooks: Hooks,
) -> Result<Ending, ServerError> {
    let signals = {
        let _entered = background.enter();
        Signals::new().map_err(|cause| ServerError::Start { what: "the signal handlers", cause })?
    };
    let server = Server::start(settings, background.handle(), metrics, readiness, factory)?;
    (hooks.started)(&server);
    let ending = background.block_on(server.until_told(signals, hooks.reload));
    (hooks.drained)();
    Ok(ending)
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    admin_task: Option<JoinHandle<io::Result<()>>>,
    shared: Arc<Shared>,
    readiness: Readiness,
    certificate: Option<Arc<Certificate>>,
    /// Yields `None` when every worker has ended.
    done: mpsc::Receiver<()>,
    background: Handle,
    _watch: Option<Watch>,
}

impl Server {
    /// Opens the sockets and starts the workers. Returns as soon as connections are accepted.
    pub fn start<H: Handler>(
        settings: Settings,
        background: &Handle,
        metrics: Arc<Metrics>,
        readiness: Readiness,
        factory: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        if settings.tls.is_none() && !settings.insecure_http && !settings.address.ip().is_loopback() {
            return Err(ServerError::Insecure { address: settings.address });
        }
        let certificate = settings.tls.clone();
        let certificate = certificate.map(|files| Certificate::load(files, settings.client_ca.clone())).transpose()?;
        let (sockets, address) = listener::open(settings.address, settings.workers.get())?;
        let admin = settings.admin.map(admin::open).transpose()?;

        let tls = match &certificate {
            Some(certificate) => Some(TlsAcceptor::from(certificate.server_config()?)),
            None => None,
        };
        let watch = certificate.as_ref().and_then(|certificate| watch_certificate(certificate, &metrics));
        let shared = Arc::new(Shared {
            settings,
            tls,
            metrics: metrics.clone(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            open: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
        });
        let (sender, done) = mpsc::channel(1);
        let factory: Arc<dyn Fn(usize) -> H + Send + Sync> = Arc::new(factory);
        for (number, socket) in sockets.into_iter().enumerate() {
            let started = worker::start(number, socket, shared.clone(), factory.clone(), sender.clone());
            started.inspect_err(|_| shared.abort_all())?;
        }
        let (admin, admin_task) = match admin {
            Some((socket, address)) => {
                (Some(address), Some(background.spawn(admin::serve(socket, readiness.clone(), metrics))))
            }
            None => (None, None),
        };
        let background = background.clone();
        Ok(Self { address, admin, admin_task, shared, readiness, certificate, done, background, _watch: watch })
    }

    /// Where it listens; the port is the real one also if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin listener is.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Reads the certificate again, now. The result is counted and logged; the good one stays if the new one is bad.
    pub fn reload_certificate(&self) {
        if let Some(certificate) = &self.certificate {
            reload(certificate, &self.shared.metrics, true);
        }
    }

    /// Begins the end and returns when the last answer is complete, or after `drain_timeout`. To be followed by
    /// [`Server::end`].
    pub async fn drain(&mut self) {
        self.readiness.drain();
        let settings = &self.shared.settings;
        if !settings.drain_delay.is_zero() {
            tokio::time::sleep(settings.drain_delay).await;
        }
        self.shared.stop.cancel();
        let _ = timeout(settings.drain_timeout, self.done.recv()).await;
    }

    /// Cuts what is left.
    pub async fn end(mut self) -> Ending {
        self.readiness.drain();
        self.shared.abort_all();
        let _ = timeout(ABORT_TIMEOUT, self.done.recv()).await;
        if let Some(admin) = self.admin_task.take() {
            admin.abort();
        }
        match self.shared.cut.load(Ordering::SeqCst) {
            0 => Ending::Complete,
            cut => Ending::Cut(cut),
        }
    }

    async fn until_told(mut self, mut signals: Signals, reload: Arc<dyn Fn() + Send + Sync>) -> Ending {
        while signals.next().await == Told::Reload {
            tracing::info!("told to reload");
            self.reload_certificate();
            let reload = reload.clone();
            // One reload at a time; a panic in it was logged, and the next signal is answered all the same.
            let _ = self.background.spawn_blocking(move || reload()).await;
        }
        tracing::info!("told to end: answers under way are completed");
        tokio::select! {
            () = self.drain() => {}
            () = signals.end() => tracing::warn!("told to end at once"),
        }
        let ending = self.end().await;
        match ending {
            Ending::Complete => tracing::info!("ended"),
            Ending::Cut(connections) => tracing::warn!(connections, "ended; connections were cut"),
        }
        ending
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Shared {
    fn abort_all(&self) {
        self.stop.cancel();
        self.abort.cancel();
    }
}

/// Reads the certificate again when its files have changed.
fn watch_certificate(certificate: &Arc<Certificate>, metrics: &Arc<Metrics>) -> Option<Watch> {
    warn_of(certificate);
    let expiry = certificate.clone();
    metrics.register(Reading::CertificateExpiry, move || {
        expiry.expiry().map_or(f64::NAN, |expiry| expiry.as_second() as f64)
    });
    let (changed, metrics) = (certificate.clone(), metrics.clone());
    let files = certificate.paths();
    watch(&files, QUIET, move || reload(&changed, &metrics, false))
        .inspect_err(|error| tracing::warn!(%error, "a new certificate will be read on SIGHUP only"))
        .ok()
}

fn reload(certificate: &Certificate, metrics: &Metrics, asked: bool) {
    match certificate.reload() {
        Ok(Reload::Unchanged) if !asked => return,
        Ok(Reload::Unchanged) => tracing::info!("the certificate is unchanged"),
        Ok(Reload::Replaced) => {
            tracing::info!(expiry = certificate.expiry().map(tracing::field::display), "new certificate in use");
            warn_of(certificate);
        }
        Err(error) => {
            report(&error);
            return metrics.reloaded(Reloaded::Certificate, Success::Failed);
        }
    }
    metrics.reloaded(Reloaded::Certificate, Success::Succeeded);
}

fn report(error: &TlsError) {
    tracing::error!(%error, "the new certificate is not used; the one in use stays");
}

fn warn_of(certificate: &Certificate) {
    if let Some(warning) = certificate.warning(jiff::Timestamp::now()) {
        tracing::warn!("{warning}");
    }
}

/// What a signal says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Reload,
    End,
}

#[cfg(unix)]
struct Signals {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

/// The signal beside a write that would make a file larger than the system allows. The number is Linux's and the BSDs'.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

#[cfg(unix)]
impl Signals {
    /// From here on these signals end nothing by themselves.
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        // Nobody listens: the write that failed says so, as on a full disk.
        drop(signal(SignalKind::from_raw(SIGXFSZ))?);
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Told {
        // Without a way to be told, only killing the process ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Told::End
    }
}

impl Signals {
    /// Waits for the next signal to end, whatever else comes.
    async fn end(&mut self) {
        while self.next().await != Told::End {}
    }
}
