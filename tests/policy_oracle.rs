//! Random policies and requests: the compiled index, the casbin crate and a plain scan of the rows must agree.
//!
//! Casbin judges the effect. The scan, a few lines written from the model, also judges which rule is reported and which
//! warnings are. The vocabulary is small, so that rows meet, shadow and contradict one another in most policies.
use modgate::{
    module::{Glob, ModulePath, Version},
    policy::{Action, Effect, Oracle, Policy, Request, SHIPPED_MODEL, Source},
};
use proptest::{prelude::*, sample::select};
use std::collections::BTreeSet;

const IDENTITIES: [&str; 6] =
    ["anonymous", "authenticated", "user:token/alice", "user:token/bob", "group:corp/dev", "ci:github/repo:corp/pay"];
const ROLES: [&str; 4] = ["role:a", "role:b", "role:c", "role:d"];
const MODULES: [&str; 14] = [
    "*",
    "public",
    "private",
    "corp.example",
    "corp.example/*",
    "corp.example/pay",
    "Corp.example/Pay",
    "corp.example/p*/core",
    "github.com/[a-d]*",
    "github.com/[^a]/b",
    "github.com/a/b",
    "github.com/A/b",
    "*.example/pay",
    "git?ub.com/x",
];
const PRIVATE: [&str; 5] = ["corp.example", "corp.example/*", "CORP.example/pay", "*.example", "github.com/a/b"];
const RANGES: [&str; 6] = ["*", "*", "*", "v1.2.0", ">=v1.2.0 <v1.4.0", "<=v1.2.0"];
const PATHS: [&str; 14] = [
    "corp.example",
    "corp.example/pay",
    "corp.example/PAY",
    "corp.example/pay/core",
    "corp.example/pay/core/v2",
    "corp.example/Pay/Core",
    "github.com/a",
    "github.com/a/b",
    "github.com/A/B",
    "github.com/c/b",
    "github.com/d",
    "github.com/x",
    "git.example/pay",
    "golang.org/toolchain",
];
const VERSIONS: [&str; 7] = [
    "v1.1.9",
    "v1.2.0",
    "v1.3.0-rc.1",
    "v1.4.0-0.20240101000000-abcdefabcdef",
    "v1.4.0",
    "v2.0.0+incompatible",
    "v1.2.0-0",
];
const DAYS: [&str; 3] = ["2026-06-30", "2026-07-01", "2027-01-01"];
const ENDS: [&str; 4] = ["-", "-", "2026-06-30", "2026-12-31"];

#[derive(Debug, Clone)]
struct Row {
    sub: &'static str,
    module: &'static str,
    versions: &'static str,
    action: &'static str,
    effect: &'static str,
    until: &'static str,
}

#[derive(Debug, Clone)]
struct Plan {
    rows: Vec<Row>,
    grants: BTreeSet<(&'static str, &'static str)>,
    private: Vec<&'static str>,
}

#[derive(Debug, Clone)]
struct Ask {
    identities: Vec<&'static str>,
    path: &'static str,
    version: Option<&'static str>,
    action: Action,
    day: &'static str,
}

fn rows() -> impl Strategy<Value = Row> {
    let subjects: Vec<&str> = IDENTITIES.into_iter().chain(ROLES).collect();
    let actions = vec!["read", "read", "read", "write", "*"];
    let effects = vec!["allow", "allow", "allow", "deny", "warn"];
    (select(subjects), select(&MODULES[..]), select(&RANGES[..]), select(actions), select(effects), select(&ENDS[..]))
        .prop_map(|(sub, module, versions, action, effect, until)| Row { sub, module, versions, action, effect, until })
}

/// Roles are given downwards only, so that there is no circle.
fn grants() -> impl Strategy<Value = (&'static str, &'static str)> {
    (0..IDENTITIES.len() + ROLES.len(), 0..ROLES.len()).prop_filter_map("a circle", |(member, role)| {
        match member.checked_sub(IDENTITIES.len()) {
            None => Some((IDENTITIES[member], ROLES[role])),
            Some(own) if own < role => Some((ROLES[own], ROLES[role])),
            Some(_) => None,
        }
    })
}

