use super::*;
use crate::{
    goproxy::DatabaseName,
    policy::{SHIPPED_MODEL, Source, rule::NamespaceKind},
};
use auth::Method;
use aws_lc_rs::digest;
use std::sync::Arc;

const TODAY: &str = "2026-11-22";

fn policy(rows: &str) -> Policy {
    Policy::parse(&Source::new("model.conf", SHIPPED_MODEL), vec![Source::new("p.csv", rows)])
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(name, text)| Source::new(name, text)).collect();
    let errors = Policy::parse(&Source::new("model.conf", SHIPPED_MODEL), files).expect_err("a bad policy");
    errors.0.iter().map(ToString::to_string).collect()
}

fn path(text: &str) -> ModulePath {
    ModulePath::parse(text).expect(text)
}

fn version(text: &str) -> Version {
    Version::parse(text).expect(text)
}

fn zip(module: &str, at: &str) -> Target {
    Target::Module { path: path(module), asked: Asked::Zip(version(at)) }
}

fn list(module: &str) -> Target {
    Target::Module { path: path(module), asked: Asked::List }
}

fn sumdb(asked: SumdbAsk) -> Target {
    Target::Sumdb { name: DatabaseName("sum.golang.org".into()), asked }
}

fn someone(scope: Option<&str>) -> Principal {
    Principal {
        subject: "user:token/alice".into(),
        groups: Arc::from([Arc::from("group:corp/dev")]),
        method: Method::Token,
        token_id: None,
        scope: scope.map(Arc::from),
        ..Principal::anonymous()
    }
}

/// `permitted`, `withheld` or `denied`.
fn verdict(policy: &Policy, principal: &Principal, target: &Target) -> &'static str {
    match policy.authorize(principal, target, TODAY.parse().expect("a date")).verdict {
        Verdict::Permitted(permit) => {
            assert_eq!(permit.target(), target);
            "permitted"
        }
        Verdict::Withheld(_) => "withheld",
        Verdict::Denied => "denied",
    }
}

fn permit(policy: &Policy, principal: &Principal, target: &Target) -> Permit {
    match policy.authorize(principal, target, TODAY.parse().expect("a date")).verdict {
        Verdict::Permitted(permit) => permit,
        other => panic!("{other:?}"),
    }
}

const PUBLIC: &str = "p, authenticated, public, *, read, allow, -, id=public\n";

#[test]
fn a_permit_decides_the_versions_of_its_list() {
    let policy = policy(&format!("{PUBLIC}p, authenticated, github.com/a/b, <v1.2.0, read, deny, -, id=old\n"));
    let permit = permit(&policy, &someone(None), &list("github.com/a/b"));
    assert!(permit.restricts_versions() && policy.restricts_versions(&path("github.com/a/b")));
    let old = permit.decide(&version("v1.1.0"));
    assert_eq!(
        (old.effect, old.rule.and_then(|rule| rule.id().map(str::to_owned))),
        (Effect::Deny, Some("old".into()))
    );
    assert!(permit.decide(&version("v1.2.0")).is_allowed());
    assert!(!policy.restricts_versions(&path("github.com/a/c")));
    assert_eq!(verdict(&policy, &someone(None), &zip("github.com/a/b", "v1.1.0")), "denied");
}

#[test]
fn a_list_is_public_only_if_the_anonymous_get_all_of_it() {
    let open = "p, anonymous, public, *, read, allow, -, -\n";
    let narrowed = "p, anonymous, github.com/a/b, <v1.2.0, read, deny, -, -\n";
    let policy = policy(&format!("{PUBLIC}{open}{narrowed}"));
    let public = |target| permit(&policy, &someone(None), &target).public_to_anonymous();
    assert!(!public(list("github.com/a/b")));
    assert!(public(list("github.com/a/c")) && public(zip("github.com/a/b", "v1.2.0")));
    assert!(!public(zip("github.com/a/b", "v1.1.0")));
}

#[test]
fn versions_are_restricted_for_whoever_is_meant() {
    let policy = policy(&format!("{PUBLIC}p, user:token/bob, public, <v1.2.0, read, deny, -, -\n"));
    assert!(policy.restricts_versions(&path("github.com/a/b")));
    assert!(!permit(&policy, &someone(None), &list("github.com/a/b")).restricts_versions());
}

