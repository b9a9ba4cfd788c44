use super::*;
use clap::Parser;
use serde_json::Value;
use std::{fs, path::Path};

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    policy: PolicyArgs,
}

/// The ending and what was printed, without colours.
fn modgate_policy(args: &[&str]) -> (Ending, String) {
    let command =
        Command::try_parse_from(std::iter::once("policy").chain(args.iter().copied())).expect("a command line");
    let mut out = anstream::StripStream::new(Vec::new());
    let today = "2026-11-22".parse().expect("a date");
    let ending = execute(&command.policy, &mut out, today).expect("written");
    (ending, String::from_utf8(out.into_inner()).expect("text"))
}

fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(name).display().to_string()
}

fn written(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("policy.csv");
    fs::write(&file, text).expect("written");
    (dir, file.display().to_string())
}

#[test]
fn the_shipped_policy_and_all_examples_are_in_order() {
    let (ending, said) =
        modgate_policy(&["check", &shipped("policy.csv"), "--model", &shipped("model.conf"), "--deny-warnings"]);
    assert_eq!(ending, Ending::Well, "{said}");
    assert!(said.contains("7 rules, 0 warnings; casbin agrees on"), "{said}");
    let (ending, said) = modgate_policy(&["test", &shipped("examples")]);
    assert_eq!(ending, Ending::Well, "{said}");
    let closing = said.lines().last().expect("a closing line");
    assert!(closing.starts_with("12 policies, ") && closing.ends_with(" passed, 0 failed"), "{closing}");
}

#[test]
fn check_shows_every_error_with_its_hint() {
    let (_dir, file) =
        written("p, authenticated, public, *, read, Allow, -, -\np, alice, public, *, read, allow, -, -\n");
    let (ending, said) = modgate_policy(&["check", &file]);
    assert_eq!(ending, Ending::Findings);
    let expected = format!(
        "{file}:1: error: unknown effect `Allow`\n    hint: allow, deny or warn, in lower case\n\
         {file}:2: error: unknown subject `alice`\n    hint: write `user:ISSUER/alice`, `group:ISSUER/alice` or `role:alice`\n\
         2 errors\n"
    );
    assert_eq!(said, expected);
    let (ending, said) = modgate_policy(&["check", &file, "--json"]);
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((ending, told["errors"][1]["line"].as_u64()), (Ending::Findings, Some(2)));
}

#[test]
fn check_warns_and_fails_for_it_only_when_asked() {
    let (_dir, file) = written("p, authenticated, public, *, read, allow, 2026-11-22, -\n");
    assert_eq!(modgate_policy(&["check", &file]).0, Ending::Well);
    let (ending, said) = modgate_policy(&["check", &file, "--day", "2026-11-23"]);
    assert_eq!(ending, Ending::Well);
    assert!(said.contains(":1: warning: ended on 2026-11-22"), "{said}");
    assert_eq!(modgate_policy(&["check", &file, "--day", "2026-11-23", "--deny-warnings"]).0, Ending::Findings);
}

#[test]
fn check_refuses_another_model_and_missing_files() {
    let (dir, file) = written("p, authenticated, public, *, read, allow, -, -\n");
    let model = dir.path().join("model.conf");
    fs::write(&model, crate::policy::SHIPPED_MODEL.replace("!some", "some")).expect("written");
    let (ending, said) = modgate_policy(&["check", &file, "--model", &model.display().to_string()]);
    assert_eq!(ending, Ending::Findings);
    assert!(said.contains("not in the shipped model: `e = some(where (p.eft == allow)) && some("), "{said}");
    let (ending, said) = modgate_policy(&["check", "no-such-file.csv"]);
    assert_eq!(ending, Ending::Findings);
    assert!(said.starts_with("no-such-file.csv: error: cannot be read"), "{said}");
}

#[test]
fn test_counts_failures_and_says_what_was_decided() {
    let (dir, _) = written("p, authenticated, public, *, read, allow, -, id=open\n");
    let decisions = "user:token/a, -, github.com/a/b, -, read, 2026-11-22, allow, open\n\
                     user:token/a, -, github.com/a/b, -, read, 2026-11-22, deny, -\n";
    fs::write(dir.path().join("decisions.csv"), decisions).expect("written");
    let at = dir.path().display().to_string();
    let (ending, said) = modgate_policy(&["test", &at]);
    assert_eq!(ending, Ending::Findings);
    assert!(said.contains("decisions.csv:2: expected `deny, -`, decided `allow, open`"), "{said}");
    assert!(said.ends_with("1 policy, 2 decisions: 1 passed, 1 failed\n"), "{said}");
    assert_eq!(modgate_policy(&["test", "no-such-directory"]).0, Ending::Usage);
}

#[test]
fn explain_names_the_row_and_the_way_to_it() {
    let example = shipped("examples/nested-roles/policy.csv");
    let args = [
        "explain",
        "--policy",
        &example,
        "--as",
        "user:token/lea",
        "--group",
        "group:corp/leads",
        "corp.example/pay@v1.0.0",
    ];
    let (ending, said) = modgate_policy(&args);
    assert_eq!(ending, Ending::Well);
    for expected in [
        "allow  read corp.example/pay@v1.0.0 on 2026-11-22\n",
        "  namespace  private by ",
        "(developer): p, role:developer, private, *, read, allow, -, id=developer\n",
        "  by way of  group:corp/leads > role:lead > role:developer\n",
        "      speaks of another action\n",
    ] {
        assert!(said.contains(expected), "{expected:?} in\n{said}");
    }
    let json = [&args[..], &["--json", "--action", "manage"]].concat();
    let told: Value = serde_json::from_str(&modgate_policy(&json).1).expect("JSON");
    assert_eq!((told["verdict"].as_str(), told["rule"].is_null()), (Some("deny"), true));
    assert_eq!(modgate_policy(&["explain", "--as", "anonymous", "not a module"]).0, Ending::Usage);
}
