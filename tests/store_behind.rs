//! A running store as a company may have one behind modgate: a directory served by Go's own file server, without any
//! authentication (tests/store_behind). It notes every request, and verifies who asks as the documentation says.

use crate::{checksum_database::get, go_program, process::Process};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The program, built once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| go_program::built("store_behind"));

/// A running store. Ends when it is dropped.
pub(crate) struct StoreBehind {
    _process: Process,
    url: String,
}

impl StoreBehind {
    /// Serves a directory; with a secret it verifies who asks.
    pub(crate) fn start(directory: &Path, secret: Option<&Path>) -> Self {
        let (process, url) = go_program::serving(Command::new(&*PROGRAM).arg(directory).args(secret));
        Self { url, _process: process }
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
