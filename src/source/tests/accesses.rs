//! The access to one source: retries, hedges, slots and the circuit together, in paused time and without a network.

use crate::source::{
    FailureSettings, Hedge, SourceError, Standing,
    access::{Access, Errand, Terms},
    body::{Body, Told},
    chance::Chance,
    observer::Observed,
    transport::Timeouts,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future::join_all, stream};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

const SMALL: Errand = Errand { subject: 1, streamed: false, hedged: true, alternative: false };
const ZIP: Errand = Errand { streamed: true, hedged: false, ..SMALL };
const TIMEOUTS: Timeouts =
    Timeouts { answer: Duration::from_secs(60), read: Duration::from_secs(30), whole: Duration::from_secs(300) };

fn at() -> Arc<str> {
    "https://up.example".into()
}

fn access(failures: FailureSettings) -> Access {
    Access::new(at(), &terms(failures))
}

fn terms(failures: FailureSettings) -> Terms {
    let (chance, observed) = (Arc::new(Chance::new(7)), Observed::default());
    Terms { failures, timeouts: TIMEOUTS, chance, observed, hands_on: false }
}

fn plain() -> FailureSettings {
    FailureSettings { threshold: 1000, hedge: Hedge::Off, ..FailureSettings::default() }
}

fn body() -> Body {
    Body::of(Bytes::from_static(b"v1.0.0\n"))
}

fn reset() -> SourceError {
    SourceError::failed(&at(), "reset")
}

fn late() -> SourceError {
    SourceError::TimedOut { at: at(), waiting: "a connection" }
}

fn status(status: u16) -> SourceError {
    SourceError::Status { at: at(), status }
}

fn standing(access: &Access) -> Standing {
    access.state(&"upstream".into()).standing
}

