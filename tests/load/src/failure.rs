//! What can end the program: a file, a connection, a wrong answer. Any wrong answer does.

use std::{io, path::PathBuf};

/// Why the program ended without figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is there and is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The arguments contradict each other.
    #[error("{0}")]
    Arguments(String),
    /// A server could not be reached, or the connection was lost.
    #[error("{server}: connection: {reason}")]
    Connection {
        /// The server's name.
        server: String,
        /// Why.
        reason: String,
    },
    /// A server answered something else than the tree holds.
    #[error("{server}: {path}: {reason}")]
    Answer {
        /// The server's name.
        server: String,
        /// What was asked for.
        path: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Latencies could not be counted.
    #[error("histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// The figures could not be written.
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// For `map_err` on what reads or writes `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
