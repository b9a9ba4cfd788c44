//! The index against the journal: whatever the cursor, the order and the filter, searching finds what scanning finds.
use super::{super::segment::name, *};
use crate::audit::{
    Act, AuditError, Decision, Filter, Finding, Journal, Kind, Order, Reach, Record, Settings, Summary, Target, scan,
    search,
};
use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{
    fs,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What was come upon: lines as they stand, flaws as they print.
type Found = Vec<String>;

fn take<'a>(into: &'a mut Found, limit: usize) -> impl FnMut(Finding<'_>) -> ControlFlow<()> + 'a {
    let mut matches = 0;
    move |finding| {
        match finding {
            Finding::Match(_, line) => {
                matches += 1;
                into.push(String::from_utf8_lossy(line).into_owned());
            }
            Finding::Flaw(flaw) => into.push(flaw.to_string()),
            Finding::Progress(progress) => assert!(progress.done <= progress.total),
        }
        if matches == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn scanned(dir: &Path, filter: &Filter, order: Order, limit: usize) -> (Found, Summary) {
    let mut found = Vec::new();
    let summary = scan(dir, filter, order, &mut take(&mut found, limit)).unwrap();
    (found, summary)
}

fn searched(dir: &Path, filter: &Filter, order: Order, limit: usize) -> (Found, Summary, Reach) {
    let index = Lookup::open(dir).unwrap().expect("an index");
    let mut found = Vec::new();
    let (summary, reach) = search(dir, &index, filter, order, &mut take(&mut found, limit)).unwrap();
    (found, summary, reach)
}

/// Searching and scanning find the same, and the index did what it should.
fn agree(dir: &Path, filter: &Filter) -> Reach {
    let mut reaches = Vec::new();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (expected, summary) = scanned(dir, filter, order, usize::MAX);
        let (found, counted, reach) = searched(dir, filter, order, usize::MAX);
        assert_eq!(found, expected, "{filter:?} {order:?}");
        assert_eq!(counted, summary, "{filter:?} {order:?}");
        assert!(reach.fault.is_none(), "{reach:?}");
        let (expected, _) = scanned(dir, filter, order, 2);
        assert_eq!(searched(dir, filter, order, 2).0, expected, "{filter:?} {order:?}");
        reaches.push(reach);
    }
    reaches.remove(0)
}

fn level(dir: &Path) -> Index {
    let (mut index, _) = Index::open(dir).unwrap();
    while index.step(BATCH).unwrap() != Step::Level {}
    index
}

fn journal(dir: &Path) -> Journal {
    Journal::open(dir, Settings::default(), Timestamp::UNIX_EPOCH).unwrap().0
}

fn append(journal: &Journal, request: &str) {
    journal.append(&Record { request, ..Record::new(Timestamp::UNIX_EPOCH, Kind::Asked, "user:a/b") }).unwrap();
}

fn of_request(request: &str) -> Filter {
    Filter { request: Some(request.into()), ..Filter::default() }
}

const SUBJECTS: [&str; 5] = ["user:corp/alice", "user:corp/bob", "ci:forge/build", "anonymous", ""];
const MODULES: [&str; 6] = ["", "corp.example/pay", "corp.example/pay/v2", "github.com/A/b", "a\0b", "a"];
const VERSIONS: [&str; 4] = ["", "v1.0.0", "v1.1.0", "main"];

/// A line of the journal; one in twelve is none.
#[derive(Clone, Debug)]
struct Written {
    subject: &'static str,
    module: &'static str,
    version: &'static str,
    query: &'static str,
    request: u8,
    second: i64,
    kind: Kind,
    decision: Decision,
    damage: Option<&'static str>,
}

impl Written {
    fn line(&self) -> Vec<u8> {
        if let Some(damage) = self.damage {
            return format!("{damage}\n").into_bytes();
        }
        let request = if self.request == 0 { String::new() } else { format!("r{}", self.request) };
        let some = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let target = Target {
            verb: "GET",
            label: "zip",
            module: some(self.module),
            version: some(self.version),
            query: some(self.query),
            sumdb: None,
        };
        let time = Timestamp::from_second(1_700_000_000 + self.second).unwrap();
        let record = Record {
            request: &request,
            target: Some(target),
            decision: self.decision,
            act: (self.kind == Kind::Act).then_some(Act { name: "test.done", detail: b"d" }),
            ..Record::new(time, self.kind, self.subject)
        };
        let mut line = Vec::new();
        record.encode(&mut line);
        line
    }
}

const KINDS: [Kind; 4] = [Kind::Asked, Kind::Answered, Kind::Broken, Kind::Act];
const DECISIONS: [Decision; 5] =
    [Decision::Allow, Decision::Deny, Decision::Withheld, Decision::Unauthenticated, Decision::None];

fn written() -> impl Strategy<Value = Written> {
    let damage = prop_oneof![11 => Just(None), 1 => select(vec![Some("rubbish"), Some(""), Some("{\"v\":9}")])];
    let names = (select(&SUBJECTS[..]), select(&MODULES[..]), select(&VERSIONS[..]), select(&VERSIONS[..]));
    (names, 0..9_u8, 0..100_i64, select(&KINDS[..]), select(&DECISIONS[..]), damage).prop_map(
        |((subject, module, version, query), request, second, kind, decision, damage)| Written {
            subject,
            module,
            version,
            query,
            request,
            second,
            kind,
            decision,
            damage,
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    let subjects = ["user:corp/alice", "user:corp/*", "*", "nobody", ""];
    let modules =
        ["corp.example/pay", "corp.example/...", "github.com/*", "*", "a", "none.example", "", "/...", "a\0b"];
    let second =
        || option::weighted(0.3, (-5..105_i64).prop_map(|s| Timestamp::from_second(1_700_000_000 + s).unwrap()));
    (
        option::weighted(0.4, select(subjects.to_vec())),
        option::weighted(0.4, select(modules.to_vec())),
        option::weighted(0.3, select(&VERSIONS[..])),
        option::weighted(0.2, 0..10_u8),
        vec(select(&KINDS[..]), 0..2),
        vec(select(&DECISIONS[..]), 0..3),
        (second(), second()),
    )
        .prop_map(|(subject, module, version, request, kinds, decisions, (since, until))| Filter {
            subject: subject.map(|text| text.parse().unwrap()),
            module: module.map(|text| text.parse().unwrap()),
            version: version.map(str::to_owned),
            request: request.map(|request| if request == 0 { String::new() } else { format!("r{request}") }),
            kinds,
            decisions,
            since,
            until,
            ..Filter::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn searching_finds_what_scanning_finds(
        segments in vec(vec(written(), 0..40), 1..4),
        steps in vec(1..25_usize, 0..12),
        filters in vec(filter(), 1..12),
        torn in option::of(1..60_usize),
        first in 1..3_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (number, lines) in (first..).zip(&segments) {
            let mut content: Vec<u8> = lines.iter().flat_map(Written::line).collect();
            if let Some(torn) = torn {
                let next = Written { damage: None, ..lines.first().cloned().unwrap_or_else(plain) }.line();
                content.extend(next.iter().take(torn.min(next.len() - 1)));
            }
            fs::write(dir.path().join(name(number)), content).unwrap();
        }
        let (mut index, _) = Index::open(dir.path()).unwrap();
        for limit in steps {
            index.step(limit).unwrap();
        }
        for filter in &filters {
            agree(dir.path(), filter);
        }
        // As after the end of whoever fed it.
        drop(index);
        for filter in &filters {
            agree(dir.path(), filter);
        }
    }
}

fn plain() -> Written {
    Written {
        subject: "user:corp/alice",
        module: "corp.example/pay",
        version: "v1.0.0",
        query: "",
        request: 1,
        second: 0,
        kind: Kind::Answered,
        decision: Decision::Allow,
        damage: None,
    }
}

#[test]
fn what_is_indexed_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    (0..500).for_each(|n| append(&journal, &format!("r{n}")));
    let index = level(dir.path());
    let reach = agree(dir.path(), &of_request("r7"));
    assert_eq!((reach.read, reach.backlog), (0, Backlog::default()));
    append(&journal, "late");
    let reach = agree(dir.path(), &of_request("late"));
    assert_eq!(reach.read, 1);
    assert_eq!(reach.backlog.since, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(index.backlog().unwrap(), reach.backlog);
    assert!(agree(dir.path(), &Filter::default()).useless);
}

#[test]
fn only_the_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    append(&journal(dir.path()), "r");
    fs::write(dir.path().join("index.sqlite"), "").unwrap();
    let index = level(dir.path());
    for file in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.lock"] {
        let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    drop(index);
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["index.lock", "index.sqlite", "journal-00000001.jsonl", "journal.lock"]);
    // Asking makes nothing.
    agree(dir.path(), &of_request("r"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[test]
fn a_tail_that_was_cut_behind_the_cursor_is_noticed_by_both() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name(1));
    {
        let journal = journal(dir.path());
        (0..10).for_each(|n| append(&journal, &format!("r{n}")));
    }
    drop(level(dir.path()));
    let whole = fs::read(&path).unwrap();
    // A loss of power: the last records are gone, one is half there, and the next start cuts that and appends.
    fs::write(&path, &whole[..whole.len() * 3 / 4]).unwrap();
    assert_eq!(agree(dir.path(), &of_request("r9")).unfit, 1);
    {
        let journal = journal(dir.path());
        (0..10).for_each(|n| append(&journal, &format!("s{n}")));
    }
    assert!(fs::metadata(&path).unwrap().len() > whole.len() as u64);
    assert_eq!(agree(dir.path(), &of_request("s9")).unfit, 1);
    let (mut index, replaced) = Index::open(dir.path()).unwrap();
    assert!(replaced.is_none());
    assert!(matches!(index.step(BATCH).unwrap(), Step::Forgotten { .. }));
    assert!(matches!(index.step(BATCH).unwrap(), Step::Indexed { .. }));
    for request in ["r0", "r9", "s9"] {
        assert_eq!(agree(dir.path(), &of_request(request)).unfit, 0);
    }
}

#[test]
fn a_segment_that_was_edited_without_changing_its_length_is_read() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = journal(dir.path());
        (0..10).for_each(|n| append(&journal, &format!("r{n}")));
    }
    let mut index = level(dir.path());
    let path = dir.path().join(name(1));
    let edited = fs::read_to_string(&path).unwrap().replace("\"r3\"", "\"r4\"");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, edited).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(before + std::time::Duration::from_nanos(1)).unwrap();
    let reach = agree(dir.path(), &of_request("r4"));
    assert_eq!((reach.unfit, reach.read), (1, 10));
    // The one who feeds trusts the file that it reads until it leaves it behind.
    fs::write(dir.path().join(name(2)), "").unwrap();
    assert!(matches!(index.step(BATCH).unwrap(), Step::Forgotten { .. }));
    while index.step(BATCH).unwrap() != Step::Level {}
    assert_eq!(agree(dir.path(), &of_request("r4")).unfit, 0);
}

#[test]
fn a_segment_that_was_put_back_is_compared_and_trusted() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = journal(dir.path());
        (0..10).for_each(|n| append(&journal, &format!("r{n}")));
    }
    drop(level(dir.path()));
    let (path, aside) = (dir.path().join(name(1)), dir.path().join("aside"));
    fs::copy(&path, &aside).unwrap();
    fs::rename(&aside, &path).unwrap();
    let reach = agree(dir.path(), &of_request("r4"));
    assert_eq!((reach.unfit, reach.read), (0, 0));
}

