//! Command lines against a small journal.
use super::{query::QueryArgs, *};
use crate::audit::{
    Act, Cache, Decision, Journal, Kind, Record, RuleRef, Settings, Target, could_mislead, index::rebuild,
};
use clap::Parser;
use std::io::Write;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    audit: AuditArgs,
}

const NOW: &str = "2026-11-22T12:00:00Z";

struct Answered {
    out: String,
    notes: String,
    flaws: u64,
}

fn parse(arguments: &[&str]) -> Result<Box<QueryArgs>, clap::Error> {
    let line = ["audit", "query"].iter().chain(arguments);
    match CommandLine::try_parse_from(line)?.audit.command {
        AuditCommand::Query(query) => Ok(query),
        other => panic!("{other:?}"),
    }
}

fn try_query(dir: &Path, width: Option<u16>, arguments: &[&str]) -> Result<Answered, AuditQueryError> {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let console = Console { out: &mut out, notes: &mut notes, meter: Meter::Off, terminal: false, width };
    let summary = parse(arguments).unwrap().run(dir, NOW.parse().unwrap(), console)?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ok(Answered { out: text(out), notes: text(notes), flaws: summary.flaws })
}

/// The answer, which is the same with an index and without one.
fn query(dir: &Path, arguments: &[&str]) -> Answered {
    let scanned = try_query(dir, None, &[arguments, &["--no-index"]].concat()).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    rebuild(copy.path(), &mut |_| {}).unwrap();
    let found = try_query(copy.path(), None, arguments).unwrap();
    assert_eq!((&found.out, found.flaws), (&scanned.out, scanned.flaws), "{arguments:?}");
    scanned
}

/// Four records, a minute apart from 09:00 on: an act, alice's zip, a stranger's denial, bob's list.
fn journal() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let time = |minute: i8| {
        jiff::civil::date(2026, 11, 22).at(9, minute, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    };
    let (journal, _) = Journal::open(dir.path(), Settings::default(), time(0)).unwrap();
    let alice = Record {
        request: "r-alice",
        client: "10.0.0.1".parse().ok(),
        target: Some(Target {
            verb: "GET",
            label: "zip",
            module: Some("github.com/BurntSushi/toml"),
            version: Some("v1.4.0"),
            ..Target::default()
        }),
        decision: Decision::Allow,
        rule: Some(RuleRef { file: "policy.csv", line: 3, id: Some("dev") }),
        status: Some(200),
        cache: Cache::Hit,
        ..Record::new(time(1), Kind::Answered, "user:token/alice")
    };
    let stranger = Record {
        request: "r-stranger",
        subject: "=cmd()\u{1b}[2J\u{202e}",
        client: "192.0.2.7".parse().ok(),
        decision: Decision::Deny,
        status: Some(403),
        time: time(2),
        ..alice
    };
    let bob = Record {
        request: "r-bob",
        target: Some(Target { verb: "GET", label: "list", module: Some("corp.example/pay"), ..Target::default() }),
        ..Record::new(time(3), Kind::Asked, "user:corp/bob")
    };
    let act = Some(Act { name: "server.started", detail: b"modgate" });
    for record in [Record { request: "r-act", act, ..Record::new(time(0), Kind::Act, "system") }, alice, stranger, bob]
    {
        journal.append(&record).unwrap();
    }
    dir
}

fn requests(answered: &Answered) -> Vec<String> {
    let entries = answered.out.lines().map(|line| crate::audit::Entry::parse(line.as_bytes()).unwrap());
    entries.map(|entry| entry.request.trim_start_matches("r-").to_owned()).collect()
}

