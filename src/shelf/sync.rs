//! Directory syncs, grouped: one thread makes renames durable, many at a time.
//!
//! A rename is on disk only when its directory is. Syncing a directory after each entry would cost more than the entry;
//! so whoever renamed something leaves the directories here with [`DirectorySyncs::mark`], and a batch of them is
//! synced at once and then at most every [`INTERVAL`]. Whoever needs to know waits on the [`Ticket`].

use super::ShelfError;
use std::{
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

/// Shortest time between the beginnings of two batches.
const INTERVAL: Duration = Duration::from_millis(100);

type Done = oneshot::Sender<Result<(), ShelfError>>;

/// The thread and what waits for it. Dropping it syncs what is left and ends the thread.
pub(super) struct DirectorySyncs {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
}

#[derive(Default)]
struct Pending {
    directories: BTreeSet<PathBuf>,
    waiting: Vec<Done>,
    stop: bool,
}

/// The promise that a commit's directories are synced.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<(), ShelfError>>);

impl Ticket {
    /// A ticket for something that is durable already.
    pub(super) fn kept() -> Self {
        let (done, ticket) = oneshot::channel();
        let _ = done.send(Ok(()));
        Self(ticket)
    }

    /// Waits until the entry would survive a power cut.
    pub async fn wait(self) -> Result<(), ShelfError> {
        self.0.await.unwrap_or_else(|_| Err(Self::gone()))
    }

    /// As [`Ticket::wait`], for a thread outside any runtime.
    pub fn wait_blocking(self) -> Result<(), ShelfError> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(Self::gone()))
    }

    fn gone() -> ShelfError {
        ShelfError::io("sync directories")(std::io::Error::other("the sync thread is gone"))
    }
}

impl DirectorySyncs {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, ShelfError> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::Builder::new()
            .name("shelf-sync".into())
            .spawn(move || own.run())
            .map_err(ShelfError::io("start the sync thread"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Leaves directories whose entries changed; the ticket is honoured after all of them are synced.
    pub(super) fn mark(&self, directories: impl IntoIterator<Item = PathBuf>) -> Ticket {
        let (done, ticket) = oneshot::channel();
        let mut pending = self.shared.lock();
        pending.directories.extend(directories);
        pending.waiting.push(done);
        drop(pending);
        self.shared.wake.notify_one();
        Ticket(ticket)
    }
}

impl Drop for DirectorySyncs {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some((directories, waiting)) = self.next_batch() {
            let result = directories.iter().try_for_each(|directory| {
                File::open(directory)
                    .and_then(|directory| directory.sync_all())
                    .map_err(ShelfError::io(format!("sync `{}`", directory.display())))
            });
            for done in waiting {
                let _ = done.send(result.clone());
            }
            self.rest();
        }
    }

    /// The next batch; none when the shelf is closed and nothing is left.
    fn next_batch(&self) -> Option<(BTreeSet<PathBuf>, Vec<Done>)> {
        let mut pending = self.lock();
        while pending.waiting.is_empty() {
            if pending.stop {
                return None;
            }
            pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        Some((std::mem::take(&mut pending.directories), std::mem::take(&mut pending.waiting)))
    }

    /// Lets entries gather for the next batch; cut short when the shelf closes.
    fn rest(&self) {
        let resting = self.wake.wait_timeout_while(self.lock(), INTERVAL, |pending| !pending.stop);
        drop(resting.unwrap_or_else(PoisonError::into_inner));
    }
}
