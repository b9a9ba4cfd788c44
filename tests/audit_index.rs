//! The audit index of the built command: fed beside the requests, asked beside and without the server, and made anew
//! whatever becomes of it. Every answer is held against that of the whole journal.
//!
//! The crash test re-executes this test binary as the feeding process, with [`child`] as the only test.

#![cfg(test)]

use crate::{
    dice::Dice,
    gateway::{Gateway, await_that, modgate},
    metrics::scrape,
    outages::get,
    process::Process,
};
use jiff::Timestamp;
use modgate::audit::{
    Entry, Filter, Journal, Kind, Order, Record, Settings, Target,
    index::{Index, Lookup, Step, rebuild},
    scan, search,
};
use rusqlite::Connection;
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions, Permissions},
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    os::unix::{
        fs::{FileExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

const QUICK: &str = "[audit]\nindex_every = \"100ms\"\n";

fn start(data: &Path) -> Gateway {
    Gateway::plain().upstream("off").config(QUICK).data(data).start()
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// What was said about the index, once the answers with and without it are the same.
fn ask(run: impl Fn(&[&str]) -> Output, condition: &[&str]) -> String {
    let query = |more: &[&str]| text(&run(&[&["audit", "query", "--json"], condition, more].concat()));
    let (mut found, mut notes) = query(&[]);
    let mut expected = query(&["--no-index"]).0;
    // A running server may have recorded something between the two.
    while found != expected {
        (found, notes) = query(&[]);
        assert!(found.len() >= expected.len(), "the index leaves out:\n{expected}\nis more than\n{found}");
        expected = query(&["--no-index"]).0;
    }
    notes
}

fn await_level(gateway: &Gateway) {
    await_that("the index to be level", || {
        ask(|arguments| gateway.run(arguments), &["--kind", "act"]).contains("which is level with the journal")
    });
}

fn metric(gateway: &Gateway, name: &str) -> f64 {
    let text = scrape(gateway);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

/// The directories of the threads that feed an index.
fn feeding(gateway: &Gateway) -> Vec<std::path::PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
    let named =
        |task: &std::path::PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "audit-index\n");
    tasks.map(|task| task.unwrap().path()).filter(named).collect()
}

#[test]
fn a_server_feeds_it_beside_the_requests_and_queries_use_it() {
    let data = tempfile::tempdir().unwrap();
    let mut gateway = start(data.path());
    for _ in 0..30 {
        get(&gateway, "/example.test/lib/@v/list");
    }
    await_level(&gateway);
    assert_eq!(metric(&gateway, "modgate_audit_index_lag_bytes"), 0.0);
    assert!(metric(&gateway, "modgate_audit_index_records_total") >= 31.0);
    assert_eq!(metric(&gateway, "modgate_audit_index_failures_total"), 0.0);
    assert!(metric(&gateway, "modgate_audit_index_lag_seconds") < 30.0);
    let records = gateway.records();
    let request = records.last().unwrap()["request"].as_str().unwrap();
    for condition in [
        ["--request", request],
        ["--decision", "deny,unauthenticated"],
        ["--module", "example.test/..."],
        ["--since", "1h"],
    ] {
        let notes = ask(|arguments| gateway.run(arguments), &condition);
        assert!(notes.contains("by the index"), "{condition:?}: {notes}");
    }

    let threads = feeding(&gateway);
    assert_eq!(threads.len(), 1);
    let stat = fs::read_to_string(threads[0].join("stat")).unwrap();
    // The 19th field, counted from behind the name, which may have blanks.
    assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(16), Some("19"), "{stat}");

    gateway.signal("TERM");
    assert!(gateway.ended().success());
    let directory = data.path().join("audit");
    assert!(!directory.join("index.sqlite-wal").exists(), "the file is left in one piece");
    assert_eq!(fs::metadata(directory.join("index.sqlite")).unwrap().permissions().mode() & 0o777, 0o600);
    // All is indexed, the last act too.
    let notes = ask(|arguments| gateway.run(arguments), &["--kind", "act"]);
    assert!(notes.contains("level with the journal"), "{notes}");
}

#[test]
fn without_an_index_none_is_kept_and_answers_are_the_same() {
    let gateway = Gateway::plain().upstream("off").config("[audit]\nindex = false\n").start();
    get(&gateway, "/example.test/lib/@v/list");
    assert_eq!(feeding(&gateway), Vec::<std::path::PathBuf>::new());
    let notes = ask(|arguments| gateway.run(arguments), &["--module", "example.test/lib"]);
    assert!(notes.contains("no index: the whole journal was read"), "{notes}");
    assert!(!gateway.data().join("audit/index.sqlite").exists());
    let (made, _) = text(&gateway.run(&["audit", "reindex", "--json"]));
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["shared"], false);
    let notes = ask(|arguments| gateway.run(arguments), &["--module", "example.test/lib"]);
    assert!(notes.contains("level with the journal"), "{notes}");
}