#[test]
fn filters_find_what_they_say() {
    let journal = journal();
    let table: &[(&[&str], &[&str])] = &[
        (&[], &["act", "alice", "stranger", "bob"]),
        (&["--subject", "user:*"], &["alice", "bob"]),
        (&["--module", "github.com/..."], &["alice", "stranger"]),
        (&["--module", "corp.example/pay"], &["bob"]),
        (&["--version", "v1.4.0", "--decision", "allow"], &["alice"]),
        (&["--decision", "allow,deny"], &["alice", "stranger"]),
        (&["--decision", "none", "--kind", "asked"], &["bob"]),
        (&["--kind", "act"], &["act"]),
        (&["--status", "4xx"], &["stranger"]),
        (&["--target", "zip,list"], &["alice", "stranger", "bob"]),
        (&["--client", "192.0.2.0/24"], &["stranger"]),
        (&["--client", "10.0.0.1"], &["alice"]),
        (&["--request", "r-bob"], &["bob"]),
        (&["--since", "2026-11-22T09:02:00Z"], &["stranger", "bob"]),
        (&["--until", "2026-11-22T09:02:00Z"], &["act", "alice"]),
        (&["--since", "2026-11-22", "--until", "2026-11-22"], &["act", "alice", "stranger", "bob"]),
        (&["--until", "2026-11-21"], &[]),
        (&["--since", "2h"], &[]),
        (&["--since", "178m"], &["stranger", "bob"]),
        (&["--limit", "2"], &["bob", "stranger"]),
        (&["--limit", "2", "--order", "oldest"], &["act", "alice"]),
        (&["--order", "newest"], &["bob", "stranger", "alice", "act"]),
    ];
    for (arguments, expected) in table {
        let answered = query(journal.path(), &[*arguments, &["--json"]].concat());
        assert_eq!(requests(&answered), *expected, "{arguments:?}");
        assert!(answered.notes.contains(&format!("\n{} of ", expected.len())), "{}", answered.notes);
    }
}

#[test]
fn bad_arguments_are_refused_with_what_is_possible() {
    for (arguments, hint) in [
        (["--decision", "maybe"], "unauthenticated"),
        (["--kind", "told"], "answered"),
        (["--client", "10.0.0.0/33"], "10.0.0.0/8"),
        (["--since", "tuesday"], "24h"),
        (["--status", "forbidden"], "4xx"),
        (["--limit", "0"], "--limit"),
    ] {
        let error = parse(&arguments).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    assert!(parse(&["--json", "--format", "csv"]).is_err());
    let dir = journal();
    let backwards = try_query(dir.path(), None, &["--since", "1h", "--until", "2h"]);
    assert!(matches!(backwards, Err(AuditQueryError::EmptySpan { .. })));
    let nowhere = try_query(&dir.path().join("nowhere"), None, &[]);
    assert!(matches!(nowhere, Err(AuditQueryError::Journal(_))));
}

#[test]
fn json_lines_are_the_records_as_they_are() {
    let journal = journal();
    let stored = std::fs::read_to_string(journal.path().join("journal-00000001.jsonl")).unwrap();
    assert_eq!(query(journal.path(), &["--format", "json"]).out, stored);
}

#[test]
fn a_table_fits_its_width_and_obeys_nobody() {
    let journal = journal();
    for width in [80, 120, 200] {
        let table = try_query(journal.path(), Some(width), &[]).unwrap().out;
        assert!(table.lines().all(|line| line.chars().count() <= usize::from(width)), "{table}");
        assert!(!table.chars().any(|c| c != '\n' && could_mislead(c)), "{table}");
    }
    let table = try_query(journal.path(), Some(200), &[]).unwrap().out;
    for text in
        ["zip github.com/BurntSushi/toml@v1.4.0", "policy.csv:3 dev", "2026-11-22 09:01:00", "\\u{1b}[2J\\u{202e}"]
    {
        assert!(table.contains(text), "{text} is not in\n{table}");
    }
}

#[test]
fn long_tables_come_in_pages_and_lose_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Settings::default(), NOW.parse().unwrap()).unwrap();
    for n in 0..1203 {
        let subject = format!("user:token/n{n}.");
        journal.append(&Record::new(NOW.parse().unwrap(), Kind::Asked, &subject)).unwrap();
    }
    let table = query(dir.path(), &[]).out;
    assert!((0..1203).all(|n| table.contains(&format!("user:token/n{n}."))));
    assert_eq!(table.matches("time (UTC)").count(), 3);
}

