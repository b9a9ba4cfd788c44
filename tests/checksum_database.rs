//! A running checksum database: `golang.org/x/mod/sumdb` in a program of the tests' own (tests/sumdb), which appends what
//! it is given and lies on demand.

use crate::{go_program, process::Process};
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::LazyLock,
};

/// The program, built once.
pub(crate) static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| go_program::built("sumdb"));

/// A running database. Ends when it is dropped.
pub(crate) struct ChecksumDatabase {
    _process: Process,
    key: String,
    url: String,
}

impl ChecksumDatabase {
    /// Starts an empty one.
    pub(crate) fn start() -> Self {
        let (process, line) = go_program::serving(Command::new(&*PROGRAM).arg("serve"));
        let (key, url) = line.split_once(' ').unwrap();
        Self { key: key.to_owned(), url: url.to_owned(), _process: process }
    }

    /// Its verifier key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Its own URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Tells it what to do, by one of the paths that tests/sumdb/main.go lists; what it answers.
    pub(crate) fn steer(&self, path: &str) -> String {
        let (status, body) = get(&format!("{}{path}", self.url)).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Appends the record of a version, of two `h1:` hashes.
    pub(crate) fn add(&self, module: &str, version: &str, zip: &str, gomod: &str) {
        let (zip, gomod) = (zip.replace('+', "%2B"), gomod.replace('+', "%2B"));
        self.steer(&format!("/add?module={module}&version={version}&zip={zip}&gomod={gomod}"));
    }

    /// The paths that it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.steer("/asked").lines().map(str::to_owned).collect()
    }
}

/// One GET over HTTP/1.0, which ends with the connection: status and body.
pub(crate) fn get(url: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| std::io::Error::other("the server hung up"))?;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().map_err(std::io::Error::other)?;
    Ok((status, answer.split_off(end + 4)))
}