#[test]
fn it_is_made_anew_when_it_is_removed_or_asked_for_while_the_server_runs() {
    let data = tempfile::tempdir().unwrap();
    let gateway = start(data.path());
    get(&gateway, "/example.test/lib/@v/list");
    await_level(&gateway);
    let path = data.path().join("audit/index.sqlite");
    fs::remove_file(&path).unwrap();
    gateway.await_log("the audit index was removed; it is made anew");
    await_level(&gateway);

    let (said, _) = text(&gateway.run(&["audit", "reindex"]));
    assert!(said.contains("together with the running server"), "{said}");
    get(&gateway, "/example.test/lib/@v/list");
    await_level(&gateway);
    assert_eq!(metric(&gateway, "modgate_audit_index_failures_total"), 0.0);
}

#[test]
fn a_damaged_file_or_one_of_another_schema_is_not_asked_and_is_made_anew_at_the_start() {
    type Spoil = fn(&Path);
    let spoils: [(Spoil, &str); 2] = [
        (|path| fs::write(path, "rubbish").unwrap(), "file is not a database"),
        (|path| Connection::open(path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap(), "schema 99"),
    ];
    for (spoil, reason) in spoils {
        let data = tempfile::tempdir().unwrap();
        let mut gateway = start(data.path());
        await_level(&gateway);
        gateway.signal("TERM");
        assert!(gateway.ended().success());
        spoil(&data.path().join("audit/index.sqlite"));
        let notes = ask(|arguments| gateway.run(arguments), &["--kind", "act"]);
        assert!(notes.contains(reason) && notes.contains("the whole journal was read"), "{notes}");
        let gateway = start(data.path());
        gateway.await_log("the audit index is made anew");
        await_level(&gateway);
    }
}

#[test]
fn a_journal_that_was_cut_behind_the_cursor_is_indexed_again() {
    let data = tempfile::tempdir().unwrap();
    let gateway = start(data.path());
    for _ in 0..20 {
        get(&gateway, "/example.test/lib/@v/list");
    }
    await_level(&gateway);
    let kept = gateway.kill();
    // As a loss of power may leave it: the last records are gone, and there is half a line.
    let path = data.path().join("audit/journal-00000001.jsonl");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length * 2 / 3).unwrap();
    file.write_all_at(b"{\"v\":1,\"time\":\"20", length * 2 / 3 - 17).unwrap();
    let without_server =
        |arguments: &[&str]| modgate().args(arguments).arg("--data").arg(data.path()).output().unwrap();
    let notes = ask(without_server, &["--module", "example.test/lib"]);
    assert!(notes.contains("1 segments are not as they were indexed"), "{notes}");

    let gateway = start(data.path());
    gateway.await_log("the audit index has forgotten a segment");
    await_level(&gateway);
    let notes = ask(|arguments| gateway.run(arguments), &["--module", "example.test/lib"]);
    assert!(notes.contains("level with the journal"), "{notes}");
    drop(kept);
}

/// Who may read and not write asks a journal that nobody writes by its index, and one that is written either way.
#[test]
fn an_account_that_may_only_read_can_ask() {
    let data = tempfile::tempdir().unwrap();
    let mut gateway = start(data.path());
    get(&gateway, "/example.test/lib/@v/list");
    await_level(&gateway);
    let directory = data.path().join("audit");
    let open = |file: u32, folder: u32| {
        for entry in fs::read_dir(&directory).unwrap() {
            fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(file)).unwrap();
        }
        for folder_path in [&directory, data.path()] {
            fs::set_permissions(folder_path, Permissions::from_mode(folder)).unwrap();
        }
    };
    let reader = |arguments: &[&str]| {
        // A copy of the command, as the build directory may not be open to others.
        let program = data.path().join("modgate");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_modgate"), &program).unwrap();
            fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(program);
        command.env_clear().args(arguments).arg("--data").arg(data.path());
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        command.output().unwrap()
    };
    let condition = ["--module", "example.test/lib"];
    reader(&[]);
    open(0o644, 0o755);
    let notes = ask(reader, &condition);
    assert!(notes.contains("by the index") || notes.contains("the journal was read"), "{notes}");
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    open(0o444, 0o555);
    let notes = ask(reader, &condition);
    assert!(notes.contains("level with the journal"), "{notes}");
    open(0o600, 0o700);
}

const JOB: &str = "MODGATE_TEST_INDEX_JOB";
const DIR: &str = "MODGATE_TEST_INDEX_DIR";
const SETTINGS: Settings = Settings { segment_size: 1 << 20, sync_within: Duration::from_millis(20) };

#[test]
fn a_feeder_that_is_killed_leaves_no_record_out_and_takes_none_twice() {
    let rounds = if std::env::var_os("MODGATE_SOAK").is_some() { 200 } else { 20 };
    let mut dice = Dice::new(0x1de);
    let dir = tempfile::tempdir().unwrap();
    let mut kills = 0;
    for round in 0..rounds {
        feed_until_killed(dir.path(), round, &mut dice);
        kills += 1;
        if round % 10 == 9 {
            compare_with_a_rebuild(dir.path(), &mut dice);
            // Not ever longer: the rounds behind this begin with segments that are gone.
            drop_old_segments(dir.path());
        }
    }
    println!("{kills} kills");
}

