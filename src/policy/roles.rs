//! Who holds which role: the `g` rows, resolved once.
//!
//! Every name that the policy speaks of gets a small number; for each of them all roles are listed that it holds,
//! directly or through other roles. A request then costs one look-up for each of its identities.
//!
//! INVARIANT: a role comes from a `g` row of the policy and from nothing that a principal says: an identity that looks
//! like a role is passed over.
use super::{
    fault::{Fault, PolicyError},
    rule::Place,
    subject,
};
use smallvec::SmallVec;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// The longest chain of `g` rows from a name to a role. Casbin cuts longer ones off without a word.
pub(super) const LONGEST_CHAIN: usize = 10;

/// A `g` row.
#[derive(Debug, Clone)]
pub(super) struct RoleGrant {
    pub(super) place: Place,
    pub(super) member: Arc<str>,
    pub(super) role: Arc<str>,
}

/// The number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubjectId(u32);

/// Everything that the identities of a request stand for, sorted, each once.
pub(super) type Standing = SmallVec<[SubjectId; 16]>;

/// Names and the roles that they hold.
#[derive(Debug, Default)]
pub(super) struct Roles {
    ids: HashMap<Arc<str>, SubjectId, foldhash::fast::RandomState>,
    names: Vec<Arc<str>>,
    /// By id: the name itself, then its roles, nearest first.
    closures: Vec<Box<[SubjectId]>>,
}

impl Roles {
    /// Resolves the grants; a cycle or a chain that is too long is an error at each row that takes part in it.
    pub(super) fn resolve(grants: &[RoleGrant], subjects: impl Iterator<Item = Arc<str>>) -> (Self, Vec<PolicyError>) {
        let mut roles = Self::default();
        let edges: Vec<(SubjectId, SubjectId)> =
            grants.iter().map(|grant| (roles.intern(&grant.member), roles.intern(&grant.role))).collect();
        for subject in subjects {
            roles.intern(&subject);
        }
        let errors = roles.faults(grants, &edges);
        if errors.is_empty() {
            roles.close(&edges);
        }
        (roles, errors)
    }

    /// The number of a name that the policy speaks of.
    pub(super) fn id(&self, name: &str) -> Option<SubjectId> {
        self.ids.get(name).copied()
    }

    /// What the identities stand for: themselves and all their roles.
    pub(super) fn standing<'a>(&self, identities: impl Iterator<Item = &'a str>) -> Standing {
        let mut standing = Standing::new();
        for identity in identities.filter(|identity| !subject::is_role(identity)) {
            if let Some(closure) = self.id(identity).and_then(|id| self.closures.get(id.index())) {
                standing.extend_from_slice(closure);
            }
        }
        standing.sort_unstable();
        standing.dedup();
        standing
    }

    /// The roles among what somebody stands for.
    pub(super) fn names(&self, standing: &Standing) -> Arc<[Arc<str>]> {
        standing
            .iter()
            .filter_map(|id| self.names.get(id.index()))
            .filter(|name| subject::is_role(name))
            .map(Arc::clone)
            .collect()
    }

    /// Whether `member` is `role` or holds it.
    pub(super) fn holds(&self, member: &str, role: &str) -> bool {
        let (Some(member), Some(role)) = (self.id(member), self.id(role)) else {
            return member == role;
        };
        self.closures.get(member.index()).is_some_and(|closure| closure.contains(&role))
    }

    fn intern(&mut self, name: &Arc<str>) -> SubjectId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = SubjectId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(Arc::clone(name));
        self.ids.insert(Arc::clone(name), id);
        id
    }

    fn close(&mut self, edges: &[(SubjectId, SubjectId)]) {
        let next = self.neighbours(edges);
        self.closures = (0..self.names.len()).map(|start| reachable(start, &next)).collect();
    }

    fn neighbours(&self, edges: &[(SubjectId, SubjectId)]) -> Vec<Vec<usize>> {
        let mut next = vec![Vec::new(); self.names.len()];
        for (member, role) in edges {
            if let Some(list) = next.get_mut(member.index()) {
                list.push(role.index());
            }
        }
        next
    }

    fn faults(&self, grants: &[RoleGrant], edges: &[(SubjectId, SubjectId)]) -> Vec<PolicyError> {
        let next = self.neighbours(edges);
        let heights = heights(&next);
        let height = |id: SubjectId| heights.get(id.index()).copied().unwrap_or_default();
        let mut errors = Vec::new();
        for (grant, (member, role)) in grants.iter().zip(edges) {
            let fault = match (height(*member), height(*role)) {
                (None, None) if reachable(role.index(), &next).contains(member) => {
                    Fault::new(format!("`{}` and `{}` hold each other", grant.member, grant.role))
                        .hint("roles may not form a circle: remove one of its rows")
                }
                (Some(_), Some(LONGEST_CHAIN)) => Fault::new(format!(
                    "a chain of more than {LONGEST_CHAIN} rows begins with `{}` holding `{}`",
                    grant.member, grant.role
                ))
                .hint("give the role directly"),
                _ => continue,
            };
            errors.push(fault.at(&grant.place.file, grant.place.line));
        }
        errors
    }
}

