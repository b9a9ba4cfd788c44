//! The tests' own programs in Go, each in a folder of its own: `tests/oracle`, `tests/sumdb`, `tests/store_behind`.

use crate::process::Process;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Builds one; where it is then.
pub(crate) fn built(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    assert!(built.expect("`go` is needed: https://go.dev/dl").success(), "tests/{name} does not build");
    program
}

/// Starts one that serves until its standard input ends, and the line that it says first.
pub(crate) fn serving(command: &mut Command) -> (Process, String) {
    let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (process, line.trim().to_owned())
}
