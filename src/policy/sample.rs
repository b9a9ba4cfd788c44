//! Questions worth asking of a policy, drawn from its own rows.
//!
//! For each row the module, the versions at its borders and the days around its end are tried with the names that it
//! speaks of; then a parent, a child, a sibling and another spelling of the module. What no row speaks of is tried,
//! too. The choice is the same every time: `modgate policy check` must not fail at random.
use super::{
    compiled::{Policy, Request},
    rule::{Access, Action, Modules, NamespaceKind},
    trie::is_glob,
};
use crate::module::{Glob, ModulePath, Version};
use jiff::{ToSpan, civil::Date};
use std::collections::BTreeSet;

/// A question that owns its names.
#[derive(Debug, Clone)]
pub struct Question {
    /// Every name that the caller goes by.
    pub identities: Vec<String>,
    /// The module.
    pub module: ModulePath,
    /// The version.
    pub version: Option<Version>,
    /// What is done.
    pub action: Action,
    /// The day.
    pub day: Date,
}

impl Question {
    /// Hands the question to `ask` in the form that the policy takes.
    pub fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let identities: Vec<&str> = self.identities.iter().map(String::as_str).collect();
        ask(&Request {
            identities: &identities,
            module: &self.module,
            version: self.version.as_ref(),
            action: self.action,
            day: self.day,
        })
    }
}

impl Policy {
    /// At most `limit` questions about this policy: those that each row raises by itself, then combinations.
    pub fn questions(&self, today: Date, limit: usize) -> Vec<Question> {
        let sample = Sample::of(self, today);
        let of_rows = self.rules().iter().filter_map(|rule| rule.access());
        let mut questions: Vec<Question> = of_rows.flat_map(|access| sample.about(self, access)).take(limit).collect();
        let (total, left) = (sample.size().max(1), limit.saturating_sub(questions.len()));
        // A step without a common divisor with the number of combinations comes to each of them once.
        let step = coprime(total, (total / left.max(1)).saturating_add(1));
        let numbers = (0..left.min(total)).map(|turn| turn.wrapping_mul(step) % total);
        questions.extend(numbers.filter_map(|number| sample.question(number)));
        questions
    }
}

/// What the questions are combined of.
struct Sample {
    callers: Vec<Vec<String>>,
    modules: Vec<ModulePath>,
    versions: Vec<Option<Version>>,
    days: Vec<Date>,
}

impl Sample {
    fn of(policy: &Policy, today: Date) -> Self {
        Self {
            callers: callers(policy),
            modules: modules(policy),
            versions: versions(policy),
            days: days(policy, today),
        }
    }

    fn size(&self) -> usize {
        [self.callers.len(), self.modules.len(), self.versions.len(), self.days.len(), Action::ALL.len()]
            .into_iter()
            .fold(1, usize::saturating_mul)
    }

    /// The questions that a row is about: all of its versions' borders and its last day, asked by who it speaks of.
    fn about(&self, policy: &Policy, access: &Access) -> Vec<Question> {
        let roles = &policy.roles;
        let speaks_of = |caller: &&Vec<String>| caller.iter().any(|name| roles.holds(name, &access.subject));
        let falls_under = |module: &&ModulePath| match &access.modules {
            Modules::All => true,
            Modules::Public => !policy.namespace(module).is_private(),
            Modules::Private => policy.namespace(module).is_private(),
            Modules::Glob(glob) => glob.matches_ignoring_case(module.as_str()),
        };
        let Some(caller) = self.callers.iter().find(speaks_of) else {
            return Vec::new();
        };
        let days: Vec<Date> = access.until.map_or_else(|| self.days.iter().copied().take(1).collect(), |day| vec![day]);
        let versions = || std::iter::once(None).chain(access.versions.named().cloned().map(Some));
        let mut questions = Vec::new();
        for module in self.modules.iter().filter(falls_under).take(3) {
            for (version, day) in versions().flat_map(|version| days.iter().map(move |day| (version.clone(), *day))) {
                questions.push(Question {
                    identities: caller.clone(),
                    module: module.clone(),
                    version,
                    action: access.action.unwrap_or(Action::Read),
                    day,
                });
            }
        }
        questions
    }

