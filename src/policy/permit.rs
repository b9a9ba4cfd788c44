//! The permit: the proof that a request was authorized.
//!
//! Serving takes a [`Permit`], and nothing but [`Policy::authorize`](super::Policy::authorize) makes one, so a handler
//! that forgot to authorize does not compile.
use super::{
    decision::{Decision, Grounds},
    rule::Rule,
};
use crate::{goproxy::Target, module::Version};
use std::sync::Arc;

/// The answer to a request for a target.
#[derive(Debug, Clone)]
pub struct Authorization {
    /// What the rules say, for the record and the refusal.
    pub decision: Decision,
    /// What is to be done.
    pub verdict: Verdict,
    /// The roles that the caller holds, directly or through others.
    pub roles: Arc<[Arc<str>]>,
}

/// What is to be done with a request.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Serve it.
    Permitted(Permit),
    /// Answer 404 here and ask nobody: the path is the parent of what this row makes private.
    Withheld(Arc<Rule>),
    /// Refuse it: 403, or 401 to the anonymous.
    Denied,
}

/// The right to serve one target to one caller.
///
/// INVARIANT: only `Policy::authorize` builds it; the fields are private and there is no constructor outside `policy`.
#[derive(Debug, Clone)]
pub struct Permit {
    target: Target,
    private: bool,
    public_to_anonymous: bool,
    grounds: Grounds,
}

impl Permit {
    pub(super) fn new(target: &Target, private: bool, public_to_anonymous: bool, grounds: Grounds) -> Self {
        Self { target: target.clone(), private, public_to_anonymous, grounds }
    }

    /// What may be served.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the module is in a private namespace of the policy: never to be asked of a public source.
    pub fn private(&self) -> bool {
        self.private
    }

    /// Whether somebody without a credential would get the same, so that shared caches may keep the answer.
    pub fn public_to_anonymous(&self) -> bool {
        self.public_to_anonymous
    }

    /// Whether some versions of the module may be denied to this caller: false means that a list goes out unfiltered.
    pub fn restricts_versions(&self) -> bool {
        !self.grounds.ranged.is_empty()
    }

    /// The decision about one version of what a list, `@latest` or query answered, under the policy that gave the permit.
    pub fn decide(&self, version: &Version) -> Decision {
        self.grounds.decide(Some(version))
    }
}
