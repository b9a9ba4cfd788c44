//! Requests of one thread hand in their records as a worker's loop would run them, and the journal is read.
use super::*;
use crate::audit::{
    Kind, Settings,
    journal::tests::{break_medium, now, open, open_with, told},
    segment::name,
};
use futures_util::{FutureExt, future::join_all};
use std::{cell::Cell, sync::atomic::Ordering};
use tokio::task::{LocalSet, spawn_local};

async fn hand_in(group: &Group, request: &str) -> Result<(), Arc<AuditError>> {
    group.append(&Record { request, ..Record::new(now(), Kind::Answered, "user:token/alice") }).await
}

/// Runs that many requests of one loop and tells what each was told.
async fn run(group: &Rc<Group>, requests: usize) -> Vec<bool> {
    let local = LocalSet::new();
    let tasks = (0..requests).map(|number| {
        let group = Rc::clone(group);
        local.spawn_local(async move { hand_in(&group, &format!("r{number}")).await.is_ok() })
    });
    let tasks = tasks.collect::<Vec<_>>();
    local.run_until(join_all(tasks)).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn requests_of_one_turn_are_kept_by_one_write() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(dir.path()));
    // The second write would fail.
    break_medium(&journal, &[None, Some((0, false))], false, false);
    let group = Rc::new(Group::new(Arc::clone(&journal)));
    assert_eq!(run(&group, 5).await, [true; 5]);
    assert_eq!(told(dir.path()), ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(journal.counters().records.load(Ordering::Relaxed), 5);
    assert_eq!(run(&group, 1).await, [false], "the next turn has a write of its own");
    assert_eq!(run(&group, 1).await, [true]);
}

#[tokio::test]
async fn nobody_is_told_before_the_record_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let group = Rc::new(Group::new(Arc::new(open(dir.path()))));
    let path = dir.path().join(name(1));
    let written = Rc::new(Cell::new(0));
    LocalSet::new()
        .run_until(async {
            let tasks = (0..4).map(|number| {
                let (group, path, written) = (Rc::clone(&group), path.clone(), Rc::clone(&written));
                spawn_local(async move {
                    let request = format!("r{number}");
                    let in_file = || std::fs::read_to_string(&path).unwrap().contains(&format!("\"{request}\""));
                    let kept = hand_in(&group, &request);
                    assert!(!in_file());
                    kept.await.unwrap();
                    assert!(in_file());
                    written.set(written.get() + 1);
                })
            });
            join_all(tasks).await.into_iter().for_each(|ended| ended.unwrap());
        })
        .await;
    assert_eq!(written.get(), 4);
}

#[tokio::test]
async fn a_write_that_ends_early_keeps_whole_lines_and_refuses_the_others() {
    let line = {
        let dir = tempfile::tempdir().unwrap();
        run(&Rc::new(Group::new(Arc::new(open(dir.path())))), 1).await;
        std::fs::metadata(dir.path().join(name(1))).unwrap().len() as usize
    };
    for says_so in [true, false] {
        for (through, kept) in [(0, 0), (line - 1, 0), (line, 1), (line + 1, 1), (3 * line - 1, 2), (3 * line, 3)] {
            let dir = tempfile::tempdir().unwrap();
            let journal = Arc::new(open(dir.path()));
            break_medium(&journal, &[Some((through, says_so))], false, false);
            let group = Rc::new(Group::new(Arc::clone(&journal)));
            let expected = (0..4).map(|number| number < kept).collect::<Vec<_>>();
            assert_eq!(run(&group, 4).await, expected, "{through} bytes got through, {says_so}");
            assert!(journal.is_failing());
            assert_eq!(journal.counters().failures.load(Ordering::Relaxed), 4 - kept);
            assert_eq!(run(&group, 1).await, [true]);
            assert!(!journal.is_failing());
            let mut all = (0..kept).map(|number| format!("r{number}")).collect::<Vec<_>>();
            all.extend(["r0".to_owned(), "journal.resumed".to_owned()]);
            assert_eq!(told(dir.path()), all, "{through} bytes got through, {says_so}");
            let length = std::fs::metadata(dir.path().join(name(1))).unwrap().len();
            assert_eq!(journal.counters().bytes.load(Ordering::Relaxed), length);
        }
    }
}

#[tokio::test]
async fn a_rest_that_cannot_be_cut_is_nobodys_record() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(dir.path()));
    break_medium(&journal, &[Some((150, true))], true, false);
    let group = Rc::new(Group::new(Arc::clone(&journal)));
    assert_eq!(run(&group, 4).await, [false; 4]);
    assert_eq!(run(&group, 2).await, [true; 2]);
    assert_eq!(journal.counters().segment.load(Ordering::Relaxed), 2);
}

#[test]
fn whoever_goes_away_keeps_nobody_waiting() {
    for leader_goes in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let group = Group::new(Arc::new(open(dir.path())));
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = Box::pin(hand_in(&group, "r0"));
        let mut second = Box::pin(hand_in(&group, "r1"));
        assert!(first.poll_unpin(&mut cx).is_pending() && second.poll_unpin(&mut cx).is_pending());
        assert!(told(dir.path()).is_empty());
        if leader_goes {
            drop(first);
            assert_eq!(told(dir.path()), ["r0", "r1"]);
            assert!(second.poll_unpin(&mut cx).is_ready());
        } else {
            drop(second);
            assert!(first.poll_unpin(&mut cx).is_ready());
            assert_eq!(told(dir.path()), ["r0", "r1"]);
        }
    }
}

#[tokio::test]
async fn very_many_are_written_in_parts_and_one_that_is_too_long_hurts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open_with(dir.path(), Settings { segment_size: 100 << 10, ..Settings::default() });
    let group = Rc::new(Group::new(Arc::new(journal)));
    LocalSet::new()
        .run_until(async {
            let tasks = (0..5000).map(|number| {
                let group = Rc::clone(&group);
                spawn_local(async move {
                    let long = number == 7;
                    let request = if long { "x".repeat(crate::audit::MAX_LINE) } else { format!("r{number}") };
                    assert_eq!(hand_in(&group, &request).await.is_err(), long);
                })
            });
            join_all(tasks).await.into_iter().for_each(|ended| ended.unwrap());
        })
        .await;
    let expected = (0..5000).filter(|number| *number != 7).map(|number| format!("r{number}"));
    assert_eq!(told(dir.path()), expected.collect::<Vec<_>>());
}
