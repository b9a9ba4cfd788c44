//! What is allowed in a policy and probably not meant.
//!
//! A lint never refuses a policy. It looks at the rows alone, so it may miss a mistake, and each kind is written to stay
//! silent on policies that are in order, the shipped one first of all.
use super::{
    compiled::Policy,
    fault::{Fault, PolicyError},
    rule::{Access, Action, Modules, NamespaceKind, RowEffect, Rule},
    trie::is_glob,
    widening::covers,
};
use crate::module::Glob;
use jiff::civil::Date;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Roles that may be spoken of before anybody holds them: those of the shipped policy.
const SHIPPED_ROLES: [&str; 4] = ["role:admin", "role:developer", "role:auditor", "role:guest"];

type Row<'p> = (&'p Arc<Rule>, &'p Access);

impl Policy {
    /// The warnings about this policy on that day, by file and line.
    pub fn lint(&self, today: Date) -> Vec<PolicyError> {
        let rows: Vec<Row<'_>> = self.rules().iter().filter_map(|rule| Some((rule, rule.access()?))).collect();
        let mut found: Vec<(u32, PolicyError)> = Vec::new();
        let mut warn =
            |rule: &Rule, fault: Fault| found.push((rule.order, fault.at(&rule.place.file, rule.place.line)));
        for (rule, access) in &rows {
            let of_row = [
                expired(access, today),
                unreachable_host(access),
                unlisted(&rows, self, access),
                unheld_role(self, access),
            ];
            of_row.into_iter().flatten().for_each(|fault| warn(rule, fault));
        }
        for (rule, fault) in shadowed(self, &rows) {
            warn(rule, fault);
        }
        for (rule, fault) in self.namespace_faults(&rows) {
            warn(rule, fault);
        }
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, warning)| warning).chain(self.empty_roles(&rows)).collect()
    }

    fn namespace_faults(&self, rows: &[Row<'_>]) -> Vec<(&Arc<Rule>, Fault)> {
        let mut faults = Vec::new();
        for (rule, private) in self.namespaces.patterns(NamespaceKind::Private) {
            let allowed = rows.iter().any(|(_, access)| match &access.modules {
                _ if access.effect != RowEffect::Allow => false,
                Modules::All | Modules::Private => true,
                Modules::Public => false,
                Modules::Glob(glob) => may_meet(glob, private),
            });
            if !allowed {
                let fault =
                    Fault::new(format!("no row allows anything in the private namespace `{}`", private.as_str()));
                faults.push((rule, fault.hint("`p, role:developer, private, *, read, allow, -, -` and a `g` row")));
            }
        }
        for (rule, public) in self.namespaces.patterns(NamespaceKind::Public) {
            let mut private = self.namespaces.patterns(NamespaceKind::Private);
            if let Some((other, _)) = private.find(|(_, private)| covers(private, public)) {
                let fault = Fault::new(format!("does nothing: it lies inside a private namespace ({other})"));
                faults.push((rule, fault.hint("private has no exceptions: write the private pattern narrower")));
            } else if !self
                .namespaces
                .patterns(NamespaceKind::Private)
                .any(|(_, private)| may_be_parent(public, private))
            {
                faults.push((rule, Fault::new("does nothing: it names no parent of a private pattern")));
            }
        }
        faults
    }

    /// `g` rows that give a role of which no row speaks, at the first of them.
    fn empty_roles(&self, rows: &[Row<'_>]) -> Vec<PolicyError> {
        let spoken_of: HashSet<&str> = rows.iter().map(|(_, access)| &*access.subject).collect();
        let leads_on: HashSet<&str> = self.grants.iter().map(|grant| &*grant.member).collect();
        let mut seen = HashSet::new();
        let mut faults = Vec::new();
        for grant in &self.grants {
            let known = spoken_of.contains(&*grant.role) || leads_on.contains(&*grant.role);
            if !known && seen.insert(&*grant.role) {
                let fault = Fault::new(format!("no row speaks of `{}`", grant.role)).hint("is the role spelled right?");
                faults.push(fault.at(&grant.place.file, grant.place.line));
            }
        }
        faults
    }
}

fn expired(access: &Access, today: Date) -> Option<Fault> {
    let until = access.until.filter(|until| *until < today)?;
    let what = if access.effect == RowEffect::Deny { "the ban ended" } else { "ended" };
    Some(Fault::new(format!("{what} on {until}")).hint("remove the row, or set a later day"))
}

/// An allow holds as written, and no module path has a capital letter in its first element.
fn unreachable_host(access: &Access) -> Option<Fault> {
    let Modules::Glob(glob) = &access.modules else {
        return None;
    };
    let host = glob.elements().next().filter(|host| !is_glob(host))?;
    let capital = host.bytes().any(|byte| byte.is_ascii_uppercase());
    (capital && access.effect == RowEffect::Allow).then(|| {
        Fault::new(format!("`{host}` matches no module path"))
            .hint(format!("in lower case: `{}`", host.to_ascii_lowercase()))
    })
}

/// An allow of some versions does not allow the list, so `go get m@latest` fails.
fn unlisted(rows: &[Row<'_>], policy: &Policy, access: &Access) -> Option<Fault> {
    let reads = |access: &Access| access.action.is_none_or(|action| action == Action::Read);
    if access.versions.is_any() || access.effect != RowEffect::Allow || !reads(access) {
        return None;
    }
    let listed = rows.iter().any(|(_, other)| {
        other.effect == RowEffect::Allow
            && other.versions.is_any()
            && reads(other)
            && (covers_subject(policy, other, access) || &*other.subject == "authenticated")
            && covers_modules(policy, other, access)
    });
    (!listed).then(|| {
        Fault::new(format!("the list of versions is not allowed: `go get {}@latest` fails", access.modules.as_str()))
            .hint("allow `*`, and deny the other versions in a row of their own")
    })
}

fn unheld_role(policy: &Policy, access: &Access) -> Option<Fault> {
    let role = &*access.subject;
    let unheld = super::subject::is_role(role)
        && !SHIPPED_ROLES.contains(&role)
        && !policy.grants.iter().any(|grant| &*grant.role == role);
    unheld.then(|| Fault::new(format!("nobody holds `{role}`")).hint("is the role spelled right? a `g` row gives it"))
}

/// Rows that another row leaves nothing to decide.
fn shadowed<'p>(policy: &Policy, rows: &[Row<'p>]) -> Vec<(&'p Arc<Rule>, Fault)> {
    let mut by_first: HashMap<String, Vec<Row<'p>>> = HashMap::new();
    for row in rows {
        by_first.entry(first_element(row.1)).or_default().push(*row);
    }
    let mut faults = Vec::new();
    for (rule, access) in rows {
        let first = first_element(access);
        let anywhere = by_first.get("").into_iter().filter(|_| !first.is_empty());
        let mut others = by_first.get(&first).into_iter().chain(anywhere).flatten();
        let shadow = others.find(|(other, by)| {
            let same = by.effect == access.effect && by.effect != RowEffect::Warn && other.order < rule.order;
            let denied = by.effect == RowEffect::Deny && access.effect == RowEffect::Allow;
            (same || denied) && leaves_nothing(policy, by, access)
        });
        if let Some((other, by)) = shadow {
            let what = if by.effect == access.effect { "says the same or more" } else { "denies all of it" };
            faults.push((*rule, Fault::new(format!("never decides: {other} {what}")).hint("remove the row")));
        }
    }
    faults
}