#[test]
fn csv_has_all_fields_and_runs_nothing() {
    let journal = journal();
    let answered = query(journal.path(), &["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(answered.out.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((header.len(), rows.len()), (29, 4));
    let cell = |row: usize, name: &str| rows[row].get(header.iter().position(|h| h == name).unwrap()).unwrap();
    assert_eq!(cell(1, "module"), "github.com/BurntSushi/toml");
    assert_eq!(cell(1, "time"), "2026-11-22T09:01:00.000000Z");
    assert_eq!(cell(2, "subject"), "'=cmd()\u{1b}[2J\u{202e}");
    for row in &rows {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
    }
}

#[test]
fn damage_is_told_with_its_place_and_counted() {
    let journal = journal();
    let path = journal.path().join("journal-00000001.jsonl");
    let stored = std::fs::read_to_string(&path).unwrap();
    let (first, rest) = stored.split_once('\n').unwrap();
    std::fs::write(&path, format!("{first}\nrub\u{1b}bish\n{rest}{{\"v\":1,")).unwrap();
    let answered = query(journal.path(), &["--json"]);
    assert_eq!(requests(&answered), ["act", "alice", "stranger", "bob"]);
    assert!(answered.notes.contains("journal-00000001.jsonl:2: not a record"), "{}", answered.notes);
    assert!(answered.notes.ends_with("4 of 4 records match; 1 segments read, 1 flaws skipped\n"), "{}", answered.notes);
    assert_eq!(answered.flaws, 1);
    assert!(!answered.notes.contains('\u{1b}'));
}

#[test]
fn strict_turns_flaws_into_an_exit_code() {
    let journal = journal();
    let run = |arguments: &[&str]| {
        let line = ["audit", "query", "--request", "none-has-this"].iter().chain(arguments);
        let args = CommandLine::try_parse_from(line).unwrap().audit;
        format!("{:?}", run(&args, journal.path(), NOW.parse().unwrap()).unwrap())
    };
    let (success, failure) = (format!("{:?}", ExitCode::SUCCESS), format!("{:?}", ExitCode::FAILURE));
    assert_eq!(run(&["--strict"]), success);
    std::fs::write(journal.path().join("journal-00000002.jsonl"), "rubbish\n").unwrap();
    assert_eq!(run(&[]), success);
    assert_eq!(run(&["--strict"]), failure);
}

#[test]
fn how_the_index_served_is_told() {
    let journal = journal();
    let word = |arguments: &[&str]| {
        let answered = try_query(journal.path(), None, &[&["--json"], arguments].concat()).unwrap();
        answered.notes.lines().next().unwrap().to_owned()
    };
    assert_eq!(word(&[]), "no index: the whole journal was read; `modgate audit reindex` makes one");
    rebuild(journal.path(), &mut |_| {}).unwrap();
    assert_eq!(word(&["--request", "r-bob"]), "by the index, which is level with the journal");
    assert_eq!(word(&["--no-index"]), "without the index: the whole journal was read");
    assert_eq!(word(&["--status", "4xx"]), "the index knows nothing of these conditions: the whole journal was read");
    let (more, _) = Journal::open(journal.path(), Settings::default(), Timestamp::UNIX_EPOCH).unwrap();
    let late = Record::new("2026-11-22T11:59:00Z".parse().unwrap(), Kind::Asked, "user:corp/late");
    more.append(&late).unwrap();
    assert_eq!(
        word(&["--subject", "user:corp/late"]),
        "by the index, which is 87 bytes (60 s) behind; 1 records were read from the journal"
    );
    let segment = journal.path().join("journal-00000001.jsonl");
    let edited = std::fs::read_to_string(&segment).unwrap().replace("r-bob", "r-bib");
    std::fs::write(&segment, edited).unwrap();
    let unfit = word(&["--request", "r-bib"]);
    assert!(unfit.contains("5 records were read from the journal; 1 segments are not as they were indexed"), "{unfit}");
    std::fs::write(journal.path().join("index.sqlite"), "rubbish").unwrap();
    let unusable = word(&["--request", "r-bib"]);
    assert!(unusable.contains("file is not a database: the whole journal was read; `modgate audit"), "{unusable}");
}

#[test]
fn a_rebuild_says_what_it_made() {
    let journal = journal();
    let run = |arguments: &[&str]| {
        let line = ["audit", "reindex"].iter().chain(arguments);
        let AuditCommand::Reindex(reindex) = CommandLine::try_parse_from(line).unwrap().audit.command else {
            panic!("another command");
        };
        let mut out = Vec::new();
        let console =
            Console { out: &mut out, notes: &mut Vec::new(), meter: Meter::Off, terminal: false, width: None };
        reindex.run(journal.path(), console).map(|()| String::from_utf8(out).unwrap())
    };
    assert!(run(&[]).unwrap().starts_with("4 records ("));
    let made: serde_json::Value = serde_json::from_str(&run(&["--json"]).unwrap()).unwrap();
    assert_eq!((made["records"].as_u64(), made["shared"].as_bool()), (Some(4), Some(false)));
    std::fs::remove_dir_all(journal.path()).unwrap();
    assert!(run(&[]).is_err());
}

#[test]
fn output_that_fails_ends_the_query() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let journal = journal();
    for format in ["table", "json", "csv"] {
        let console =
            Console { out: &mut Closed, notes: &mut Vec::new(), meter: Meter::Off, terminal: false, width: None };
        let answered = parse(&["--format", format]).unwrap().run(journal.path(), NOW.parse().unwrap(), console);
        assert!(matches!(answered, Err(AuditQueryError::Output(_))), "{format}");
    }
}
