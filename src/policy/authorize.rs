//! The decision about a request: rules, token scope, private parents, and the permit at the end.
use super::{
    compiled::{Policy, Request},
    decision::{Decision, Effect, Grounds},
    index::Asking,
    namespace::Namespace,
    permit::{Authorization, Permit, Verdict},
    rule::Action,
    scope::Limit,
    trie::PathKey,
};
use crate::{
    goproxy::{Asked, SumdbAsk, Target},
    module::{ModulePath, Version},
};
use auth::Principal;
use jiff::civil::Date;
use std::net::IpAddr;

/// A decision about a module, with what else the answer depends on.
pub(super) struct Ruling {
    pub(super) decision: Decision,
    pub(super) namespace: Namespace,
    /// To be answered 404 here, asking nobody.
    pub(super) withheld: bool,
    grounds: Grounds,
}

impl Policy {
    /// Decides a request for a target. `today` is the day in UTC.
    ///
    /// A lookup in a checksum database is decided as reading that version. The rest of such a database, and `/`, are
    /// open to whoever may read anything at all.
    pub fn authorize(&self, principal: &Principal, target: &Target, today: Date) -> Authorization {
        self.authorize_from(principal, target, today, None)
    }

    /// As [`Policy::authorize`], for a request from a client's address, on which the scope of a token may depend.
    pub fn authorize_from(
        &self,
        principal: &Principal,
        target: &Target,
        today: Date,
        client: Option<IpAddr>,
    ) -> Authorization {
        let standing = self.roles.standing(principal.identities());
        let asking = Asking { standing: &standing, action: Action::Read, day: today };
        let limit = Limit::of(principal.scope.as_deref(), client);
        let (decision, verdict) = match module_of(target) {
            Some((path, version)) => self.authorize_module(asking, &limit, target, path, version),
            None => self.authorize_anywhere(asking, &limit, target),
        };
        Authorization { decision, verdict, roles: self.roles.names(&standing) }
    }

    fn authorize_module(
        &self,
        asking: Asking<'_>,
        limit: &Limit,
        target: &Target,
        path: &ModulePath,
        version: Option<&Version>,
    ) -> (Decision, Verdict) {
        let ruling = self.ruling(asking, limit, path, version);
        let private = ruling.namespace.is_private();
        let verdict = match (ruling.namespace, ruling.decision.effect) {
            (Namespace::Withheld(rule), _) if ruling.withheld => Verdict::Withheld(rule),
            (Namespace::Public | Namespace::Private(_), Effect::Allow) => {
                let public = self.anonymous_may(asking, path, version);
                Verdict::Permitted(Permit::new(target, private, public, ruling.grounds))
            }
            // INVARIANT: a withheld path never gets a permit, whatever the rules allow.
            (Namespace::Withheld(_), _) | (_, Effect::Deny) => Verdict::Denied,
        };
        (ruling.decision, verdict)
    }

    /// What rules, scope and namespaces together say about a module.
    pub(super) fn ruling(
        &self,
        asking: Asking<'_>,
        limit: &Limit,
        path: &ModulePath,
        version: Option<&Version>,
    ) -> Ruling {
        let key = PathKey::new(path.as_str());
        let namespace = self.namespaces.find(&key);
        let private = namespace.is_private();
        let grounds = self.index.gather(asking, &key, private);
        let mut decision = grounds.decide(version);
        let withheld = matches!(namespace, Namespace::Withheld(_))
            && asking.action == Action::Read
            && limit.covers_somewhere(asking.action)
            && self.may_be_told(asking, &decision);
        if !withheld && !limit.covers(asking.action, path.as_str(), private) {
            decision = decision.outside_scope(limit.is_elsewhere());
        }
        Ruling { decision, namespace, withheld, grounds }
    }

    /// As [`Policy::ruling`], for a request from outside the walk.
    pub(super) fn ruling_on(&self, request: &Request<'_>, scope: Option<&str>) -> Ruling {
        let standing = self.roles.standing(request.identities.iter().copied());
        let asking = Asking { standing: &standing, action: request.action, day: request.day };
        self.ruling(asking, &Limit::of(scope, None), request.module, request.version)
    }

    /// The parent of something private is withheld from all who may read anything and are not denied it by a rule;
    /// others learn nothing of it.
    fn may_be_told(&self, asking: Asking<'_>, decision: &Decision) -> bool {
        let denied_by_rule = !decision.is_allowed() && decision.rule.is_some();
        !denied_by_rule && self.index.gather_anywhere(asking).decide(None).is_allowed()
    }

    /// Whether somebody may `manage` whatever there is, public and private: what administering others' tokens takes. Rules
    /// about single modules give nothing here.
    pub fn may_manage_everything(&self, principal: &Principal, today: Date, client: Option<IpAddr>) -> bool {
        let standing = self.roles.standing(principal.identities());
        let asking = Asking { standing: &standing, action: Action::Manage, day: today };
        let limit = Limit::of(principal.scope.as_deref(), client);
        // A path that no pattern but the widest matches.
        let nowhere = "modgate.invalid/tokens";
        [false, true].into_iter().all(|private| {
            let allowed = self.index.gather(asking, &PathKey::new(nowhere), private).decide(None).is_allowed();
            allowed && limit.covers(Action::Manage, nowhere, private)
        })
    }

    fn authorize_anywhere(&self, asking: Asking<'_>, limit: &Limit, target: &Target) -> (Decision, Verdict) {
        let mut decision = self.index.gather_anywhere(asking).decide(None);
        if !limit.covers_somewhere(asking.action) {
            decision = decision.outside_scope(limit.is_elsewhere());
        }
        let verdict = match decision.effect {
            Effect::Deny => Verdict::Denied,
            Effect::Allow => {
                let standing = &self.anonymous;
                let anybody = self.index.gather_anywhere(Asking { standing, ..asking }).decide(None);
                // No grounds: such a permit decides about no module's versions.
                Verdict::Permitted(Permit::new(target, false, anybody.is_allowed(), Grounds::default()))
            }
        };
        (decision, verdict)
    }

    fn anonymous_may(&self, asking: Asking<'_>, path: &ModulePath, version: Option<&Version>) -> bool {
        if self.anonymous.is_empty() {
            return false;
        }
        let standing = &self.anonymous;
        let ruling = self.ruling(Asking { standing, ..asking }, &Limit::None, path, version);
        // A list that would be narrowed for them is not what they would get.
        ruling.decision.is_allowed() && (version.is_some() || ruling.grounds.ranged.is_empty())
    }
}

/// The module and version that a target is about; none for what is about no module.
fn module_of(target: &Target) -> Option<(&ModulePath, Option<&Version>)> {
    match target {
        Target::Root => None,
        Target::Module { path, asked } => match asked {
            Asked::List | Asked::Latest | Asked::Query(_) => Some((path, None)),
            Asked::Info(version) | Asked::Mod(version) | Asked::Zip(version) => Some((path, Some(version))),
        },
        Target::Sumdb { asked, .. } => match asked {
            SumdbAsk::Lookup(path, version) => Some((path, Some(version))),
            SumdbAsk::Supported | SumdbAsk::Latest | SumdbAsk::Tile(_) => None,
        },
    }
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
