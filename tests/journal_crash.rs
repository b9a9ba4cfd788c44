//! The journal's promises, against a real kernel: what was acknowledged survives kill -9, and a disk that takes no more
//! leaves no half record and is got over.
//!
//! Both re-execute this test binary as the writing process, with [`child`] as the only test and a job in the environment.

#![cfg(test)]

use crate::{dice::Dice, process::Process};
use jiff::Timestamp;
use modgate::audit::{Act, AuditError, Filter, Finding, Journal, Kind, Order, Record, Repair, Settings, scan};
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

const JOB: &str = "MODGATE_TEST_JOURNAL_JOB";
const DIR: &str = "MODGATE_TEST_JOURNAL_DIR";
const ROUND: &str = "MODGATE_TEST_JOURNAL_ROUND";

/// Small enough that a kill falls on the change of segments now and then.
const SETTINGS: Settings = Settings { segment_size: 1 << 20, sync_within: std::time::Duration::from_millis(20) };

/// Long enough to span pages: the kernel ends a killed process's write between two pages.
const LONGEST_DETAIL: usize = 100_000;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let generations = if std::env::var_os("MODGATE_SOAK").is_some() { 40 } else { 4 };
    let seed = u64::from(std::process::id());
    let mut dice = Dice::new(seed);
    println!("seed {seed}");
    let (mut records, mut tails) = (0, 0);
    for _ in 0..generations {
        // A journal that is killed, mended and gone on with.
        let dir = tempfile::tempdir().unwrap();
        let mut acknowledged = Vec::new();
        for round in 0..5 {
            acknowledged.extend(write_until_killed(dir.path(), round, dice.below(400), dice.below(500_000)));
            let (journal, repairs) = Journal::open(dir.path(), SETTINGS, Timestamp::UNIX_EPOCH).unwrap();
            drop(journal);
            for repair in &repairs {
                assert!(matches!(repair, Repair::TailCut { .. }), "round {round}: {repair}");
            }
            tails += repairs.len();
        }
        assert_all_there(dir.path(), &acknowledged);
        records += acknowledged.len();
    }
    println!("{} kills, {records} acknowledged records, {tails} torn tails cut", generations * 5);
    assert!(records > 0);
}

/// Starts a writer, kills it some nanoseconds after so many acknowledgements, and returns what it acknowledged.
fn write_until_killed(dir: &Path, round: u64, after: usize, spins: usize) -> Vec<String> {
    let (mut child, output) = start(Command::new(std::env::current_exe().unwrap()), "write", dir, round);
    let mut acknowledged = Vec::new();
    let mut said = said(output);
    acknowledged.extend(said.by_ref().take(after + 1));
    // Not a wait for anything: it only moves the kill to any point of the writer's loop.
    for spin in 0..spins {
        std::hint::black_box(spin);
    }
    child.kill().unwrap();
    // What is still in the pipe was acknowledged too.
    acknowledged.extend(said);
    assert!(!child.wait().unwrap().success(), "the writer ended by itself");
    acknowledged
}

fn assert_all_there(dir: &Path, acknowledged: &[String]) {
    let (found, flaws) = read(dir);
    assert!(flaws.is_empty(), "{flaws:?}");
    for request in acknowledged {
        assert_eq!(found.get(request), Some(&1), "record {request}");
    }
}

#[test]
fn a_full_disk_loses_no_whole_record_keeps_no_half_one_and_is_got_over() {
    let dir = tempfile::tempdir().unwrap();
    // The kernel takes what fits below the limit, as a full disk does, and then fails; the child raises the limit later.
    // The shell has it ignore the signal that comes with the failure.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -S -f 40; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let (mut child, output) = start(shell, "fill", dir.path(), 0);
    let said: Vec<String> = said(output).collect();
    assert!(child.wait().unwrap().success(), "{said:?}");

    let (found, flaws) = read(dir.path());
    assert!(flaws.is_empty(), "{flaws:?}");
    let kept: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("kept ")).collect();
    let refused: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("refused ")).collect();
    assert!(kept.len() > 10 && refused.len() == 25, "{said:?}");
    assert!(kept.iter().all(|request| found.get(*request) == Some(&1)), "{found:?}");
    assert!(refused.iter().all(|request| !found.contains_key(*request)), "{found:?}");
    // One more: the act that tells of the gap.
    assert_eq!(found.values().sum::<u32>() as usize, kept.len() + 1);
    assert_eq!(found.get("journal.resumed"), Some(&1));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "one segment and the lock");
}

