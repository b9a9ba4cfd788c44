//! One flight per key: whoever asks for what is already being fetched waits for that.
//!
//! A flight is a task of the background runtime, so it ends for all of its passengers even when the one who started it
//! hangs up, and it may be joined from any runtime.

use futures_util::{FutureExt, future::BoxFuture, future::Shared};
use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{runtime::Handle, sync::oneshot};

/// The flights in the air. `None` is the outcome of one that crashed or was shut down.
type Board<T> = Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Option<T>>>>>>;

/// Flights that end in a `T`, which is cheap to clone.
pub(super) struct Flights<T> {
    board: Board<T>,
    runtime: Handle,
}

/// Takes a flight off the board, however it ends.
struct Landing<T> {
    board: Board<T>,
    key: String,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Flights that run on `runtime`.
    pub(super) fn new(runtime: Handle) -> Self {
        Self { board: Board::default(), runtime }
    }

    /// Waits for the flight of `key`; starts it with `work` if there is none. `None`: it came to grief, which only a
    /// panic or the end of the runtime can bring about.
    pub(super) async fn join<F>(&self, key: &str, work: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (outcome, flight) = oneshot::channel();
        let (flight, starts) = match self.board.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()) {
            Entry::Occupied(flying) => (flying.get().clone(), false),
            Entry::Vacant(free) => (free.insert(flight.map(Result::ok).boxed().shared()).clone(), true),
        };
        // Only now that the board is free: a runtime that shuts down drops the task, and with it the landing, at once.
        if starts {
            let landing = Landing { board: self.board.clone(), key: key.to_owned() };
            let work = work();
            self.runtime.spawn(async move {
                let ended = work.await;
                drop(landing);
                // Nobody waits any more: fine.
                let _ = outcome.send(ended);
            });
        }
        flight.await
    }
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn many_join_one_flight() {
        let flights = Flights::new(Handle::current());
        let (started, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let join = |key: &'static str| {
            let (started, go) = (started.clone(), go.clone());
            flights.join(key, || async move {
                go.notified().await;
                started.fetch_add(1, SeqCst) + 1
            })
        };
        let all = futures_util::future::join_all((0..50).map(|_| join("a")));
        let (outcomes, ()) = tokio::join!(all, async { go.notify_one() });
        assert_eq!(outcomes, [Some(1); 50]);
        go.notify_one();
        assert_eq!(join("a").await, Some(2), "a landed flight is over");
    }

    #[tokio::test]
    async fn a_flight_outlives_who_started_it_and_a_crash_is_no_wedge() {
        let flights = Flights::new(Handle::current());
        let go = Arc::new(Notify::new());
        let waiting = go.clone();
        let mut first = Box::pin(flights.join("a", || async move {
            waiting.notified().await;
            7
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        go.notify_one();
        assert_eq!(flights.join("a", || async { 8 }).await, Some(7));
        assert_eq!(flights.join("b", || async { panic!("as planned") }).await, None);
        assert_eq!(flights.join("b", || async { 9 }).await, Some(9));
    }
}
