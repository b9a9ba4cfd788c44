//! What must come through, and as whom.

use super::mint::{Mint, header};
use super::scene::{NOW, PUBLIC, Scene, claims, with, without};
use crate::jwt::{Algorithm, Reason};
use crate::principal::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn reason(scene: &Scene, token: &str, now: i64) -> Option<Reason> {
    scene.verify_at(token, now).err().map(|refusal| refusal.reason())
}

#[test]
fn each_algorithm_is_accepted_and_becomes_the_principal_that_the_claims_say() {
    let scene = Scene::new();
    for algorithm in Algorithm::ALL {
        let alias = if algorithm.is_symmetric() { "hook" } else { "corp" };
        let principal = scene.verify(&Mint::ours().token(algorithm, &claims(alias))).unwrap();
        assert_eq!(*principal.subject, format!("user:{alias}/alice"));
        let groups: Vec<_> = principal.groups.iter().map(|group| group.to_string()).collect();
        assert_eq!(groups, [format!("group:{alias}/dev"), format!("group:{alias}/eng/platform")]);
        assert_eq!((principal.method, principal.token_id.as_deref()), (Method::Jwt, Some("id-1")));
        assert_eq!(principal.scope, None);
    }
}

#[test]
fn the_kid_chooses_among_several_and_may_be_left_out_for_one() {
    let scene = Scene::new();
    let solo = |header: Value| Mint::ours().sign(Algorithm::Rs256, &header.to_string(), &claims("solo").to_string());
    for header in [json!({"alg": "RS256"}), json!({"alg": "RS256", "kid": "2026-01"})] {
        assert!(scene.verify(&solo(header.clone())).is_ok(), "{header}");
    }
}

#[test]
fn types_are_compared_as_media_types() {
    let scene = Scene::new();
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        let mut header = header(Algorithm::Es256);
        header["typ"] = typ.into();
        let token = Mint::ours().sign(Algorithm::Es256, &header.to_string(), &claims("corp").to_string());
        assert!(scene.verify(&token).is_ok(), "{typ}");
    }
    let strict = Scene::changed(|settings| settings.types = vec!["at+jwt".into()]);
    let untyped = Mint::ours().sign(Algorithm::Rs256, r#"{"alg":"RS256"}"#, &claims("solo").to_string());
    assert!(scene.verify(&untyped).is_ok());
    assert_eq!(reason(&strict, &untyped, NOW), Some(Reason::Type), "a token that says nothing is a plain JWT");
}

#[test]
fn the_audience_may_be_one_of_several() {
    let scene = Scene::new();
    for audience in [json!("modgate"), json!(["modgate"]), json!(["x", "https://modules.example"])] {
        let token = Mint::ours().token(Algorithm::EdDsa, &with("corp", "aud", audience.clone()));
        assert!(scene.verify(&token).is_ok(), "{audience}");
    }
}

/// The edges of each time, with the leeway of 60 s.
#[test]
fn times_hold_to_the_second() {
    let scene = Scene::new();
    let token = Mint::ours().token(Algorithm::EdDsa, &claims("corp"));
    for (now, expected) in [
        (NOW - 61, Some(Reason::NotYetValid)),
        (NOW - 60, None),
        (NOW + 659, None),
        (NOW + 660, Some(Reason::Expired)),
        (NOW + 100_000, Some(Reason::Expired)),
    ] {
        assert_eq!(reason(&scene, &token, now), expected, "{}", now - NOW);
    }
    let issued = Mint::ours().token(Algorithm::EdDsa, &with("corp", "iat", NOW + 61));
    assert_eq!(reason(&scene, &issued, NOW), Some(Reason::IssuedInFuture));
    assert_eq!(reason(&scene, &issued, NOW + 1), None);
    let fraction = Mint::ours().token(Algorithm::EdDsa, &with("corp", "exp", 1_799_999_940.9));
    assert_eq!(reason(&scene, &fraction, NOW), Some(Reason::Expired), "a fraction is no reprieve");
    let exact = Scene::changed(|settings| settings.leeway = Duration::ZERO);
    assert_eq!(reason(&exact, &token, NOW + 600), Some(Reason::Expired));
    assert_eq!(reason(&exact, &token, NOW + 599), None);
}

#[test]
fn a_missing_nbf_is_for_the_issuer_to_allow_and_a_future_one_is_not() {
    let lenient = Scene::changed(|settings| settings.require_nbf = false);
    let absent = Mint::ours().token(Algorithm::EdDsa, &without("corp", "nbf"));
    assert_eq!(reason(&lenient, &absent, NOW), None);
    assert_eq!(reason(&Scene::new(), &absent, NOW), Some(Reason::NotBeforeMissing));
    let future = Mint::ours().token(Algorithm::EdDsa, &with("corp", "nbf", NOW + 61));
    assert_eq!(reason(&lenient, &future, NOW), Some(Reason::NotYetValid));
}

#[test]
fn the_lifetime_is_bounded_where_that_is_configured() {
    let bounded = |seconds| {
        Scene::changed(move |settings| {
            settings.max_lifetime = Some(Duration::from_secs(seconds));
            settings.require_nbf = false;
        })
    };
    let token = |claims: &Value| Mint::ours().token(Algorithm::EdDsa, claims);
    assert_eq!(reason(&bounded(600), &token(&claims("corp")), NOW), None);
    assert_eq!(reason(&bounded(599), &token(&claims("corp")), NOW), Some(Reason::LifetimeLong));
    // Without `iat` the time from which on it is good counts, and without both nothing is known.
    assert_eq!(reason(&bounded(599), &token(&without("corp", "iat")), NOW), Some(Reason::LifetimeLong));
    let mut neither = without("corp", "iat");
    neither.as_object_mut().unwrap().remove("nbf");
    assert_eq!(reason(&bounded(600), &token(&neither), NOW), Some(Reason::LifetimeUnknown));
}