/// No test by itself: what the re-executed binary does.
#[test]
fn child() {
    let Some(job) = std::env::var_os(JOB) else {
        return;
    };
    let dir = std::env::var_os(DIR).unwrap();
    let round = std::env::var(ROUND).unwrap();
    let (journal, _) = Journal::open(Path::new(&dir), SETTINGS, Timestamp::UNIX_EPOCH).unwrap();
    match job.to_str().unwrap() {
        "write" => write_for_ever(&journal, &round),
        "fill" => fill(&journal),
        job => panic!("no such job: {job}"),
    }
}

fn write_for_ever(journal: &Journal, round: &str) {
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            scope.spawn(move || {
                let mut dice = Dice::new(thread);
                for n in 0_u64.. {
                    let request = format!("{round}-{thread}-{n}");
                    let length = if n.is_multiple_of(16) { dice.below(LONGEST_DETAIL) } else { dice.below(500) };
                    append(journal, &request, length).unwrap();
                    say(&request);
                }
            });
        }
    });
}

fn fill(journal: &Journal) {
    let mut refused = 0;
    for n in 0.. {
        let request = format!("{n}");
        match append(journal, &request, 300 + n) {
            Ok(()) => say(&format!("kept {request}")),
            Err(AuditError::Append { .. }) => {
                say(&format!("refused {request}"));
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        if refused == 25 {
            break;
        }
    }
    // The segment's last byte is a newline at any moment of this.
    let segment = fs::read(journal.dir().join("journal-00000001.jsonl")).unwrap();
    assert_eq!(segment.last(), Some(&b'\n'));
    lift_the_limit();
    for n in 0..20 {
        let request = format!("after-{n}");
        append(journal, &request, 2000).unwrap();
        say(&format!("kept {request}"));
    }
    journal.close().unwrap();
}

fn lift_the_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
}

fn append(journal: &Journal, request: &str, length: usize) -> Result<(), AuditError> {
    let detail = vec![b'x'; length];
    let act = Some(Act { name: "test", detail: &detail });
    journal.append(&Record { request, act, ..Record::new(Timestamp::UNIX_EPOCH, Kind::Act, "system") })
}

/// How often each request, or act without one, is in the journal; and what could not be read.
fn read(dir: &Path) -> (HashMap<String, u32>, Vec<String>) {
    let (mut found, mut flaws) = (HashMap::new(), Vec::new());
    let scanned = scan(dir, &Filter::default(), Order::OldestFirst, &mut |finding| {
        match finding {
            Finding::Match(entry, _) => {
                let key = if entry.request.is_empty() { &entry.act } else { &entry.request };
                *found.entry(key.clone()).or_default() += 1;
            }
            Finding::Flaw(flaw) => flaws.push(flaw.to_string()),
            Finding::Progress(_) => {}
        }
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    (found, flaws)
}

fn start(mut command: Command, job: &str, dir: &Path, round: u64) -> (Process, ChildStdout) {
    command.args(["--exact", "journal_crash::child", "--nocapture"]);
    command.env(JOB, job).env(DIR, dir).env(ROUND, round.to_string());
    let mut child = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let output = child.stdout.take().unwrap();
    (child, output)
}

/// One write for a line, so that no two threads' lines mix; the mark tells it from what the test harness prints.
fn say(line: &str) {
    let line = format!("\n> {line}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).and_then(|()| std::io::stdout().flush()).unwrap();
}

/// What the child said, up to the last whole line.
fn said(output: ChildStdout) -> impl Iterator<Item = String> {
    let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
    let lines = lines.filter_map(|line| String::from_utf8(line).ok());
    lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}
