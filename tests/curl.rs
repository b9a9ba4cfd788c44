//! What curl is answered: whole, or a download into a file that is watched while it grows.

use crate::{
    gateway::{Gateway, await_that},
    process::Process,
};
use serde_json::Value;
use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;

/// A whole answer.
pub(crate) struct Answer {
    /// 0 where there is none.
    pub(crate) status: u16,
    /// Its status line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

/// Asks for a path with these arguments of curl.
pub(crate) fn ask(gateway: &Gateway, path: &str, arguments: &[&str]) -> Answer {
    let mut curl = Command::new("curl");
    curl.args(["-si", "-m", "30", "-w", "\n%{http_code}"]).args(arguments);
    if gateway.certificate().exists() {
        curl.arg("--cacert").arg(gateway.certificate());
    }
    let output = curl.arg(format!("{}{path}", gateway.url())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut answer, status) = text.rsplit_once('\n').unwrap();
    // What is said before the answer, such as `100 Continue`.
    while let Some((head, rest)) = answer.split_once("\r\n\r\n")
        && head.split(' ').nth(1).is_some_and(|status| status.starts_with('1'))
    {
        answer = rest;
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    Answer { status: status.parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

/// Posts a form, with these arguments of curl.
pub(crate) fn post(gateway: &Gateway, path: &str, fields: &[(&str, &str)], more: &[&str]) -> Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments = vec!["-X", "POST"];
    for field in &fields {
        arguments.extend(["--data-urlencode", field]);
    }
    arguments.extend(more);
    ask(gateway, path, &arguments)
}

/// The header with a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// What the admin listener answers.
pub(crate) fn admin(gateway: &Gateway, path: &str) -> String {
    let output = Command::new("curl").args(["-s", &(gateway.admin_url() + path)]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until a token is refused that was revoked just now. That is required within a second: it is measured by when the last
/// request began that was let in, however long curl takes.
#[track_caller]
pub(crate) fn await_revocation(gateway: &Gateway, path: &str, token: &str) {
    let revoked = Instant::now();
    let mut last = Duration::ZERO;
    await_that("the revoked token to be refused", || {
        let began = revoked.elapsed();
        let is_refused = ask(gateway, path, &["-H", &bearer(token)]).status == 401;
        if !is_refused {
            last = began;
        }
        is_refused
    });
    assert!(last < Duration::from_secs(1), "the requirement is a second; {last:?} after the revocation it was let in");
}

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    /// HTTP/1.1, in clear or through TLS.
    One,
    /// HTTP/2; through TLS only.
    Two,
}

/// A download under way.
pub(crate) struct Download {
    process: Process,
    file: NamedTempFile,
}

/// A download that is over.
pub(crate) struct Downloaded {
    /// Whether curl takes it for whole.
    pub(crate) whole: bool,
    /// The version of HTTP and the status, such as `2 200`.
    pub(crate) status: String,
    /// What arrived.
    pub(crate) body: Vec<u8>,
}

impl Download {
    /// Asks for a path; nothing is waited for.
    pub(crate) fn start(gateway: &Gateway, path: &str, http: Http) -> Self {
        let file = NamedTempFile::new().unwrap();
        let mut curl = Command::new("curl");
        curl.args(["-sN", "-m", "60", "-w", "%{http_version} %{http_code}"]);
        match http {
            Http::One => curl.arg("--http1.1"),
            Http::Two => curl.arg("--http2"),
        };
        if gateway.certificate().exists() {
            curl.arg("--cacert").arg(gateway.certificate());
        }
        curl.arg("-o").arg(file.path()).arg(format!("{}{path}", gateway.url()));
        Self { process: Process::start(curl.stdout(Stdio::piped())), file }
    }

    /// Bytes that have arrived so far.
    pub(crate) fn arrived(&self) -> usize {
        self.file.as_file().metadata().unwrap().len() as usize
    }

    /// Waits until so many bytes have arrived; the download must not be over then.
    pub(crate) fn await_bytes(&mut self, bytes: usize) {
        await_that(&format!("{bytes} bytes"), || self.arrived() >= bytes);
        assert!(self.process.try_wait().unwrap().is_none(), "the download is over");
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Downloaded {
        let output = self.process.output();
        let status = String::from_utf8(output.stdout).unwrap();
        Downloaded { whole: output.status.success(), status, body: fs::read(self.file.path()).unwrap() }
    }
}