#[test]
fn names_are_where_the_configuration_says() {
    let scene = Scene::changed(|settings| {
        settings.subject_claim = "person.mail".parse().unwrap();
        settings.groups_claim = "https://corp\\.example/teams.name".parse().unwrap();
    });
    let mut claims = claims("corp");
    claims["person"] = json!({"mail": "alice@corp.example"});
    claims["https://corp.example/teams"] = json!([{"name": "/a/b"}, {"name": "b c"}, {"name": "b c"}, {"id": 7}]);
    let principal = scene.verify(&Mint::ours().token(Algorithm::EdDsa, &claims)).unwrap();
    assert_eq!(&*principal.subject, "user:corp/alice@corp.example");
    let groups: Vec<_> = principal.groups.iter().map(|group| &**group).collect();
    assert_eq!(groups, ["group:corp/a/b", "group:corp/b c"]);
}

#[test]
fn no_groups_are_no_groups_and_one_may_stand_alone() {
    let scene = Scene::new();
    for (groups, count) in [(json!(null), 0), (json!([]), 0), (json!("dev"), 1), (json!(["a", "/a"]), 1)] {
        let token = Mint::ours().token(Algorithm::EdDsa, &with("corp", "groups", groups.clone()));
        assert_eq!(scene.verify(&token).unwrap().groups.len(), count, "{groups}");
    }
}

/// What cannot be recorded is left out of the record, and changes nothing else.
#[test]
fn a_jti_is_taken_only_if_it_can_be_recorded() {
    let scene = Scene::new();
    for (jti, taken) in [(json!("a/b:c"), true), (json!(""), false), (json!(7), false), (json!("a b"), false)] {
        let token = Mint::ours().token(Algorithm::EdDsa, &with("corp", "jti", jti.clone()));
        assert_eq!(scene.verify(&token).unwrap().token_id.is_some(), taken, "{jti}");
    }
    let long = Mint::ours().token(Algorithm::EdDsa, &with("corp", "jti", "x".repeat(65)));
    assert_eq!(scene.verify(&long).unwrap().token_id, None);
}

/// INVARIANT: every name is of the issuer that signed it, whatever the claims say.
#[test]
fn no_claim_reaches_another_issuers_names_or_a_role() {
    let scene = Scene::new();
    let mut claims = with("corp", "sub", "other/alice");
    claims["groups"] = json!(["role:admin", "../other/dev", "group:other/dev", "authenticated", "//x", "/role:admin"]);
    let principal = scene.verify(&Mint::ours().token(Algorithm::EdDsa, &claims)).unwrap();
    assert_eq!(&*principal.subject, "user:corp/other/alice");
    assert!(principal.groups.iter().all(|group| group.starts_with("group:corp/")), "{:?}", principal.groups);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// INVARIANT: as above, for any texts; and whatever comes out could be written in a policy.
    #[test]
    fn any_names_stay_with_their_issuer(subject in ".{0,12}", groups in proptest::collection::vec(".{0,8}", 0..4)) {
        let mut claims = with("hook", "sub", subject);
        claims["groups"] = json!(groups);
        if let Ok(principal) = Scene::new().verify(&Mint::ours().token(Algorithm::Hs256, &claims)) {
            prop_assert!(principal.subject.starts_with("user:hook/"));
            for name in principal.groups.iter() {
                prop_assert!(name.starts_with("group:hook/") && name.trim() == &**name && !name.contains('"'));
            }
        }
    }

    /// A second opinion: what is accepted here after any change of one character, the other implementation accepts too.
    #[test]
    fn nothing_is_accepted_that_jsonwebtoken_refuses(which in 0usize..4, place: prop::sample::Index, with in "[A-Za-z0-9_.=-]") {
        use jsonwebtoken::{DecodingKey, Validation, decode};
        let algorithm = PUBLIC[which];
        let mut token = Mint::ours().token(algorithm, &claims("corp"));
        let at = place.index(token.len());
        token.replace_range(at..=at, &with);
        let pem = Mint::ours().pem(algorithm);
        let (key, theirs) = match algorithm {
            Algorithm::Rs256 => (DecodingKey::from_rsa_pem(pem.as_bytes()), jsonwebtoken::Algorithm::RS256),
            Algorithm::Ps256 => (DecodingKey::from_rsa_pem(pem.as_bytes()), jsonwebtoken::Algorithm::PS256),
            Algorithm::Es256 => (DecodingKey::from_ec_pem(pem.as_bytes()), jsonwebtoken::Algorithm::ES256),
            _ => (DecodingKey::from_ed_pem(pem.as_bytes()), jsonwebtoken::Algorithm::EdDSA),
        };
        let mut validation = Validation::new(theirs);
        validation.set_audience(&["modgate"]);
        validation.set_issuer(&["https://corp.example"]);
        // It reads the clock of the machine.
        validation.validate_exp = false;
        let accepted = Scene::new().verify(&token).is_ok();
        let second = decode::<Value>(&token, &key.unwrap(), &validation).is_ok();
        prop_assert!(!accepted || second, "{token}");
    }
}