fn plans() -> impl Strategy<Value = Plan> {
    let parts = (
        prop::collection::vec(rows(), 1..14),
        prop::collection::btree_set(grants(), 0..6),
        prop::collection::vec(select(&PRIVATE[..]), 0..3),
    );
    parts.prop_map(|(rows, grants, private)| Plan { rows, grants, private })
}

fn asks() -> impl Strategy<Value = Ask> {
    (
        prop::collection::btree_set(select(&IDENTITIES[..]), 1..4),
        select(&PATHS[..]),
        prop::option::weighted(0.7, select(&VERSIONS[..])),
        select(vec![Action::Read, Action::Read, Action::Write, Action::Audit]),
        select(&DAYS[..]),
    )
        .prop_map(|(identities, path, version, action, day)| Ask {
            identities: identities.into_iter().collect(),
            path,
            version,
            action,
            day,
        })
}

impl Plan {
    fn text(&self) -> String {
        let mut text = String::new();
        for Row { sub, module, versions, action, effect, until } in &self.rows {
            text += &format!("p, {sub}, {module}, {versions}, {action}, {effect}, {until}, -\n");
        }
        for pattern in &self.private {
            text += &format!("p2, {pattern}, private, -\n");
        }
        for (member, role) in &self.grants {
            text += &format!("g, {member}, {role}\n");
        }
        text
    }

