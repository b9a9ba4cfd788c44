//! Why a request is decided as it is: the decision, and every row that might have had a say.
use super::{
    authorize::Ruling,
    compiled::{Policy, Request},
    decision::Decision,
    namespace::Namespace,
    rule::{Access, Modules, RowEffect, Rule},
};
use jiff::civil::Date;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// A decision with all that led to it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// `allow`, `deny` or, for the parent of something private, `withheld`: answered 404 here, asked of nobody.
    pub verdict: &'static str,
    /// The decision, the scope counted in.
    pub decision: Decision,
    /// Where the module belongs.
    pub namespace: Namespace,
    /// From one of the caller's names to the subject of the deciding rule, by `g` rows; empty without a rule.
    pub path: Vec<Arc<str>>,
    /// The rows that speak of the caller and the module, in file order.
    pub considered: Vec<Considered>,
}

/// A row that might have had a say.
#[derive(Debug, Clone)]
pub struct Considered {
    /// The row.
    pub rule: Arc<Rule>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It decided.
    Decides,
    /// It applies, and another one decided.
    Applies,
    /// It applies, and is recorded only.
    Warns,
    /// It speaks of another action.
    OtherAction,
    /// It speaks of other versions, or of some where none is named.
    OtherVersions,
    /// Its last day is over.
    Ended(Date),
    /// It allows another spelling of the module.
    OtherCase,
}

impl Policy {
    /// Explains the decision about a request made with a token of that scope.
    pub fn explain(&self, request: &Request<'_>, scope: Option<&str>) -> Explanation {
        let Ruling { decision, namespace, withheld, .. } = self.ruling_on(request, scope);
        let considered = self.considered(request, namespace.is_private(), &decision);
        let subject = decision.rule.as_ref().and_then(|rule| rule.subject());
        Explanation {
            verdict: if withheld { "withheld" } else { decision.effect.as_str() },
            path: subject.map(|subject| self.role_path(request.identities, subject)).unwrap_or_default(),
            decision,
            namespace,
            considered,
        }
    }

    fn considered(&self, request: &Request<'_>, private: bool, decision: &Decision) -> Vec<Considered> {
        let mine = |access: &Access| {
            let mut names = request.identities.iter().filter(|name| !super::subject::is_role(name));
            names.any(|name| self.roles.holds(name, &access.subject))
        };
        let rows = self.rules().iter().filter_map(|rule| Some((rule, rule.access()?)));
        rows.filter(|(_, access)| speaks_of(access, request, private) && mine(access))
            .map(|(rule, access)| Considered { rule: Arc::clone(rule), fate: fate(rule, access, request, decision) })
            .collect()
    }

    /// The shortest way from one of the names to `subject`.
    fn role_path(&self, names: &[&str], subject: &str) -> Vec<Arc<str>> {
        let mut from: HashMap<&str, Option<&str>> = names.iter().map(|name| (*name, None)).collect();
        let mut queue: VecDeque<&str> = names.iter().copied().collect();
        while let Some(name) = queue.pop_front() {
            if name == subject {
                break;
            }
            for grant in self.grants.iter().filter(|grant| &*grant.member == name) {
                if !from.contains_key(&*grant.role) {
                    from.insert(&grant.role, Some(name));
                    queue.push_back(&grant.role);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = from.contains_key(subject).then_some(subject);
        while let Some(name) = at {
            path.insert(0, name.into());
            at = from.get(name).copied().flatten();
        }
        path
    }
}

fn speaks_of(access: &Access, request: &Request<'_>, private: bool) -> bool {
    match &access.modules {
        Modules::All => true,
        Modules::Public => !private,
        Modules::Private => private,
        Modules::Glob(glob) => glob.matches_ignoring_case(request.module.as_str()),
    }
}

fn fate(rule: &Arc<Rule>, access: &Access, request: &Request<'_>, decision: &Decision) -> Fate {
    if decision.rule.as_ref().is_some_and(|deciding| Arc::ptr_eq(deciding, rule)) {
        return Fate::Decides;
    }
    if access.action.is_some_and(|action| action != request.action) {
        return Fate::OtherAction;
    }
    if let Some(until) = access.until.filter(|until| *until < request.day) {
        return Fate::Ended(until);
    }
    if !access.versions.contains(request.version) {
        return Fate::OtherVersions;
    }
    match (&access.modules, access.effect) {
        (_, RowEffect::Warn) => Fate::Warns,
        (Modules::Glob(glob), RowEffect::Allow) if !glob.matches(request.module.as_str()) => Fate::OtherCase,
        _ => Fate::Applies,
    }
}

impl Fate {
    /// In words, to stand behind the row.
    pub fn describe(self) -> String {
        match self {
            Self::Decides => "decides".into(),
            Self::Applies => "applies, too".into(),
            Self::Warns => "is recorded only".into(),
            Self::OtherAction => "speaks of another action".into(),
            Self::OtherVersions => "speaks of other versions".into(),
            Self::Ended(day) => format!("ended on {day}"),
            Self::OtherCase => "allows another spelling (letter case counts in an allow)".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        module::{ModulePath, Version},
        policy::{Action, SHIPPED_MODEL, Source},
    };

    const ROWS: &str = "\
p, role:reader, public, *, read, allow, -, id=read
p, role:reader, public, *, write, allow, -, id=write
p, authenticated, github.com/A, *, read, allow, -, id=case
p, authenticated, github.com/a, v2.0.0, read, deny, -, id=versions
p, authenticated, github.com/a, *, read, deny, 2026-01-01, id=ended
p, authenticated, github.com/a, *, read, warn, -, id=warn
p, user:token/bob, github.com/a, *, read, deny, -, id=bob
p, authenticated, github.com/b, *, read, deny, -, id=other
p, user:token/alice, *, *, read, allow, -, id=alice
g, group:corp/dev, role:lead
g, role:lead, role:reader
";

    #[test]
    fn tells_the_way_to_the_rule_and_the_fate_of_the_others() {
        let policy = Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![Source::new("p", ROWS)]).expect("a policy");
        let module = ModulePath::parse("github.com/a/x").expect("a path");
        let version = Version::parse("v1.0.0").expect("a version");
        let request = Request {
            identities: &["user:token/alice", "group:corp/dev", "authenticated"],
            module: &module,
            version: Some(&version),
            action: Action::Read,
            day: "2026-11-22".parse().expect("a date"),
        };
        let told = policy.explain(&request, None);
        assert_eq!((told.verdict, told.decision.warnings.len()), ("allow", 1));
        let path: Vec<&str> = told.path.iter().map(|name| &**name).collect();
        assert_eq!(path, ["group:corp/dev", "role:lead", "role:reader"]);
        let fates: Vec<_> = told.considered.iter().map(|row| (row.rule.id().expect("an id"), row.fate)).collect();
        let end = "2026-01-01".parse().expect("a date");
        assert_eq!(
            fates,
            [
                ("read", Fate::Decides),
                ("write", Fate::OtherAction),
                ("case", Fate::OtherCase),
                ("versions", Fate::OtherVersions),
                ("ended", Fate::Ended(end)),
                ("warn", Fate::Warns),
                ("alice", Fate::Applies),
            ]
        );
        assert_eq!(policy.explain(&request, Some("write")).verdict, "deny");
        assert!(policy.explain(&request, Some("nonsense")).decision.outside_scope);
    }
}
