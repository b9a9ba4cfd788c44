//! The view: who is accepted, what another connection's writing changes, and what survives when the ledger does not.

use std::path::PathBuf;

use super::*;
use crate::issued::{Grant, Kind};
use crate::token::{RANDOM_BYTES, TokenError, TokenText};
use crate::{Authenticator, Effort, Issuers, Outcome, Presented};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A ledger with one token of alice's, made at 1000 and expiring at 2000, and the view of it.
struct House {
    path: PathBuf,
    token: TokenText,
    tokens: Tokens,
    _directory: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let mut ledger = Ledger::open_or_create(&path).unwrap();
        let token = issue(&mut ledger, "alice", 1);
        Self { tokens: Tokens::open(&path).unwrap(), path, token, _directory: directory }
    }

    /// Another connection, as another process would have.
    fn other(&self) -> Ledger {
        Ledger::open(&self.path).unwrap()
    }

    fn verify(&self, now: i64) -> Result<Arc<Principal>, Rejection> {
        self.tokens.verify(self.token.expose(), at(now))
    }

    fn last_used(&self) -> Option<i64> {
        self.other().all().unwrap()[0].last_used.map(Timestamp::as_second)
    }
}

fn issue(ledger: &mut Ledger, name: &str, seed: u8) -> TokenText {
    let grant = Grant {
        scope: Some("read".parse().unwrap()),
        expires: Some(at(2000)),
        ..Grant::by_hand(Kind::User, &name.parse().unwrap(), &["dev".parse().unwrap()]).unwrap()
    };
    ledger.issue(&grant, at(1000), &random(seed)).unwrap().0
}

fn random(seed: u8) -> [u8; RANDOM_BYTES] {
    std::array::from_fn(|place| seed.wrapping_mul(31).wrapping_add(place as u8))
}

#[test]
fn the_holder_is_the_principal() {
    let house = House::new();
    let principal = house.verify(1500).unwrap();
    let names: Vec<_> = principal.identities().collect();
    assert_eq!(names, ["user:token/alice", "authenticated", "group:token/dev"]);
    assert_eq!(principal.scope.as_deref(), Some("read"));
    assert_eq!(principal.token_id.as_deref(), Some(house.token.id().as_str()));
}

#[test]
fn the_id_without_the_secret_is_an_unknown_token() {
    let house = House::new();
    let mut forged = random(1);
    forged[40] ^= 1;
    let forged = TokenText::mint(&forged);
    assert_eq!(forged.id(), house.token.id());
    let wrong = house.tokens.verify(forged.expose(), at(1500)).unwrap_err();
    assert_eq!(wrong, Rejection::WrongSecret(house.token.id()));
    // Also when the token has expired: only its holder is told.
    assert_eq!(house.tokens.verify(forged.expose(), at(2500)).unwrap_err(), wrong);

    let stranger = TokenText::mint(&random(9));
    let unknown = house.tokens.verify(stranger.expose(), at(1500)).unwrap_err();
    assert_eq!(unknown, Rejection::UnknownId(stranger.id()));
    assert_eq!(unknown.outside(), wrong.outside());
}

#[test]
fn expiry_needs_no_refresh() {
    let house = House::new();
    assert!(house.verify(1999).is_ok());
    let expired = Rejection::Expired { id: house.token.id(), at: at(2000) };
    assert_eq!(house.verify(2000).unwrap_err(), expired);
}

#[test]
fn a_cut_token_is_called_that() {
    let house = House::new();
    let cut = house.token.expose().get(..60).unwrap();
    assert_eq!(house.tokens.verify(cut, at(1500)).unwrap_err(), Rejection::Mistyped(TokenError::Length { found: 60 }));
}

#[test]
fn a_revocation_by_another_connection_is_seen_by_the_next_refresh() {
    let house = House::new();
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Unchanged);
    house.other().revoke(house.token.id(), at(1400)).unwrap();
    assert!(house.verify(1500).is_ok(), "not before the refresh");
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 1 });
    let revoked = Rejection::Revoked { id: house.token.id(), at: at(1400) };
    assert_eq!(house.verify(1500).unwrap_err(), revoked);
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Unchanged);
}

/// Where the test below finds the ledger when it is run as the other process.
const OTHER_PROCESS: &str = "MODGATE_TEST_LEDGER";

/// Runs itself as another process, which revokes every token of alice's and ends.
#[test]
fn a_revocation_by_another_process_is_seen_by_the_next_refresh() {
    if let Some(path) = std::env::var_os(OTHER_PROCESS) {
        let mut ledger = Ledger::open(Path::new(&path)).unwrap();
        ledger.revoke_name(&"alice".parse().unwrap(), at(1400)).unwrap();
        return;
    }
    let house = House::new();
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Unchanged);
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tokens::tests::a_revocation_by_another_process_is_seen_by_the_next_refresh"])
        .env(OTHER_PROCESS, &house.path)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 1 });
    assert!(matches!(house.verify(1500), Err(Rejection::Revoked { .. })));
}

