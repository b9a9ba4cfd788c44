//! What the policy says to a request, and on what grounds.
use super::rule::{RowEffect, Rule};
use crate::module::Version;
use std::sync::Arc;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Go on.
    Allow,
    /// Refuse.
    Deny,
}

/// The answer with its reason.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Decision {
    /// The answer.
    pub effect: Effect,
    /// The rule that decided: the first deny that applies, else the first allow, by file and line. None when no rule
    /// allows, and when the token's scope refuses.
    pub rule: Option<Arc<Rule>>,
    /// The role that the rule speaks of; none when it speaks of the person or group directly.
    pub role: Option<Arc<str>>,
    /// The `warn` rows that apply, in file order: to be recorded, not enforced.
    pub warnings: Vec<Arc<Rule>>,
    /// Whether the rules allow it and the token's scope does not, or is malformed.
    pub outside_scope: bool,
    /// Whether that is because of where the request comes from.
    pub elsewhere: bool,
}

/// The rules that apply to somebody's doing something with a module, before the version is known.
///
/// Held by a permit, so that the versions of a list are decided one by one without another look at the policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Grounds {
    /// The first deny of all versions.
    pub(super) deny: Option<Arc<Rule>>,
    /// The first allow of all versions.
    pub(super) allow: Option<Arc<Rule>>,
    /// The warn rows of all versions, in file order.
    pub(super) warnings: Vec<Arc<Rule>>,
    /// Rows of whatever effect that speak of some versions, in file order.
    pub(super) ranged: Vec<Arc<Rule>>,
}

impl Decision {
    /// Allowed or denied by a rule.
    pub(super) fn by(effect: Effect, rule: &Arc<Rule>, warnings: Vec<Arc<Rule>>) -> Self {
        Self {
            effect,
            rule: Some(Arc::clone(rule)),
            role: rule.role().map(Arc::clone),
            warnings,
            outside_scope: false,
            elsewhere: false,
        }
    }

    /// Denied because no rule allows.
    pub(super) fn by_default(warnings: Vec<Arc<Rule>>) -> Self {
        Self { effect: Effect::Deny, rule: None, role: None, warnings, outside_scope: false, elsewhere: false }
    }

    /// The same decision for a token whose scope does not cover the request.
    pub(super) fn outside_scope(self, elsewhere: bool) -> Self {
        match self.effect {
            Effect::Deny => self,
            Effect::Allow => Self { outside_scope: true, elsewhere, ..Self::by_default(self.warnings) },
        }
    }

    /// Whether the answer is [`Effect::Allow`].
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }
}

impl Effect {
    /// The word in records, test files and on the terminal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Grounds {
    /// The decision about one version, or about a request that names none.
    pub(super) fn decide(&self, version: Option<&Version>) -> Decision {
        let mut deny = self.deny.as_ref();
        let mut allow = self.allow.as_ref();
        let mut warnings = self.warnings.clone();
        for rule in &self.ranged {
            let Some(access) = rule.access().filter(|access| access.versions.contains(version)) else {
                continue;
            };
            match access.effect {
                RowEffect::Deny => deny = earlier(deny, rule),
                RowEffect::Allow => allow = earlier(allow, rule),
                RowEffect::Warn => warnings.push(Arc::clone(rule)),
            }
        }
        if warnings.len() > self.warnings.len() {
            warnings.sort_by_key(|rule| rule.order);
        }
        match (deny, allow) {
            (Some(rule), _) => Decision::by(Effect::Deny, rule, warnings),
            (None, Some(rule)) => Decision::by(Effect::Allow, rule, warnings),
            (None, None) => Decision::by_default(warnings),
        }
    }
}

/// The one of the two rules that was written first.
pub(super) fn earlier<'p>(known: Option<&'p Arc<Rule>>, rule: &'p Arc<Rule>) -> Option<&'p Arc<Rule>> {
    match known {
        Some(known) if known.order <= rule.order => Some(known),
        _ => Some(rule),
    }
}
