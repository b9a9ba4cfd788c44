//! Codes from consent to tokens, and everything that must not get that far.

use super::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://127.0.0.1:8123/callback";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn issue(codes: &Codes, seed: u16) -> Result<Zeroizing<String>, CodeError> {
    let principal = Arc::new(Principal { subject: "user:corp/alice".into(), ..Principal::anonymous() });
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().unwrap();
    let mut random = [0; CODE_BYTES];
    for (place, byte) in random.iter_mut().enumerate() {
        *byte = seed.to_be_bytes()[place % 2];
    }
    codes.issue(principal, challenge, REDIRECT.parse().unwrap(), "read".parse().ok(), at(0), &random)
}

#[test]
fn a_code_is_good_once() {
    let codes = Codes::default();
    let code = issue(&codes, 1).unwrap();
    let approved = codes.redeem(&code, VERIFIER, REDIRECT, at(59)).unwrap();
    assert_eq!(&*approved.principal.subject, "user:corp/alice");
    assert_eq!(approved.scope.unwrap().as_str(), "read");
    assert!(!codes.came_again(approved.family));
    // Also long after it would have expired, and without the verifier: what it gave is in somebody else's hands.
    let again = codes.redeem(&code, "", "", at(500)).unwrap_err();
    assert_eq!(again, CodeError::Reused(approved.family));
    assert!(codes.came_again(approved.family));
}

#[test]
fn a_wrong_attempt_consumes_the_code() {
    for (verifier, redirect, second, error) in [
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK", REDIRECT, 1, CodeError::Verifier),
        ("", REDIRECT, 1, CodeError::Verifier),
        (VERIFIER, "http://127.0.0.1:8124/callback", 1, CodeError::Redirect),
        (VERIFIER, "", 1, CodeError::Redirect),
        (VERIFIER, REDIRECT, 60, CodeError::Expired),
    ] {
        let codes = Codes::default();
        let code = issue(&codes, 1).unwrap();
        assert_eq!(codes.redeem(&code, verifier, redirect, at(second)).unwrap_err(), error);
        assert_eq!(codes.redeem(&code, VERIFIER, REDIRECT, at(2)).unwrap_err(), CodeError::Unknown);
    }
}

#[test]
fn an_unknown_code_is_unknown() {
    let codes = Codes::default();
    issue(&codes, 1).unwrap();
    assert_eq!(codes.redeem("", VERIFIER, REDIRECT, at(1)).unwrap_err(), CodeError::Unknown);
    assert_eq!(codes.redeem("AAAA", VERIFIER, REDIRECT, at(1)).unwrap_err(), CodeError::Unknown);
}

#[test]
fn codes_are_bounded_and_forgotten() {
    let codes = Codes::default();
    for seed in 0..u16::try_from(MOST).unwrap() {
        assert!(issue(&codes, seed).is_ok());
    }
    assert_eq!(issue(&codes, 60_000).unwrap_err(), CodeError::Full);
    codes.codes.lock().retain(|_, code| at(660) < code.expires + REMEMBERED);
    assert!(issue(&codes, 60_000).is_ok());
}