#[test]
fn a_token_made_by_another_connection_is_seen_by_the_next_refresh() {
    let house = House::new();
    let bob = issue(&mut house.other(), "bob", 2);
    assert!(house.tokens.verify(bob.expose(), at(1500)).is_err());
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 2 });
    assert_eq!(&*house.tokens.verify(bob.expose(), at(1500)).unwrap().subject, "user:token/bob");
}

#[test]
fn the_last_good_view_outlives_the_ledger() {
    let house = House::new();
    let aside = house.path.with_extension("aside");
    let disasters: [&dyn Fn(); 2] = [
        &|| std::fs::rename(&house.path, &aside).unwrap(),
        // Put in place whole, as a bad restore would.
        &|| {
            let bad = house.path.with_extension("bad");
            std::fs::write(&bad, "x".repeat(4096)).unwrap();
            std::fs::rename(&bad, &house.path).unwrap();
        },
    ];
    for disaster in disasters {
        disaster();
        for _ in 0..2 {
            let error = house.tokens.refresh().unwrap_err();
            assert!(error.to_string().contains("tokens.db"), "{error}");
            assert!(house.verify(1500).is_ok());
        }
    }
    assert!(house.verify(2000).is_err(), "expiry goes on");
    // The same file put back: good again without a restart.
    std::fs::rename(&aside, &house.path).unwrap();
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 1 });
}

#[test]
fn a_ledger_put_in_place_of_the_old_one_is_read() {
    let house = House::new();
    let other = house.path.with_extension("restored");
    let mut restored = Ledger::open_or_create(&other).unwrap();
    let bob = issue(&mut restored, "bob", 2);
    drop(restored);
    std::fs::rename(&other, &house.path).unwrap();
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 1 });
    assert!(house.tokens.verify(bob.expose(), at(1500)).is_ok());
    assert!(house.verify(1500).is_err(), "alice is not in the restored ledger");
}

#[test]
fn changes_are_told_once_and_what_was_there_is_none() {
    let house = House::new();
    let told = |house: &House| {
        house.tokens.refresh().unwrap();
        let changes = house.tokens.take_changes();
        changes.iter().map(|change| (change.kind, change.subject.to_string())).collect::<Vec<_>>()
    };
    let (alice, bob) = ("user:token/alice".to_owned(), "user:token/bob".to_owned());
    assert_eq!(told(&house), []);
    let backup = house.path.with_extension("backup");
    std::fs::copy(&house.path, &backup).unwrap();

    let token = issue(&mut house.other(), "bob", 2);
    assert_eq!(told(&house), [(ChangeKind::Created, bob.clone())]);
    house.other().revoke(house.token.id(), at(1400)).unwrap();
    house.tokens.refresh().unwrap();
    house.other().revoke(token.id(), at(1400)).unwrap();
    house.tokens.refresh().unwrap();
    let revoked: Vec<_> = house.tokens.take_changes().into_iter().map(|change| (change.kind, change.id)).collect();
    assert_eq!(revoked, [house.token.id(), token.id()].map(|id| (ChangeKind::Revoked, id)), "of two refreshes");
    assert_eq!(told(&house), []);

    std::fs::rename(&backup, &house.path).unwrap();
    let mut undone = told(&house);
    undone.sort();
    assert_eq!(undone, [(ChangeKind::Reinstated, alice), (ChangeKind::Removed, bob)]);
    assert_eq!((house.tokens.count_live(at(1500)), house.tokens.count_live(at(2500))), (1, 0));
}

#[test]
fn the_last_use_is_written_once_a_minute() {
    let house = House::new();
    assert_eq!(house.tokens.flush(at(1400)).unwrap(), 0, "never used");
    house.verify(1450).unwrap();
    assert_eq!(house.tokens.flush(at(1459)).unwrap(), 0, "a minute has not passed");
    assert_eq!(house.last_used(), None);
    house.verify(1459).unwrap();
    assert_eq!(house.tokens.flush(at(1460)).unwrap(), 1);
    assert_eq!(house.last_used(), Some(1459));
    assert_eq!(house.tokens.flush(at(1600)).unwrap(), 0, "not used since");
    house.verify(1601).unwrap();
    assert_eq!(house.tokens.flush_all().unwrap(), 1, "at the end nothing is left");
    assert_eq!(house.last_used(), Some(1601));
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Unchanged, "own writing is no news");
}

#[test]
fn nothing_is_written_to_a_ledger_that_was_replaced() {
    let house = House::new();
    house.verify(1450).unwrap();
    let other = house.path.with_extension("restored");
    issue(&mut Ledger::open_or_create(&other).unwrap(), "alice", 1);
    std::fs::rename(&other, &house.path).unwrap();
    assert!(house.tokens.flush_all().is_err());
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 1 });
    assert_eq!(house.tokens.flush_all().unwrap(), 1, "the use was kept");
    assert_eq!(house.last_used(), Some(1450));
}

