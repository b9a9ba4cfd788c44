//! The limits under a clock that only the tests move.

mod properties;

use super::*;
use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

/// A clock in milliseconds.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, SeqCst);
    }
    fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }
    fn ticking(&self) -> Ticking {
        let hands = self.clone();
        Arc::new(move || Duration::from_millis(hands.now()))
    }
}

fn rate(units: u32, seconds: u64, burst: u32) -> Option<Rate> {
    let (units, burst) = (NonZeroU32::new(units)?, NonZeroU32::new(burst)?);
    Some(Rate { units, per: Duration::from_secs(seconds), burst })
}

/// Ten a second, five at once, ten seconds of patience; three failures and one more a minute.
fn strict() -> Settings {
    Settings {
        principal: rate(10, 1, 5),
        anonymous: rate(10, 1, 5),
        failures: rate(1, 60, 3),
        fetch_cost: 3,
        longest_wait: Duration::from_secs(10),
        ..Settings::default()
    }
}

fn limits(settings: &Settings) -> (Limits, Hands) {
    let hands = Hands::default();
    (Limits::new(settings, hands.ticking()), hands)
}

fn subject(name: &str) -> Arc<str> {
    format!("user:token/{name}").into()
}

/// One request of a principal.
fn ask(limits: &Limits, name: &str) -> Result<Option<Turn>, Excess> {
    limits.charge(&mut limits.open(Payer::Subject(&subject(name)), &[]).unwrap())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_burst_passes_then_the_wait_grows_then_it_would_be_too_long() {
    let (limits, hands) = limits(&strict());
    for _ in 0..5 {
        assert!(ask(&limits, "a").unwrap().is_none());
    }
    let turns: Vec<Turn> = (0..100).map(|_| ask(&limits, "a").unwrap().unwrap()).collect();
    for (place, turn) in turns.iter().enumerate() {
        assert_eq!(turn.delay(), Duration::from_millis(100 * (place as u64 + 1)));
    }
    let excess = ask(&limits, "a").unwrap_err();
    assert_eq!((excess.limit, excess.crowd), (Limit::Principal, None));
    assert_eq!(excess.retry_after, Duration::from_millis(10_100));
    assert!(ask(&limits, "b").unwrap().is_none(), "others do not notice");
    assert_eq!((limits.keys(), limits.waiting()), (2, 100));
    hands.pass(100);
    assert_eq!(ask(&limits, "a").unwrap().unwrap().delay(), Duration::from_secs(10));
    hands.pass(10_100);
    assert!(ask(&limits, "a").unwrap().is_none(), "what was told was true");
}

#[test]
fn whoever_goes_away_gives_back_place_and_units() {
    let (limits, _hands) = limits(&Settings { waiting: 2, ..strict() });
    for _ in 0..5 {
        ask(&limits, "a").unwrap();
    }
    let (first, second) = (ask(&limits, "a").unwrap(), ask(&limits, "a").unwrap());
    for _ in 0..10 {
        let excess = ask(&limits, "a").unwrap_err();
        assert_eq!((excess.crowd, excess.retry_after), (Some(2), Duration::from_millis(300)), "nothing was charged");
    }
    drop((first, second));
    assert_eq!(limits.waiting(), 0);
    assert_eq!(ask(&limits, "a").unwrap().unwrap().delay(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_is_not_given_back() {
    let (limits, _hands) = limits(&strict());
    for _ in 0..5 {
        ask(&limits, "a").unwrap();
    }
    let turn = ask(&limits, "a").unwrap().unwrap();
    let begun = tokio::time::Instant::now();
    turn.come().await;
    assert_eq!(begun.elapsed().as_millis(), 100);
    assert_eq!(limits.waiting(), 0);
    assert_eq!(ask(&limits, "a").unwrap().unwrap().delay(), Duration::from_millis(200));
}

#[test]
fn a_fetch_costs_more_and_waits_no_longer_than_a_request_may() {
    let (limits, _hands) = limits(&Settings { longest_wait: Duration::from_millis(400), ..strict() });
    let mut tab = limits.open(Payer::Subject(&subject("a")), &[]).unwrap();
    assert!(limits.charge(&mut tab).unwrap().is_none());
    assert!(limits.charge_fetch(&mut tab).unwrap().is_none());
    // Four of five are gone.
    assert!(ask(&limits, "a").unwrap().is_none());
    let mut tab = limits.open(Payer::Subject(&subject("a")), &[]).unwrap();
    let turn = limits.charge(&mut tab).unwrap().unwrap();
    assert_eq!(turn.delay(), Duration::from_millis(100));
    let excess = limits.charge_fetch(&mut tab).unwrap_err();
    assert!(excess.recorded && excess.crowd.is_none(), "100 ms and 400 ms are too long");
    assert_eq!(limits.waiting(), 1);
    assert_eq!(ask(&limits, "a").unwrap().unwrap().delay(), Duration::from_millis(200), "the fetch was taken back");
}

#[test]
fn what_costs_more_than_the_burst_can_be_had_all_the_same() {
    let (limits, hands) = limits(&Settings { fetch_cost: 1000, longest_wait: Duration::ZERO, ..strict() });
    let mut tab = limits.open(Payer::Subject(&subject("a")), &[]).unwrap();
    assert!(limits.charge_fetch(&mut tab).unwrap().is_none());
    assert!(limits.charge(&mut tab).is_err());
    hands.pass(500);
    assert!(limits.charge_fetch(&mut tab).unwrap().is_none());
}

#[test]
fn the_defaults_let_two_large_downloads_of_one_person_through_at_once() {
    let (limits, _hands) = limits(&Settings::default());
    for _ in 0..2 * 1900 {
        let mut tab = limits.open(Payer::Subject(&subject("a")), &[]).unwrap();
        assert!(limits.charge(&mut tab).unwrap().is_none());
        assert!(limits.charge_fetch(&mut tab).unwrap().is_none());
    }
}

#[test]
fn the_most_generous_role_counts_and_off_is_off() {
    let role = |role: &str, rate| RoleRate { role: role.into(), rate };
    let roles = vec![
        role("role:slow", rate(1, 3600, 1)),
        role("role:ci", rate(10, 1, 50)),
        role("role:free", None),
        role("role:fast", rate(20, 1, 7)),
    ];
    let (limits, _hands) = limits(&Settings { roles, ..strict() });
    let admitted = |name: &str, roles: &[&str]| {
        let roles: Vec<Arc<str>> = roles.iter().map(|role| (*role).into()).collect();
        let mut tab = limits.open(Payer::Subject(&subject(name)), &roles)?;
        Some((0..1000).take_while(|_| limits.charge(&mut tab).is_ok_and(|turn| turn.is_none())).count())
    };
    assert_eq!(admitted("none", &[]), Some(5));
    assert_eq!(admitted("other", &["role:other"]), Some(5));
    assert_eq!(admitted("slow", &["role:slow"]), Some(1));
    assert_eq!(admitted("two", &["role:slow", "role:ci"]), Some(50));
    assert_eq!(admitted("fast", &["role:ci", "role:fast"]), Some(7));
    assert_eq!(admitted("free", &["role:ci", "role:free"]), None);
    let off = Limits::new(&Settings { principal: None, anonymous: None, failures: None, ..strict() }, since_now());
    assert!(off.open(Payer::Subject(&subject("a")), &[]).is_none());
    assert!(off.open(Payer::Address(address("192.0.2.1")), &[]).is_none());
    assert!((0..100).all(|_| off.failed(address("192.0.2.1")).is_ok()));
}

#[test]
fn addresses_count_by_themselves_and_ipv6_by_64_bits() {
    let (limits, _hands) = limits(&strict());
    let admitted = |client: &str| {
        let mut tab = limits.open(Payer::Address(address(client)), &[]).unwrap();
        (0..100).take_while(|_| limits.charge(&mut tab).unwrap().is_none()).count()
    };
    assert_eq!(admitted("192.0.2.1"), 5);
    assert_eq!(admitted("::ffff:192.0.2.1"), 0, "the same address");
    assert_eq!(admitted("192.0.2.2"), 5);
    assert_eq!(admitted("2001:db8::1"), 5);
    assert_eq!(admitted("2001:db8::ffff:1"), 0, "the same /64");
    assert_eq!(admitted("2001:db8:0:1::1"), 5);
    assert_eq!(limits.keys(), 4);
}

#[test]
fn failures_shut_an_address_and_good_credentials_take_theirs_back() {
    let (limits, hands) = limits(&strict());
    let client = address("192.0.2.1");
    for _ in 0..50 {
        limits.failed(client).unwrap().take_back();
    }
    for _ in 0..3 {
        assert!(!limits.is_shut(client));
        let _charged = limits.failed(client).unwrap();
    }
    assert!(limits.is_shut(client));
    assert!(!limits.is_shut(address("192.0.2.2")));
    let excess = limits.failed(client).unwrap_err();
    assert_eq!((excess.limit, excess.retry_after), (Limit::Failures, Duration::from_secs(60)));
    // The anonymous of that address, and whoever has a good credential, are not concerned.
    let mut tab = limits.open(Payer::Address(client), &[]).unwrap();
    assert!(limits.charge(&mut tab).unwrap().is_none());
    hands.pass(60_000);
    assert!(!limits.is_shut(client));
    assert!(limits.failed(client).is_ok());
}

/// INVARIANT: a flood leaves a bounded number of records, and one that says how many there were.
#[test]
fn a_flood_is_told_in_one_record_for_each_account() {
    let (limits, hands) = limits(&strict());
    let refused = |client: &str| (0..1003).filter_map(|_| limits.failed(address(client)).err()).collect::<Vec<_>>();
    let refusals = refused("192.0.2.1");
    assert_eq!(refusals.len(), 1000);
    assert_eq!(refusals.iter().filter(|excess| excess.recorded).count(), RECORDED as usize);
    let floods = limits.tidy();
    let [flood] = &floods[..] else { panic!("{floods:?}") };
    assert_eq!((&*flood.whom, flood.client), ("192.0.2.1", Some(address("192.0.2.1"))));
    assert_eq!((flood.limit, flood.refusals), (Limit::Failures, 1000 - u64::from(RECORDED)));
    assert!(limits.tidy().is_empty(), "told once");
    hands.pass(60_000);
    for n in 0..100 {
        refused(&format!("198.51.100.{n}"));
    }
    let floods = limits.tidy();
    assert_eq!(floods.len(), TOLD + 1);
    assert_eq!(floods.last().unwrap().whom, "84 others");
    assert_eq!(floods.iter().map(|flood| flood.refusals).sum::<u64>(), 100 * (1000 - u64::from(RECORDED)));
}

#[test]
fn idle_accounts_are_forgotten_and_the_others_are_not() {
    let (limits, hands) = limits(&strict());
    ask(&limits, "idle").unwrap();
    for _ in 0..6 {
        ask(&limits, "indebted").unwrap();
    }
    let mut held = limits.open(Payer::Subject(&subject("held")), &[]).unwrap();
    limits.charge(&mut held).unwrap();
    limits.failed(address("192.0.2.1")).unwrap().take_back();
    hands.pass(150);
    limits.tidy();
    assert_eq!(limits.keys(), 2, "the indebted and the held");
    assert!(ask(&limits, "indebted").unwrap().is_none() && ask(&limits, "indebted").unwrap().is_some());
    drop(held);
    hands.pass(600_000);
    limits.tidy();
    assert_eq!(limits.keys(), 0);
}

/// INVARIANT: addresses without number take no memory without bound, and nobody's own account.
#[test]
fn the_number_of_accounts_is_bounded() {
    let (limits, hands) = limits(&Settings { keys: 100, ..strict() });
    let client = |n: u32| IpAddr::from(n.to_be_bytes());
    let exhausted = |n: u32| (0..4).map(|_| limits.failed(client(n))).filter(Result::is_err).count();
    assert_eq!(exhausted(0), 1);
    for n in 1..100 {
        let _charged = limits.failed(client(n));
    }
    assert_eq!(exhausted(100), 1, "the first that shares");
    assert_eq!(exhausted(101), 4, "and the next, with the same limit for all of them");
    assert!(limits.is_shut(client(102)));
    assert!(limits.failed(client(99)).is_ok(), "who was there before has an account of their own");
    assert_eq!(limits.keys(), 100);
    assert!(ask(&limits, "a").unwrap().is_none(), "and principals have another book");
    hands.pass(600_000);
    limits.tidy();
    assert_eq!(limits.keys(), 0);
    assert_eq!(exhausted(7), 1);
}

#[test]
fn many_threads_admit_no_more_than_one() {
    let (limits, _hands) =
        limits(&Settings { principal: rate(1, 3600, 1000), longest_wait: Duration::ZERO, ..strict() });
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let passed = (0..1000).filter(|_| ask(&limits, "a").is_ok()).count();
                admitted.fetch_add(passed as u64, SeqCst);
            });
        }
    });
    assert_eq!(admitted.load(SeqCst), 1000);
}