#[test]
fn a_copy_of_the_file_is_not_asked_and_is_made_anew() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    append(&journal(dir.path()), "r");
    drop(level(dir.path()));
    for file in [&*name(1), "index.sqlite"] {
        fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    assert!(matches!(Lookup::open(copy.path()), Err(IndexError::Copied { .. })));
    assert!(matches!(Index::open(copy.path()), Ok((_, Some(IndexError::Copied { .. })))));
    drop(level(copy.path()));
    assert_eq!(agree(copy.path(), &of_request("r")).read, 0);
}

#[test]
fn segments_that_are_gone_are_forgotten_and_never_found() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let line = Written { request: number as u8, ..plain() }.line();
        fs::write(dir.path().join(name(number)), line).unwrap();
    }
    let mut index = level(dir.path());
    fs::remove_file(dir.path().join(name(1))).unwrap();
    assert_eq!(agree(dir.path(), &of_request("r1")).unfit, 0);
    let before = index.extent().unwrap();
    assert_eq!(index.step(BATCH).unwrap(), Step::Forgotten { segment: name(1), reason: "it is gone" });
    assert!(index.extent().unwrap() < before);
    assert_eq!(index.step(BATCH).unwrap(), Step::Level);
    // In the middle it is a flaw, as in a scan.
    fs::remove_file(dir.path().join(name(2))).unwrap();
    fs::write(dir.path().join(name(1)), Written { request: 1, ..plain() }.line()).unwrap();
    agree(dir.path(), &of_request("r1"));
}

