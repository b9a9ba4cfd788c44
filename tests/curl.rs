//! A download by curl into a file, watched while it grows.

use crate::{
    gateway::{Gateway, await_that},
    process::Process,
};
use std::{
    fs,
    process::{Command, Stdio},
};
use tempfile::NamedTempFile;

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