/// The first element of a pattern that has a fixed one; empty for all others.
fn first_element(access: &Access) -> String {
    match &access.modules {
        Modules::Glob(glob) => {
            glob.elements().next().filter(|first| !is_glob(first)).unwrap_or_default().to_ascii_lowercase()
        }
        Modules::All | Modules::Public | Modules::Private => String::new(),
    }
}

fn leaves_nothing(policy: &Policy, by: &Access, access: &Access) -> bool {
    let lasts = by.until.is_none_or(|until| access.until.is_some_and(|other| other <= until));
    lasts
        && (by.versions.is_any() || by.versions.as_str() == access.versions.as_str())
        && (by.action.is_none() || by.action == access.action)
        && covers_subject(policy, by, access)
        && covers_modules(policy, by, access)
}

fn covers_subject(policy: &Policy, by: &Access, access: &Access) -> bool {
    policy.roles.holds(&access.subject, &by.subject)
}

fn covers_modules(policy: &Policy, by: &Access, access: &Access) -> bool {
    match (&by.modules, &access.modules) {
        (Modules::All, _) | (Modules::Public, Modules::Public) | (Modules::Private, Modules::Private) => true,
        (Modules::Private, Modules::Glob(inner)) => {
            policy.namespaces.patterns(NamespaceKind::Private).any(|(_, private)| covers(private, inner))
        }
        (Modules::Glob(outer), Modules::Glob(inner)) if by.effect == RowEffect::Allow => {
            outer.elements().count() <= inner.elements().count()
                && outer.elements().zip(inner.elements()).all(|(outer, inner)| outer == "*" || outer == inner)
        }
        (Modules::Glob(outer), Modules::Glob(inner)) => covers(outer, inner),
        _ => false,
    }
}

