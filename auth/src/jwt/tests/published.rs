//! Keys fetched from a `host`: ahead, once for all who wait, and not at all where that is not worth it.

use super::host::{Answer, Host, KEYS, METADATA, jwks, mint, ok};
use super::scene::{NOW, settings};
use crate::jwt::{
    Algorithm, Issuer, IssuerSettings, Issuers, KeyFile, KeyNews, KeySource, KeyStanding, KeysAt, Published, Reason,
    Unproved,
};
use crate::principal::Principal;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// A gateway's issuers, one of which is the host.
struct House {
    host: Arc<Host>,
    issuers: Arc<Issuers>,
    clock: Arc<AtomicI64>,
    told: Arc<Mutex<Vec<KeyNews>>>,
    requests: AtomicUsize,
}

impl House {
    async fn with(pause: Duration) -> Self {
        Self::changed(pause, |_| {}).await
    }

    async fn changed(pause: Duration, change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let host = Host::start().await;
        let mut settings = settings("corp", KeyFile::Public("unused".into()), vec![Algorithm::EdDsa]);
        let (every, stale) = (Duration::from_hours(1), Duration::from_hours(24));
        settings.keys = KeySource::Published(Published { at: KeysAt::Discovery, every, pause, stale });
        settings.issuer.clone_from(&host.url);
        change(&mut settings);
        let issuers = Arc::new(Issuers::new(vec![Issuer::read(settings).unwrap()], &[3; 32]));
        let (clock, told) = (Arc::new(AtomicI64::new(NOW)), Arc::new(Mutex::new(Vec::new())));
        Self { host, issuers, clock, told, requests: AtomicUsize::new(0) }
    }

    /// Starts to fetch, and waits for the first keys or the first failure.
    async fn follow(self) -> Self {
        let (clock, told) = (Arc::clone(&self.clock), Arc::clone(&self.told));
        let clock = move || at(clock.load(Ordering::Relaxed));
        let report = move |_: &_, renewal: &KeyNews| told.lock().push(renewal.clone());
        self.issuers.follow(&Handle::current(), Arc::new(clock), 1, Arc::new(report));
        self.until("the first fetch", |house| !house.told.lock().is_empty()).await;
        self
    }

    /// Polls until a condition holds.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A token, another one each time.
    fn token(&self, kid: &str, signer: &str) -> String {
        self.token_with(kid, signer, json!({}))
    }

