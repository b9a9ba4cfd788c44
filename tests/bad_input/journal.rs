//! A damaged journal: every line that cannot be read is named, all others are found, and a server goes on behind it.

use crate::gateway::Gateway;
use std::{fs, path::Path, process::Output};

/// Puts text in place of the line `number`, counted from 1.
fn damage(segment: &Path, number: usize, with: &str) {
    let text = fs::read_to_string(segment).unwrap();
    let line = |(at, line)| if at + 1 == number { with } else { line };
    fs::write(segment, text.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n").unwrap();
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn damaged_lines_are_named_and_the_others_found() {
    let gateway = Gateway::plain().upstream("off").start();
    for _ in 0..6 {
        crate::outages::get(&gateway, "/example.test/lib/@v/list");
    }
    let segment = gateway.data().join("audit/journal-00000001.jsonl");
    let whole = gateway.records().len();
    for (number, with) in [(2, "no record"), (4, "{\"v\":1,\"time\":"), (5, "{\"v\":99}")] {
        damage(&segment, number, with);
    }
    let queried = gateway.run(&["audit", "query", "--json"]);
    let (stdout, stderr) = text(&queried);
    assert_eq!(queried.status.code(), Some(0));
    assert_eq!(stdout.lines().count(), whole - 3, "{stderr}");
    for number in [2, 4, 5] {
        assert!(stderr.contains(&format!("journal-00000001.jsonl:{number}: ")), "{stderr}");
    }
    assert!(stderr.contains("3 flaws skipped"), "{stderr}");
    assert_eq!(gateway.run(&["audit", "query", "--strict"]).status.code(), Some(1));

    let (data, port) = (gateway.data().to_owned(), gateway.port());
    let kept = gateway.kill();
    let again = Gateway::plain().upstream("off").data(&data).start();
    assert_ne!(again.port(), port);
    again.await_log("the audit journal was repaired");
    let records = again.records();
    let damaged = records.iter().find(|record| record["act"] == "journal.damaged");
    assert!(damaged.is_some(), "{records:#?}");
    assert_eq!(text(&again.run(&["audit", "query"])).1.matches("journal-00000001.jsonl:").count(), 3);
    drop(kept);
}

#[test]
fn a_missing_segment_and_no_journal_at_all_are_said() {
    let gateway = Gateway::plain().upstream("off").start();
    let audit = gateway.data().join("audit");
    fs::copy(audit.join("journal-00000001.jsonl"), audit.join("journal-00000003.jsonl")).unwrap();
    let queried = gateway.run(&["audit", "query", "--strict"]);
    assert_eq!(queried.status.code(), Some(1));
    assert!(text(&queried).1.contains("journal-00000002.jsonl: missing"), "{}", text(&queried).1);

    let nowhere = tempfile::tempdir().unwrap();
    let mut command = crate::gateway::modgate();
    let queried = command.args(["audit", "query", "--data"]).arg(nowhere.path().join("none")).output().unwrap();
    assert_eq!(queried.status.code(), Some(1));
    assert!(text(&queried).1.starts_with("error: "), "{}", text(&queried).1);
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0, "asking makes nothing");
}
