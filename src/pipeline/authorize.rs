//! Whether they may: from principal and target to a permit, or a refusal that names the rule.

use super::{
    Gateway,
    trail::{Ruling, Trail},
};
use crate::{
    error::{Kind, RequestError},
    goproxy::Target,
    policy::{Authorization, Decision, Permit, Rule, Verdict},
};
use auth::{Method, Principal};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

impl Gateway {
    /// Asks the policy in force, and writes into the trail what it said.
    pub(super) fn authorize(&self, trail: &mut Trail) -> Result<Permit, RequestError> {
        let Some(target) = trail.target.clone() else {
            return Err(RequestError::new(Kind::Internal, "nothing was asked"));
        };
        let policy = self.policy.load();
        let authorization = policy.authorize(&trail.principal, &target, day(trail.received));
        trail.ruling = Ruling::of(&authorization, policy.roles(&trail.principal).into(), policy.digest().into());
        match authorization.verdict {
            Verdict::Permitted(permit) => Ok(permit),
            Verdict::Withheld(rule) => Err(withheld(&target, &rule)),
            Verdict::Denied if trail.principal.method == Method::Anonymous => {
                trail.ruling = Ruling::unauthenticated();
                Err(self.credential_wanted())
            }
            Verdict::Denied => Err(self.denial(&trail.principal, &target, &authorization.decision)),
        }
    }

    /// The same question for another target on behalf of the same principal.
    pub(super) fn authorize_also(&self, trail: &Trail, target: &Target) -> Authorization {
        self.policy.load().authorize(&trail.principal, target, day(trail.received))
    }

    /// What a developer reads when the policy refuses.
    pub(super) fn denial(&self, principal: &Principal, target: &Target, decision: &Decision) -> RequestError {
        let (what, rule) = (described(target), decision.rule.as_deref());
        let mut lines = match rule {
            None if decision.outside_scope => {
                vec![format!("modgate: the scope of the token of {} does not cover {what}", principal.subject)]
            }
            Some(rule) => vec![format!("modgate: {what} is denied by policy"), format!("rule: {}", rule.cited())],
            None => vec![format!("modgate: no rule allows {} to read {what}", principal.subject)],
        };
        lines.extend(rule.and_then(Rule::reason).map(|reason| format!("reason: {reason}")));
        let contact = rule.and_then(Rule::contact).or(self.contact.as_deref());
        lines.extend(contact.map(|contact| format!("contact: {contact}")));
        RequestError::new(Kind::Denied, lines.join("\n"))
    }
}

/// The parent of a private namespace: 404, as `go` probes it and must go on, and nobody was asked.
fn withheld(target: &Target, rule: &Rule) -> RequestError {
    let what = described(target);
    let text = format!("modgate: {what} may hold private modules ({}), so no source was asked for it", rule.cited());
    RequestError::new(Kind::Withheld, text)
}

/// A target in the words of go.mod.
pub(super) fn described(target: &Target) -> String {
    match (target.module(), target.version()) {
        (Some(path), Some(version)) => format!("{path}@{version}"),
        (Some(path), None) => path.to_string(),
        (None, _) => "this".to_owned(),
    }
}

/// The policy's day is that of UTC.
fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}