#[test]
fn checksum_lookups_are_decided_as_reading_the_version() {
    let policy = policy(&format!("{PUBLIC}p, authenticated, github.com/a/b, v1.0.0, read, deny, -, -\n"));
    let lookup = |at: &str| sumdb(SumdbAsk::Lookup(path("github.com/a/b"), version(at)));
    assert_eq!(verdict(&policy, &someone(None), &lookup("v1.0.0")), "denied");
    assert_eq!(verdict(&policy, &someone(None), &lookup("v1.1.0")), "permitted");
    assert_eq!(verdict(&policy, &Principal::anonymous(), &lookup("v1.1.0")), "denied");
}

#[test]
fn what_is_about_no_module_is_open_to_whoever_reads_anything() {
    let policy = policy(
        "p, user:token/alice, github.com/a, v1.0.0, read, allow, 2026-11-22, -\n\
         p, user:token/bob, *, *, read, allow, -, -\n\
         p, user:token/bob, *, *, *, deny, -, id=banned\n\
         p, user:token/carl, *, *, audit, allow, -, -\n",
    );
    let named = |subject: &str| Principal { subject: subject.into(), groups: Arc::from([]), ..someone(None) };
    for target in [Target::Root, sumdb(SumdbAsk::Supported), sumdb(SumdbAsk::Latest)] {
        assert_eq!(verdict(&policy, &named("user:token/alice"), &target), "permitted");
        assert_eq!(verdict(&policy, &named("user:token/bob"), &target), "denied");
        assert_eq!(verdict(&policy, &named("user:token/carl"), &target), "denied");
        assert_eq!(verdict(&policy, &Principal::anonymous(), &target), "denied");
        let permit = permit(&policy, &named("user:token/alice"), &target);
        assert!(!permit.decide(&version("v1.0.0")).is_allowed(), "it speaks of no module");
    }
    let tomorrow = "2026-11-23".parse().expect("a date");
    assert!(!policy.authorize(&named("user:token/alice"), &Target::Root, tomorrow).decision.is_allowed());
}

#[test]
fn parents_of_private_modules_are_withheld_from_readers_and_denied_to_others() {
    let policy =
        policy(&format!("{PUBLIC}p, user:token/eve, *, *, *, deny, -, -\np2, github.com/corp/*, private, -\n"));
    for parent in ["github.com/corp", "github.com"] {
        assert_eq!(verdict(&policy, &someone(None), &list(parent)), "withheld");
        assert_eq!(verdict(&policy, &someone(Some("read:github.com/corp/pay")), &list(parent)), "withheld");
        assert_eq!(verdict(&policy, &someone(Some("write")), &list(parent)), "denied");
        assert_eq!(verdict(&policy, &Principal::anonymous(), &list(parent)), "denied");
        let eve = Principal { subject: "user:token/eve".into(), ..someone(None) };
        assert_eq!(verdict(&policy, &eve, &list(parent)), "denied");
        let lookup = sumdb(SumdbAsk::Lookup(path(parent), version("v1.0.0")));
        assert_eq!(verdict(&policy, &someone(None), &lookup), "withheld");
    }
    assert_eq!(verdict(&policy, &someone(None), &list("github.com/gorilla/mux")), "permitted");
    assert_eq!(verdict(&policy, &someone(None), &list("github.com/corp/pay")), "denied");
}

#[test]
fn a_scope_takes_away_and_never_gives() {
    let policy = policy(&format!("{PUBLIC}p2, corp.example/*, private, -\n"));
    let target = zip("github.com/a/b", "v1.0.0");
    for (scope, expected) in [
        ("read", "permitted"),
        ("read:github.com/a", "permitted"),
        ("write,read:public", "permitted"),
        ("read:private", "denied"),
        ("read:github.com/A", "denied"),
        ("write", "denied"),
        ("", "denied"),
        ("read,", "denied"),
        ("everything", "denied"),
    ] {
        assert_eq!(verdict(&policy, &someone(Some(scope)), &target), expected, "{scope:?}");
    }
    let answer = policy.authorize(&someone(Some("write")), &target, TODAY.parse().expect("a date"));
    assert!(answer.decision.outside_scope && answer.decision.rule.is_none());
    let private = zip("corp.example/a", "v1.0.0");
    let answer = policy.authorize(&someone(Some("read")), &private, TODAY.parse().expect("a date"));
    assert!(!answer.decision.outside_scope && matches!(answer.verdict, Verdict::Denied));
    assert_eq!(verdict(&policy, &someone(Some("write")), &Target::Root), "denied");
    assert_eq!(verdict(&policy, &someone(Some("read:corp.example")), &Target::Root), "permitted");
}

