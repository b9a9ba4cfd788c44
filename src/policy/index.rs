//! The rules, arranged so that a request meets only those that speak of it.
//!
//! Rules are found by module first (a tree over path elements, and one seat each for `*`, `public` and `private`), then
//! by subject. A request costs a walk down its own path and one look-up for each name that the caller stands for,
//! whatever the number of rules; `docs/adr/0003-policy-index.md` has the figures.
//!
//! INVARIANT: the answers are those of `policies/model.conf`, which the casbin crate is asked in the tests. Denies (and
//! warns) also match when letter case is ignored, allows only as written.
use super::{
    decision::{Grounds, earlier},
    roles::{Roles, Standing, SubjectId},
    rule::{Access, Action, Modules, RowEffect, Rule},
    trie::{PathKey, PathTrie},
};
use jiff::civil::Date;
use std::{collections::HashMap, sync::Arc};

/// All `p` rows.
#[derive(Debug)]
pub(super) struct Index {
    allows: Side,
    /// Denies and warns.
    denies: Side,
    /// The patterns of rows that speak of some versions; case ignored, which can only find too many.
    ranged: PathTrie<bool>,
    ranged_seats: Vec<Modules>,
    /// Allows of each subject, in file order.
    grants: HashMap<SubjectId, Vec<Arc<Rule>>, foldhash::fast::RandomState>,
}

/// The rows of one effect.
#[derive(Debug)]
struct Side {
    all: Bucket,
    public: Bucket,
    private: Bucket,
    paths: PathTrie<Bucket>,
}

/// The rows of one module column, by subject, in file order.
#[derive(Debug, Default)]
struct Bucket(HashMap<SubjectId, Vec<Arc<Rule>>, foldhash::fast::RandomState>);

/// Who does what when: all of a request but the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) standing: &'a Standing,
    pub(super) action: Action,
    pub(super) day: Date,
}

/// The grounds while they are gathered: nothing is counted up or copied before it is known to matter.
#[derive(Debug, Default)]
struct Gathering<'p> {
    deny: Option<&'p Arc<Rule>>,
    allow: Option<&'p Arc<Rule>>,
    warnings: Vec<&'p Arc<Rule>>,
    ranged: Vec<&'p Arc<Rule>>,
}

impl Index {
    /// Arranges the rules, which are in file order; `roles` knows all their subjects.
    pub(super) fn build(rules: &[Arc<Rule>], roles: &Roles) -> Self {
        let mut index = Self {
            allows: Side::new(false),
            denies: Side::new(true),
            ranged: PathTrie::new(true),
            ranged_seats: Vec::new(),
            grants: HashMap::default(),
        };
        for rule in rules {
            if let Some(access) = rule.access()
                && let Some(subject) = roles.id(&access.subject)
            {
                index.insert(rule, access, subject);
            }
        }
        index
    }

    fn insert(&mut self, rule: &Arc<Rule>, access: &Access, subject: SubjectId) {
        match access.effect {
            RowEffect::Allow => {
                self.allows.insert(rule, access, subject);
                self.grants.entry(subject).or_default().push(Arc::clone(rule));
            }
            RowEffect::Deny | RowEffect::Warn => self.denies.insert(rule, access, subject),
        }
        if access.versions.is_any() || access.effect == RowEffect::Warn {
            return;
        }
        match &access.modules {
            Modules::Glob(glob) => self.ranged.insert(glob, |marked, last| *marked |= last),
            seat => self.ranged_seats.push(seat.clone()),
        }
    }

    /// The rules that apply to `asking` about the module.
    pub(super) fn gather(&self, asking: Asking<'_>, path: &PathKey<'_>, private: bool) -> Grounds {
        let mut gathering = Gathering::default();
        for side in [&self.allows, &self.denies] {
            side.gather(asking, path, private, &mut gathering);
        }
        gathering.finish()
    }

