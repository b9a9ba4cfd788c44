//! Journals that are cut, edited and taken away; indexes that are copied, damaged or of another schema.
use super::*;

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
    for number in 2..=3 {
        fs::write(dir.path().join(name(number)), plain().line()).unwrap();
    }
    // As a running server: the file stays the same one and has a log beside it.
    let keeper = level(dir.path());
    let lookup = Lookup::open(dir.path()).unwrap().unwrap();
    let filter = Filter { subject: plain().subject.parse().ok(), ..Filter::default() };
    let (expected, _) = scanned(dir.path(), &filter, Order::OldestFirst, usize::MAX);
    let mut found = Vec::new();
    let take = &mut |finding: Finding<'_>| {
        if let Finding::Match(_, line) = finding {
            found.push(String::from_utf8_lossy(line).into_owned());
            // All is indexed again, and a segment before the others changes the numbers of the terms.
            let other = Written { subject: "user:corp/bob", ..plain() };
            fs::write(dir.path().join(name(1)), other.line()).unwrap();
            let mut index = Index::anew(dir.path()).unwrap();
            assert!(!index.is_kept());
            while index.step(BATCH).unwrap() != Step::Level {}
        }
        ControlFlow::Continue(())
    };
    let (summary, reach) = search(dir.path(), &lookup, &filter, Order::OldestFirst, take).unwrap();
    assert_eq!((found, summary.matched), (expected, 2));
    assert_eq!(reach.read, 1);
    drop(keeper);
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