    fn token_with(&self, kid: &str, signer: &str, more: Value) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut claims = json!({
            "iss": self.host.url, "aud": "modgate", "sub": "alice", "exp": NOW + 200_000, "nbf": NOW, "jti": number.to_string()
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid}).to_string();
        mint(signer).sign(Algorithm::EdDsa, &header, &claims.to_string())
    }

    fn verify(&self, token: &str, now: i64) -> Result<Arc<Principal>, Unproved> {
        self.issuers.verify(token, at(now))
    }

    async fn inquire(&self, token: &str, now: i64) -> Result<Arc<Principal>, Unproved> {
        self.issuers.inquire(token, at(now)).await
    }

    fn standing(&self, now: i64) -> KeyStanding {
        self.issuers.states(at(now))[0].standing
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn unavailable(judged: Result<Arc<Principal>, Unproved>) -> String {
    match judged {
        Err(Unproved::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn reason(judged: Result<Arc<Principal>, Unproved>) -> Reason {
    match judged {
        Err(Unproved::Refused(refusal)) => refusal.reason(),
        other => panic!("{other:?}"),
    }
}

const SHORT: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_ahead_by_discovery_or_from_a_url() {
    let house = House::with(LONG).await.follow().await;
    assert_eq!(*house.told.lock(), [KeyNews::Replaced { keys: 1, notes: vec![] }]);
    assert!(house.verify(&house.token("k1", "k1"), NOW).is_ok(), "nobody has to be asked");
    assert_eq!(*house.host.asked.lock(), [METADATA, KEYS]);
    assert_eq!(house.standing(NOW), KeyStanding::Fresh);

    let direct = House::with(LONG).await;
    let url = format!("{}{KEYS}", direct.host.url).parse().unwrap();
    let host = Arc::clone(&direct.host);
    let direct = House::changed(LONG, |settings| {
        let KeySource::Published(published) = &mut settings.keys else { panic!() };
        published.at = KeysAt::Url(url);
    });
    let direct = direct.await.follow().await;
    assert!(direct.verify(&direct.token("k1", "k1"), NOW).is_ok());
    assert_eq!(*host.asked.lock(), [KEYS]);
}

/// INVARIANT: whoever waits, waits for one fetch.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kid_is_asked_for_once_for_all_who_name_it() {
    let house = House::with(SHORT).await.follow().await;
    house.host.answer(KEYS, ok(jwks(&["k2", "k1"])));
    let tokens: Vec<_> = (0..200).map(|_| house.token("k2", "k2")).collect();
    assert!(tokens.iter().all(|token| house.verify(token, NOW) == Err(Unproved::Open)));
    let inquiries = tokens.iter().map(|token| {
        let (issuers, token) = (Arc::clone(&house.issuers), token.clone());
        tokio::spawn(async move { issuers.inquire(&token, at(NOW)).await })
    });
    for inquiry in inquiries.collect::<Vec<_>>() {
        assert!(inquiry.await.unwrap().is_ok());
    }
    assert_eq!(house.host.count(KEYS), 2);
    assert_eq!(house.host.count(METADATA), 1, "metadata are believed for a day");
    assert_eq!(house.told.lock().len(), 2);
}

/// INVARIANT: a flood of kids that do not exist costs one fetch in the pause; then each of them is known to be absent.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_kids_costs_one_fetch() {
    let house = House::with(Duration::from_millis(500)).await.follow().await;
    let begun = Instant::now();
    let tokens: Vec<_> = (0..300).map(|number| house.token(&format!("x{number}"), "k2")).collect();
    let inquiries = tokens.iter().map(|token| {
        let (issuers, token) = (Arc::clone(&house.issuers), token.clone());
        tokio::spawn(async move { issuers.inquire(&token, at(NOW)).await })
    });
    for inquiry in inquiries.collect::<Vec<_>>() {
        assert_eq!(reason(inquiry.await.unwrap()), Reason::KidUnknown);
    }
    let most = 2 + begun.elapsed().as_millis() / 500;
    assert!(house.host.count(KEYS) as u128 <= most, "{} fetches", house.host.count(KEYS));
    let asked = house.host.asked.lock().len();
    let absent = tokens.iter().filter(|token| house.verify(token, NOW) != Err(Unproved::Open)).count();
    assert!(absent > 250, "{absent} are known to be absent, without anybody being asked");
    assert_eq!(house.host.asked.lock().len(), asked);
    assert_eq!(house.verify(&tokens[0], NOW + 31), Err(Unproved::Open), "not for ever");
}

/// A token that would be refused whoever had signed it is not worth a fetch.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_a_token_that_is_bad_in_any_case() {
    let house = House::with(SHORT).await.follow().await;
    for (more, expected) in [
        (json!({"exp": NOW - 100}), Reason::Expired),
        (json!({"aud": "other"}), Reason::AudienceWrong),
        (json!({"nonce": "x"}), Reason::IdToken),
    ] {
        let token = house.token_with("k2", "k2", more);
        assert_eq!(reason(house.verify(&token, NOW)), expected);
        assert_eq!(reason(house.inquire(&token, NOW).await), expected);
    }
    assert_eq!(house.host.count(KEYS), 1);
}

/// INVARIANT: what was verified with a key that stays is remembered through a rotation; with one that goes it is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_takes_nothing_from_those_whose_key_stays() {
    let house = House::with(SHORT).await.follow().await;
    let old = house.token("k1", "k1");
    let first = house.verify(&old, NOW).unwrap();
    house.host.answer(KEYS, ok(jwks(&["k2", "k1"])));
    let second = house.inquire(&house.token("k2", "k2"), NOW).await.unwrap();
    assert!(Arc::ptr_eq(&first, &house.verify(&old, NOW).unwrap()), "not even verified again");
    assert!(house.issuers.recall(&old, at(NOW)).is_some());

    house.host.answer(KEYS, ok(jwks(&["k2"])));
    house.issuers.renew();
    house.until("the old key to go", |house| house.told.lock().len() == 3).await;
    assert!(house.issuers.recall(&old, at(NOW)).is_none());
    assert_eq!(house.verify(&old, NOW), Err(Unproved::Open));
    assert_eq!(reason(house.inquire(&old, NOW).await), Reason::KidUnknown);
    drop(second);

    // The same name for another key is another key.
    let mut other = jwks(&["k1"]);
    other["keys"][0]["kid"] = "k2".into();
    let kept = house.token("k2", "k2");
    house.verify(&kept, NOW).unwrap();
    house.host.answer(KEYS, ok(other));
    house.issuers.renew();
    house.until("the other key", |house| house.told.lock().len() == 4).await;
    assert!(house.issuers.recall(&kept, at(NOW)).is_none());
    assert_eq!(reason(house.verify(&kept, NOW)), Reason::Signature);
}

