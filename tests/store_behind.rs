//! A running store as a company may have one behind modgate: a directory served by Go's own file server, without any
//! authentication (tests/store_behind). It notes every request, and verifies who asks as the documentation says.

use crate::checksum_database::get;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

/// The program, built once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store_behind");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store_behind");
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    assert!(built.expect("`go` runs").success(), "tests/store_behind does not build");
    program
});

/// A running store. Ends when it is dropped, for then its standard input does.
pub(crate) struct StoreBehind {
    process: Child,
    url: String,
}

impl StoreBehind {
    /// Serves a directory; with a secret it verifies who asks.
    pub(crate) fn start(directory: &Path, secret: Option<&Path>) -> Self {
        let mut command = Command::new(&*PROGRAM);
        command.arg(directory).args(secret).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { url: line.trim().to_owned(), process }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it noted of every request so far: method, path, headers, and what came of verifying who asks.
    pub(crate) fn seen(&self) -> Vec<Value> {
        let (status, body) = get(&format!("{}/-/seen", self.url)).unwrap();
        assert_eq!(status, 200);
        String::from_utf8(body).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for StoreBehind {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}
