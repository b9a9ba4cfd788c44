//! What holds whatever happens to the limits.

use super::{limits, rate, strict, subject};
use crate::limit::{Payer, Settings, Turn};
use proptest::prelude::*;
use std::time::Duration;

/// What happens to the limits.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Ask(u8),
    /// A request and its fetch.
    Fetch(u8),
    /// The one that has waited longest of those whose turn has not come goes away.
    GoAway(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1u64..400).prop_map(Event::Pass),
        (0u8..3).prop_map(Event::Ask),
        (0u8..3).prop_map(Event::Fetch),
        (0u8..3).prop_map(Event::GoAway),
    ]
}

/// One charge that was accepted.
struct Admitted {
    who: u8,
    units: u32,
    at: u64,
    turn: Option<Turn>,
}

/// What came of events.
#[derive(Default)]
struct Played {
    admitted: Vec<Admitted>,
    /// By whom, and how many units.
    given_back: Vec<(u8, u32)>,
    verdicts: Vec<String>,
}

/// Plays events, all or only those of one.
fn play(settings: &Settings, events: &[Event], only: Option<u8>) -> Played {
    let (limits, hands) = limits(settings);
    let Played { mut admitted, mut given_back, mut verdicts } = Played::default();
    for event in events {
        let now = hands.now();
        for one in admitted.iter_mut().filter(|one| one.at <= now) {
            // Its turn has come: what it holds is not given back.
            if let Some(turn) = one.turn.take() {
                turn.take();
            }
        }
        let (who, costs) = match event {
            Event::Pass(millis) => {
                hands.pass(*millis);
                continue;
            }
            Event::Ask(who) | Event::Fetch(who) | Event::GoAway(who) if only.is_some_and(|only| only != *who) => {
                continue;
            }
            Event::Ask(who) => (*who, &[1][..]),
            Event::Fetch(who) => (*who, &[1, settings.fetch_cost][..]),
            Event::GoAway(who) => {
                let waits = |one: &Admitted| one.who == *who && one.turn.is_some();
                if let Some(place) = admitted.iter().position(waits) {
                    let gone = admitted.remove(place);
                    given_back.push((gone.who, gone.units));
                }
                continue;
            }
        };
        let mut tab = limits.open(Payer::Subject(&subject(&who.to_string())), &[]).unwrap();
        for &units in costs {
            let charged = if units == 1 { limits.charge(&mut tab) } else { limits.charge_fetch(&mut tab) };
            verdicts.push(format!("{who} {now} {charged:?}"));
            let Ok(turn) = charged else { break };
            let at = now + turn.as_ref().map_or(0, |turn| turn.delay().as_millis() as u64);
            admitted.push(Admitted { who, units, at, turn });
        }
    }
    Played { admitted, given_back, verdicts }
}

proptest! {
    /// INVARIANT: never more than the burst, what flowed back, and what others gave back.
    #[test]
    fn no_window_admits_more_than_burst_and_rate(
        events in prop::collection::vec(event(), 1..150),
        burst in 1u32..8, per_second in 1u32..40, wait in 0u64..3, fetch in 1u32..5, places in 0u32..6,
    ) {
        let settings = Settings {
            principal: rate(per_second, 1, burst),
            longest_wait: Duration::from_secs(wait),
            fetch_cost: fetch.min(burst),
            waiting: places,
            ..strict()
        };
        let Played { admitted, given_back, .. } = play(&settings, &events, None);
        for who in 0..3 {
            let mut mine: Vec<_> = admitted.iter().filter(|one| one.who == who).map(|one| (one.at, one.units)).collect();
            mine.sort_unstable();
            for (from, &(begin, _)) in mine.iter().enumerate() {
                let mut units = 0;
                for &(end, more) in &mine[from..] {
                    units += more;
                    let flowed = (end - begin) * u64::from(per_second) / 1000 + 1;
                    let back: u32 = given_back.iter().filter(|(by, _)| *by == who).map(|(_, units)| units).sum();
                    let most = u64::from(burst) + flowed + u64::from(back);
                    prop_assert!(u64::from(units) <= most, "{units} of {most} from {begin} to {end}");
                }
            }
            // Since the beginning what was given back was not used.
            let all: u32 = mine.iter().map(|(_, units)| units).sum();
            let last = mine.last().map_or(0, |(at, _)| *at);
            prop_assert!(u64::from(all) <= u64::from(burst) + last * u64::from(per_second) / 1000 + 1);
        }
    }

    /// INVARIANT: what one does, refused or not, is not noticed by another.
    #[test]
    fn nobody_notices_the_others(events in prop::collection::vec(event(), 1..150), burst in 1u32..8, per_second in 1u32..40) {
        let settings = Settings { principal: rate(per_second, 1, burst), fetch_cost: 2, waiting: 3, ..strict() };
        let together = play(&settings, &events, None).verdicts;
        for who in 0..3u8 {
            let alone = play(&settings, &events, Some(who)).verdicts;
            let mine: Vec<_> = together.iter().filter(|verdict| verdict.starts_with(&format!("{who} "))).collect();
            prop_assert_eq!(mine, alone.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_rate_and_no_moment_makes_it_panic(
        units in 1u32.., per in prop::sample::select(vec![1u64, 60, 3600]), burst in 1u32..,
        wait in 0u64..1_000_000_000, at in 0u64..u64::MAX / 4_000_000, cost in 0u32..,
    ) {
        let settings = Settings {
            principal: rate(units, per, burst),
            longest_wait: Duration::from_secs(wait),
            fetch_cost: cost,
            ..strict()
        };
        let (limits, hands) = limits(&settings);
        for _ in 0..3 {
            let mut tab = limits.open(Payer::Subject(&subject("a")), &[]).unwrap();
            let _ = limits.charge(&mut tab);
            let _ = limits.charge_fetch(&mut tab);
            hands.pass(at);
        }
        limits.tidy();
    }
}
