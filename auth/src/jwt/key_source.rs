//! Where an issuer's keys come from: a file, or a URL that the issuer publishes them at.

use super::key_file::KeyFile;
use std::time::Duration;
use url::Url;

/// Where an issuer's keys come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// A file, read at the start and again when it changes.
    File(KeyFile),
    /// A URL, fetched ahead and again on a schedule.
    Published(Published),
}

/// Keys that an issuer publishes, and how they are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// Where they are.
    pub at: KeysAt,
    /// The longest time from one fetch to the next. The issuer may ask for a shorter one (`Cache-Control: max-age`).
    pub every: Duration,
    /// The least time from the beginning of one fetch to that of the next, whatever tokens come.
    pub pause: Duration,
    /// For how long after that the last good keys are used while no others can be had.
    pub stale: Duration,
}

/// Where published keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeysAt {
    /// Where the issuer's metadata say (OpenID Connect Discovery 1.0, section 4).
    Discovery,
    /// There.
    Url(Url),
}

impl KeySource {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Published(_) => None,
        }
    }
}