/// INVARIANT: whatever an issuer answers, the last good keys stay, and it is told once.
#[tokio::test(flavor = "multi_thread")]
async fn faults_take_nothing_away_and_are_told_as_what_they_are() {
    let house = House::with(SHORT).await.follow().await;
    let metadata = house.host.answers.lock()[METADATA].clone();
    let moved = Answer(format!("302 Found\r\nLocation: {}{KEYS}", house.host.url), vec![]);
    let elsewhere = json!({"issuer": format!("{}/", house.host.url), "jwks_uri": format!("{}{KEYS}", house.host.url)});
    let insecure = json!({"issuer": house.host.url, "jwks_uri": "http://keys.example/"});
    let private = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA", "kid": "k2"}]});
    let secret = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    let faults = [
        (KEYS, Answer("500 Internal Server Error".into(), vec![]), "unreachable", "answers with the status 500"),
        (KEYS, ok("<html>"), "refused", "no JSON object"),
        (METADATA, moved.clone(), "unreachable", "answers with the status 302"),
        (METADATA, ok(elsewhere), "refused", "not of this one"),
        (KEYS, moved, "unreachable", "answers with the status 302"),
        (METADATA, ok(insecure), "refused", "neither https nor at a loopback address"),
        (KEYS, ok("x".repeat((1 << 20) + 1)), "unreachable", "larger than 1048576 bytes"),
        (KEYS, ok(private), "refused", "it is a private key"),
        (KEYS, Answer("204 No Content".into(), vec![]), "unreachable", "answers with the status 204"),
        (KEYS, ok(secret), "refused", "it is a secret"),
        (METADATA, Answer("404 Not Found".into(), vec![]), "unreachable", "answers with the status 404"),
        (KEYS, ok(json!({"keys": []})), "refused", "it has no key for EdDSA"),
    ];
    for (path, answer, kind, said) in faults {
        let (news, before) = (house.told.lock().len(), house.token("k1", "k1"));
        house.host.answer(path, answer);
        house.issuers.renew();
        house.until(said, |house| house.told.lock().len() > news).await;
        let told = house.told.lock().last().cloned().unwrap();
        match (&told, kind) {
            (KeyNews::Refused(why), "refused") | (KeyNews::Unreachable(why), "unreachable") => {
                assert!(why.contains(said), "{why}");
            }
            _ => panic!("{said}: {told:?}"),
        }
        assert!(house.verify(&before, NOW).is_ok(), "{said}");
        assert_eq!(house.standing(NOW), KeyStanding::Stale, "{said}");
        // Without the metadata the next fault would not be met.
        house.host.answer(METADATA, metadata.clone());
    }
    let why = unavailable(house.inquire(&house.token("k2", "k2"), NOW).await);
    assert!(why.contains("the issuer `corp`: what it publishes cannot be used"), "{why}");
    house.host.answer(KEYS, ok(jwks(&["k1", "k2"])));
    house.issuers.renew();
    house.until("the keys", |house| matches!(house.told.lock().last(), Some(KeyNews::Replaced { keys: 2, .. }))).await;
    assert!(house.verify(&house.token("k2", "k2"), NOW).is_ok());
    assert_eq!(house.standing(NOW), KeyStanding::Fresh);
}