/// Starts a process that records and feeds, and kills it some time after so many steps.
fn feed_until_killed(dir: &Path, round: usize, dice: &mut Dice) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "audit_index::child", "--nocapture"]).env(JOB, round.to_string()).env(DIR, dir);
    let mut child = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut steps = lines.filter(|line| line.starts_with("> "));
    let after = dice.below(30);
    assert_eq!(steps.by_ref().take(after + 1).count(), after + 1, "the feeder ended by itself");
    // Not a wait for anything: it only moves the kill to any point of a step.
    for spin in 0..dice.below(2_000_000) {
        std::hint::black_box(spin);
    }
    drop(child);
}

/// Segment, term, place.
type Posting = (i64, String, i64);
/// Segment, bytes, records, checksum.
type Marked = (i64, i64, i64, i64);

/// What the index holds, whatever numbers it has given and however the batches fell.
fn content(dir: &Path) -> (BTreeSet<Posting>, Vec<Marked>) {
    let connection = Connection::open(dir.join("index.sqlite")).unwrap();
    connection
        .execute_batch("CREATE TEMP TABLE text AS SELECT id, key FROM term; CREATE INDEX temp.by_id ON text (id)")
        .unwrap();
    let sql = "SELECT segment, iif(key IS NULL, CAST(term AS TEXT), hex(key)), place FROM posting LEFT JOIN text ON id = term";
    let mut statement = connection.prepare(sql).unwrap();
    let postings = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let sql = "SELECT number, bytes, records, checksum FROM segment ORDER BY number";
    let mut marks = connection.prepare(sql).unwrap();
    let marks = marks.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    (postings.map(Result::unwrap).collect(), marks.map(Result::unwrap).collect())
}

fn compare_with_a_rebuild(dir: &Path, dice: &mut Dice) {
    let (mut index, replaced) = Index::open(dir).unwrap();
    assert!(replaced.is_none(), "{replaced:?}");
    while index.step(1 + dice.below(3000)).unwrap() != Step::Level {}
    drop(index);
    let fed = content(dir);
    let filters =
        ["r1-7", "r3-11", "r9-2"].map(|request| Filter { request: Some(request.into()), ..Filter::default() });
    let subject = Filter { subject: "user:corp/n3".parse().ok(), ..Filter::default() };
    for filter in filters.iter().chain([&subject]) {
        let lookup = Lookup::open(dir).unwrap().unwrap();
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        scan(dir, filter, Order::OldestFirst, &mut |finding| collect(&mut expected, &finding)).unwrap();
        search(dir, &lookup, filter, Order::OldestFirst, &mut |finding| collect(&mut found, &finding)).unwrap();
        assert_eq!(found, expected);
    }
    rebuild(dir, &mut |_| {}).unwrap();
    let rebuilt = content(dir);
    assert_eq!(fed.1, rebuilt.1);
    assert!(fed.0 == rebuilt.0, "{} postings, {} when rebuilt", fed.0.len(), rebuilt.0.len());
    assert!(fed.0.len() > 100);
}

fn collect(into: &mut Vec<Entry>, finding: &modgate::audit::Finding<'_>) -> ControlFlow<()> {
    if let modgate::audit::Finding::Match(entry, _) = finding {
        into.push((*entry).clone());
    }
    ControlFlow::Continue(())
}

fn drop_old_segments(dir: &Path) {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    segments.sort();
    segments.pop();
    for segment in segments {
        fs::remove_file(segment).unwrap();
    }
}

/// No test by itself: what the re-executed binary does.
#[test]
fn child() {
    let (Ok(round), Some(dir)) = (std::env::var(JOB), std::env::var_os(DIR)) else {
        return;
    };
    let dir = Path::new(&dir);
    let (journal, _) = Journal::open(dir, SETTINGS, Timestamp::now()).unwrap();
    // Not waited for: when feeding fails, all of the process ends.
    std::thread::spawn(move || record_for_ever(&journal, &round));
    let (mut index, replaced) = Index::open(dir).unwrap();
    assert!(replaced.is_none(), "{replaced:?}");
    for limit in (1..=400).cycle() {
        index.step(limit).unwrap();
        std::io::stdout().lock().write_all(b"\n> step\n").unwrap();
    }
}

fn record_for_ever(journal: &Journal, round: &str) {
    for n in 0_u64.. {
        let (request, subject) = (format!("r{round}-{n}"), format!("user:corp/n{}", n % 7));
        let version = format!("v1.{}.0", n % 50);
        let target =
            Target { label: "zip", module: Some("corp.example/pay"), version: Some(&version), ..Target::default() };
        let record =
            Record { request: &request, target: Some(target), ..Record::new(Timestamp::now(), Kind::Asked, &subject) };
        journal.append(&record).unwrap();
        // About as fast as the index gets on, or the journal would fill the disk.
        if n % 200 == 199 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}
