//! Whether requests should be sent here: said to load balancers and orchestrators at `/readyz`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;
type Show = Box<dyn Fn() -> Vec<Dependency> + Send + Sync>;

/// The checks, shared by whoever adds one and the admin listener.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    draining: AtomicBool,
    checks: Mutex<Vec<(&'static str, Check)>>,
    sources: Mutex<Option<Show>>,
}

/// Something outside that is used. It is told how it is doing, and it never makes us not ready: what is held goes on
/// being served, and with all instances out of service because of one upstream nothing would be.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Dependency {
    /// Where it is configured.
    pub list: String,
    /// Its printable name.
    pub source: String,
    /// How it is doing.
    pub state: &'static str,
    /// Whether it is used as it should be.
    #[serde(skip)]
    pub well: bool,
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

    /// Has `closure` called for every question for how the sources are doing; a second one takes the first one's place.
    pub fn show_sources(&self, closure: impl Fn() -> Vec<Dependency> + Send + Sync + 'static) {
        *self.0.sources.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(closure));
    }

    /// How the sources are doing.
    pub(super) fn sources(&self) -> Vec<Dependency> {
        let shown = self.0.sources.lock().unwrap_or_else(PoisonError::into_inner);
        shown.as_ref().map(|show| show()).unwrap_or_default()
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