/// Whether some path may be under both.
fn may_meet(one: &Glob, other: &Glob) -> bool {
    one.elements()
        .zip(other.elements())
        .all(|(one, other)| is_glob(one) || is_glob(other) || one.eq_ignore_ascii_case(other))
}

fn may_be_parent(public: &Glob, private: &Glob) -> bool {
    public.elements().count() < private.elements().count() && may_meet(public, private)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{SHIPPED_MODEL, Source};

    fn lints(rows: &str) -> Vec<String> {
        let policy = Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![Source::new("p", rows)]).expect(rows);
        policy.lint("2026-11-22".parse().expect("a date")).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_shipped_policy_is_silent() {
        assert_eq!(lints(crate::policy::SHIPPED_POLICY), Vec::<String>::new());
    }

    #[test]
    fn each_kind_is_found_where_it_is() {
        let allow = "p, authenticated, public, *, read, allow, -, -\n";
        let cases = [
            ("p, authenticated, github.com/a, *, read, deny, 2026-11-21, -", "the ban ended on 2026-11-21"),
            ("p, user:t/a, *, *, read, allow, 2026-11-21, -", "ended on 2026-11-21"),
            ("p, user:t/a, GitHub.com/a, *, read, allow, -, -", "in lower case: `github.com`"),
            ("p, user:t/a, corp.example/a, >=v1.0.0, read, allow, -, -", "go get corp.example/a@latest` fails"),
            ("p, role:develper, private, *, read, allow, -, -", "nobody holds `role:develper`"),
            ("g, user:t/a, role:develper", "no row speaks of `role:develper`"),
            ("p, authenticated, public, *, read, allow, 2027-01-01, -", "never decides: p:1 says the same or more"),
            ("p, authenticated, public, v1.0.0, read, allow, -, -", "never decides: p:1"),
            ("p2, corp.example/*, private, -", "no row allows anything in the private namespace `corp.example/*`"),
            ("p2, corp.example, public, -", "names no parent"),
        ];
        for (row, expected) in cases {
            let found = lints(&format!("{allow}{row}\n"));
            assert!(
                found.iter().any(|warning| warning.starts_with("p:2: ") && warning.contains(expected)),
                "{row}: {found:?}"
            );
        }
        assert!(
            lints(&format!("{allow}p, authenticated, *, *, *, deny, -, -\n"))[0]
                .starts_with("p:1: never decides: p:2 denies all")
        );
        let inside =
            "p, role:admin, *, *, *, allow, -, -\np2, corp.example, private, -\np2, corp.example/oss, public, -\n";
        assert!(lints(inside)[0].contains("inside a private namespace"));
    }

    #[test]
    fn what_differs_in_anything_is_not_shadowed() {
        let first = "p, authenticated, github.com/a, >=v1.0.0, read, deny, 2027-01-01, -\np, authenticated, *, *, read, allow, -, -\n";
        for row in [
            "p, authenticated, github.com/a, >=v2.0.0, read, deny, 2027-01-01, -",
            "p, authenticated, github.com/a, >=v1.0.0, write, deny, 2027-01-01, -",
            "p, authenticated, github.com/a, >=v1.0.0, read, deny, -, -",
            "p, authenticated, github.com/b, >=v1.0.0, read, deny, 2027-01-01, -",
            "p, anonymous, github.com/a, >=v1.0.0, read, deny, 2027-01-01, -",
            "p, anonymous, *, *, read, allow, -, -",
        ] {
            assert_eq!(lints(&format!("{first}{row}\n")), Vec::<String>::new(), "{row}");
        }
    }
}
