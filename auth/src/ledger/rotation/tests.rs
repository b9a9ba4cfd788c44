//! Refresh tokens that are used once, twice, late, early and by two people.

use super::*;
use crate::ledger::Ledger;
use proptest::prelude::*;

const HOUR: i64 = 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn random(seed: u16) -> [u8; RANDOM_BYTES] {
    std::array::from_fn(|place| seed.to_be_bytes()[place % 2].wrapping_add((place / 2) as u8))
}

fn family() -> Family {
    Family::mint(&[9; 16])
}

/// A login, and the random bytes that were not used yet.
struct Login {
    ledger: Ledger,
    seed: u16,
    _directory: tempfile::TempDir,
}

impl Login {
    fn begun() -> (Self, String) {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open_or_create(&directory.path().join("tokens.db")).unwrap();
        let mut login = Self { ledger, seed: 0, _directory: directory };
        let grant = Grant {
            family: Some(family()),
            scope: "read".parse().ok(),
            groups: vec!["group:corp/dev".parse().unwrap()],
            expires: Some(at(HOUR)),
            ..Grant::of("user:corp/alice".parse().unwrap())
        };
        let refresh = Grant { purpose: Purpose::Refresh, expires: Some(at(100 * HOUR)), ..grant.clone() };
        let (one, other) = (login.random(), login.random());
        let mut issued = login.ledger.issue_within(&[(grant, &one), (refresh, &other)], 10, at(0)).unwrap();
        let (text, _) = issued.pop().unwrap();
        (login, text.expose().to_owned())
    }

    fn random(&mut self) -> [u8; RANDOM_BYTES] {
        self.seed += 1;
        random(self.seed)
    }

    fn rotate(&mut self, text: &str, second: i64) -> Result<Rotated, RotationError> {
        let lifetimes = Lifetimes { access: SignedDuration::from_hours(1), refresh: SignedDuration::from_hours(100) };
        let (one, other) = (self.random(), self.random());
        self.ledger.rotate(&Token::parse(text).unwrap(), lifetimes, at(second), [&one, &other])
    }

    fn refresh(&mut self, text: &str, second: i64) -> String {
        self.rotate(text, second).unwrap().refresh.0.expose().to_owned()
    }

    fn live(&self, second: i64) -> usize {
        let live = |issued: &&Issued| issued.validity.standing(at(second)) == Standing::Live;
        self.ledger.all().unwrap().iter().filter(live).count()
    }
}

#[test]
fn a_new_pair_is_like_the_old_one() {
    let (mut login, first) = Login::begun();
    let Rotated { access, refresh, ended } = login.rotate(&first, 60).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ended.len(), 1);
    for (issued, purpose, end) in [(&access.1, Purpose::Access, HOUR), (&refresh.1, Purpose::Refresh, 100 * HOUR)] {
        assert_eq!(issued.subject(), "user:corp/alice");
        assert_eq!(issued.group_names().collect::<Vec<_>>(), ["group:corp/dev"]);
        assert_eq!(issued.scope.as_ref().unwrap().as_str(), "read");
        assert_eq!(
            (issued.purpose, issued.family, issued.validity.expires),
            (purpose, Some(family()), Some(at(60 + end)))
        );
    }
    assert_eq!(login.live(61), 3, "two access tokens and one refresh token");
}

#[test]
fn a_token_that_was_used_long_ago_revokes_the_login() {
    let (mut login, first) = Login::begun();
    let second = login.refresh(&first, 60);
    // What was made with the help of the login's tokens goes too.
    let access = login.ledger.all().unwrap().into_iter().find(|issued| issued.purpose == Purpose::Access).unwrap();
    let made = Grant { maker: Some(access.id), ..Grant::of(access.owner) };
    let random = login.random();
    login.ledger.issue(&made, at(61), &random).unwrap();
    let Err(RotationError::Reused { revoked, .. }) = login.rotate(&first, 60 + 10) else { panic!("accepted") };
    assert!(revoked.iter().any(|issued| issued.maker == Some(access.id)));
    assert_eq!(login.live(71), 0);
    assert!(matches!(login.rotate(&second, 72), Err(RotationError::Revoked(_))));
    assert!(matches!(login.rotate(&first, 73), Err(RotationError::Revoked(_))), "told once");
}

