//! Whether requests should be sent here: said to load balancers and orchestrators at `/readyz`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The checks, shared by whoever adds one and the admin listener.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    draining: AtomicBool,
    checks: Mutex<Vec<(&'static str, Check)>>,
}

/// Why it is not ready.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(super) struct Reason {
    pub(super) check: &'static str,
    pub(super) problem: String,
}

impl Readiness {
    /// Ready unless it drains.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check. It is called for every question, so it must be quick; its text is for operators.
    pub fn check(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner).push((name, Box::new(check)));
    }

    /// Not ready from now on, for ever.
    pub(super) fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    /// All that is wrong; empty if it is ready.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let checks = self.0.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let failed =
            checks.iter().filter_map(|(check, closure)| closure().err().map(|problem| Reason { check, problem }));
        let draining = self.is_draining().then(|| Reason { check: "draining", problem: "shutting down".to_owned() });
        draining.into_iter().chain(failed).collect()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("draining", &self.is_draining()).finish_non_exhaustive()
    }
}
