//! The oracle program (tests/oracle): `golang.org/x/mod`, asked over a pipe.

use crate::{go_program, process::Process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What the oracle says to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether x/mod accepts it.
    pub(crate) ok: bool,
    /// What it makes of it.
    pub(crate) out: String,
    /// Its reason otherwise.
    pub(crate) err: String,
    /// A number, where that is the answer.
    pub(crate) n: i64,
}

impl Answer {
    /// What x/mod makes of it, if it accepts it.
    pub(crate) fn accepted(&self) -> Option<&str> {
        self.ok.then_some(self.out.as_str())
    }
}

/// Asks all requests in one process, and answers in their order.
pub(crate) fn ask(requests: &[Value]) -> Vec<Answer> {
    let mut child = Process::start(Command::new(&*PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("piped");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for request in requests {
                // A request that cannot be written shows as an answer that is missing.
                let _ = writeln!(stdin, "{request}");
            }
        });
        stdout.lines().map(|line| answer(&line.expect("the oracle's answer is text"))).collect()
    });
    assert!(child.wait().expect("the oracle ends").success());
    assert_eq!(answers.len(), requests.len(), "the oracle stopped early");
    answers
}

fn answer(line: &str) -> Answer {
    let value: Value = serde_json::from_str(line).expect("the oracle answers JSON");
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Answer {
        ok: value["ok"].as_bool().expect("the oracle answers ok or not"),
        out: text("out"),
        err: text("err"),
        n: value["n"].as_i64().unwrap_or_default(),
    }
}

/// One of the tables that the oracle prints.
pub(crate) fn print(table: &str) -> String {
    let output = Command::new(&*PROGRAM).arg(table).output().expect("the oracle starts");
    assert!(output.status.success(), "the oracle does not print `{table}`");
    String::from_utf8(output.stdout).expect("the oracle prints text")
}

/// The program, built once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| go_program::built("oracle"));