#[test]
fn a_lost_answer_is_given_again_and_the_lost_one_is_worth_nothing() {
    let (mut login, first) = Login::begun();
    let lost = login.refresh(&first, 60);
    let second = login.refresh(&first, 69);
    assert_eq!(login.live(69), 3);
    // Whoever has the lost answer after all has a copy.
    assert!(matches!(login.rotate(&lost, 70), Err(RotationError::Reused { .. })));
    assert!(matches!(login.rotate(&second, 71), Err(RotationError::Revoked(_))));
    assert_eq!(login.live(71), 0);
}

#[test]
fn a_token_whose_successor_was_used_was_not_lost() {
    let (mut login, first) = Login::begun();
    let second = login.refresh(&first, 60);
    login.refresh(&second, 62);
    assert!(matches!(login.rotate(&first, 63), Err(RotationError::Reused { .. })));
    assert_eq!(login.live(64), 0);
}

#[test]
fn after_a_logout_there_is_nothing_more() {
    let (mut login, first) = Login::begun();
    let second = login.refresh(&first, 60);
    login.ledger.revoke_family(family(), at(61)).unwrap();
    for token in [&first, &second] {
        assert!(matches!(login.rotate(token, 62), Err(RotationError::Revoked(_))));
    }
}

#[test]
fn only_a_live_refresh_token_with_its_secret_is_exchanged() {
    let (mut login, first) = Login::begun();
    let access = login.rotate(&first, 60).unwrap_or_else(|error| panic!("{error}")).access.0;
    assert!(matches!(login.rotate(access.expose(), 61), Err(RotationError::Purpose(_))));
    let mut forged = random(2);
    forged[40] ^= 1;
    assert!(matches!(login.rotate(TokenText::mint(&forged).expose(), 61), Err(RotationError::Unknown)));
    let (mut login, first) = Login::begun();
    assert!(matches!(login.rotate(&first, 100 * HOUR), Err(RotationError::Expired(_))));
    assert_eq!(login.live(1), 2, "none of this changed anything");
}

#[test]
fn an_owner_has_so_many_tokens_and_no_more() {
    let (mut login, _) = Login::begun();
    let random = login.random();
    let grant = Grant { expires: Some(at(10)), ..Grant::of("user:corp/alice".parse().unwrap()) };
    assert!(login.ledger.issue_within(&[(grant.clone(), &random)], 2, at(1)).is_err());
    assert_eq!(login.live(1), 2);
    assert!(login.ledger.issue_within(&[(grant, &random)], 3, at(1)).is_ok());
}

#[test]
fn what_ended_long_ago_is_pruned_unless_somebody_made_it() {
    let (mut login, _) = Login::begun();
    let random = login.random();
    login
        .ledger
        .issue(&Grant { expires: Some(at(5)), ..Grant::of("user:corp/alice".parse().unwrap()) }, at(1), &random)
        .unwrap();
    assert_eq!(login.ledger.prune(at(HOUR)).unwrap().len(), 0);
    assert_eq!(login.ledger.prune(at(HOUR + 1)).unwrap().len(), 1);
    assert_eq!(login.ledger.all().unwrap().len(), 2);
}

#[test]
fn groups_change_for_all_that_is_live() {
    let (mut login, first) = Login::begun();
    let alice = "user:corp/alice".parse().unwrap();
    assert_eq!(login.ledger.people(at(1)).unwrap(), [alice]);
    let alice = "user:corp/alice".parse().unwrap();
    let groups = ["group:corp/ops".parse().unwrap()];
    assert_eq!(login.ledger.set_groups(&alice, &groups, at(1)).unwrap().len(), 2);
    assert_eq!(login.ledger.set_groups(&alice, &groups, at(1)).unwrap().len(), 0);
    let rotated = login.rotate(&first, 60).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rotated.access.1.groups, groups);
    assert_eq!(login.ledger.people(at(200 * HOUR)).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whoever shows whichever of the refresh tokens, at whatever time: never are two of them good.
    #[test]
    fn at_most_one_refresh_token_is_good(steps in proptest::collection::vec((0usize..6, 0i64..14), 1..10)) {
        let (mut login, first) = Login::begun();
        let (mut texts, mut now) = (vec![first], 0);
        for (which, wait) in steps {
            now += wait;
            let text = texts[which % texts.len()].clone();
            if let Ok(rotated) = login.rotate(&text, now) {
                texts.push(rotated.refresh.0.expose().to_owned());
            }
            let good = |issued: &&Issued| {
                issued.purpose == Purpose::Refresh && issued.validity.standing(at(now)) == Standing::Live
            };
            prop_assert!(login.ledger.all().unwrap().iter().filter(good).count() <= 1);
        }
    }
}
