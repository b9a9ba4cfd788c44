//! Roll calls: who stays, who changes, who left, and who only seems to have.

use super::*;
use crate::issued::{Grant, Standing};
use crate::ledger::Ledger;
use crate::token::RANDOM_BYTES;
use parking_lot::Mutex;
use std::collections::HashMap;

/// A judge who says what it was told to.
#[derive(Default)]
struct Told {
    answers: Mutex<HashMap<String, Presence>>,
}

impl Whereabouts for Told {
    fn knows(&self, subject: &Subject) -> bool {
        subject.alias() == "corp"
    }

    fn look_up<'a>(&'a self, subject: &'a Subject, _now: Timestamp) -> Answer<'a> {
        let answer = self.answers.lock().get(subject.name()).cloned();
        Box::pin(async move { answer.unwrap_or(Presence::Here { groups: None }) })
    }
}

struct House {
    tokens: Arc<Tokens>,
    told: Arc<Told>,
    roll: RollCall,
    _directory: tempfile::TempDir,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

impl House {
    fn of(subjects: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::over(Ledger::open_or_create(&directory.path().join("tokens.db")).unwrap()).unwrap();
        for (number, subject) in subjects.iter().enumerate() {
            let grant =
                Grant { groups: vec!["group:corp/dev".parse().unwrap()], ..Grant::of(subject.parse().unwrap()) };
            let random: [u8; RANDOM_BYTES] = std::array::from_fn(|place| (number * 7 + place) as u8);
            tokens.issue(&[(grant, &random)], 10, at(0)).unwrap();
        }
        let (tokens, told) = (Arc::new(tokens), Arc::new(Told::default()));
        let roll = RollCall::new(Arc::clone(&tokens), vec![Arc::clone(&told) as _]);
        Self { tokens, told, roll, _directory: directory }
    }

    fn say(&self, name: &str, presence: Presence) {
        self.told.answers.lock().insert(name.to_owned(), presence);
    }

    fn live(&self) -> Vec<String> {
        let all = self.tokens.with_ledger(|ledger| ledger.all()).unwrap();
        let live = all.iter().filter(|issued| issued.validity.standing(at(1)) == Standing::Live);
        live.map(|issued| format!("{} {}", issued.subject(), issued.group_names().collect::<Vec<_>>().join(",")))
            .collect()
    }
}

fn subjects(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn groups_change_the_gone_lose_their_tokens_and_doubt_changes_nothing() {
    let all = [
        "user:corp/alice",
        "user:corp/bob",
        "user:corp/carol",
        "user:corp/dave",
        "user:token/eve",
        "ci:corp/x",
        "user:ldap/f",
    ];
    let house = House::of(&subjects(&all));
    house.say("alice", Presence::Here { groups: Some(["group:corp/ops".into()].into()) });
    house.say("bob", Presence::Gone);
    house.say("carol", Presence::Unknown("it does not answer".to_owned()));
    house.say("eve", Presence::Gone);
    house.say("x", Presence::Gone);
    let bob: Subject = "user:corp/bob".parse().unwrap();
    house.tokens.with_ledger(|ledger| ledger.keep_login(&bob, b"sealed", at(0))).unwrap();
    let found = house.roll.call(at(1)).await.unwrap();
    let kinds: Vec<_> = found
        .iter()
        .map(|(subject, found)| match found {
            Found::Regrouped(1) => format!("{subject} regrouped"),
            Found::Left(revoked) => format!("{subject} left {}", revoked.len()),
            other => format!("{subject} {other:?}"),
        })
        .collect();
    let carol = "user:corp/carol Unknown(\"it does not answer\")";
    assert_eq!(kinds, ["user:corp/alice regrouped", carol, "user:corp/bob left 1"]);
    let mut live = house.live();
    live.sort();
    assert_eq!(
        live,
        [
            "ci:corp/x group:corp/dev",
            "user:corp/alice group:corp/ops",
            "user:corp/carol group:corp/dev",
            "user:corp/dave group:corp/dev",
            "user:ldap/f group:corp/dev",
            "user:token/eve group:corp/dev",
        ]
    );
    assert_eq!(house.tokens.with_ledger(|ledger| ledger.login(&bob)).unwrap(), None, "forgotten");
    assert_eq!(house.roll.call(at(2)).await.unwrap().len(), 1, "only carol is still in doubt");
}

#[tokio::test]
async fn a_company_does_not_leave_all_at_once() {
    let all: Vec<_> = (0..12).map(|number| format!("user:corp/p{number}")).collect();
    let house = House::of(&all);
    for number in 0..11 {
        house.say(&format!("p{number}"), Presence::Gone);
    }
    let found = house.roll.call(at(1)).await.unwrap();
    assert!(found.len() == 11 && found.iter().all(|(_, found)| *found == Found::Suspicious), "{found:?}");
    assert_eq!(house.live().len(), 12);
    // Ten may leave together.
    house.say("p0", Presence::Here { groups: None });
    let found = house.roll.call(at(2)).await.unwrap();
    assert!(found.len() == 10 && found.iter().all(|(_, found)| matches!(found, Found::Left(_))), "{found:?}");
    assert_eq!(house.live().len(), 2);
}
