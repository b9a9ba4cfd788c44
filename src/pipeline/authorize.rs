//! Whether they may: from principal and target to a permit, or a refusal that names the rule.

use super::{
    Gateway,
    trail::{Ruling, Trail},
};
use crate::{
    error::{Kind, RequestError},
    goproxy::Target,
    policy::{Authorization, Decision, Permit, Rule, Scope, Verdict},
};
use auth::{Method, Principal};
use jiff::{Timestamp, civil::Date, tz::Offset};
use std::net::IpAddr;

impl Gateway {
    /// Asks the policy in force, and writes into the trail what it said.
    pub(super) fn authorize(&self, trail: &mut Trail) -> Result<Permit, RequestError> {
        let Some(target) = trail.target.clone() else {
            return Err(RequestError::new(Kind::Internal, "nothing was asked"));
        };
        let policy = self.policy.load();
        let authorization = policy.authorize_from(&trail.principal, &target, day(trail.received), client(trail));
        trail.ruling = Ruling::of(&authorization, policy.digest().into());
        match authorization.verdict {
            Verdict::Permitted(permit) => Ok(permit),
            Verdict::Withheld(rule) => Err(withheld(&target, &rule)),
            Verdict::Denied if trail.principal.method == Method::Anonymous => {
                trail.ruling = Ruling::unauthenticated();
                Err(self.credential_wanted())
            }
            Verdict::Denied if authorization.decision.elsewhere => Err(self.elsewhere(trail)),
            Verdict::Denied => Err(self.denial(&trail.principal, &target, &authorization.decision)),
        }
    }

    /// The same question for another target on behalf of the same principal.
    pub(super) fn authorize_also(&self, trail: &Trail, target: &Target) -> Authorization {
        self.policy.load().authorize_from(&trail.principal, target, day(trail.received), client(trail))
    }

    /// Refuses a token that is used from where its scope does not hold, for what no rule decides about.
    pub(super) fn within_addresses(&self, trail: &Trail) -> Result<(), RequestError> {
        match trail.principal.scope.as_deref().map(Scope::parse) {
            None => Ok(()),
            Some(Ok(scope)) if scope.holds_from(client(trail)) => Ok(()),
            // One that cannot be read holds nowhere.
            Some(_) => Err(self.elsewhere(trail)),
        }
    }

    /// What a developer reads whose token is good, but not where they are.
    fn elsewhere(&self, trail: &Trail) -> RequestError {
        let from = client(trail).map_or_else(|| "here".to_owned(), |client| client.to_string());
        let contact = self.contact.as_deref().map_or_else(String::new, |contact| format!("\ncontact: {contact}"));
        let subject = &trail.principal.subject;
        let text = format!("modgate: the scope of the token of {subject} does not allow its use from {from}{contact}");
        RequestError::new(Kind::Denied, text)
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

/// Where the request comes from.
fn client(trail: &Trail) -> Option<IpAddr> {
    trail.caller.map(|caller| caller.client)
}

/// The policy's day is that of UTC.
fn day(now: Timestamp) -> Date {
    Offset::UTC.to_datetime(now).date()
}