/// An issuer that is down: for an hour nothing changes for those whose key is known; after the grace nobody is let in by it.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_outlasted_for_the_grace_and_no_longer() {
    const HOUR: i64 = 3600;
    let house = House::with(SHORT).await.follow().await;
    let (old, new) = (house.token("k1", "k1"), house.token("k2", "k2"));
    house.host.answer(KEYS, Answer("503 Service Unavailable".into(), vec![]));
    let why = unavailable(house.inquire(&new, NOW).await);
    assert!(why.contains("it cannot be reached") && why.contains("503"), "{why}");
    for hour in [1, 24] {
        assert!(house.verify(&house.token("k1", "k1"), NOW + hour * HOUR).is_ok(), "after {hour} h");
        unavailable(house.inquire(&new, NOW + hour * HOUR).await);
    }
    // The schedule and the grace: 25 h.
    let late = NOW + 25 * HOUR;
    house.verify(&old, late - 1).unwrap();
    assert!(house.issuers.recall(&old, at(late - 1)).is_some() && house.issuers.recall(&old, at(late)).is_none());
    assert_eq!(house.verify(&old, late), Err(Unproved::Open));
    unavailable(house.inquire(&old, late).await);
    assert_eq!(house.standing(late), KeyStanding::Missing);

    house.clock.store(late, Ordering::Relaxed);
    house.until("the keys to go", |house| house.told.lock().contains(&KeyNews::Dropped)).await;
    assert_eq!(house.told.lock().len(), 3, "an outage is told once: {:?}", house.told.lock());
    house.host.answer(KEYS, ok(jwks(&["k2", "k1"])));
    house.until("the keys", |house| house.standing(late) == KeyStanding::Fresh).await;
    assert!(house.verify(&old, late).is_ok() && house.verify(&new, late).is_ok());
}

/// Nobody waits out the pause for an issuer that has just failed, and nobody has it asked before.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_has_just_failed_is_told_of_at_once() {
    let house = House::with(LONG).await;
    house.host.answer(KEYS, Answer("500 Internal Server Error".into(), vec![]));
    let house = house.follow().await;
    for _ in 0..3 {
        let inquired = tokio::time::timeout(LONG / 100, house.inquire(&house.token("k1", "k1"), NOW)).await;
        let why = unavailable(inquired.expect("an answer long before the pause is over"));
        assert!(why.contains("answers with the status 500"), "{why}");
    }
    assert_eq!(house.host.count(KEYS), 1);
    assert_eq!(house.standing(NOW), KeyStanding::Missing);
}

/// Who comes while a fetch is under way waits for it, and nobody else does.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_issuer_keeps_only_those_waiting_who_need_it() {
    let house = House::with(SHORT).await.follow().await;
    house.host.answer(KEYS, ok(jwks(&["k2", "k1"])));
    house.host.gate.forget_permits(usize::MAX);
    let inquire = || {
        let (issuers, token) = (Arc::clone(&house.issuers), house.token("k2", "k2"));
        tokio::spawn(async move { issuers.inquire(&token, at(NOW)).await })
    };
    let first = inquire();
    house.until("the second fetch", |house| house.host.count(KEYS) == 2).await;
    let second = inquire();
    assert!(house.verify(&house.token("k1", "k1"), NOW).is_ok(), "the key of others is there");
    assert!(!first.is_finished() && !second.is_finished());
    house.host.gate.add_permits(100);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    assert_eq!(house.host.count(KEYS), 2, "both had what they needed by one fetch");
}

/// INVARIANT: without anybody who fetches, a token is not judged rather than let in or refused.
#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_so() {
    let house = House::with(SHORT).await;
    let why = unavailable(house.inquire(&house.token("k1", "k1"), NOW).await);
    assert!(why.contains("waited for in vain"), "{why}");
}
