//! What a connection is doing, and until when that may last.
//!
//! Three kinds of peer hold a connection without use: one that sends a request's head byte by byte, one that asks
//! nothing, and one that takes nothing of its answer. Each is bounded here by looking at four values, which the
//! requests of the connection update: nothing on the way of a request sets a timer.
//!
//! INVARIANT: while this side has something to do (a handler runs, or a body waits for its source) no time-out of the
//! peer applies; the `go` command waits without limit, and so do we for it.

use crate::telemetry::Metrics;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The time-outs that apply to a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) header: Duration,
    pub(super) idle: Duration,
}

/// Which time-out is next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Limit {
    /// A request's head is incomplete.
    Head,
    /// Nothing is asked.
    Idle,
    /// Nothing of an answer is taken.
    Stalled,
}

/// The state of one connection. It belongs to one thread.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests whose answer is not complete.
    open: Cell<usize>,
    /// Those of them that wait for this side.
    working: Cell<usize>,
    /// When a request last began, moved on, or ended.
    moved: Cell<Instant>,
    /// When the first byte of the head that is being read arrived; of a new connection, when it was made.
    head: Cell<Option<Instant>>,
    /// A request has begun.
    used: Cell<bool>,
    metrics: Arc<Metrics>,
}

impl Activity {
    /// Of a connection made at `now`. Its requests are counted as in flight.
    pub(super) fn new(now: Instant, metrics: Arc<Metrics>) -> Rc<Self> {
        Rc::new(Self {
            open: Cell::new(0),
            working: Cell::new(0),
            moved: Cell::new(now),
            head: Cell::new(Some(now)),
            used: Cell::new(false),
            metrics,
        })
    }

    /// What ends the connection next, and when; `None` while this side has something to do. `closing`: since when the
    /// peer knows that no further request will be answered.
    pub(super) fn deadline(&self, timeouts: Timeouts, closing: Option<Instant>) -> Option<(Instant, Limit)> {
        if self.working.get() > 0 {
            return None;
        }
        if self.open.get() > 0 {
            return Some((self.moved.get() + timeouts.idle, Limit::Stalled));
        }
        match (closing, self.head.get()) {
            (Some(closing), _) => Some((closing.max(self.moved.get()) + timeouts.header, Limit::Idle)),
            (None, Some(begun)) => Some((begun + timeouts.header, Limit::Head)),
            (None, None) => Some((self.moved.get() + timeouts.idle, Limit::Idle)),
        }
    }

    /// Whether a request has ever begun.
    pub(super) fn is_used(&self) -> bool {
        self.used.get()
    }

    /// A request's head is complete: this side has something to do until the result is dropped or waits for the peer.
    pub(super) fn begin(self: &Rc<Self>) -> Turn {
        self.head.set(None);
        self.used.set(true);
        self.open.set(self.open.get() + 1);
        self.metrics.began();
        let mut turn = Turn { activity: self.clone(), ours: false };
        turn.ours();
        turn
    }

    fn received(&self) {
        if self.open.get() == 0 && self.head.get().is_none() {
            self.head.set(Some(Instant::now()));
        }
    }
}

/// An open request, and whose turn it is.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Rc<Activity>,
    ours: bool,
}

impl Turn {
    fn ours(&mut self) {
        if !self.ours {
            self.ours = true;
            self.activity.working.set(self.activity.working.get() + 1);
        }
    }

    fn theirs(&mut self) {
        self.activity.moved.set(Instant::now());
        if self.ours {
            self.ours = false;
            self.activity.working.set(self.activity.working.get().saturating_sub(1));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.theirs();
        self.activity.open.set(self.activity.open.get().saturating_sub(1));
        self.activity.metrics.ended();
    }
}

/// An answer's body that keeps the connection's [`Activity`] up to date, and turns a panic into its own failure.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    turn: Turn,
}

