//! From records as they stand in a journal to the report, by comparison.

use super::super::table::Table;
use super::*;
use crate::audit::could_mislead;
use jiff::Timestamp;
use serde_json::{Value, json};

const VERIFIED: &str = "sum.example";

/// A record of an answer.
fn answered(what: &str, status: u16, more: Value) -> Entry {
    let mut words = what.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let mut record = json!({
        "v": 1, "time": "2026-11-22T12:00:00Z", "kind": "answered", "request": what, "subject": "user:token/try",
        "decision": "allow", "rule": "/t/try.csv:2", "status": status, "http": "GET",
        "target": word(), "module": word(), "version": word(),
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Entry::parse(record.to_string().as_bytes()).unwrap()
}

fn miss(what: &str) -> Entry {
    answered(what, 200, json!({"cache": "miss", "source": "https://proxy.example"}))
}

fn stored(held: &mut Held, what: &str, size: u64, standing: Standing) {
    let key: Vec<_> = what.split(' ').map(str::to_owned).collect();
    let meta = Meta::new(size, [0; 32], standing, "https://proxy.example", Timestamp::UNIX_EPOCH);
    held.insert((key[1].clone(), key[2].clone(), key[0].clone()), meta);
}

fn records() -> Records {
    let denied = json!({"decision": "deny", "rule": "/home/alice/policy.csv:7", "rule_id": "MAL-7"});
    let unlisted = json!({"decision": "deny", "rule": ""});
    let entries = vec![
        miss("zip a.test/b v1.10.0"),
        miss("mod a.test/b v1.10.0"),
        miss("info a.test/b v1.10.0"),
        miss("mod a.test/b v1.9.0"),
        answered("mod a.test/b v1.9.0", 200, json!({"cache": "hit", "source": "https://proxy.example"})),
        answered("lookup a.test/b v1.10.0", 200, json!({"sumdb": VERIFIED})),
        answered("info evil.test/tool v1.0.0", 403, denied.clone()),
        answered("info evil.test/tool v1.0.0", 403, denied),
        answered("list c.test", 403, unlisted),
        answered("list a.test", 404, json!({})),
        answered("list corp.test", 404, json!({"decision": "withheld"})),
        answered("list a.test/b", 200, json!({"cache": "miss", "source": "https://proxy.example"})),
        answered("zip corp.test/pay v2.0.0", 503, json!({})),
    ];
    let mut held = Held::new();
    let verified = || Standing::Verified { by: VERIFIED.to_owned() };
    stored(&mut held, "zip a.test/b v1.10.0", 12_000_000, verified());
    stored(&mut held, "mod a.test/b v1.10.0", 300, verified());
    stored(&mut held, "info a.test/b v1.10.0", 50, Standing::Unverified);
    stored(&mut held, "mod a.test/b v1.9.0", 290, Standing::Provisional);
    let reason = (Some("malware, see ticket 12".to_owned()), Some("security@corp.test".to_owned()));
    let grounds = [("/home/alice/policy.csv:7".to_owned(), reason)].into();
    Records { entries, flaws: 0, grounds, held, directory: "/t".into() }
}

fn report(all: bool, records: &Records) -> Report {
    let background = Background {
        command: vec!["go".into(), "build".into()],
        subject: "user:token/try".into(),
        upstream: "https://proxy.example".into(),
        around: Patterns::parse("corp.test", "GOPRIVATE of the environment".into()),
        notes: vec!["`direct` is ignored".into()],
        ..Background::default()
    };
    Report::new(background, all, Ended { code: Some(1), signal: None }, Duration::from_millis(1250), records)
}

const PLAIN: Table = Table { colour: false, terminal: false };

/// Lines without the blanks at their ends and the rules between them.
fn lines(text: &str) -> Vec<String> {
    let drawn = |line: &&str| !line.starts_with(['─', '═']);
    text.lines().filter(drawn).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_row_for_each_version_then_why_then_sums() {
    let text = PLAIN.text(&report(false, &records()));
    assert_eq!(
        lines(&text),
        [
            "module version fetched bytes source decision rule checksum",
            "a.test/b v1.9.0 mod 290 B proxy.example (hit, miss) allow try.csv:2 not in the database yet",
            "a.test/b v1.10.0 info mod zip 12.00 MB proxy.example (miss) allow try.csv:2 verified by sum.example",
            "c.test list:403 deny",
            "corp.test/pay v2.0.0 zip:503 allow try.csv:2",
            "evil.test/tool v1.0.0 info:403 deny policy.csv:7 (MAL-7)",
            "refused: c.test as no rule allows it to user:token/try",
            "refused: evil.test/tool@v1.0.0 by policy.csv:7 (MAL-7); reason: malware, see ticket 12; contact: security@corp.test",
            "13 requests in 1.2 s: 2 versions fetched, 12.00 MB, 3 refused, 1 failed, 1 not found (--all lists them), 1 withheld, 1 to the checksum database",
            "13 records in the journal, 0 of them before asking https://proxy.example",
            "GOPRIVATE of the environment (corp.test) would have sent around the gateway: corp.test, corp.test/pay",
            "nobody was asked for what has no source of its own; --config gives it one, --bypass lets it go around",
            "note: `direct` is ignored",
        ]
    );
}

#[test]
fn what_was_not_found_is_listed_if_all_is() {
    let text = PLAIN.text(&report(true, &records()));
    for row in ["a.test list:404 allow try.csv:2", "a.test/b list proxy.example (miss) allow try.csv:2"] {
        assert!(lines(&text).iter().any(|line| line == row), "{row}\n{text}");
    }
}

#[test]
fn the_json_form_is_what_programs_rely_on() {
    let report: Value = serde_json::from_str(&report(false, &records()).json()).unwrap();
    let keys: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "around command exit_code groups modules notes policy schema seconds signal subject totals upstream upstream_origin";
    assert_eq!(keys.join(" "), expected);
    assert_eq!(report["modules"].as_array().unwrap().len(), 8, "all rows, whatever the table shows");
    let evil = report["modules"].as_array().unwrap().iter().find(|row| row["module"] == "evil.test/tool");
    assert_eq!(
        *evil.unwrap(),
        json!({
            "module": "evil.test/tool", "version": "v1.0.0", "outcome": "refused", "bytes": 0, "decision": "deny",
            "parts": [{"name": "info", "outcome": "refused", "status": 403, "requests": 2, "bytes": null, "cache": [],
                       "source": ""}],
            "rule": "/home/alice/policy.csv:7", "rule_id": "MAL-7", "reason": "malware, see ticket 12",
            "contact": "security@corp.test", "warnings": [], "checksum": null, "h1": "", "around": false,
        })
    );
    assert_eq!(report["modules"][3]["checksum"], json!({"is": "verified", "by": VERIFIED}));
}

#[test]
fn a_transfer_that_broke_off_failed_unless_it_came_whole_afterwards() {
    let mut records = records();
    let what = "zip a.test/b v1.10.0";
    let broken = Entry { kind: Kind::Broken, ..miss(what) };
    let outcome = |records: &Records| {
        report(false, records)
            .modules
            .into_iter()
            .find(|row| row.version.as_deref() == Some("v1.10.0"))
            .unwrap()
            .outcome
    };
    records.entries.push(broken);
    assert_eq!(outcome(&records), Outcome::Failed);
    records.entries.push(Entry { request: "again".into(), ..miss(what) });
    assert_eq!(outcome(&records), Outcome::Fetched);
}

#[test]
fn sums_that_are_missing_are_a_failure() {
    let records =
        Records { entries: vec![answered("lookup a.test/b v1.0.0", 404, json!({"sumdb": VERIFIED}))], ..records() };
    assert_eq!(report(false, &records).modules[0].outcome, Outcome::Failed);
}

#[test]
fn nothing_in_the_table_is_obeyed_by_a_terminal() {
    let mut records = records();
    for (reason, _) in records.grounds.values_mut() {
        *reason = Some("\u{1b}[2Jgone\u{202e}".to_owned());
    }
    let text = PLAIN.text(&report(true, &records));
    assert!(text.contains("gone") && !text.chars().any(|c| c != '\n' && could_mislead(c)), "{text}");
}

#[test]
fn a_command_that_asked_for_nothing_is_told_so() {
    let records = Records { entries: Vec::new(), ..records() };
    let text = PLAIN.text(&report(false, &records));
    assert!(text.starts_with("the command asked for no module"), "{text}");
}
