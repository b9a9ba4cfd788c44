//! The records of one thread's turn, kept by one write(2).
//!
//! A thread that serves many connections is woken for several requests at once and runs them one after the other. Each hands
//! its record in and waits; the first of them gives way to the others once, and then writes what has come together:
//!
//! ```text
//! request 1   hands in, gives way ········ writes all three, goes on
//! request 2        hands in, waits ···················· goes on
//! request 3             hands in, waits ················ goes on
//! ```
//!
//! So a thread's group costs one lock and one write(2) for however many requests the loop had ready, and a single request
//! waits for nobody: giving way is one turn of the loop, in which nothing else is ready. No timer takes part.
//!
//! INVARIANT: whoever is told that the record is kept has it in the file. A request that is cancelled while it waits may leave
//! a record of an answer that was never sent, as one does that goes away while its answer is on the way.
//!
//! A group belongs to one thread: no other can wake up to write in its place, and none is waited for (docs/adr/0022).

use super::{AuditError, Journal, Record, head::Lines, journal::KEPT_CAPACITY};
use jiff::Timestamp;
use std::{
    cell::{OnceCell, RefCell},
    future::Future,
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Lines of this size are written without waiting for more.
const FULL: usize = 256 << 10;

/// Where the requests of one thread hand in their records.
pub struct Group {
    journal: Arc<Journal>,
    gathering: RefCell<Gathering>,
}

/// What has come together and is not written.
struct Gathering {
    lines: Vec<u8>,
    /// How much of `lines` is whole: encoding may have been cut off behind it by a panic.
    whole: usize,
    count: usize,
    time: Timestamp,
    waiting: Vec<Waker>,
    /// What all of them will be told.
    told: Rc<OnceCell<Told>>,
}

/// How many records are kept, counted from the first, and why not the others.
struct Told {
    kept: usize,
    error: Option<Arc<AuditError>>,
}

impl Told {
    fn of(&self, number: usize) -> Result<(), Arc<AuditError>> {
        match &self.error {
            Some(error) if number >= self.kept => Err(Arc::clone(error)),
            _ => Ok(()),
        }
    }
}

impl Group {
    /// A group of the calling thread.
    pub fn new(journal: Arc<Journal>) -> Self {
        let gathering = Gathering {
            lines: Vec::new(),
            whole: 0,
            count: 0,
            time: Timestamp::UNIX_EPOCH,
            waiting: Vec::new(),
            told: Rc::default(),
        };
        Self { journal, gathering: RefCell::new(gathering) }
    }

    /// Hands in a record. The future is ready when it is kept, or cannot be: then nothing may be served on its account.
    pub fn append(&self, record: &Record<'_>) -> Appending<'_> {
        let (handed_in, full) = {
            let gathering = &mut *self.gathering.borrow_mut();
            gathering.lines.truncate(gathering.whole);
            if let Err(error) = self.journal.shared.encode(record, &mut gathering.lines) {
                let told = OnceCell::from(Told { kept: 0, error: Some(Arc::new(error)) });
                return Appending { group: self, told: Rc::new(told), number: 0, gave_way: false };
            }
            gathering.whole = gathering.lines.len();
            gathering.time = record.time;
            let (told, number) = (Rc::clone(&gathering.told), gathering.count);
            gathering.count += 1;
            (Appending { group: self, told, number, gave_way: false }, gathering.whole >= FULL)
        };
        if full {
            self.write();
        }
        handed_in
    }

    /// Writes what has come together and tells those who wait.
    fn write(&self) {
        let waiting = {
            let gathering = &mut *self.gathering.borrow_mut();
            let bytes = gathering.lines.get(..gathering.whole).unwrap_or_default();
            let lines = Lines { bytes, count: gathering.count, time: gathering.time };
            let (kept, error) = self.journal.shared.append_lines(lines);
            gathering.lines.clear();
            gathering.lines.shrink_to(KEPT_CAPACITY);
            (gathering.whole, gathering.count) = (0, 0);
            let told = mem::take(&mut gathering.told);
            // Set here only, and taken out of everybody's reach with it.
            let _ = told.set(Told { kept, error: error.map(Arc::new) });
            mem::take(&mut gathering.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A record that is handed in.
#[must_use = "the record is kept when this is ready"]
pub struct Appending<'a> {
    group: &'a Group,
    told: Rc<OnceCell<Told>>,
    /// Its place among those that are written together; the first one writes.
    number: usize,
    gave_way: bool,
}

impl Future for Appending<'_> {
    type Output = Result<(), Arc<AuditError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.number == 0 && this.gave_way && this.told.get().is_none() {
            this.group.write();
        }
        if let Some(told) = this.told.get() {
            return Poll::Ready(told.of(this.number));
        }
        match this.number {
            // Queued behind everything that is ready now.
            0 => {
                this.gave_way = true;
                cx.waker().wake_by_ref();
            }
            _ => this.group.gathering.borrow_mut().waiting.push(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Appending<'_> {
    /// The others do not wait for one who went away.
    fn drop(&mut self) {
        if self.number == 0 && self.told.get().is_none() {
            self.group.write();
        }
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
