//! How many requests a source may have in flight, and how many may wait for that.
//!
//! INVARIANT (a slow source holds up nobody else): each source has slots of its own. What is beyond them waits, and what
//! is beyond the waiting is refused at once, so that a source that answers nobody never holds more than its share of
//! tasks, connections and file descriptors.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// So many may wait for each slot.
const WAITING: usize = 4;

/// The slots of one source.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    all: usize,
    waiting: AtomicUsize,
}

/// A request in flight, until it is dropped.
pub(super) struct Slot(#[expect(dead_code, reason = "given back when dropped")] OwnedSemaphorePermit);

/// Counts somebody who waits, also one who gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Slots {
    pub(super) fn new(all: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(all)), all, waiting: AtomicUsize::new(0) }
    }

    /// A slot, now or before `end`; none if too many wait already or it does not come in time.
    pub(super) async fn take(&self, end: Instant) -> Option<Slot> {
        if let Some(slot) = self.spare() {
            return Some(slot);
        }
        let before = self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.all.saturating_mul(WAITING) {
            return None;
        }
        let free = Arc::clone(&self.free).acquire_owned();
        tokio::time::timeout_at(end, free).await.ok()?.ok().map(Slot)
    }

    /// A slot that is free now and that nobody waits for.
    pub(super) fn spare(&self) -> Option<Slot> {
        Arc::clone(&self.free).try_acquire_owned().ok().map(Slot)
    }

    /// Requests in flight.
    pub(super) fn taken(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::join_all};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn beyond_the_slots_some_wait_and_the_rest_is_refused() {
        let slots = Slots::new(2);
        let soon = Instant::now() + Duration::from_secs(60);
        let held = [slots.take(soon).await.unwrap(), slots.take(soon).await.unwrap()];
        let mut waiting = Box::pin(join_all((0..8).map(|_| slots.take(soon))));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!((slots.taken(), slots.waiting()), (2, 8));
        assert!(slots.take(soon).now_or_never().unwrap().is_none(), "the ninth does not wait");
        assert_eq!(slots.waiting(), 8);
        drop(held);
        drop(waiting);
        assert_eq!((slots.taken(), slots.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends() {
        let slots = Slots::new(1);
        let _held = slots.spare().unwrap();
        assert!(slots.take(Instant::now() + Duration::from_secs(9)).await.is_none());
        assert_eq!(slots.waiting(), 0);
    }
}
