use super::*;

fn throttle() -> Throttle {
    Throttle::new(&[1; MEMORY_KEY_BYTES])
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn address(number: u32) -> IpAddr {
    IpAddr::from((0xC633_6400 + number).to_be_bytes())
}

/// Fails as often as it may at this moment; how often that is, and how long it then has to wait.
fn exhaust(throttle: &Throttle, client: impl Fn(u32) -> IpAddr, now: Timestamp) -> (u32, Duration) {
    let mut failures = 0;
    loop {
        match throttle.attempt("alice", client(failures), now) {
            Ok(attempt) => attempt.failed(),
            Err(wait) => return (failures, wait),
        }
        failures += 1;
    }
}

#[test]
fn the_wait_grows_and_ends() {
    let throttle = throttle();
    assert_eq!(exhaust(&throttle, address, at(0)), (FREE, Duration::from_secs(1)));
    assert!(throttle.attempt("alice", address(99), at(999)).is_err());
    let mut now = 1000;
    for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(exhaust(&throttle, address, at(now)), (1, Duration::from_secs(seconds)), "at {now}");
        now += i64::try_from(seconds).unwrap() * 1000;
    }
    assert_eq!(exhaust(&throttle, address, at(now + FORGOTTEN)).0, FREE, "an hour later all is forgotten");
    assert!(throttle.attempt("bob", address(0), at(0)).is_ok(), "others are not concerned");
}

/// INVARIANT: at a known address only failures from there count.
#[test]
fn nobody_elsewhere_locks_out_the_owner() {
    let throttle = throttle();
    throttle.attempt("alice", address(7), at(0)).unwrap().good(at(0));
    for round in 0..100 {
        exhaust(&throttle, |number| address(100 + number), at(round * 10_000));
        throttle.attempt("alice", address(7), at(round * 10_000)).expect("the owner comes in");
    }
    assert!(throttle.attempt("alice", address(8), at(990_000)).is_err(), "from elsewhere the owner waits as well");
    assert_eq!(exhaust(&throttle, |_| address(7), at(995_000)).0, FREE, "whoever sits beside the owner waits");
    assert!(throttle.attempt("alice", address(7), at(KNOWN + 1_000_000)).is_ok());
    assert!(!throttle.is_known("alice", address(7), at(KNOWN)));
}

#[test]
fn an_attempt_counts_while_it_is_under_way_and_not_if_it_was_good_or_not_judged() {
    let throttle = throttle();
    let under_way: Vec<_> = (0..FREE).map(|_| throttle.attempt("alice", address(0), at(0)).unwrap()).collect();
    assert!(throttle.attempt("alice", address(0), at(0)).is_err());
    drop(under_way);
    for _ in 0..100 {
        throttle.attempt("alice", address(0), at(0)).unwrap();
    }
    assert_eq!(exhaust(&throttle, |_| address(0), at(0)).0, FREE);
}

#[test]
fn an_ipv6_network_is_one_address() {
    let throttle = throttle();
    let client = |text: &str| text.parse::<IpAddr>().unwrap();
    throttle.attempt("alice", client("2001:db8::1"), at(0)).unwrap().good(at(0));
    assert!(throttle.is_known("alice", client("2001:db8::ffff"), at(1)));
    assert!(!throttle.is_known("alice", client("2001:db8:0:1::1"), at(1)));
    throttle.attempt("alice", client("192.0.2.1"), at(0)).unwrap().good(at(0));
    assert!(throttle.is_known("alice", client("::ffff:192.0.2.1"), at(1)));
    assert!(!throttle.is_known("bob", client("192.0.2.1"), at(1)));
}

/// INVARIANT: names without number take no memory without bound.
#[test]
fn the_memory_is_bounded() {
    let throttle = throttle();
    for number in 0..2 * MOST {
        throttle.attempt(&number.to_string(), address(0), at(0)).unwrap().failed();
    }
    assert!(throttle.books.lock().counts.len() <= MOST);
}
