//! Device grants from beginning to end, with a clock of our own.

use super::*;
use crate::principal::Method;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn alice() -> Arc<Principal> {
    Arc::new(Principal { subject: "user:corp/alice".into(), method: Method::Session, ..Principal::anonymous() })
}

fn bytes(seed: u16) -> [u8; DEVICE_BYTES] {
    let mut bytes = [3; DEVICE_BYTES];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = seed.to_be_bytes()[place % 2];
    }
    bytes
}

fn begin(devices: &Devices, seed: u16) -> Begun {
    let scope = "read:github.com/corp/*".parse().ok();
    devices.begin(scope, Some("192.0.2.7".parse().unwrap()), at(0), &bytes(seed)).unwrap_or_else(|_| panic!("begun"))
}

#[test]
fn an_approved_grant_is_given_out_once() {
    let devices = Devices::default();
    let begun = begin(&devices, 1);
    let typed = begun.user_code.to_string().to_lowercase();
    assert_eq!(devices.poll(&begun.device_code, at(1)).unwrap_err(), PollError::Pending);
    let shown = devices.pending(&typed, at(2)).unwrap();
    assert_eq!(shown.scope.unwrap().as_str(), "read:github.com/corp/*");
    assert_eq!(shown.client, Some("192.0.2.7".parse().unwrap()));
    devices.approve(&typed, alice(), at(3)).unwrap();
    assert_eq!(devices.pending(&typed, at(3)), None, "settled");
    assert_eq!(devices.approve(&typed, alice(), at(3)), Err(DeviceError::Settled));
    assert_eq!(devices.deny(&typed, at(3)), Err(DeviceError::Settled));
    let approved = devices.poll(&begun.device_code, at(7)).unwrap();
    assert_eq!(&*approved.principal.subject, "user:corp/alice");
    assert_eq!(approved.scope.unwrap().as_str(), "read:github.com/corp/*");
    assert_eq!(devices.poll(&begun.device_code, at(20)).unwrap_err(), PollError::Unknown);
    assert_eq!(devices.approve(&typed, alice(), at(20)), Err(DeviceError::Unknown));
}

#[test]
fn a_denied_grant_says_so_once() {
    let devices = Devices::default();
    let begun = begin(&devices, 1);
    devices.deny(&begun.user_code.to_string(), at(3)).unwrap();
    assert_eq!(devices.poll(&begun.device_code, at(5)).unwrap_err(), PollError::Denied);
    assert_eq!(devices.poll(&begun.device_code, at(10)).unwrap_err(), PollError::Unknown);
}

#[test]
fn who_polls_too_fast_is_slowed_down_more_each_time() {
    let devices = Devices::default();
    let begun = begin(&devices, 1);
    let poll = |second| devices.poll(&begun.device_code, at(second)).unwrap_err();
    let slower = |seconds| PollError::SlowDown(Duration::from_secs(seconds));
    assert_eq!(
        [poll(0), poll(4), poll(10), poll(24), poll(39)],
        [PollError::Pending, slower(10), slower(15), slower(20), slower(25)]
    );
    assert_eq!(poll(64), PollError::Pending);
    // Whoever was approved is not kept waiting for their haste.
    devices.approve(&begun.user_code.to_string(), alice(), at(65)).unwrap();
    assert!(devices.poll(&begun.device_code, at(65)).is_ok());
}

#[test]
fn a_grant_expires_after_ten_minutes() {
    let devices = Devices::default();
    let begun = begin(&devices, 1);
    let typed = begun.user_code.to_string();
    assert!(devices.pending(&typed, at(599)).is_some());
    assert_eq!(devices.pending(&typed, at(600)), None);
    assert_eq!(devices.approve(&typed, alice(), at(600)), Err(DeviceError::Unknown));
    assert_eq!(devices.poll(&begun.device_code, at(600)).unwrap_err(), PollError::Expired);
    let approved = begin(&devices, 2);
    devices.approve(&approved.user_code.to_string(), alice(), at(10)).unwrap();
    assert_eq!(
        devices.poll(&approved.device_code, at(600)).unwrap_err(),
        PollError::Expired,
        "approved, never fetched"
    );
}

#[test]
fn codes_that_are_taken_are_not_given_again() {
    let devices = Devices::default();
    let one = begin(&devices, 1);
    let mut random = bytes(1);
    random[0] ^= 1;
    let other = devices.begin(None, None, at(0), &random).unwrap_or_else(|_| panic!("begun"));
    assert_ne!(one.user_code, other.user_code);
    assert_ne!(*one.device_code, *other.device_code);
}

#[test]
fn one_address_has_its_share_and_no_more() {
    let devices = Devices::default();
    let from = |last: &str| Some(last.parse().unwrap());
    for seed in 0..u16::try_from(MOST_OF_CLIENT).unwrap() {
        // Neighbours in one IPv6 network are one client.
        assert!(devices.begin(None, from(&format!("2001:db8::{seed:x}")), at(0), &bytes(seed)).is_ok());
    }
    let refused = devices.begin(None, from("2001:db8::ffff"), at(0), &bytes(900)).err();
    assert_eq!(refused, Some(DeviceError::Crowded));
    assert!(devices.begin(None, from("2001:db8:0:1::1"), at(0), &bytes(901)).is_ok());
    assert!(devices.begin(None, from("2001:db8::ffff"), at(660), &bytes(902)).is_ok(), "the old ones are over");
}

#[test]
fn all_together_are_bounded_too() {
    let devices = Devices::default();
    for seed in 0..u16::try_from(MOST).unwrap() {
        let client = IpAddr::from([10, 0, seed.to_be_bytes()[0], seed.to_be_bytes()[1]]);
        assert!(devices.begin(None, Some(client), at(0), &bytes(seed)).is_ok());
    }
    let refused = devices.begin(None, Some(IpAddr::from([10, 1, 0, 0])), at(0), &bytes(9000)).err();
    assert_eq!((refused, devices.count()), (Some(DeviceError::Full), MOST));
}

#[test]
fn guessing_is_stopped_and_forgiven() {
    let devices = Devices::default();
    let begun = begin(&devices, 1);
    for _ in 0..GUESSES {
        assert_eq!(devices.approve("BBBB-BBBB", alice(), at(1)), Err(DeviceError::Unknown));
    }
    assert_eq!(devices.approve("BBBB-BBBB", alice(), at(1)), Err(DeviceError::Guessing));
    assert_eq!(devices.pending(&begun.user_code.to_string(), at(1)), None, "nothing is looked up");
    assert!(devices.pending(&begun.user_code.to_string(), at(2)).is_some());
}
