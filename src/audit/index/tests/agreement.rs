//! Random journals, filters, cursors and orders.
use super::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

const SUBJECTS: [&str; 5] = ["user:corp/alice", "user:corp/bob", "ci:forge/build", "anonymous", ""];
const MODULES: [&str; 6] = ["", "corp.example/pay", "corp.example/pay/v2", "github.com/A/b", "a\0b", "a"];
const VERSIONS: [&str; 4] = ["", "v1.0.0", "v1.1.0", "main"];

const KINDS: [Kind; 4] = [Kind::Asked, Kind::Answered, Kind::Broken, Kind::Act];
const DECISIONS: [Decision; 5] =
    [Decision::Allow, Decision::Deny, Decision::Withheld, Decision::Unauthenticated, Decision::None];

fn written() -> impl Strategy<Value = Written> {
    let damage = prop_oneof![11 => Just(None), 1 => select(vec![Some("rubbish"), Some(""), Some("{\"v\":9}")])];
    let names = (select(&SUBJECTS[..]), select(&MODULES[..]), select(&VERSIONS[..]), select(&VERSIONS[..]));
    let nothing = select(&SUBJECTS[..]).prop_map(|subject| (subject, "", "", ""));
    let names = prop_oneof![3 => names, 1 => nothing];
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
