//! What is remembered of verified tokens, and what ends it.

use super::mint::Mint;
use super::scene::{NOW, Scene, claims, with};
use crate::jwt::{Algorithm, Reason, Reread};
use jiff::Timestamp;
use serde_json::json;
use std::fs;
use std::sync::Arc;

fn token(exp: i64) -> String {
    Mint::ours().token(Algorithm::EdDsa, &with("corp", "exp", exp))
}

#[test]
fn a_verified_token_is_remembered_and_a_refused_one_is_not() {
    let scene = Scene::new();
    let first = scene.verify(&token(NOW + 600)).unwrap();
    let again = scene.verify(&token(NOW + 600)).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "the same principal, not a second one");
    assert_eq!(scene.issuers.remembered(), 1);
    scene.verify(&token(NOW - 600)).unwrap_err();
    assert_eq!(scene.issuers.remembered(), 1);
}

/// Whoever fails too often is not judged; what was found good before stays good, until its end.
#[test]
fn what_is_remembered_is_recalled_and_nothing_else_is_judged() {
    let scene = Scene::new();
    let recall = |text: &str, now| scene.issuers.recall(text, Timestamp::from_second(now).unwrap());
    let good = token(NOW + 100);
    assert!(recall(&good, NOW).is_none());
    scene.verify(&good).unwrap();
    assert!(recall(&good, NOW).is_some());
    assert!(recall(&token(NOW + 600), NOW).is_none() && recall(&good, NOW + 200).is_none());
    assert_eq!(scene.issuers.remembered(), 1, "and nothing was learnt");
}

/// INVARIANT: a signature is part of what is remembered, so a good token does not open the way for its like.
#[test]
fn only_the_very_same_text_is_recognised() {
    let scene = Scene::new();
    let good = token(NOW + 600);
    scene.verify(&good).unwrap();
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(scene.verify(&format!("{signed}.")).unwrap_err().reason(), Reason::Signature);
    let forged = format!("{signed}.{}", "A".repeat(86));
    assert_eq!(scene.verify(&forged).unwrap_err().reason(), Reason::Signature);
}

/// INVARIANT: times are compared at every use.
#[test]
fn what_is_remembered_expires_and_is_not_good_early() {
    let scene = Scene::new();
    let short = token(NOW + 10);
    scene.verify(&short).unwrap();
    assert!(scene.verify_at(&short, NOW + 69).is_ok());
    assert_eq!(scene.verify_at(&short, NOW + 70).unwrap_err().reason(), Reason::Expired);
    assert_eq!(scene.verify_at(&short, NOW - 61).unwrap_err().reason(), Reason::NotYetValid);
}

#[test]
fn after_five_minutes_it_is_verified_anew() {
    let scene = Scene::new();
    let long = token(NOW + 100_000);
    let first = scene.verify(&long).unwrap();
    assert!(Arc::ptr_eq(&first, &scene.verify_at(&long, NOW + 299).unwrap()));
    assert!(!Arc::ptr_eq(&first, &scene.verify_at(&long, NOW + 300).unwrap()));
}

/// INVARIANT: what was verified with keys that are no longer in force is verified anew, and so refused.
#[test]
fn other_keys_end_what_was_verified_with_the_old_ones() {
    let scene = Scene::new();
    let (old, hook) = (token(NOW + 600), Mint::ours().token(Algorithm::Hs256, &claims("hook")));
    scene.verify(&old).unwrap();
    let other_issuer = scene.verify(&hook).unwrap();
    assert!(
        scene
            .issuers
            .reread(Timestamp::from_second(NOW).unwrap())
            .iter()
            .all(|(_, reread)| *reread == Reread::Unchanged)
    );
    assert_eq!(scene.issuers.remembered(), 2, "unchanged files change nothing");

    fs::write(scene.file("corp"), Mint::theirs().jwks().to_string()).unwrap();
    let results = scene.issuers.reread(Timestamp::from_second(NOW).unwrap());
    let replaced = results.iter().find(|(alias, _)| alias.as_str() == "corp").unwrap();
    assert!(matches!(&replaced.1, Reread::Replaced { keys: 3, notes } if notes.is_empty()), "{results:?}");
    assert_eq!(scene.verify(&old).unwrap_err().reason(), Reason::Signature);
    assert!(scene.verify(&Mint::theirs().token(Algorithm::EdDsa, &claims("corp"))).is_ok());
    assert!(Arc::ptr_eq(&other_issuer, &scene.verify(&hook).unwrap()), "another issuer's stay");

    // The same bytes again are another edition: nothing comes back to life by itself.
    fs::write(scene.file("corp"), Mint::ours().jwks().to_string()).unwrap();
    scene.issuers.reread(Timestamp::from_second(NOW).unwrap());
    assert_eq!(scene.issuers.remembered(), 1);
    assert!(scene.verify(&old).is_ok());
}

/// INVARIANT: the last good keys stay.
#[test]
fn a_bad_key_file_takes_nothing_away() {
    let scene = Scene::new();
    let good = token(NOW + 600);
    for bad in ["", "{\"keys\":[]}", "{", "-----BEGIN PUBLIC KEY-----\n"] {
        fs::write(scene.file("corp"), bad).unwrap();
        let refused = scene
            .issuers
            .reread(Timestamp::from_second(NOW).unwrap())
            .into_iter()
            .filter(|(_, reread)| matches!(reread, Reread::Refused(_)));
        assert_eq!(refused.count(), 1, "{bad}");
        assert!(scene.verify(&good).is_ok(), "{bad}");
    }
    fs::remove_file(scene.file("corp")).unwrap();
    scene.issuers.reread(Timestamp::from_second(NOW).unwrap());
    assert!(scene.verify(&token(NOW + 601)).is_ok());
}

/// INVARIANT: memory is bounded by bytes, however many tokens there are.
#[test]
fn the_memory_is_bounded() {
    let scene = Scene::new();
    let groups: Vec<_> = (0..500).map(|number| format!("{number:015}")).collect();
    for number in 0..2_000 {
        let mut claims = with("hook", "sub", format!("user-{number}"));
        claims["groups"] = json!(groups);
        scene.verify(&Mint::ours().token(Algorithm::Hs256, &claims)).unwrap();
    }
    // Each principal weighs about 29 kB, and 16 MiB are the most.
    assert!((100..600).contains(&scene.issuers.remembered()), "{}", scene.issuers.remembered());
}
