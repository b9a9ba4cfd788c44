//! What a new policy would make public that was private.
//!
//! The test is one of patterns, not of paths, and errs on the side of alarm: a private pattern counts as still covered
//! only if one pattern of the new policy plainly holds everything it held.
use super::{
    compiled::Policy,
    rule::{NamespaceKind, Rule},
    trie::{fold, is_glob},
};
use crate::module::Glob;
use std::{fmt, sync::Arc};

/// Something private that would be public.
#[derive(Debug, Clone)]
pub enum Widening {
    /// This private pattern of the old policy is not covered by the new one.
    Uncovered(Arc<Rule>),
    /// This public row of the new policy names the parent of what the old one keeps private, by the second row.
    Lifted {
        /// The new row.
        by: Arc<Rule>,
        /// The old private row.
        from: Arc<Rule>,
    },
}

impl Policy {
    /// The private patterns that `next` no longer covers, and the withheld parents that it makes public; empty if
    /// nothing leaves the house that did not leave it before.
    pub fn widening(&self, next: &Self) -> Vec<Widening> {
        let mut found: Vec<Widening> = self
            .namespaces
            .patterns(NamespaceKind::Private)
            .filter(|(_, old)| !next.namespaces.patterns(NamespaceKind::Private).any(|(_, new)| covers(new, old)))
            .map(|(rule, _)| Widening::Uncovered(Arc::clone(rule)))
            .collect();
        for (by, public) in next.namespaces.patterns(NamespaceKind::Public) {
            let known = self.namespaces.patterns(NamespaceKind::Public).any(|(_, old)| covers_same_length(old, public));
            let withheld = self.namespaces.patterns(NamespaceKind::Private).find(|(_, old)| is_parent(public, old));
            if let (false, Some((from, _))) = (known, withheld) {
                found.push(Widening::Lifted { by: Arc::clone(by), from: Arc::clone(from) });
            }
        }
        found
    }

    /// Whether one `private` row plainly holds every path under `pattern`.
    pub fn is_private_pattern(&self, pattern: &Glob) -> bool {
        self.namespaces.patterns(NamespaceKind::Private).any(|(_, private)| covers(private, pattern))
    }
}

impl Widening {
    /// The row to point at.
    pub fn rule(&self) -> &Arc<Rule> {
        match self {
            Self::Uncovered(rule) | Self::Lifted { by: rule, .. } => rule,
        }
    }
}

impl fmt::Display for Widening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncovered(rule) => write!(f, "no longer private: `{}` ({rule})", rule.text()),
            Self::Lifted { by, from } => {
                write!(f, "no longer withheld: `{}` ({by}), a parent of `{}`", by.text(), from.text())
            }
        }
    }
}

/// Whether every path under `inner` is plainly under `outer`, letter case ignored.
pub(super) fn covers(outer: &Glob, inner: &Glob) -> bool {
    outer.elements().count() <= inner.elements().count() && elements_cover(outer, inner)
}

fn covers_same_length(outer: &Glob, inner: &Glob) -> bool {
    outer.elements().count() == inner.elements().count() && elements_cover(outer, inner)
}

fn elements_cover(outer: &Glob, inner: &Glob) -> bool {
    outer.elements().zip(inner.elements()).all(|(outer, inner)| element_covers(outer, inner))
}

fn element_covers(outer: &str, inner: &str) -> bool {
    let same = fold(outer) == fold(inner);
    let matched = || !is_glob(inner) && Glob::parse(outer).is_ok_and(|glob| glob.matches_ignoring_case(inner));
    outer == "*" || same || matched()
}

/// Whether a path may have the form of `public` and be withheld for the sake of `private`.
fn is_parent(public: &Glob, private: &Glob) -> bool {
    public.elements().count() < private.elements().count()
        && public
            .elements()
            .zip(private.elements())
            .all(|(own, other)| is_glob(own) || is_glob(other) || fold(own) == fold(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{SHIPPED_MODEL, Source};

    fn policy(rows: &str) -> Policy {
        let text = format!("p, authenticated, *, *, read, allow, -, -\n{rows}");
        Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![Source::new("p", &text)]).expect("a policy")
    }

    fn widening(old: &[&str], new: &[&str]) -> Vec<String> {
        let rows = |lines: &[&str]| lines.iter().map(|line| format!("p2, {line}, -\n")).collect::<String>();
        let found = policy(&rows(old)).widening(&policy(&rows(new)));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_stays_covered_is_no_widening() {
        let old = ["corp.example/*, private", "GitHub.com/Corp, private"];
        assert!(widening(&old, &["github.com/corp, private", "corp.example, private"]).is_empty());
        assert!(widening(&old, &["*, private"]).is_empty());
        assert!(widening(&["*.corp.example, private"], &["*.corp.example, private", "x.y, private"]).is_empty());
        assert!(widening(&["git.corp.example, private"], &["*.corp.example, private"]).is_empty());
    }

    #[test]
    fn what_is_dropped_or_narrowed_is() {
        let old = ["corp.example/*, private"];
        assert_eq!(widening(&old, &[]), ["no longer private: `p2, corp.example/*, private, -` (p:2)"]);
        assert_eq!(widening(&old, &["corp.example/a, private", "corp.example/b, private"]).len(), 1);
        assert_eq!(widening(&["*.corp.example, private"], &["git.corp.example, private"]).len(), 1);
        assert_eq!(widening(&["corp.example/*, private"], &["corp.example/[a-z]*, private"]).len(), 1);
    }

    #[test]
    fn a_parent_made_public_is() {
        let old = ["corp.example/*, private"];
        let new = ["corp.example/*, private", "corp.example, public"];
        assert_eq!(
            widening(&old, &new),
            ["no longer withheld: `p2, corp.example, public, -` (p:3), a parent of `p2, corp.example/*, private, -`"]
        );
        assert!(widening(&new, &new).is_empty());
        assert!(widening(&old, &["corp.example/*, private", "x.y, public"]).is_empty());
    }
}
