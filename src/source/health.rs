//! The health of one source: its [`Circuit`] behind a lock that is held for a few instructions, and what is told of it.

use super::{
    chance::Chance,
    circuit::{Circuit, Leave, Refusal, Rules, Sign, Standing},
    error::SourceError,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Shared by everybody who asks the source.
pub(super) struct Health {
    source: Arc<str>,
    told: Mutex<Told>,
    chance: Arc<Chance>,
    skipped: AtomicU64,
    changes: [AtomicU64; Standing::ALL.len()],
}

/// The circuit, and what was told of it last.
struct Told {
    circuit: Circuit,
    standing: Standing,
}

impl Health {
    pub(super) fn new(source: Arc<str>, rules: Rules, chance: Arc<Chance>) -> Arc<Self> {
        let told = Mutex::new(Told { circuit: Circuit::new(rules, Instant::now()), standing: Standing::Closed });
        Arc::new(Self { source, told, chance, skipped: AtomicU64::new(0), changes: Default::default() })
    }

    /// Why nobody may ask now, if so.
    pub(super) fn refusal(&self) -> Option<SourceError> {
        let refusal = self.lock().circuit.refusal(Instant::now())?;
        Some(self.refused(refusal))
    }

    /// Whether whoever asked now would be refused; not counted.
    pub(super) fn is_closed_to_all(&self) -> bool {
        self.lock().circuit.refusal(Instant::now()).is_some()
    }

    /// Leave to ask once.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Pass, SourceError> {
        let admitted = self.change(|circuit, now| circuit.admit(now));
        match admitted {
            Ok(leave) => Ok(Pass { health: Arc::clone(self), leave: Some(leave) }),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.lock().circuit.standing(Instant::now())
    }

    /// Requests that were answered without asking.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// How often each standing was entered, in the order of [`Standing::ALL`].
    pub(super) fn changes(&self) -> [u64; Standing::ALL.len()] {
        self.changes.each_ref().map(|count| count.load(Relaxed))
    }

    /// INVARIANT (status discipline): an error, and never an absence.
    fn refused(&self, refusal: Refusal) -> SourceError {
        self.skipped.fetch_add(1, Relaxed);
        let at = Arc::clone(&self.source);
        match refusal {
            Refusal::HeldOff(left) => SourceError::Overloaded { at, retry_after: Some(left) },
            Refusal::Failing(Some(left)) => {
                let seconds = left.max(Duration::from_millis(100)).as_secs_f64();
                SourceError::failed(&at, format!("it keeps failing and is not asked for {seconds:.1} s"))
            }
            Refusal::Failing(None) => {
                SourceError::failed(&at, "it kept failing, and one request is finding out whether it still does")
            }
        }
    }

    /// Does something to the circuit, and tells if its standing is another than was told last.
    fn change<T>(&self, step: impl FnOnce(&mut Circuit, Instant) -> T) -> T {
        let (done, standing) = {
            let mut told = self.lock();
            let now = Instant::now();
            let done = step(&mut told.circuit, now);
            let standing = told.circuit.standing(now);
            let changed = std::mem::replace(&mut told.standing, standing) != standing;
            (done, changed.then_some(standing))
        };
        if let Some(standing) = standing {
            self.tell(standing);
        }
        done
    }

    fn tell(&self, standing: Standing) {
        for (count, _) in self.changes.iter().zip(Standing::ALL).filter(|(_, one)| *one == standing) {
            count.fetch_add(1, Relaxed);
        }
        let source = &*self.source;
        match standing {
            Standing::Closed => tracing::info!(source, "the source is well"),
            Standing::HalfOpen => tracing::info!(source, "the source is tried again"),
            Standing::HeldOff => tracing::warn!(source, "the source asked to be left alone for a while"),
            Standing::Open => tracing::warn!(source, "the source keeps failing and is left alone for a while"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to ask, to be used once. Dropping it says that the request was given up, which is nobody's fault.
pub(super) struct Pass {
    health: Arc<Health>,
    leave: Option<Leave>,
}

impl Pass {
    /// Whether everybody waits for how this one ends.
    pub(super) fn is_probe(&self) -> bool {
        self.leave.is_some_and(Leave::is_probe)
    }

    /// The head of the answer came.
    pub(super) fn answered(&mut self) {
        if let Some(leave) = &mut self.leave {
            self.health.change(|circuit, _| circuit.answered(leave));
        }
    }

    /// It ended.
    pub(super) fn ended(&mut self, sign: Sign) {
        if let Some(leave) = self.leave.take() {
            let chance = self.health.chance.draw();
            self.health.change(|circuit, now| circuit.ended(leave, sign, now, chance));
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            self.health.change(|circuit, now| circuit.abandoned(leave, now));
        }
    }
}
