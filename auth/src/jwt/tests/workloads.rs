//! Workloads: whom a rule makes of a pipeline's token, and what of it is recorded.

use super::corpus::{claims, es256, good, with};
use super::scene::{NOW, Scene, deploy};
use crate::jwt::{ClaimPattern, Reason, SubjectTemplate, TrustRule};
use crate::principal::{Method, Principal};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn by(rules: &[TrustRule]) -> Scene {
    Scene::changed(|settings| {
        if settings.alias.as_str() == "ci" {
            settings.trust = rules.to_vec();
        }
    })
}

fn recorded(principal: &Principal) -> Vec<(String, String)> {
    principal.claims.iter().map(|claim| (claim.name.to_string(), claim.value.to_string())).collect()
}

#[test]
fn a_job_is_who_its_rule_says() {
    let scene = Scene::new();
    let principal = scene.verify(&good("ci")).unwrap();
    assert_eq!((&*principal.subject, principal.method), ("ci:ci/corp/app:prod", Method::Jwt));
    let groups: Vec<_> = principal.groups.iter().map(|group| &**group).collect();
    assert_eq!(groups, ["group:ci/deploy"], "and none that it claims");
    let expected = [("rule", "deploy"), ("run_id", "4711"), ("repository", "corp/app"), ("sha", "0123456789abcdef")];
    assert_eq!(recorded(&principal), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(principal.token_id.as_deref(), Some("id-1"));
    assert_eq!(scene.issuers.exchange_lifetime(&principal), Some(Duration::from_secs(900)));
    assert_eq!(scene.issuers.exchange_lifetime(&scene.verify(&es256(&claims("corp"))).unwrap()), None);
    let forged = Principal { method: Method::Token, ..(*principal).clone() };
    assert_eq!(scene.issuers.exchange_lifetime(&forged), None, "an exchanged token is not exchanged again");
}

#[test]
fn the_first_rule_that_is_for_it_decides_alone() {
    let rule = |name: &str, repository: &str, group: &str| {
        let conditions = vec![("repository".parse().unwrap(), ClaimPattern::Text(repository.parse().unwrap()))];
        TrustRule { name: name.parse().unwrap(), conditions, groups: vec![group.parse().unwrap()], ..deploy() }
    };
    let scene = by(&[rule("one", "evil/*", "a"), rule("two", "corp/app", "b"), rule("three", "corp/*", "c")]);
    let principal = scene.verify(&good("ci")).unwrap();
    assert_eq!((&*principal.groups[0], principal.groups.len()), ("group:ci/b", 1));
    assert_eq!(recorded(&principal)[0], ("rule".to_owned(), "two".to_owned()));
}

/// Which part of a list would count is anyone's guess, so none does.
#[test]
fn a_condition_on_several_values_holds_for_none() {
    let mut rule = deploy();
    rule.conditions = vec![("teams.name".parse().unwrap(), ClaimPattern::Text("corp".parse().unwrap()))];
    rule.subject = "job".parse().unwrap();
    let scene = by(&[rule]);
    let verify = |teams: Value| scene.verify(&es256(&with("ci", "teams", teams))).map_err(|refusal| refusal.reason());
    assert!(verify(json!({"name": "corp"})).is_ok() && verify(json!([{"name": "corp"}])).is_ok());
    for teams in [json!([{"name": "corp"}, {"name": "evil"}]), json!([{"name": "evil"}, {"name": "corp"}]), json!([])] {
        assert_eq!(verify(teams.clone()).unwrap_err(), Reason::NoTrustRule, "{teams}");
    }
}

/// Only what can stand on a line of a record does.
#[test]
fn what_cannot_be_recorded_is_left_out() {
    let mut rule = deploy();
    rule.conditions.truncate(1);
    rule.subject = "{repository}".parse().unwrap();
    rule.record =
        ["long", "lines", "list", "number", "truth", "absent", "deep.er"].map(|claim| claim.parse().unwrap()).into();
    let mut claims = with("ci", "repository", "corp/app");
    let more = json!({
        "long": "x".repeat(257), "lines": "a\nb", "list": ["a"], "number": 7, "truth": true, "deep": {"er": "x"}
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let principal = by(&[rule]).verify(&es256(&claims)).unwrap();
    let names: Vec<_> = recorded(&principal).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(names, ["rule=deploy", "number=7", "truth=true", "deep.er=x"]);
}

#[test]
fn templates_have_their_braces_in_pairs() {
    for good in ["{repository}", "a/{b.c}:{d}", "deploy", "{https://x\\.example/a}"] {
        assert_eq!(good.parse::<SubjectTemplate>().unwrap().to_string(), good);
    }
    for bad in ["", "{", "}", "{a", "a}", "{{a}}", "{}", "{a..b}", " {a}", "{a}\n", "\"{a}\"", "*"] {
        assert!(bad.parse::<SubjectTemplate>().is_err(), "{bad}");
    }
}

#[test]
fn a_subject_is_of_texts_and_numbers_that_are_there() {
    let reason = |value: Value| {
        let mut rule = deploy();
        rule.conditions = vec![("kind".parse().unwrap(), ClaimPattern::Text("job".parse().unwrap()))];
        rule.subject = "a:{repository}".parse().unwrap();
        let mut claims = with("ci", "kind", "job");
        claims["repository"] = value;
        by(&[rule]).verify(&es256(&claims)).map_err(|refusal| refusal.reason()).map(|one| one.subject.to_string())
    };
    assert_eq!(reason(json!(7)), Ok("ci:ci/a:7".to_owned()));
    assert_eq!(reason(json!("corp/app")), Ok("ci:ci/a:corp/app".to_owned()));
    for (value, expected) in [
        (json!(null), Reason::SubjectMissing),
        (json!(""), Reason::SubjectMissing),
        (json!(true), Reason::SubjectMalformed),
        (json!(1.5), Reason::SubjectMalformed),
        (json!(["a"]), Reason::SubjectMalformed),
        (json!("a\nb"), Reason::SubjectName),
        (json!("x".repeat(300)), Reason::SubjectName),
    ] {
        assert_eq!(reason(value.clone()), Err(expected), "{value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// INVARIANT: whatever its claims say, a job is below `ci:` and the issuer's own alias, and in the rule's groups.
    #[test]
    fn any_claims_stay_with_their_issuer_and_rule(repository in ".{0,16}", groups in proptest::collection::vec(".{0,8}", 0..3)) {
        let mut rule = deploy();
        rule.conditions.truncate(1);
        rule.conditions[0] = ("iat".parse().unwrap(), ClaimPattern::Integer(NOW));
        rule.subject = "{repository}".parse().unwrap();
        let mut claims = with("ci", "repository", repository);
        claims["groups"] = json!(groups);
        if let Ok(principal) = by(&[rule]).verify(&es256(&claims)) {
            prop_assert!(principal.subject.starts_with("ci:ci/") && !principal.subject.contains(char::is_control));
            prop_assert_eq!(&*principal.groups, &["group:ci/deploy".into()][..]);
        }
    }

    #[test]
    fn any_text_is_a_template_or_not(text in "[{}a.\\\\ ]{0,12}") {
        if let Ok(template) = text.parse::<SubjectTemplate>() {
            prop_assert_eq!(template.to_string(), text);
        }
    }
}