    fn policy(&self) -> Policy {
        let files = vec![Source::new("random.csv", &self.text())];
        Policy::parse(&Source::new("model.conf", SHIPPED_MODEL), files).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The model, row by row: effect, line of the deciding row, lines of the warnings.
    fn scan(&self, ask: &Ask) -> (Effect, Option<usize>, Vec<usize>) {
        let mut names: BTreeSet<&str> = ask.identities.iter().copied().collect();
        for _ in 0..=ROLES.len() {
            let held: Vec<&str> =
                self.grants.iter().filter(|(member, _)| names.contains(member)).map(|(_, role)| *role).collect();
            names.extend(held);
        }
        let private = self.private.iter().any(|pattern| glob(pattern).matches_ignoring_case(ask.path));
        let applies = |row: &Row| {
            let module = match (row.module, row.effect) {
                ("public", _) => !private,
                ("private", _) => private,
                (pattern, "allow") => glob(pattern).matches(ask.path),
                (pattern, _) => glob(pattern).matches_ignoring_case(ask.path),
            };
            names.contains(row.sub)
                && module
                && (row.action == "*" || row.action == ask.action.as_str())
                && (row.until == "-" || ask.day <= row.until)
                && in_range(row.versions, ask.version)
        };
        let lines = |effect: &str| -> Vec<usize> {
            (1..)
                .zip(&self.rows)
                .filter(|(_, row)| row.effect == effect && applies(row))
                .map(|(line, _)| line)
                .collect()
        };
        let (allow, deny) = (lines("allow"), lines("deny"));
        let effect = if deny.is_empty() && !allow.is_empty() { Effect::Allow } else { Effect::Deny };
        (effect, deny.first().or(allow.first()).copied(), lines("warn"))
    }
}

fn glob(pattern: &str) -> Glob {
    Glob::parse(pattern).expect("a pattern")
}

fn in_range(range: &str, version: Option<&str>) -> bool {
    let Some(version) = version else {
        return range == "*";
    };
    let base = |text: &str| Version::parse(text.split('+').next().expect("some text")).expect("a version");
    let (v, low, high) = (base(version), base("v1.2.0"), base("v1.4.0"));
    match range {
        "*" => true,
        "v1.2.0" => v == low,
        ">=v1.2.0 <v1.4.0" => v >= low && v < high,
        "<=v1.2.0" => v <= low,
        other => panic!("unknown range {other}"),
    }
}

proptest! {
    #![proptest_config(quiet(400))]

    #[test]
    fn index_casbin_and_scan_agree(plan in plans(), asks in prop::collection::vec(asks(), 12)) {
        let policy = plan.policy();
        let mut oracle = Oracle::load(&policy).expect("casbin loads it");
        for ask in &asks {
            let module = ModulePath::parse(ask.path).expect("a path");
            let version = ask.version.map(|version| Version::parse(version).expect("a version"));
            let request = Request {
                identities: &ask.identities,
                module: &module,
                version: version.as_ref(),
                action: ask.action,
                day: ask.day.parse().expect("a day"),
            };
            let ours = policy.decide(&request);
            let line = |rule: &std::sync::Arc<modgate::policy::Rule>| usize::try_from(rule.line()).expect("small");
            let told = (ours.effect, ours.rule.as_ref().map(line), ours.warnings.iter().map(line).collect::<Vec<_>>());
            prop_assert_eq!(told, plan.scan(ask), "{:?}\n{}", ask, plan.text());
            let theirs = oracle.ask(&policy, &request).expect("casbin answers");
            prop_assert_eq!(ours.effect, theirs, "{:?}\n{}", ask, plan.text());
        }
    }
}

fn quiet(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const LINES: [&str; 9] = [
    "corp.example, private",
    "corp.example/*, private",
    "github.com/corp/*, private",
    "github.com/Corp/pay, private",
    "*.example, private",
    "git.example/t?am/core, private",
    "git.example/t?am, public",
    "github.com, public",
    "corp.example, public",
];
const PROBES: [&str; 12] = [
    "corp.example",
    "corp.example/a",
    "corp.example/A/b",
    "github.com",
    "github.com/corp",
    "github.com/CORP",
    "github.com/corp/pay/x",
    "github.com/gorilla/mux",
    "git.example",
    "git.example/team",
    "git.example/Team",
    "git.example/team/core",
];

/// What is in an example and what may be typed into it by mistake.
const TYPOS: [&str; 16] = [" ", "\"", "#", ",", "\t", "-", "*", "x", "\u{a0}", "/", "\r", "\\", "[", "=", ";", "\n"];

proptest! {
    #![proptest_config(quiet(300))]

    #[test]
    fn namespaces_are_what_the_patterns_say(chosen in prop::collection::btree_set(select(&LINES[..]), 1..6)) {
        let rows: String = chosen.iter().map(|line| format!("p2, {line}, -\n")).collect();
        let text = format!("p, authenticated, *, *, read, allow, -, -\n{rows}");
        // Contradictions and missing public rows are refused; they have tests of their own.
        if let Ok(policy) = Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![Source::new("p", &text)]) {
            let patterns = |kind: &str| -> Vec<Glob> {
                let of_kind = chosen.iter().filter_map(|line| line.split_once(", ")).filter(|(_, own)| *own == kind);
                of_kind.map(|(pattern, _)| glob(pattern)).collect()
            };
            for probe in PROBES {
                let elements = probe.split('/').count();
                let private = patterns("private").iter().any(|own| own.matches_ignoring_case(probe));
                let parent = patterns("private").iter().any(|own| own.matches_parent(probe));
                let lifted = patterns("public").iter().any(|own| own.matches(probe) && own.elements().count() == elements);
                let expected = if private { "private" } else if parent && !lifted { "withheld" } else { "public" };
                let found = policy.namespace(&ModulePath::parse(probe).expect("a path"));
                prop_assert_eq!(found.as_str(), expected, "{} in\n{}", probe, rows);
            }
        }
    }

    #[test]
    fn what_is_accepted_casbin_reads_alike(plan in plans(), typos in prop::collection::vec((any::<prop::sample::Index>(), select(&TYPOS[..])), 1..3)) {
        let mut text = plan.text();
        for (place, typo) in typos {
            // A typo before may have put a character of several bytes there.
            text.insert_str(text.floor_char_boundary(place.index(text.len())), typo);
        }
        if let Ok(policy) = Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![Source::new("p", &text)]) {
            let mut oracle = Oracle::load(&policy).expect("casbin loads it");
            for question in policy.questions("2026-11-22".parse().expect("a day"), 12) {
                let ours = question.with(|request| policy.decide(request)).effect;
                let theirs = question.with(|request| oracle.ask(&policy, request)).expect("casbin answers");
                prop_assert_eq!(ours, theirs, "{:?}\n{}", question, text);
            }
        }
    }

    #[test]
    fn no_bytes_are_read_with_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = Source { name: "p".into(), content: bytes };
        let _ = Policy::parse(&Source::new("m", SHIPPED_MODEL), vec![source]);
    }
}
