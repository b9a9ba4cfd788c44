//! The policies that we ship are tests of themselves, and casbin must agree with every decision in them.
use modgate::policy::{Effect, Oracle, Policy, Request, Source, read_cases};
use std::{fs, path::Path, path::PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn load(file: PathBuf) -> Policy {
    Policy::load(Some(&root().join("model.conf")), &[file]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn examples() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(root().join("examples"))
        .expect("policies/examples")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    dirs.sort();
    assert!(dirs.len() >= 12, "{dirs:?}");
    dirs
}

#[test]
fn every_example_decides_as_it_says_and_as_casbin_says() {
    let mut decisions = 0;
    for dir in examples() {
        let policy = load(dir.join("policy.csv"));
        let mut oracle = Oracle::load(&policy).expect("casbin loads it");
        let file = dir.join("decisions.csv");
        let source =
            Source { name: file.display().to_string().into(), content: fs::read(&file).expect("decisions.csv") };
        for case in read_cases(&source).unwrap_or_else(|errors| panic!("{errors}")) {
            assert_eq!(case.check(&policy), None, "{}:{} expects {}", source.name, case.line, case.expected);
            let request = Request {
                identities: &case.identities(),
                module: &case.module,
                version: case.version.as_ref(),
                action: case.action,
                day: case.day,
            };
            let expected = if case.expected.starts_with("allow") { Effect::Allow } else { Effect::Deny };
            if !case.expected.starts_with("withheld") {
                assert_eq!(
                    oracle.ask(&policy, &request).expect("casbin answers"),
                    expected,
                    "{}:{}",
                    source.name,
                    case.line
                );
            }
            decisions += 1;
        }
    }
    assert!(decisions >= 60, "only {decisions} decisions in the examples");
}

#[test]
fn casbin_agrees_on_what_the_rows_of_each_example_raise() {
    let today = "2026-11-22".parse().expect("a date");
    let shipped = load(root().join("policy.csv"));
    let policies = examples().into_iter().map(|dir| load(dir.join("policy.csv"))).chain([shipped]);
    for policy in policies {
        let mut oracle = Oracle::load(&policy).expect("casbin loads it");
        for question in policy.questions(today, 150) {
            let ours = question.with(|request| policy.decide(request));
            let theirs = question.with(|request| oracle.ask(&policy, request)).expect("casbin answers");
            assert_eq!(ours.effect, theirs, "{question:?}: {:?}", ours.rule);
        }
    }
}

#[test]
fn the_shipped_policy_is_compiled_in_as_it_lies_in_the_repository() {
    let shipped = Policy::shipped().expect("a good policy");
    assert_eq!(shipped.digest(), load(root().join("policy.csv")).digest());
}
