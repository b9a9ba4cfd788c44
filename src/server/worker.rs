//! A worker: one thread with a runtime and a listening socket of its own.
//!
//! Everything of a connection stays on the worker that accepted it, so its tasks need neither `Send` nor locks. What
//! workers share is read only, or an atomic counter.

use super::activity::Timeouts;
use super::connection;
use super::{Handler, ServerError, Settings};
use crate::telemetry::Metrics;
use crate::telemetry::label::ConnectionEnd;
use std::io;
use std::net::{SocketAddr, TcpListener as Socket};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long accepting pauses when the system has no more descriptors or memory.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all workers have in common.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) metrics: Arc<Metrics>,
    /// Accept nothing more, end each connection after the answers under way.
    pub(super) stop: CancellationToken,
    /// End now.
    pub(super) abort: CancellationToken,
    /// Open connections of all workers.
    pub(super) open: AtomicUsize,
    /// Connections that were cut by `abort`.
    pub(super) cut: AtomicUsize,
}

impl Shared {
    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts { header: self.settings.header_timeout, idle: self.settings.idle_timeout }
    }
}

/// Starts a worker's thread. `done` is dropped when the worker has ended.
pub(super) fn start<H: Handler>(
    number: usize,
    socket: Socket,
    shared: Arc<Shared>,
    factory: Arc<dyn Fn(usize) -> H + Send + Sync>,
    done: mpsc::Sender<()>,
) -> Result<(), ServerError> {
    let (started, start) = blocking::channel();
    let error = |cause| ServerError::Start { what: "a worker", cause };
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            runtime.block_on(async {
                match TcpListener::from_std(socket) {
                    Ok(listener) => {
                        let handler = factory(number);
                        let _ = started.send(Ok(()));
                        serve(listener, shared, handler).await;
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
            drop(runtime);
            drop(done);
        })
        .map_err(error)?;
    start.recv().unwrap_or_else(|_| Err(io::Error::other("it panicked"))).map_err(error)
}

async fn serve<H: Handler>(listener: TcpListener, shared: Arc<Shared>, handler: H) {
    let connections = TaskTracker::new();
    // A token of this worker's own: waiting for it takes no lock that another worker takes.
    let worker = Rc::new(Worker { drain: shared.stop.child_token(), http: connection::Http::new(&shared), shared });
    loop {
        tokio::select! {
            biased;
            () = worker.drain.cancelled() => break,
            accepted = listener.accept() => worker.accepted(accepted, &connections, &handler).await,
        }
    }
    for accepted in waiting(listener) {
        worker.accepted(accepted, &connections, &handler).await;
    }
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = worker.shared.abort.cancelled() => {
            worker.shared.cut.fetch_add(connections.len(), Ordering::SeqCst);
            for _ in 0..connections.len() {
                worker.shared.metrics.connection_ended(ConnectionEnd::Drained);
            }
        }
    }
}

/// What waits in the queue of a socket that is to be closed, which would reset it. The system is asked itself: tokio
/// does not know of what arrived since it last looked.
fn waiting(listener: TcpListener) -> Vec<io::Result<(TcpStream, SocketAddr)>> {
    let Ok(socket) = listener.into_std() else {
        return Vec::new();
    };
    let accept = || match socket.accept() {
        Ok((stream, address)) => {
            Some(stream.set_nonblocking(true).and_then(|()| Ok((TcpStream::from_std(stream)?, address))))
        }
        Err(error) if concerns_one_connection(&error) => Some(Err(error)),
        Err(_) => None,
    };
    std::iter::from_fn(accept).collect()
}

/// What the connections of one worker have in common.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) drain: CancellationToken,
    pub(super) http: connection::Http,
}

impl Worker {
    async fn accepted<H: Handler>(
        self: &Rc<Self>,
        accepted: io::Result<(TcpStream, SocketAddr)>,
        connections: &TaskTracker,
        handler: &H,
    ) {
        match accepted {
            Ok((stream, address)) => match Place::take(&self.shared) {
                Some(place) => {
                    let serving = connection::serve(stream, address, self.clone(), handler.clone(), place);
                    drop(tokio::task::spawn_local(connections.track_future(serving)));
                }
                None => self.shared.metrics.connection_ended(ConnectionEnd::TooMany),
            },
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One of the `max_connections` places.
pub(super) struct Place {
    shared: Arc<Shared>,
    _counted: crate::telemetry::OpenConnection,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        if shared.open.fetch_add(1, Ordering::SeqCst) >= shared.settings.max_connections {
            shared.open.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        Some(Self { shared: shared.clone(), _counted: shared.metrics.connection() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}