impl Tracked {
    /// `body`, as the answer to the request of `turn`. From here it is the peer's turn to take it.
    pub(super) fn new(body: Body, mut turn: Turn) -> Self {
        turn.theirs();
        Self { body, turn }
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.body).poll_frame(cx)));
        match polled {
            Ok(Poll::Pending) => {
                this.turn.ours();
                Poll::Pending
            }
            Ok(Poll::Ready(frame)) => {
                this.turn.theirs();
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Err(_panic) => {
                this.body = Body::empty();
                this.turn.theirs();
                Poll::Ready(Some(Err("the body panicked".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells [`Activity`] when the first byte of a head arrives (HTTP/1.1).
#[derive(Debug)]
pub(super) struct Observed<S> {
    stream: S,
    activity: Rc<Activity>,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, activity: Rc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const TIMEOUTS: Timeouts = Timeouts { header: Duration::from_secs(10), idle: Duration::from_secs(120) };

    fn tracked(body: Body, turn: Turn) -> Tracked {
        Tracked::new(body, turn)
    }

    fn limit(activity: &Activity) -> Option<Limit> {
        activity.deadline(TIMEOUTS, None).map(|(_, limit)| limit)
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_must_bring_a_head_soon() {
        let made = Instant::now();
        let activity = Activity::new(made, Metrics::new());
        assert_eq!(activity.deadline(TIMEOUTS, None), Some((made + TIMEOUTS.header, Limit::Head)));
        tokio::time::advance(Duration::from_secs(5)).await;
        activity.received();
        assert_eq!(
            activity.deadline(TIMEOUTS, None),
            Some((made + TIMEOUTS.header, Limit::Head)),
            "counts from the start"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_limits_the_peer_while_it_is_our_turn() {
        let activity = Activity::new(Instant::now(), Metrics::new());
        let turn = activity.begin();
        assert_eq!(limit(&activity), None);
        let never = futures_util::stream::pending::<Result<Bytes, io::Error>>();
        let mut body = tracked(Body::from_stream(never), turn);
        assert_eq!(limit(&activity), Some(Limit::Stalled), "the head is there to be taken");
        assert!(futures_util::poll!(body.frame()).is_pending());
        assert_eq!(limit(&activity), None, "the body waits for its source");
        drop(body);
        assert_eq!(limit(&activity), Some(Limit::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn taking_a_frame_puts_the_stall_off() {
        let activity = Activity::new(Instant::now(), Metrics::new());
        let chunks = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from("a")), Ok(Bytes::from("b"))]);
        let mut body = tracked(Body::from_stream(chunks), activity.begin());
        tokio::time::advance(Duration::from_secs(100)).await;
        body.frame().await.unwrap().unwrap();
        let taken = Instant::now();
        assert_eq!(activity.deadline(TIMEOUTS, None), Some((taken + TIMEOUTS.idle, Limit::Stalled)));
        assert!(activity.open.get() > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_on_a_used_connection_counts_from_its_first_byte() {
        let activity = Activity::new(Instant::now(), Metrics::new());
        drop(activity.begin());
        tokio::time::advance(Duration::from_secs(60)).await;
        activity.received();
        let first = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.received();
        assert_eq!(activity.deadline(TIMEOUTS, None), Some((first + TIMEOUTS.header, Limit::Head)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closing_connection_gets_as_long_as_a_head_after_its_last_answer() {
        let activity = Activity::new(Instant::now(), Metrics::new());
        let turn = activity.begin();
        let closing = Instant::now();
        tokio::time::advance(Duration::from_secs(500)).await;
        assert_eq!(activity.deadline(TIMEOUTS, Some(closing)), None);
        drop(turn);
        let end = Instant::now() + TIMEOUTS.header;
        assert_eq!(activity.deadline(TIMEOUTS, Some(closing)), Some((end, Limit::Idle)));
    }

    #[tokio::test]
    async fn a_panic_in_a_body_is_that_bodys_error() {
        let activity = Activity::new(Instant::now(), Metrics::new());
        let stream = futures_util::stream::poll_fn(|_| -> Poll<Option<Result<Bytes, io::Error>>> { panic!("a bug") });
        let body = tracked(Body::from_stream(stream), activity.begin());
        assert!(body.collect().await.is_err());
        assert!(activity.open.get() == 0);
    }
}