/// Asks with answers one after the other, the last for ever; how many were taken, and what came of it.
async fn ask(access: &Access, errand: Errand, answers: &[Result<(), SourceError>]) -> (usize, Result<(), SourceError>) {
    let asked = Cell::new(0);
    let outcome = access.ask(errand, || {
        let answer = answers[asked.get().min(answers.len() - 1)].clone();
        asked.set(asked.get() + 1);
        async move { answer.map(|()| body()) }
    });
    let outcome = outcome.await;
    (asked.get(), outcome.map(|_| ()))
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_twice_and_what_is_an_answer_is_not() {
    let text: Arc<str> = "".into();
    let again = [status(500), status(503), reset(), late()];
    let answers = [
        status(204),
        SourceError::Absent { at: at(), text: text.clone() },
        SourceError::Refused { at: at(), status: 403, text },
        SourceError::Overloaded { at: at(), retry_after: None },
        SourceError::TooLarge { at: at(), limit: 1 },
        SourceError::invalid(&at(), "nonsense"),
        SourceError::Loop { at: at() },
    ];
    for errand in [SMALL, ZIP] {
        for error in &again {
            assert_eq!(ask(&access(plain()), errand, &[Err(error.clone())]).await, (3, Err(error.clone())));
            assert_eq!(ask(&access(plain()), errand, &[Err(error.clone()), Ok(())]).await, (2, Ok(())));
        }
        for error in &answers {
            assert_eq!(ask(&access(plain()), errand, &[Err(error.clone())]).await, (1, Err(error.clone())));
        }
    }
    let once = access(FailureSettings { retries: 0, ..plain() });
    assert_eq!(ask(&once, SMALL, &[Err(reset())]).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_not_tried_again_where_another_source_can_be_asked() {
    let errand = Errand { alternative: true, ..SMALL };
    assert_eq!(ask(&access(plain()), errand, &[Err(late())]).await.0, 1);
    assert_eq!(ask(&access(plain()), errand, &[Err(reset())]).await.0, 3);
}

#[tokio::test(start_paused = true)]
async fn pauses_are_short_and_not_all_the_same() {
    let access = access(plain());
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        assert!(ask(&access, SMALL, &[Err(reset())]).await.1.is_err());
        pauses.push(began.elapsed());
    }
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(600)), "{pauses:?}");
    pauses.dedup();
    assert_eq!(pauses.len(), 3, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_tried_again_if_it_is_small_and_never_if_it_was_handed_on() {
    let breaks = || {
        let bytes = stream::iter([Ok(Bytes::from_static(b"PK")), Err(reset())]).boxed();
        async { Ok(Body { length: None, bytes, told: Told::default() }) }
    };
    for (errand, expected) in [(SMALL, 3), (ZIP, 1)] {
        let (access, asked) = (access(plain()), Cell::new(0));
        let outcome = access.ask(errand, || {
            asked.set(asked.get() + 1);
            breaks()
        });
        let bytes = match outcome.await {
            Ok(body) => body.bytes.try_collect::<Vec<_>>().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert_eq!((asked.get(), bytes), (expected, Err(reset())));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_never_multiply_an_outage() {
    let access = access(plain());
    let mut asked = 0;
    for _ in 0..1000 {
        asked += ask(&access, SMALL, &[Err(status(503))]).await.0;
    }
    assert!((1001..=1000 + 10 + 200).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn no_try_begins_after_the_time_of_the_request() {
    let access = access(plain());
    let (began, asked) = (Instant::now(), Cell::new(0));
    let outcome = access.ask(SMALL, || {
        asked.set(asked.get() + 1);
        async {
            sleep(Duration::from_secs(50)).await;
            Err(late())
        }
    });
    assert!(outcome.await.is_err());
    assert_eq!(asked.get(), 2);
    assert!(began.elapsed() < Duration::from_secs(101));
    for (errand, most) in [(SMALL, 300), (ZIP, 120)] {
        let began = Instant::now();
        let outcome = access.ask(errand, std::future::pending::<Result<Body, SourceError>>).await;
        assert!(matches!(outcome.err(), Some(SourceError::TimedOut { .. })));
        assert_eq!(began.elapsed(), Duration::from_secs(most));
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_answers_at_once_and_one_probe_closes_it() {
    let access = access(FailureSettings { threshold: 2, retries: 0, ..plain() });
    for _ in 0..2 {
        assert_eq!(ask(&access, SMALL, &[Err(reset())]).await.0, 1);
    }
    let (asked, outcome) = ask(&access, SMALL, &[Ok(())]).await;
    assert_eq!(asked, 0);
    assert!(matches!(outcome, Err(SourceError::Failed { .. })), "an outage stays an outage: {outcome:?}");
    assert_eq!(standing(&access), Standing::Open);
    sleep(Duration::from_secs(5)).await;
    let probes = Cell::new(0);
    let all = join_all((0..10).map(|_| {
        access.ask(SMALL, || {
            probes.set(probes.get() + 1);
            async {
                sleep(Duration::from_secs(1)).await;
                Ok(body())
            }
        })
    }));
    let well = all.await.into_iter().filter(Result::is_ok).count();
    assert_eq!((probes.get(), well, standing(&access)), (1, 1, Standing::Closed));
    let state = access.state(&"upstream".into());
    assert_eq!((state.skipped, state.changes), (1 + 9, [1, 0, 1, 1]));
}

#[tokio::test(start_paused = true)]
async fn retries_end_when_the_circuit_opens_and_the_first_error_is_told() {
    let access = access(FailureSettings { threshold: 2, ..plain() });
    assert_eq!(ask(&access, SMALL, &[Err(late())]).await, (2, Err(late())));
    assert_eq!(access.state(&"upstream".into()).skipped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_its_asker_gives_up_is_made_by_the_next() {
    let access = access(FailureSettings { threshold: 1, retries: 0, ..plain() });
    assert!(ask(&access, SMALL, &[Err(reset())]).await.1.is_err());
    sleep(Duration::from_secs(5)).await;
    let mut probe = Box::pin(access.ask(SMALL, std::future::pending::<Result<Body, SourceError>>));
    assert!((&mut probe).now_or_never().is_none());
    assert_eq!(ask(&access, SMALL, &[Ok(())]).await.0, 0);
    drop(probe);
    assert_eq!(ask(&access, SMALL, &[Ok(())]).await, (1, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let access = access(plain());
    let wish = Some(Duration::from_secs(20));
    let overloaded = SourceError::Overloaded { at: at(), retry_after: wish };
    assert_eq!(ask(&access, SMALL, &[Err(overloaded)]).await.0, 1);
    assert_eq!(standing(&access), Standing::HeldOff);
    sleep(Duration::from_secs(15)).await;
    let (asked, outcome) = ask(&access, SMALL, &[Ok(())]).await;
    assert!(
        asked == 0
            && matches!(outcome, Err(SourceError::Overloaded { retry_after: Some(left), .. }) if left <= Duration::from_secs(5))
    );
    sleep(Duration::from_secs(5)).await;
    assert_eq!(ask(&access, SMALL, &[Ok(())]).await, (1, Ok(())));
}

/// Each request takes as long as the next of these; all of them answer with their number.
async fn hedged(access: &Access, errand: Errand, seconds: &[u64]) -> (usize, Duration) {
    let (asked, began) = (RefCell::new(0), Instant::now());
    let outcome = access.ask(errand, || {
        let number = asked.replace_with(|n| *n + 1);
        async move {
            sleep(Duration::from_secs(seconds[number])).await;
            Ok(body())
        }
    });
    assert!(outcome.await.is_ok());
    (asked.into_inner(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_small_answer_that_is_late_is_asked_for_once_more_and_the_first_wins() {
    let access = access(FailureSettings { hedge: Hedge::After(Duration::from_secs(1)), ..plain() });
    let took = |asked, seconds| (asked, Duration::from_secs(seconds));
    assert_eq!(hedged(&access, SMALL, &[0]).await, took(1, 0));
    assert_eq!(hedged(&access, SMALL, &[30, 2]).await, took(2, 3));
    assert_eq!(hedged(&access, SMALL, &[3, 30]).await, took(2, 3));
    assert_eq!(hedged(&access, ZIP, &[30]).await, took(1, 30));
    let hedges = access.state(&"upstream".into()).hedges;
    for _ in 0..100 {
        hedged(&access, SMALL, &[2, 2]).await;
    }
    let more = access.state(&"upstream".into()).hedges - hedges;
    assert!((10..=20).contains(&more), "{more}");
}

#[tokio::test(start_paused = true)]
async fn neither_a_probe_nor_a_source_without_free_slots_is_asked_twice() {
    let hedge = Hedge::After(Duration::from_secs(1));
    let probed = access(FailureSettings { hedge, threshold: 1, retries: 0, ..plain() });
    assert!(ask(&probed, SMALL, &[Err(reset())]).await.1.is_err());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(hedged(&probed, SMALL, &[9]).await.0, 1);
    assert_eq!(hedged(&probed, SMALL, &[9, 9]).await.0, 2);
    let full = access(FailureSettings { hedge, max_in_flight: 1, ..plain() });
    assert_eq!(hedged(&full, SMALL, &[9]).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_requests_one_may_fail() {
    let settings = FailureSettings { hedge: Hedge::After(Duration::from_secs(1)), retries: 0, ..plain() };
    // The first takes 2 s, the second comes after 1 s and takes as long as it says.
    for (first, second, slow, expected) in [
        (Err(reset()), Ok(()), 9, Ok(())),
        (Ok(()), Err(reset()), 0, Ok(())),
        (Err(late()), Err(reset()), 9, Err(late())),
        (Err(late()), Err(reset()), 0, Err(late())),
    ] {
        let (access, asked) = (access(settings.clone()), Cell::new(0));
        let outcome = access.ask(SMALL, || {
            asked.set(asked.get() + 1);
            let (answer, takes) = if asked.get() == 1 { (first.clone(), 2) } else { (second.clone(), slow) };
            async move {
                sleep(Duration::from_secs(takes)).await;
                answer.map(|()| body())
            }
        });
        assert_eq!(outcome.await.map(|_| ()), expected);
        assert_eq!(asked.get(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_adaptive_delay_follows_the_source() {
    let access = access(FailureSettings { hedge: Hedge::Adaptive, ..plain() });
    assert_eq!(hedged(&access, SMALL, &[9]).await.0, 1, "nothing is known yet");
    for _ in 0..64 {
        hedged(&access, SMALL, &[2, 2]).await;
    }
    assert_eq!(hedged(&access, SMALL, &[30, 0]).await, (2, Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn beyond_its_slots_a_source_is_waited_for_and_then_refused() {
    let access = access(FailureSettings { max_in_flight: 2, ..plain() });
    let most = Cell::new((0, 0));
    let enter = |by: i32| {
        let (now, max) = most.get();
        most.set((now + by, max.max(now + by)));
    };
    let all = join_all((0..20).map(|_| {
        access.ask(SMALL, || async {
            enter(1);
            sleep(Duration::from_secs(1)).await;
            enter(-1);
            Ok(body())
        })
    }));
    let outcomes = all.await;
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!((most.get().1, refused.len()), (2, 20 - 2 - 8));
    assert!(refused.iter().all(|error| matches!(error, SourceError::Overloaded { retry_after: None, .. })));
    let state = access.state(&"upstream".into());
    assert_eq!((state.refused, state.in_flight, state.waiting, state.standing), (10, 0, 0, Standing::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_holds_its_slot_until_its_end() {
    let access = access(FailureSettings { max_in_flight: 1, ..plain() });
    let taken = || access.state(&"upstream".into()).in_flight;
    let fetched = access.ask(ZIP, || async { Ok(body()) }).await.ok().unwrap();
    assert_eq!(taken(), 1);
    fetched.bytes.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(taken(), 0);
    drop(access.ask(ZIP, || async { Ok(body()) }).await);
    assert_eq!(taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn slow_clients_keep_nobody_from_a_source_whose_bodies_are_handed_on() {
    let failures = FailureSettings { max_in_flight: 1, ..plain() };
    let access = Access::new(at(), &Terms { hands_on: true, ..terms(failures) });
    let slow = access.ask(ZIP, || async { Ok(body()) }).await.ok().unwrap();
    assert!(access.ask(SMALL, || async { Ok(body()) }).await.is_ok());
    drop(slow);
    assert_eq!(access.state(&"upstream".into()).standing, Standing::Closed, "a client that goes away says nothing");
}
