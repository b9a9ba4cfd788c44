//! Scans over journals as they are, as they get damaged, and as they grow.
use super::*;
use crate::audit::{Journal, Kind, Record, Settings};
use jiff::Timestamp;
use std::fs;

/// What a scan came upon: requests of matches, and flaws as they print.
fn scanned(dir: &Path, filter: &Filter, order: Order) -> (Vec<String>, Vec<String>, Summary) {
    let (mut requests, mut flaws) = (Vec::new(), Vec::new());
    let summary = scan(dir, filter, order, &mut |finding| {
        match finding {
            Finding::Match(entry, line) => {
                assert_eq!(Entry::parse(line).unwrap(), *entry);
                requests.push(entry.request.clone());
            }
            Finding::Flaw(flaw) => flaws.push(flaw.to_string()),
            Finding::Progress(progress) => assert!(progress.done <= progress.total),
        }
        ControlFlow::Continue(())
    });
    (requests, flaws, summary.unwrap())
}

fn both_orders(dir: &Path) -> (Vec<String>, Vec<String>) {
    let (requests, flaws, summary) = scanned(dir, &Filter::default(), Order::OldestFirst);
    let (mut back, mut back_flaws, back_summary) = scanned(dir, &Filter::default(), Order::NewestFirst);
    back.reverse();
    back_flaws.reverse();
    assert_eq!((&back, &back_flaws, back_summary), (&requests, &flaws, summary));
    (requests, flaws)
}

fn line(request: &str) -> String {
    let mut out = Vec::new();
    Record { request, ..Record::new(Timestamp::UNIX_EPOCH, Kind::Asked, "user:a/b") }.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn write(dir: &Path, number: u64, lines: &[&str]) {
    fs::write(dir.join(name(number)), lines.concat()).unwrap();
}

#[test]
fn segments_are_read_in_order_and_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 9, &[&line("a"), &line("b")]);
    write(dir.path(), 10, &[]);
    write(dir.path(), 11, &[&line("c")]);
    let (requests, flaws) = both_orders(dir.path());
    assert_eq!((requests, flaws), (vec!["a".into(), "b".into(), "c".into()], vec![]));
}

#[test]
fn damage_is_named_by_file_and_line_and_the_rest_is_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[&line("a"), "rubbish\n", &line("b"), line("never finished").split_at(40).0]);
    write(
        dir.path(),
        3,
        &[&line("c"), "{\"v\":2,\"new\":1}\n", "\0\0\n", &line("d"), line("being written").split_at(40).0],
    );
    let (requests, flaws) = both_orders(dir.path());
    assert_eq!(requests, ["a", "b", "c", "d"]);
    let expected = [
        ("journal-00000001.jsonl:2: ", "not a record: "),
        ("journal-00000001.jsonl:4: ", "not finished"),
        ("journal-00000002.jsonl: ", "missing"),
        ("journal-00000003.jsonl:2: ", "schema 2 is newer"),
        ("journal-00000003.jsonl:3: ", "not a record: "),
    ];
    assert_eq!(flaws.len(), expected.len(), "{flaws:#?}");
    for (flaw, (place, reason)) in flaws.iter().zip(expected) {
        assert!(flaw.contains(place) && flaw.contains(reason), "{flaw}");
    }
}

#[test]
fn a_break_ends_the_scan_at_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 1, &[&line("a"), &line("b")]);
    let mut seen = Vec::new();
    let summary = scan(dir.path(), &Filter::default(), Order::NewestFirst, &mut |finding| {
        if let Finding::Match(entry, _) = finding {
            seen.push(entry.request.clone());
        }
        ControlFlow::Break(())
    });
    assert_eq!(seen, ["b"]);
    assert_eq!(summary.unwrap(), Summary { matched: 1, records: 1, segments: 1, flaws: 0 });
}

#[test]
fn no_directory_is_an_error_and_no_records_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let missing =
        scan(&dir.path().join("x"), &Filter::default(), Order::OldestFirst, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(missing.unwrap_err(), AuditError::File { action: "list", .. }));
    assert_eq!(both_orders(dir.path()), (vec![], vec![]));
}

/// The server appends and begins segments, while scans in both directions must see only whole records.
#[test]
fn a_scan_during_writing_sees_no_flaw_and_no_record_twice() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_size: 256 << 10, ..Settings::default() };
    let (journal, _) = Journal::open(dir.path(), settings, Timestamp::UNIX_EPOCH).unwrap();
    let padding = "x".repeat(3000);
    let append = |n: u32| {
        let (request, act) = (format!("{n:06}"), padding.as_bytes().get(..(n as usize * 37) % 3000));
        let act = act.map(|detail| crate::audit::Act { name: "test", detail });
        journal
            .append(&Record { request: &request, act, ..Record::new(Timestamp::UNIX_EPOCH, Kind::Act, "s") })
            .unwrap();
    };
    (0..100).for_each(append);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (100..3000).for_each(append));
        let mut scans = 0;
        while !writer.is_finished() || scans < 2 {
            let order = if scans % 2 == 0 { Order::OldestFirst } else { Order::NewestFirst };
            let (mut requests, flaws, _) = scanned(dir.path(), &Filter::default(), order);
            assert_eq!(flaws, Vec::<String>::new());
            if order == Order::NewestFirst {
                requests.reverse();
            }
            assert!(requests.len() >= 100);
            assert!(requests.iter().enumerate().all(|(n, request)| *request == format!("{n:06}")), "{order:?}");
            scans += 1;
        }
    });
}

/// Writes fail halfway and are undone, while scans must take no half of a record for anything.
#[test]
fn a_scan_during_failing_writes_sees_no_flaw() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join(name(1))).unwrap();
    let write = |n: u32, offset: u64| {
        let (torn, whole) =
            (line(&format!("torn-{n:0width$}", width = (n as usize * 31) % 400)), line(&format!("{n:06}")));
        file.write_all_at(torn.split_at(torn.len() * (n as usize % 10) / 10).0.as_bytes(), offset).unwrap();
        std::thread::yield_now();
        file.set_len(offset).unwrap();
        file.write_all_at(whole.as_bytes(), offset).unwrap();
        offset + whole.len() as u64
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..20_000).fold(0, |offset, n| write(n, offset)));
        let mut scans = 0;
        while !writer.is_finished() || scans < 2 {
            let order = if scans % 2 == 0 { Order::OldestFirst } else { Order::NewestFirst };
            let (mut requests, flaws, _) = scanned(dir.path(), &Filter::default(), order);
            assert_eq!(flaws, Vec::<String>::new(), "{order:?}");
            if order == Order::NewestFirst {
                requests.reverse();
            }
            assert!(requests.iter().enumerate().all(|(n, request)| *request == format!("{n:06}")), "{order:?}");
            scans += 1;
        }
        println!("{scans} scans");
    });
}