#[test]
fn a_rejected_token_counts_as_not_used() {
    let house = House::new();
    assert!(house.verify(2500).is_err());
    assert_eq!(house.tokens.flush_all().unwrap(), 0);
}

#[test]
fn a_refresh_forgets_no_use() {
    let house = House::new();
    house.verify(1450).unwrap();
    issue(&mut house.other(), "bob", 2);
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Reloaded { tokens: 2 });
    assert_eq!(house.tokens.flush_all().unwrap(), 1);
}

/// Requests on four threads while others create, revoke and refresh: nobody who holds a good token is ever refused,
/// and nobody whose token was revoked before a refresh gets in after it.
#[test]
fn requests_go_on_while_the_view_changes() {
    let house = House::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(house.verify(1500).is_ok());
                }
            });
        }
        let mut other = house.other();
        for seed in 2..40 {
            let token = issue(&mut other, "bob", seed);
            house.tokens.refresh().unwrap();
            assert!(house.tokens.verify(token.expose(), at(1500)).is_ok());
            other.revoke(token.id(), at(1500)).unwrap();
            house.tokens.refresh().unwrap();
            assert!(house.tokens.verify(token.expose(), at(1500)).is_err());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn each_shape_has_one_judge() {
    let house = House::new();
    let text = house.token.expose().to_owned();
    let authenticator = Authenticator::new(Arc::new(house.tokens), Arc::new(Issuers::new(Vec::new(), &[0; 32])), None);
    let judge = |presented: Presented<'_>| authenticator.authenticate(&presented, Effort::Full, at(1500));
    let Outcome::Authenticated(nobody) = judge(Presented::Nothing) else { panic!("refused") };
    assert_eq!(*nobody, Principal::anonymous());
    assert!(matches!(judge(Presented::Token(&text)), Outcome::Authenticated(_)));
    assert_eq!(judge(Presented::Jwt("a.b.c")), Outcome::Rejected(Rejection::NoIssuer));
    // Even the right token is none when it comes as a password: the shape has decided before.
    let password = Presented::Password { login: "alice", password: &text };
    assert_eq!(judge(password), Outcome::Rejected(Rejection::NoDirectory));
}

#[test]
fn what_is_written_here_is_seen_at_once_and_is_no_news() {
    let house = House::new();
    let grant = Grant { expires: Some(at(2000)), ..Grant::of("user:corp/bob".parse().unwrap()) };
    let (text, issued) = house.tokens.issue(&[(grant, &random(7))], 10, at(1100)).unwrap().pop().unwrap();
    assert_eq!(&*house.tokens.verify(text.expose(), at(1200)).unwrap().subject, "user:corp/bob");
    assert_eq!(house.tokens.revoke(issued.id, at(1300)).unwrap().len(), 1);
    assert_eq!(house.tokens.verify(text.expose(), at(1300)).unwrap_err().code(), "token_revoked");
    assert_eq!(house.tokens.revoke(issued.id, at(1400)).unwrap().len(), 0, "it was revoked before");
    assert_eq!(house.tokens.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(house.tokens.take_changes(), []);
    // Another process sees both, and what it writes is news here.
    house.other().revoke(house.token.id(), at(1500)).unwrap();
    house.tokens.refresh().unwrap();
    assert_eq!(house.tokens.take_changes().len(), 1);
}

#[test]
fn a_refresh_token_is_no_credential() {
    let house = House::new();
    let family = Some(Family::mint(&[1; 16]));
    let grant = Grant { purpose: Purpose::Refresh, family, ..Grant::of("user:corp/bob".parse().unwrap()) };
    let (text, issued) = house.tokens.issue(&[(grant, &random(7))], 10, at(1100)).unwrap().pop().unwrap();
    let refused = house.tokens.verify(text.expose(), at(1200)).unwrap_err();
    assert_eq!((refused.clone(), refused.code()), (Rejection::Purpose(issued.id), "token_purpose"));
    let hour = jiff::SignedDuration::from_hours(1);
    let lifetimes = crate::Lifetimes { access: hour, refresh: hour };
    let rotated = house.tokens.rotate(text.expose(), lifetimes, at(1300), [&random(8), &random(9)]);
    let rotated = rotated.unwrap_or_else(|error| panic!("{error}"));
    assert!(house.tokens.verify(rotated.access.0.expose(), at(1300)).is_ok());
    // Shown again after its successor is long in use.
    let again = house.tokens.rotate(text.expose(), lifetimes, at(1400), [&random(10), &random(11)]);
    assert!(matches!(again, Err(crate::RotationError::Reused { .. })));
    assert_eq!(house.tokens.verify(rotated.access.0.expose(), at(1400)).unwrap_err().code(), "token_revoked");
}
