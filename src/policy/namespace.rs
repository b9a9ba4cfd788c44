//! Which paths are private (`p2` rows).
//!
//! *Private* is every path that falls under a `private` pattern, letter case ignored. *Withheld* is every path with
//! fewer elements that matches a private pattern's leading elements: the `go` command probes `github.com/corp` and
//! `github.com` when it looks for `github.com/corp/pay`, and those names must not leave the house either. A `public` row
//! lifts the withholding from the paths that it names, with exactly as many elements; it takes nothing out of a private
//! pattern. All else is *public*, siblings included.
//!
//! INVARIANT: private has no exceptions. A row that would look like one is an error or does nothing, never a hole.
use super::{
    fault::{Fault, PolicyError},
    rule::{NamespaceKind, Rule},
    trie::{PathKey, PathTrie, fold, is_glob},
};
use crate::module::Glob;
use std::{collections::HashMap, sync::Arc};

/// Where a module path belongs.
#[derive(Debug, Clone)]
pub enum Namespace {
    /// Outside: may be asked of public sources.
    Public,
    /// Inside, by this row.
    Private(Arc<Rule>),
    /// The parent of what this row makes private: answered here, asked of nobody.
    Withheld(Arc<Rule>),
}

/// All `p2` rows.
#[derive(Debug)]
pub(super) struct Namespaces {
    claims: PathTrie<Claim>,
    lifted: PathTrie<bool>,
    rules: Vec<Arc<Rule>>,
}

#[derive(Debug, Default)]
struct Claim {
    /// The first private row that ends here.
    own: Option<Arc<Rule>>,
    /// The first private row that goes on from here.
    below: Option<Arc<Rule>>,
}

impl Namespaces {
    /// Arranges the `p2` rows among `rules` and says what is wrong with them taken together.
    pub(super) fn build(rules: &[Arc<Rule>]) -> (Self, Vec<PolicyError>) {
        let mut namespaces = Self {
            claims: PathTrie::new(true),
            lifted: PathTrie::new(false),
            rules: rules.iter().filter(|rule| rule.namespace_line().is_some()).map(Arc::clone).collect(),
        };
        for rule in &namespaces.rules {
            let Some(line) = rule.namespace_line() else {
                continue;
            };
            match line.kind {
                NamespaceKind::Private => namespaces.claims.insert(&line.glob, |claim, last| claim.add(rule, last)),
                NamespaceKind::Public => namespaces.lifted.insert(&line.glob, |lifted, last| *lifted |= last),
            }
        }
        let mut errors = namespaces.contradictions();
        errors.extend(namespaces.unbounded());
        (namespaces, errors)
    }

    /// Where the path belongs.
    pub(super) fn find(&self, path: &PathKey<'_>) -> Namespace {
        let mut own: Option<&Arc<Rule>> = None;
        let mut below: Option<&Arc<Rule>> = None;
        self.claims.walk(path, |claim, at_end| {
            own = earliest(own, claim.own.as_ref());
            if at_end {
                below = earliest(below, claim.below.as_ref());
            }
        });
        match (own, below) {
            (Some(rule), _) => Namespace::Private(Arc::clone(rule)),
            (None, Some(rule)) if !self.is_lifted(path) => Namespace::Withheld(Arc::clone(rule)),
            _ => Namespace::Public,
        }
    }

    /// The private or public patterns with their rows, in file order.
    pub(super) fn patterns(&self, kind: NamespaceKind) -> impl Iterator<Item = (&Arc<Rule>, &Glob)> {
        self.rules.iter().filter_map(move |rule| {
            let line = rule.namespace_line().filter(|line| line.kind == kind)?;
            Some((rule, &line.glob))
        })
    }

    fn is_lifted(&self, path: &PathKey<'_>) -> bool {
        let mut lifted = false;
        self.lifted.walk(path, |named, at_end| lifted |= *named && at_end);
        lifted
    }

    /// The same pattern, private and public.
    fn contradictions(&self) -> Vec<PolicyError> {
        let mut seen: HashMap<String, &Arc<Rule>> = HashMap::new();
        let mut errors = Vec::new();
        for rule in &self.rules {
            let Some(line) = rule.namespace_line() else {
                continue;
            };
            let first = *seen.entry(fold(line.glob.as_str()).into_owned()).or_insert(rule);
            if first.namespace_line().is_some_and(|other| other.kind != line.kind) {
                let fault = Fault::new(format!("`{}` is both private and public", line.glob.as_str()));
                let fault = fault.hint(format!("the other row is {first}: remove one"));
                errors.push(fault.at(&rule.place.file, rule.place.line));
            }
        }
        errors
    }

    /// Private patterns that would withhold no end of public paths: `github.com/*/secret` all of `github.com/*`.
    fn unbounded(&self) -> Vec<PolicyError> {
        let mut errors = Vec::new();
        for (rule, glob) in self.patterns(NamespaceKind::Private) {
            let open: Vec<String> =
                glob_parents(glob).into_iter().filter(|parent| !self.covers_parent(parent)).collect();
            if let Some(first) = open.first() {
                let fault = Fault::new(format!("`{}` would withhold every path `{first}`", glob.as_str()));
                let rows: Vec<String> = open.iter().map(|parent| format!("`p2, {parent}, public, -`")).collect();
                let fault = fault.hint(format!("name the parents that are public: {}", rows.join(" and ")));
                errors.push(fault.at(&rule.place.file, rule.place.line));
            }
        }
        errors
    }

    fn covers_parent(&self, parent: &str) -> bool {
        self.patterns(NamespaceKind::Public).any(|(_, public)| {
            let same_length = public.elements().count() == parent.split('/').count();
            same_length && public.elements().zip(parent.split('/')).all(|(own, other)| own == "*" || own == other)
        })
    }
}

impl Claim {
    fn add(&mut self, rule: &Arc<Rule>, last: bool) {
        let seat = if last { &mut self.own } else { &mut self.below };
        if seat.is_none() {
            *seat = Some(Arc::clone(rule));
        }
    }
}

impl Namespace {
    /// Whether it is [`Namespace::Private`].
    pub fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }

    /// `public`, `private` or `withheld`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private(_) => "private",
            Self::Withheld(_) => "withheld",
        }
    }
}

fn earliest<'p>(known: Option<&'p Arc<Rule>>, found: Option<&'p Arc<Rule>>) -> Option<&'p Arc<Rule>> {
    match found {
        Some(rule) => super::decision::earlier(known, rule),
        None => known,
    }
}

/// The leading elements of a pattern, in every length below its own, that hold a glob character.
fn glob_parents(glob: &Glob) -> Vec<String> {
    let elements: Vec<&str> = glob.elements().collect();
    (1..elements.len())
        .filter_map(|length| elements.get(..length))
        .filter(|parent| parent.iter().any(|element| is_glob(element)))
        .map(|parent| parent.join("/"))
        .collect()
}