    /// The decision where no module is named, by [`Grounds`] that hold for no version: the first row that allows
    /// anything at all, unless everything is denied.
    pub(super) fn gather_anywhere(&self, asking: Asking<'_>) -> Grounds {
        let mut gathering = Gathering::default();
        self.denies.all.gather(asking, &mut gathering);
        for rule in asking.standing.iter().filter_map(|id| self.first_grant(*id, asking)) {
            gathering.allow = earlier(gathering.allow, rule);
        }
        gathering.warnings.clear();
        gathering.ranged.clear();
        gathering.finish()
    }

    fn first_grant(&self, subject: SubjectId, asking: Asking<'_>) -> Option<&Arc<Rule>> {
        let rules = self.grants.get(&subject)?;
        rules.iter().find(|rule| rule.access().is_some_and(|access| access.holds(asking.action, asking.day)))
    }

    /// Whether some row speaks of some versions of the module only.
    pub(super) fn restricts_versions(&self, path: &PathKey<'_>, private: bool) -> bool {
        let mut found = self.ranged_seats.iter().any(|seat| match seat {
            Modules::Public => !private,
            Modules::Private => private,
            Modules::All | Modules::Glob(_) => true,
        });
        self.ranged.walk(path, |marked, _| found |= *marked);
        found
    }
}

impl Side {
    fn new(folding: bool) -> Self {
        Self {
            all: Bucket::default(),
            public: Bucket::default(),
            private: Bucket::default(),
            paths: PathTrie::new(folding),
        }
    }

    fn insert(&mut self, rule: &Arc<Rule>, access: &Access, subject: SubjectId) {
        match &access.modules {
            Modules::All => self.all.insert(rule, subject),
            Modules::Public => self.public.insert(rule, subject),
            Modules::Private => self.private.insert(rule, subject),
            Modules::Glob(glob) => self.paths.insert(glob, |bucket, last| {
                if last {
                    bucket.insert(rule, subject);
                }
            }),
        }
    }

    fn gather<'p>(&'p self, asking: Asking<'_>, path: &PathKey<'_>, private: bool, into: &mut Gathering<'p>) {
        self.all.gather(asking, into);
        let namespace = if private { &self.private } else { &self.public };
        namespace.gather(asking, into);
        self.paths.walk(path, |bucket, _| bucket.gather(asking, into));
    }
}

impl Bucket {
    fn insert(&mut self, rule: &Arc<Rule>, subject: SubjectId) {
        self.0.entry(subject).or_default().push(Arc::clone(rule));
    }

    fn gather<'p>(&'p self, asking: Asking<'_>, into: &mut Gathering<'p>) {
        if self.0.is_empty() {
            return;
        }
        for rules in asking.standing.iter().filter_map(|id| self.0.get(id)) {
            for rule in rules {
                into.consider(rule, asking);
            }
        }
    }
}

impl<'p> Gathering<'p> {
    fn consider(&mut self, rule: &'p Arc<Rule>, asking: Asking<'_>) {
        let Some(access) = rule.access().filter(|access| access.holds(asking.action, asking.day)) else {
            return;
        };
        match access.effect {
            _ if !access.versions.is_any() => self.ranged.push(rule),
            RowEffect::Allow => self.allow = earlier(self.allow, rule),
            RowEffect::Deny => self.deny = earlier(self.deny, rule),
            RowEffect::Warn => self.warnings.push(rule),
        }
    }

    fn finish(self) -> Grounds {
        Grounds {
            deny: self.deny.map(Arc::clone),
            allow: self.allow.map(Arc::clone),
            warnings: in_file_order(self.warnings),
            ranged: in_file_order(self.ranged),
        }
    }
}

fn in_file_order(mut rules: Vec<&Arc<Rule>>) -> Vec<Arc<Rule>> {
    rules.sort_unstable_by_key(|rule| rule.order);
    rules.into_iter().map(Arc::clone).collect()
}
