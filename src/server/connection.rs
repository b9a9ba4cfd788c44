//! One connection from its first byte to its last.

use super::activity::{Activity, Limit, Observed, Timeouts, Tracked, Turn};
use super::proxy_header;
use super::worker::{Place, Shared, Worker};
use super::{Handler, Peer};
use crate::telemetry::Metrics;
use crate::telemetry::label::ConnectionEnd;
use axum::body::Body;
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// What h2 gathers before it is encrypted and written: four full TLS records. Without it each frame of 256 bytes and
/// more is a record and a system call of its own; with room for one record only, each 16 KiB frame of a zip is two
/// records (its head did not fit) and a system call (docs/adr/0015). The pages are touched by answers of that size only.
const H2_WRITE_BUFFER: usize = 64 << 10;
/// What a peer may send that nobody asked for: no request here has a body worth more.
const H2_RECEIVE_WINDOW: u32 = 64 << 10;
/// What is taken from a body before the peer took what came before.
const H2_SEND_BUFFER: usize = 128 << 10;
/// Streams a peer may open and reset before they were looked at (rapid reset, CVE-2023-44487).
const H2_PENDING_RESETS: usize = 20;
/// Streams that we reset because of the peer's errors before the connection is given up (CVE-2025-8671).
const H2_LOCAL_RESETS: usize = 256;
/// A peer that is silent for so long is probed, by TCP and not by HTTP/2's PING: the system does it without a price for each
/// frame, and for HTTP/1.1 as well.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// The time from one probe to the next.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// A peer that answers none of so many is given up.
const KEEPALIVE_PROBES: u32 = 3;

/// HTTP/1.1 and HTTP/2 with the limits of the settings. ALPN chooses; without TLS it is HTTP/1.1, and no upgrade.
pub(super) struct Http {
    h1: http1::Builder,
    h2: http2::Builder<Local>,
}

impl Http {
    pub(super) fn new(shared: &Shared) -> Self {
        let max_header_bytes = shared.settings.max_header_bytes;
        let max_header_size = usize::try_from(max_header_bytes).unwrap_or(usize::MAX);
        let mut h1 = http1::Builder::new();
        // Slow heads are ended by `drive`, because hyper's own time-out would end idle connections as early.
        h1.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(max_header_size.max(8 << 10));
        let mut h2 = http2::Builder::new(Local);
        h2.max_header_list_size(max_header_bytes)
            .max_concurrent_streams(shared.settings.max_streams)
            .max_pending_accept_reset_streams(H2_PENDING_RESETS)
            .max_local_error_reset_streams(H2_LOCAL_RESETS)
            .initial_stream_window_size(H2_RECEIVE_WINDOW)
            .initial_connection_window_size(H2_RECEIVE_WINDOW)
            .max_send_buf_size(H2_SEND_BUFFER);
        Self { h1, h2 }
    }
}

/// Runs the tasks of a connection on the thread that it belongs to.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(future));
    }
}

/// Serves an accepted connection until it ends.
pub(super) async fn serve<H: Handler>(
    mut stream: TcpStream,
    socket: SocketAddr,
    worker: Rc<Worker>,
    handler: H,
    place: Place,
) {
    let shared = &worker.shared;
    let limit = shared.settings.header_timeout;
    let _ = stream.set_nodelay(true); // It only makes answers later.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    // Without it a dead peer is noticed by the time-outs of `activity.rs`, later.
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES));
    let address = match timeout(limit, client(&mut stream, socket, shared)).await {
        Ok(Ok(address)) => address,
        Ok(Err(error)) => return refused(shared, ConnectionEnd::ProxyHeader, socket, &error),
        Err(_) => {
            return refused(shared, ConnectionEnd::ProxyHeader, socket, &"no PROXY protocol header in time");
        }
    };
    let mut peer = Peer { address, socket, tls: shared.tls.is_some(), certificate: None };
    match &shared.tls {
        None => speak(stream, false, peer, &worker, handler).await,
        Some(tls) => match timeout(limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                peer.certificate = shown.map(|certificate| certificate.as_ref().into());
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                speak(stream, h2, peer, &worker, handler).await;
            }
            Ok(Err(error)) => refused(shared, ConnectionEnd::Handshake, socket, &error),
            Err(_) => refused(shared, ConnectionEnd::Handshake, socket, &"the TLS handshake took too long"),
        },
    }
    drop(place);
}

fn refused(shared: &Shared, end: ConnectionEnd, socket: SocketAddr, reason: &dyn std::fmt::Display) {
    shared.metrics.connection_ended(end);
    tracing::debug!(peer = %socket, "connection refused: {reason}");
}

/// The client's address: the PROXY protocol's where it is spoken, else the socket's.
async fn client(stream: &mut TcpStream, socket: SocketAddr, shared: &Shared) -> Result<SocketAddr, String> {
    if !shared.settings.proxy_protocol {
        return Ok(socket);
    }
    // INVARIANT (design 10): only a trusted proxy may say who its client is.
    if !shared.settings.trusted_proxies.trusts(socket.ip()) {
        return Err("it is not from a trusted proxy".to_owned());
    }
    let source = proxy_header::read(stream).await.map_err(|error| error.to_string())?;
    Ok(source.unwrap_or(socket))
}