impl SubjectId {
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// `start` and all that it leads to, nearest first.
fn reachable(start: usize, next: &[Vec<usize>]) -> Box<[SubjectId]> {
    let mut found = vec![start];
    let mut seen = std::collections::HashSet::from([start]);
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &role in next.get(at).into_iter().flatten() {
            if seen.insert(role) {
                found.push(role);
                queue.push_back(role);
            }
        }
    }
    found.into_iter().map(|index| SubjectId(u32::try_from(index).unwrap_or(u32::MAX))).collect()
}

/// The longest chain that begins at each name; none where it leads into a circle.
fn heights(next: &[Vec<usize>]) -> Vec<Option<usize>> {
    let mut before = vec![Vec::new(); next.len()];
    let mut open: Vec<usize> = next.iter().map(Vec::len).collect();
    for (member, roles) in next.iter().enumerate() {
        for &role in roles {
            if let Some(list) = before.get_mut(role) {
                list.push(member);
            }
        }
    }
    let mut heights = vec![None; next.len()];
    let mut ready: Vec<(usize, usize)> =
        open.iter().enumerate().filter(|(_, n)| **n == 0).map(|(at, _)| (at, 0)).collect();
    let mut tallest = vec![0; next.len()];
    while let Some((at, height)) = ready.pop() {
        if let Some(seat) = heights.get_mut(at) {
            *seat = Some(height);
        }
        for &member in before.get(at).into_iter().flatten() {
            let (Some(tall), Some(left)) = (tallest.get_mut(member), open.get_mut(member)) else {
                continue;
            };
            *tall = (*tall).max(height.saturating_add(1));
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push((member, *tall));
            }
        }
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(rows: &[(&str, &str)]) -> (Roles, Vec<PolicyError>) {
        let grants: Vec<RoleGrant> = (1..)
            .zip(rows)
            .map(|(line, (member, role))| RoleGrant {
                place: Place { file: "p.csv".into(), line },
                member: (*member).into(),
                role: (*role).into(),
            })
            .collect();
        Roles::resolve(&grants, std::iter::empty())
    }

    fn names(roles: &Roles, identities: &[&str]) -> Vec<String> {
        let standing = roles.standing(identities.iter().copied());
        let mut names: Vec<_> = roles.names(&standing).iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn roles_nest_and_meet() {
        let (roles, errors) =
            resolve(&[("user:t/a", "role:x"), ("group:c/g", "role:y"), ("role:x", "role:z"), ("role:y", "role:z")]);
        assert_eq!(errors, []);
        assert_eq!(names(&roles, &["user:t/a"]), ["role:x", "role:z"]);
        assert_eq!(names(&roles, &["user:t/a", "group:c/g", "group:c/unknown"]), ["role:x", "role:y", "role:z"]);
        assert!(roles.holds("user:t/a", "role:z"));
        assert!(!roles.holds("role:z", "role:x"));
    }

    #[test]
    fn no_identity_can_name_a_role() {
        let (roles, _) = resolve(&[("user:t/a", "role:admin")]);
        assert!(roles.standing(["role:admin"].into_iter()).is_empty());
    }

    #[test]
    fn circles_are_errors_at_their_rows_only() {
        let (_, errors) = resolve(&[
            ("user:t/a", "role:x"),
            ("role:x", "role:y"),
            ("role:y", "role:x"),
            ("role:y", "role:end"),
            ("role:self", "role:self"),
        ]);
        let lines: Vec<_> = errors.iter().filter_map(|error| error.line).collect();
        assert_eq!(lines, [2, 3, 5]);
    }

    #[test]
    fn chains_of_ten_rows_are_allowed_and_of_eleven_refused() {
        let chain: Vec<(String, String)> = (0..11).map(|n| (format!("role:{n}"), format!("role:{}", n + 1))).collect();
        let rows: Vec<(&str, &str)> = chain.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(resolve(&rows[..10]).1, []);
        let errors = resolve(&rows).1;
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].line, Some(1));
        assert!(resolve(&rows[..10]).0.holds("role:0", "role:10"));
    }
}