#[test]
fn a_permit_knows_private_from_public_and_whether_anybody_may() {
    let policy = policy(
        "p, anonymous, golang.org/x, *, read, allow, -, -\n\
         p, authenticated, *, *, read, allow, -, -\n\
         p2, corp.example/*, private, -\n",
    );
    let of = |module: &str| permit(&policy, &someone(None), &zip(module, "v1.0.0"));
    let flags = |permit: &Permit| (permit.private(), permit.public_to_anonymous());
    assert_eq!(flags(&of("golang.org/x/text")), (false, true));
    assert_eq!(flags(&of("github.com/a/b")), (false, false));
    assert_eq!(flags(&of("corp.example/pay")), (true, false));
    assert_eq!(flags(&of("corp.example/Pay")), (true, false));
}

#[test]
fn no_group_or_subject_can_claim_a_role() {
    let policy = policy("p, role:admin, *, *, *, allow, -, -\np, authenticated, public, *, audit, allow, -, -\n");
    let groups: Vec<Arc<str>> = ["role:admin", "group:x/role:admin", "admin"].map(Arc::from).into();
    let principal = Principal { subject: "role:admin".into(), groups: groups.into(), ..someone(None) };
    assert_eq!(verdict(&policy, &principal, &zip("github.com/a/b", "v1.0.0")), "denied");
    assert!(policy.roles(&principal).is_empty());
}

#[test]
fn the_digest_is_that_of_the_files_one_after_the_other() {
    let text = format!("{SHIPPED_MODEL}{PUBLIC}");
    let whole = digest::digest(&digest::SHA256, text.as_bytes());
    let hex: String = whole.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(policy(PUBLIC).digest(), hex);
}

#[test]
fn errors_of_all_files_come_in_their_order() {
    let found = errors(&[
        ("a.csv", "p2, github.com/*/secret, private, -\n\np, x, public, *, read, allow, -, -\n"),
        ("b.csv", "g, role:a, role:b\ng, role:b, role:a\nq\n"),
    ]);
    let places: Vec<&str> = found.iter().filter_map(|error| error.split(": ").next()).collect();
    assert_eq!(places, ["a.csv:1", "a.csv:3", "b.csv:1", "b.csv:2", "b.csv:3"], "{found:#?}");
}

#[test]
fn a_private_pattern_with_globs_above_needs_its_parents_named() {
    let found = errors(&[("p.csv", &format!("{PUBLIC}p2, github.com/*/secret/*, private, -\n"))]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`p2, github.com/*, public, -` and `p2, github.com/*/secret, public, -`"), "{found:?}");
    let policy = policy(&format!(
        "{PUBLIC}p2, github.com/*/secret/*, private, -\np2, github.com/*, public, -\np2, github.com/*/secret, public, -\n"
    ));
    assert!(policy.namespace(&path("github.com/any/secret/x")).is_private());
    assert!(matches!(policy.namespace(&path("github.com/any")), Namespace::Public));
    assert!(matches!(policy.namespace(&path("github.com")), Namespace::Withheld(_)));
    assert_eq!(policy.namespaces.patterns(NamespaceKind::Public).count(), 2);
}

#[test]
fn a_pattern_is_private_or_public() {
    let found =
        errors(&[("p.csv", &format!("{PUBLIC}p2, corp.example/a, private, -\np2, Corp.example/A, public, -\n"))]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("p.csv:3: `Corp.example/A` is both private and public"), "{found:?}");
}

#[test]
fn explain_says_what_authorize_does_with_a_withheld_path() {
    let policy = policy(&format!("{PUBLIC}p2, github.com/corp/*, private, -\n"));
    let module = path("github.com/corp");
    for (identities, scope, expected) in [
        (&["user:token/alice", "authenticated"][..], None, "withheld"),
        (&["user:token/alice", "authenticated"], Some("read:github.com/corp/pay"), "withheld"),
        (&["user:token/alice", "authenticated"], Some("nonsense"), "deny"),
        (&["anonymous"], None, "deny"),
    ] {
        let request = Request {
            identities,
            module: &module,
            version: None,
            action: Action::Read,
            day: TODAY.parse().expect("a date"),
        };
        assert_eq!(policy.explain(&request, scope).verdict, expected, "{identities:?} {scope:?}");
    }
}