async fn speak<S, H>(stream: S, h2: bool, peer: Peer, worker: &Rc<Worker>, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Handler,
{
    let metrics = worker.shared.metrics.clone();
    let (activity, socket) = (Activity::new(Instant::now(), metrics.clone()), peer.socket);
    let timeouts = worker.shared.timeouts();
    let max_head = worker.shared.settings.max_header_bytes;
    let asked = Rc::new(Asked {
        h1: (!h2).then(|| H1 { max_head, drain: worker.drain.clone() }),
        handler,
        peer,
        activity: activity.clone(),
        metrics: metrics.clone(),
    });
    let service = service_fn(move |request| asked.clone().answer(request, asked.activity.begin()));
    let end = if h2 {
        let io = TokioIo::new(BufWriter::with_capacity(H2_WRITE_BUFFER, stream));
        drive(worker.http.h2.serve_connection(io, service), &activity, timeouts, &worker.drain).await
    } else {
        let io = TokioIo::new(Observed::new(stream, activity.clone()));
        drive(worker.http.h1.serve_connection(io, service), &activity, timeouts, &worker.drain).await
    };
    if let Some(end) = end {
        metrics.connection_ended(end);
        tracing::debug!(peer = %socket, ?end, "connection ended");
    }
}

/// What the requests of a connection have in common.
struct Asked<H> {
    handler: H,
    peer: Peer,
    activity: Rc<Activity>,
    metrics: Arc<Metrics>,
    h1: Option<H1>,
}

/// What HTTP/1.1 needs beyond hyper.
struct H1 {
    max_head: u32,
    drain: CancellationToken,
}

impl<H: Handler> Asked<H> {
    #[expect(
        clippy::manual_async_fn,
        reason = "would hold the request twice, in a future that is moved for each request"
    )]
    fn answer(
        self: Rc<Self>,
        mut request: Request<Incoming>,
        turn: Turn,
    ) -> impl Future<Output = Result<Response<Tracked>, Infallible>> {
        async move {
            if let Some(refusal) = self.h1.as_ref().and_then(|h1| h1.refuse(&request)) {
                return Ok(self.tracked(refusal, turn));
            }
            let answer = self.handled(&mut request).await;
            Ok(self.tracked(answer, turn))
        }
    }

    fn tracked(&self, mut answer: Response<Body>, turn: Turn) -> Response<Tracked> {
        if self.h1.as_ref().is_some_and(|h1| h1.drain.is_cancelled()) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer.map(|body| Tracked::new(body, turn))
    }

    async fn handled(&self, request: &mut Request<Incoming>) -> Response<Body> {
        let answer = AssertUnwindSafe(self.handler.handle(&self.peer, request)).catch_unwind().await;
        // The panic hook logged what and where.
        answer.unwrap_or_else(|_panic| {
            self.metrics.panicked();
            plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        })
    }
}

impl H1 {
    /// hyper looks at the size of a head only while it is incomplete, so one that arrives in a single read may be
    /// larger than the limit.
    fn refuse(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if u32::try_from(fields.sum::<usize>() + target).is_ok_and(|head| head <= self.max_head) {
            return None;
        }
        let mut answer = plain(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large\n");
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Some(answer)
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, text);
    answer
}

/// A connection of either version that can be told to take no further request.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

macro_rules! graceful {
    ($connection:ty) => {
        impl<S, F, I> Graceful for $connection
        where
            S: hyper::service::Service<Request<Incoming>, Response = Response<Tracked>, Error = Infallible, Future = F>,
            F: Future<Output = Result<Response<Tracked>, Infallible>> + 'static,
            I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
        {
            fn finish(self: Pin<&mut Self>) {
                self.graceful_shutdown();
            }
        }
    };
}
graceful!(http1::Connection<I, S>);
graceful!(http2::Connection<I, S, Local>);

/// Runs a connection to its end, and says so if this side ended it. Idle connections and those of a draining server are
/// told to finish; slow and stalled ones are dropped.
///
/// The timer is set anew only when it fires or a deadline comes nearer: a request on a busy connection does not touch
/// it. When the server drains, a connection that has not made its first request may still make it: its client cannot
/// know, and the `go` command does not retry.
async fn drive<C: Graceful>(
    connection: C,
    activity: &Activity,
    timeouts: Timeouts,
    drain: &CancellationToken,
) -> Option<ConnectionEnd> {
    let mut connection = pin!(connection);
    let mut draining = pin!(drain.cancelled());
    let mut timer = pin!(sleep_until(Instant::now() + timeouts.header));
    let mut closing = None;
    let mut end = None;
    poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(end); // An error is the peer's, who went away or does not speak HTTP.
            }
            if closing.is_none() && activity.is_used() && draining.as_mut().poll(cx).is_ready() {
                closing = Some(Instant::now());
                connection.as_mut().finish();
                continue;
            }
            let Some((deadline, limit)) = activity.deadline(timeouts, closing) else {
                return Poll::Pending;
            };
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < deadline {
                timer.as_mut().reset(deadline);
                continue;
            }
            match limit {
                Limit::Idle if closing.is_none() => {
                    end = Some(ConnectionEnd::Idle);
                    closing = Some(Instant::now());
                    connection.as_mut().finish();
                }
                Limit::Idle => return Poll::Ready(end.or(Some(ConnectionEnd::Idle))),
                Limit::Head => return Poll::Ready(Some(ConnectionEnd::SlowHead)),
                Limit::Stalled => return Poll::Ready(Some(ConnectionEnd::Stalled)),
            }
        }
    })
    .await
}