#[test]
fn what_is_forgotten_while_an_answer_comes_in_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        fs::write(dir.path().join(name(number)), plain().line()).unwrap();
    }
    let mut index = level(dir.path());
    let lookup = Lookup::open(dir.path()).unwrap().unwrap();
    let (expected, _) = scanned(dir.path(), &of_request("r1"), Order::OldestFirst, usize::MAX);
    let mut found = Vec::new();
    let (summary, reach) = search(dir.path(), &lookup, &of_request("r1"), Order::OldestFirst, &mut |finding| {
        if let Finding::Match(_, line) = finding {
            found.push(String::from_utf8_lossy(line).into_owned());
            if found.len() == 1 {
                // Text terms get other numbers, and the second segment has none of them yet.
                index = Index::anew(dir.path()).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((found, summary.matched), (expected, 2));
    assert!(reach.read <= 1);
}

#[test]
fn a_file_of_another_schema_or_of_rubbish_is_made_anew_by_its_keeper_and_not_asked() {
    type Spoil = fn(&Path);
    let spoils: [(Spoil, &str); 3] = [
        (|path| sql(path, "PRAGMA user_version = 7"), "schema 7"),
        (|path| sql(path, "PRAGMA user_version = 0"), "schema 0"),
        (|path| fs::write(path, vec![b'x'; 20_000]).unwrap(), "not a database"),
    ];
    for (spoil, reason) in spoils {
        let dir = tempfile::tempdir().unwrap();
        append(&journal(dir.path()), "r");
        drop(level(dir.path()));
        spoil(&dir.path().join("index.sqlite"));
        let refused = Lookup::open(dir.path()).err().expect("no index to ask").to_string();
        assert!(refused.contains(reason), "{refused}");
        let (mut index, replaced) = Index::open(dir.path()).unwrap();
        let replaced = replaced.expect("a new one").to_string();
        assert!(replaced.contains(reason), "{replaced}");
        while index.step(BATCH).unwrap() != Step::Level {}
        assert_eq!(agree(dir.path(), &of_request("r")).read, 0);
    }
}

fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

#[test]
fn pages_that_are_damaged_have_the_journal_read_and_the_file_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = journal(dir.path());
        (0..3000).for_each(|n| append(&journal, &format!("r{n}")));
    }
    drop(level(dir.path()));
    let path = dir.path().join("index.sqlite");
    let mut content = fs::read(&path).unwrap();
    // Behind the tables' first pages, so that only lookups and further batches come upon it.
    for page in content.chunks_mut(4096).skip(10) {
        page.fill(0xff);
    }
    fs::write(&path, content).unwrap();
    let lookup = Lookup::open(dir.path()).unwrap().unwrap();
    let mut found = Vec::new();
    let (filter, order) = (of_request("r7"), Order::OldestFirst);
    let (summary, reach) = search(dir.path(), &lookup, &filter, order, &mut take(&mut found, usize::MAX)).unwrap();
    assert_eq!((summary.matched, summary.records, reach.read), (1, 3000, 3000));
    assert!(reach.fault.is_some_and(|fault| fault.is_damage()));
    let journal = journal(dir.path());
    (0..3000).for_each(|n| append(&journal, &format!("s{n}")));
    let (mut index, replaced) = Index::open(dir.path()).unwrap();
    assert!(replaced.is_none());
    let error = index.step(BATCH).unwrap_err();
    assert!(error.is_damage(), "{error}");
    drop(index);
    let mut index = Index::anew(dir.path()).unwrap();
    while index.step(BATCH).unwrap() != Step::Level {}
    assert_eq!(agree(dir.path(), &of_request("r7")).read, 0);
}

#[test]
fn one_keeps_it_and_others_may_feed_it() {
    let dir = tempfile::tempdir().unwrap();
    {
        let journal = journal(dir.path());
        (0..100).for_each(|n| append(&journal, &format!("r{n}")));
    }
    let (mut keeper, _) = Index::open(dir.path()).unwrap();
    assert!(matches!(Index::open(dir.path()), Err(IndexError::Held(_))));
    keeper.step(30).unwrap();
    let mut other = Index::anew(dir.path()).unwrap();
    assert!(!other.is_kept());
    assert_eq!(other.extent().unwrap(), (0, 0));
    for limit in [7, 20, 3, 40, 50] {
        keeper.step(limit).unwrap();
        other.step(limit).unwrap();
        agree(dir.path(), &of_request("r99"));
    }
    assert_eq!(keeper.extent().unwrap().1, 100);
    assert_eq!(keeper.step(BATCH).unwrap(), Step::Level);
}

#[test]
fn a_batch_is_written_once_however_many_read_it() {
    let dir = tempfile::tempdir().unwrap();
    append(&journal(dir.path()), "r");
    let (mut index, _) = Index::open(dir.path()).unwrap();
    let path = dir.path().join(name(1));
    let batch = batch::Batch::read(1, &path, mark::Mark::default(), BATCH).unwrap();
    assert!(index.commit(&batch).unwrap());
    assert!(!index.commit(&batch).unwrap());
    assert_eq!(index.extent().unwrap().1, 1);
}

#[test]
fn a_rebuild_reports_how_far_it_is_and_what_it_made() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(rebuild(&dir.path().join("none"), &mut |_| {}), Err(IndexError::File(AuditError::File { .. }))));
    {
        let journal = journal(dir.path());
        (0..50).for_each(|n| append(&journal, &format!("r{n}")));
    }
    let mut last = None;
    let rebuilt = rebuild(dir.path(), &mut |progress| last = Some(progress)).unwrap();
    let length = fs::metadata(dir.path().join(name(1))).unwrap().len();
    assert_eq!((rebuilt.records, rebuilt.bytes, rebuilt.shared), (50, length, false));
    assert!(rebuilt.size > 0);
    assert_eq!(last.map(|progress| progress.done), Some(length));
    assert_eq!(agree(dir.path(), &of_request("r7")).read, 0);
}

#[test]
fn a_feeder_catches_up_goes_on_when_its_file_is_removed_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    append(&journal, "r");
    let feeder = Feeder::start(dir.path(), std::time::Duration::from_millis(1), || Timestamp::UNIX_EPOCH).unwrap();
    let indexed = |records: u64| {
        while feeder.counters().indexed.load(std::sync::atomic::Ordering::Relaxed) < records {
            std::thread::yield_now();
        }
    };
    indexed(1);
    append(&journal, "s");
    indexed(2);
    let path: PathBuf = dir.path().join("index.sqlite");
    fs::remove_file(&path).unwrap();
    // Both are indexed again.
    indexed(4);
    feeder.stop();
    assert_eq!(agree(dir.path(), &of_request("s")).read, 0);
    assert!(!dir.path().join("index.sqlite-wal").exists());
    assert_eq!(feeder.counters().lag(Timestamp::UNIX_EPOCH), 0.0);
}
