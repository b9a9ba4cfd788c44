//! The policy in force, and its replacement by a better one.
//!
//! INVARIANT: the last good policy stays. Whatever is wrong with new files, and whatever private path they would make
//! public unasked, is reported and changes nothing.
use super::{compiled::Policy, fault::PolicyErrors, widening::Widening};
use arc_swap::{ArcSwap, Guard};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The policy in force: read by every request without a lock, replaced as a whole.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<Policy>,
    /// One reload at a time, so that an older reading never replaces a newer one.
    reloading: Mutex<()>,
}

/// What a reload did.
#[derive(Debug, Clone)]
pub enum ReloadOutcome {
    /// The files are what they were.
    Unchanged,
    /// A new policy is in force.
    Replaced {
        /// The digest of the policy before.
        before: Box<str>,
        /// The digest of the policy now in force.
        now: Box<str>,
        /// What became public that was private; to be recorded. Empty unless that was allowed.
        widened: Vec<Widening>,
    },
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The files are wrong.
    #[error("{0}")]
    Invalid(PolicyErrors),
    /// The files are right and would make something private public, which takes an explicit flag.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Widening(Vec<Widening>),
}

impl Live {
    /// Puts a policy in force.
    pub fn new(policy: Policy) -> Self {
        Self { current: ArcSwap::from_pointee(policy), reloading: Mutex::new(()) }
    }

    /// The policy in force, for the length of one request; cheap, takes no lock.
    pub fn load(&self) -> Guard<Arc<Policy>> {
        self.current.load()
    }

    /// The policy in force, to be kept.
    pub fn load_full(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// Reads the files and puts them in force, if they are good and make nothing public that was private, or that is
    /// allowed. Blocking.
    pub fn reload(
        &self,
        model: Option<&Path>,
        files: &[PathBuf],
        allow_widening: bool,
    ) -> Result<ReloadOutcome, ReloadError> {
        // The lock guards no data: a panic while it was held left the old policy in force.
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Policy::load(model, files).map_err(ReloadError::Invalid)?;
        self.replace(next, allow_widening)
    }

    fn replace(&self, next: Policy, allow_widening: bool) -> Result<ReloadOutcome, ReloadError> {
        let before = self.current.load_full();
        if before.digest() == next.digest() {
            return Ok(ReloadOutcome::Unchanged);
        }
        let widened = before.widening(&next);
        if !widened.is_empty() && !allow_widening {
            return Err(ReloadError::Widening(widened));
        }
        let outcome = ReloadOutcome::Replaced { before: before.digest().into(), now: next.digest().into(), widened };
        self.current.store(Arc::new(next));
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ALLOW: &str = "p, authenticated, public, *, read, allow, -, -\n";

    struct Files {
        _dir: tempfile::TempDir,
        model: PathBuf,
        policy: Vec<PathBuf>,
        live: Live,
    }

    impl Files {
        fn new(rows: &str) -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let (model, policy) = (dir.path().join("model.conf"), dir.path().join("policy.csv"));
            fs::write(&model, crate::policy::SHIPPED_MODEL).expect("written");
            fs::write(&policy, rows).expect("written");
            let live = Live::new(Policy::load(Some(&model), std::slice::from_ref(&policy)).expect("a policy"));
            Self { _dir: dir, model, policy: vec![policy], live }
        }

        fn reload(&self, rows: &str, allow_widening: bool) -> Result<ReloadOutcome, ReloadError> {
            fs::write(&self.policy[0], rows).expect("written");
            self.live.reload(Some(&self.model), &self.policy, allow_widening)
        }
    }

    #[test]
    fn a_bad_policy_never_replaces_a_good_one() {
        let files = Files::new(ALLOW);
        let good = files.live.load().digest().to_owned();
        for bad in ["p, authenticated, public, *, read, allow\n", "", "# nothing\n"] {
            assert!(matches!(files.reload(bad, true), Err(ReloadError::Invalid(_))), "{bad:?}");
            assert_eq!(files.live.load().digest(), good);
        }
        fs::remove_file(&files.policy[0]).expect("removed");
        let gone = files.live.reload(Some(&files.model), &files.policy, true).expect_err("no file");
        assert!(gone.to_string().contains("policy.csv: cannot be read"), "{gone}");
        assert_eq!(files.live.load().digest(), good);
    }

    #[test]
    fn private_becomes_public_only_when_asked() {
        let private = format!("{ALLOW}p2, corp.example/*, private, -\n");
        let files = Files::new(&private);
        let before = files.live.load().digest().to_owned();
        assert!(matches!(files.reload(ALLOW, false), Err(ReloadError::Widening(found)) if found.len() == 1));
        assert_eq!(files.live.load().digest(), before);
        match files.reload(ALLOW, true).expect("allowed") {
            ReloadOutcome::Replaced { widened, now, .. } => {
                assert_eq!(widened.len(), 1);
                assert_eq!(files.live.load().digest(), &*now);
            }
            ReloadOutcome::Unchanged => panic!("the policy changed"),
        }
        assert!(matches!(files.reload(ALLOW, false), Ok(ReloadOutcome::Unchanged)));
    }
}