    fn question(&self, number: usize) -> Option<Question> {
        let mut rest = number;
        Some(Question {
            identities: digit(&mut rest, &self.callers)?.clone(),
            module: digit(&mut rest, &self.modules)?.clone(),
            version: digit(&mut rest, &self.versions)?.clone(),
            action: *digit(&mut rest, &Action::ALL)?,
            day: *digit(&mut rest, &self.days)?,
        })
    }
}

fn digit<'a, T>(rest: &mut usize, choices: &'a [T]) -> Option<&'a T> {
    let chosen = choices.get(*rest % choices.len().max(1));
    *rest /= choices.len().max(1);
    chosen
}

fn coprime(total: usize, from: usize) -> usize {
    let gcd = |mut a: usize, mut b: usize| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (from..).find(|step| gcd(total, *step) == 1).unwrap_or(1)
}

/// Nobody, a stranger, each name alone, and pairs of neighbours.
fn callers(policy: &Policy) -> Vec<Vec<String>> {
    let members = policy.grants.iter().map(|grant| &*grant.member);
    let subjects = policy.rules().iter().filter_map(|rule| rule.subject());
    let names: BTreeSet<&str> = members.chain(subjects).filter(|name| name.contains('/')).collect();
    let mut callers =
        vec![vec!["anonymous".into()], vec!["user:token/nobody-in-particular".into(), "authenticated".into()]];
    let mut last: Option<&str> = None;
    for name in names {
        callers.push(vec![name.into(), "authenticated".into()]);
        if let Some(last) = last.replace(name) {
            callers.push(vec![last.into(), name.into(), "authenticated".into()]);
        }
    }
    callers
}

fn modules(policy: &Policy) -> Vec<ModulePath> {
    let columns = policy.rules().iter().filter_map(|rule| match &rule.access()?.modules {
        Modules::Glob(glob) => Some(glob),
        _ => None,
    });
    let private = policy.namespaces.patterns(NamespaceKind::Private).map(|(_, glob)| glob);
    let public = policy.namespaces.patterns(NamespaceKind::Public).map(|(_, glob)| glob);
    let mut paths: BTreeSet<String> = ["golang.org/toolchain".into(), "example.com/unheard/of".into()].into();
    for glob in columns.chain(private).chain(public) {
        paths.extend(variants(&instance(glob)));
    }
    paths.iter().filter_map(|path| ModulePath::parse(path).ok()).collect()
}

/// A path that falls under the pattern, if its elements are not too clever.
fn instance(glob: &Glob) -> String {
    let elements: Vec<String> =
        glob.elements().map(|element| if is_glob(element) { tame(element) } else { element.into() }).collect();
    elements.join("/")
}

fn tame(element: &str) -> String {
    let mut plain = String::new();
    let mut chars = element.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => plain.push_str("x1"),
            '?' => plain.push('q'),
            '[' => {
                let class: String = chars.by_ref().take_while(|c| *c != ']').collect();
                plain.push(class.chars().find(char::is_ascii_alphanumeric).unwrap_or('z'));
            }
            '\\' => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    plain
}

fn variants(path: &str) -> Vec<String> {
    let mut variants = vec![path.to_owned(), format!("{path}/sub"), format!("{path}x")];
    if let Some((parent, _)) = path.rsplit_once('/') {
        variants.extend([parent.to_owned(), format!("{parent}/sibling")]);
    }
    if let Some((host, rest)) = path.split_once('/') {
        variants.push(format!("{host}/{}", rest.to_ascii_uppercase()));
    }
    variants
}

fn versions(policy: &Policy) -> Vec<Option<Version>> {
    let ranges = policy.rules().iter().filter_map(|rule| rule.access().map(|access| &access.versions));
    let named = ranges.flat_map(|range| range.named()).map(|version| version.as_str().to_owned());
    let mut texts: BTreeSet<String> =
        named.flat_map(|text| [format!("{text}-0"), format!("{text}+incompatible"), text]).collect();
    texts.insert("v1.2.3".into());
    let versions = texts.iter().filter_map(|text| Version::parse(text).ok()).map(Some);
    std::iter::once(None).chain(versions).collect()
}

fn days(policy: &Policy, today: Date) -> Vec<Date> {
    let ends = policy.rules().iter().filter_map(|rule| rule.access()?.until);
    let mut days: BTreeSet<Date> = ends.flat_map(|end| [Some(end), end.checked_add(1.day()).ok()]).flatten().collect();
    days.insert(today);
    days.into_iter().collect()
}
