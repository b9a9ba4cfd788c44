//! The circuit: what opens it, for how long, and that one request at a time tries whether it may close.

use crate::source::circuit::{Circuit, Leave, Refusal, Rules, Sign, Standing};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::Instant;

const RULES: Rules = Rules { threshold: 3, cool_down: Duration::from_secs(4), max_cool_down: Duration::from_secs(10) };

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A circuit and its time.
struct Scene {
    circuit: Circuit,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        Self { circuit: Circuit::new(RULES, now), now }
    }

    fn request(&mut self, sign: Sign) {
        let leave = self.circuit.admit(self.now).unwrap();
        self.end(leave, sign);
    }

    fn end(&mut self, leave: Leave, sign: Sign) {
        self.circuit.ended(leave, sign, self.now, 1.0);
    }

    fn opened() -> Self {
        let mut scene = Self::new();
        (0..3).for_each(|_| scene.request(Sign::Silence));
        assert_eq!(scene.standing(), Standing::Open);
        scene
    }

    fn standing(&self) -> Standing {
        self.circuit.standing(self.now)
    }

    /// How long it stays open from now on.
    fn cool_down(&self) -> Duration {
        match self.circuit.refusal(self.now) {
            Some(Refusal::Failing(Some(left))) => left,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn failures_in_a_row_open_it_and_a_sign_of_life_starts_anew() {
    let mut scene = Scene::new();
    for sign in [Sign::Silence, Sign::Silence, Sign::Life, Sign::Silence, Sign::Trouble(1)] {
        scene.request(sign);
        assert_eq!(scene.standing(), Standing::Closed);
    }
    scene.request(Sign::Trouble(2));
    assert_eq!(scene.standing(), Standing::Open);
    assert_eq!(scene.circuit.admit(scene.now), Err(Refusal::Failing(Some(seconds(4)))));
}

#[test]
fn one_module_that_it_cannot_get_opens_nothing() {
    let mut scene = Scene::new();
    for _ in 0..100 {
        scene.request(Sign::Trouble(1));
        scene.request(Sign::Trouble(2));
    }
    assert_eq!(scene.standing(), Standing::Closed);
    scene.request(Sign::Trouble(3));
    assert_eq!(scene.standing(), Standing::Open);
}

#[test]
fn silence_every_other_time_opens_it() {
    let mut scene = Scene::new();
    let signs = [Sign::Silence, Sign::Life];
    let opened = (0..100).position(|n| {
        scene.request(signs[n % 2]);
        scene.standing() == Standing::Open
    });
    assert_eq!(opened, Some(19 + 1), "the first failure after there were enough to tell");
    let mut rare = Scene::new();
    for n in 0..100 {
        rare.now += seconds(5);
        rare.request(signs[n % 2]);
    }
    assert_eq!(rare.standing(), Standing::Closed, "long ago does not count");
}

#[test]
fn the_first_request_after_the_cool_down_is_the_probe_and_the_only_one() {
    let mut scene = Scene::opened();
    scene.now += seconds(4);
    assert_eq!(scene.standing(), Standing::HalfOpen);
    let probe = scene.circuit.admit(scene.now).unwrap();
    assert!(probe.is_probe());
    assert_eq!(scene.circuit.admit(scene.now), Err(Refusal::Failing(None)));
    scene.end(probe, Sign::Life);
    assert_eq!(scene.standing(), Standing::Closed);
    assert!(!scene.circuit.admit(scene.now).unwrap().is_probe());
}

#[test]
fn a_probe_that_is_given_up_is_made_again_by_the_next() {
    let mut scene = Scene::opened();
    scene.now += seconds(4);
    let probe = scene.circuit.admit(scene.now).unwrap();
    scene.circuit.abandoned(probe, scene.now);
    assert!(scene.circuit.admit(scene.now).unwrap().is_probe());
    scene.circuit.abandoned(probe, scene.now);
    assert!(scene.circuit.admit(scene.now).is_err(), "given up twice by one");
}

#[test]
fn cool_downs_double_up_to_the_longest_and_are_short_again_after_a_calm() {
    let mut scene = Scene::opened();
    for expected in [8, 10, 10] {
        scene.now += scene.cool_down();
        scene.request(Sign::Silence);
        assert_eq!(scene.cool_down(), seconds(expected));
    }
    scene.now += seconds(10);
    (0..2).for_each(|_| scene.request(Sign::Life));
    (0..3).for_each(|_| scene.request(Sign::Silence));
    assert_eq!(scene.cool_down(), seconds(10), "it came and went");
    scene.now += seconds(10);
    (0..3).for_each(|_| scene.request(Sign::Life));
    (0..3).for_each(|_| scene.request(Sign::Silence));
    assert_eq!(scene.cool_down(), seconds(4));
}

#[test]
fn what_began_before_changes_nothing() {
    let mut scene = Scene::new();
    let old: Vec<_> = (0..4).map(|_| scene.circuit.admit(scene.now).unwrap()).collect();
    (0..3).for_each(|_| scene.request(Sign::Silence));
    scene.end(old[0], Sign::Life);
    assert_eq!(scene.standing(), Standing::Open);
    scene.now += seconds(4);
    let probe = scene.circuit.admit(scene.now).unwrap();
    scene.end(old[1], Sign::Silence);
    scene.circuit.abandoned(old[2], scene.now);
    assert!(scene.circuit.admit(scene.now).is_err());
    scene.end(probe, Sign::Life);
    scene.end(old[3], Sign::Silence);
    (0..2).for_each(|_| scene.request(Sign::Silence));
    assert_eq!(scene.standing(), Standing::Closed);
}

#[test]
fn the_head_of_an_answer_is_enough_for_a_probe() {
    let mut scene = Scene::opened();
    scene.now += seconds(4);
    let mut probe = scene.circuit.admit(scene.now).unwrap();
    scene.circuit.answered(&mut probe);
    assert_eq!(scene.standing(), Standing::Closed);
    scene.end(probe, Sign::Trouble(1));
    assert_eq!(scene.standing(), Standing::Closed, "a body that breaks off is one failure");
}

#[test]
fn a_wish_to_be_left_alone_holds_off_and_no_longer_than_a_cool_down() {
    for (wish, granted) in [(seconds(2), seconds(2)), (seconds(3600), seconds(10))] {
        let mut scene = Scene::new();
        scene.request(Sign::Busy(wish));
        assert_eq!(scene.standing(), Standing::HeldOff);
        assert_eq!(scene.circuit.admit(scene.now), Err(Refusal::HeldOff(granted)));
        scene.now += granted;
        assert_eq!(scene.standing(), Standing::Closed);
        assert!(!scene.circuit.admit(scene.now).unwrap().is_probe());
    }
}

/// Something that happens to a circuit; numbers choose one of the requests under way.
#[derive(Clone, Debug)]
enum Step {
    Ask,
    Head(usize),
    End(usize, Sign),
    GiveUp(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let sign = prop_oneof![
        Just(Sign::Life),
        Just(Sign::Silence),
        (0_u64..5).prop_map(Sign::Trouble),
        (0_u64..30).prop_map(|wish| Sign::Busy(seconds(wish))),
    ];
    prop_oneof![
        4 => Just(Step::Ask),
        1 => any::<usize>().prop_map(Step::Head),
        3 => (any::<usize>(), sign).prop_map(|(which, sign)| Step::End(which, sign)),
        1 => any::<usize>().prop_map(Step::GiveUp),
        2 => (0_u64..6000).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_probe_and_an_end_to_every_cool_down(
        steps in prop::collection::vec(step(), 0..300), chance in 0.0..1.0,
    ) {
        let (mut circuit, mut now) = (Circuit::new(RULES, Instant::now()), Instant::now());
        let mut under_way: Vec<Leave> = Vec::new();
        for step in steps {
            let standing = circuit.standing(now);
            match step {
                Step::Ask => match circuit.admit(now) {
                    Ok(leave) => {
                        prop_assert_eq!(leave.is_probe(), standing == Standing::HalfOpen);
                        prop_assert!(!leave.is_probe() || !under_way.iter().any(|other| other.is_probe()));
                        under_way.push(leave);
                    }
                    Err(Refusal::Failing(None)) => prop_assert!(under_way.iter().any(|other| other.is_probe())),
                    Err(Refusal::Failing(Some(left)) | Refusal::HeldOff(left)) => {
                        prop_assert!(left <= RULES.max_cool_down);
                    }
                },
                Step::Head(which) if !under_way.is_empty() => {
                    let place = which % under_way.len();
                    let probe = under_way[place].is_probe();
                    circuit.answered(&mut under_way[place]);
                    prop_assert!(!probe || matches!(circuit.standing(now), Standing::Closed | Standing::HeldOff));
                }
                Step::End(which, sign) if !under_way.is_empty() => {
                    let leave = under_way.swap_remove(which % under_way.len());
                    circuit.ended(leave, sign, now, chance);
                    let well = matches!(sign, Sign::Life | Sign::Busy(_));
                    if leave.is_probe() {
                        prop_assert_eq!(well, matches!(circuit.standing(now), Standing::Closed | Standing::HeldOff));
                    }
                    let opens = standing != Standing::Open && circuit.standing(now) == Standing::Open;
                    prop_assert!(!(well && opens), "an answer opened it");
                }
                Step::GiveUp(which) if !under_way.is_empty() => {
                    let leave = under_way.swap_remove(which % under_way.len());
                    circuit.abandoned(leave, now);
                    prop_assert!(!leave.is_probe() || circuit.standing(now) == Standing::HalfOpen);
                }
                Step::Pass(millis) => now += Duration::from_millis(millis),
                _ => {}
            }
        }
        // Whatever happened: left alone for long enough, it is asked again.
        under_way.drain(..).for_each(|leave| circuit.abandoned(leave, now));
        prop_assert!(circuit.admit(now + RULES.max_cool_down).is_ok());
    }
}
