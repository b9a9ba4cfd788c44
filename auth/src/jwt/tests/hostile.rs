//! The corpus of hostile tokens: each is refused for its own reason, and told the same outside.

use super::corpus::{claims, corpus, es256, good, headed};
use super::mint::{Mint, header};
use super::scene::Scene;
use crate::Rejection;
use crate::jwt::Algorithm;
use proptest::prelude::*;
use std::collections::HashSet;

/// INVARIANT: each hostile token is refused, for its own reason inside and with one text outside.
#[test]
fn the_corpus_is_refused_each_for_its_reason_and_with_one_text() {
    let scene = Scene::new();
    let corpus = corpus();
    assert!(corpus.len() >= 250, "{}", corpus.len());
    let (mut wrong, mut outside, mut reasons) = (Vec::new(), HashSet::new(), HashSet::new());
    for (what, token, expected) in &corpus {
        match scene.verify(token) {
            Ok(principal) => wrong.push(format!("{what}: accepted as {}", principal.subject)),
            Err(refusal) if refusal.reason() != *expected => wrong.push(format!("{what}: {refusal}, not {expected:?}")),
            Err(refusal) => {
                let inside = refusal.to_string();
                let signature = token.rsplit('.').next().unwrap();
                assert!(signature.len() < 8 || !inside.contains(signature), "{what}: {inside}");
                assert!(inside.len() < 1200 && !inside.contains(char::is_control), "{what}: {inside}");
                reasons.insert(refusal.reason());
                outside.insert(Rejection::Jwt(refusal).outside());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert!(reasons.len() >= 38, "{}", reasons.len());
    assert_eq!(scene.issuers.remembered(), 0, "nothing of them is kept");
}

/// The corpus would prove nothing if what its rows are made of were refused anyway.
#[test]
fn what_the_corpus_is_made_of_is_good() {
    let scene = Scene::new();
    assert!(scene.verify(&es256(&claims("corp"))).is_ok());
    assert!(scene.verify(&headed(&header(Algorithm::Es256))).is_ok());
    assert!(scene.verify(&Mint::theirs().token(Algorithm::Es256, &claims("other"))).is_ok());
    for alias in ["access", "ci"] {
        assert!(scene.verify(&good(alias)).is_ok(), "{alias}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any change of any character makes it another token, which nobody has signed.
    #[test]
    fn a_changed_character_is_never_accepted(place: prop::sample::Index, with in "[ -~]", which in 0usize..4) {
        let token = Mint::ours().token(super::scene::PUBLIC[which], &claims("corp"));
        let at = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &with);
        prop_assume!(changed != token);
        prop_assert!(Scene::new().verify(&changed).is_err(), "{changed}");
    }

    #[test]
    fn any_text_is_judged(text in "[A-Za-z0-9_.=-]{0,80}", claims in ".{0,80}", header in ".{0,60}") {
        let scene = Scene::new();
        prop_assert!(scene.verify(&text).is_err());
        prop_assert!(scene.verify(&Mint::theirs().sign(Algorithm::Hs256, &header, &claims)).is_err());
    }
}
