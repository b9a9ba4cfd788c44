//! What the operator says about sources, as plain values; whoever reads the configuration file fills them in.

use super::{
    credential::{Credential, CredentialError},
    upstreams::UpstreamsError,
};
use crate::module::Glob;
use reqwest::Url;
use std::{net::SocketAddr, time::Duration};

/// Everything that [`super::Sources`] is made of. No `Debug`: there are credentials in it.
#[derive(Clone)]
pub struct SourceSettings {
    /// The public list in GOPROXY syntax; without one, what the `go` command would use.
    pub upstream: Option<String>,
    /// Whether the list is one of stores inside the house, which may be asked about private modules too: forward mode.
    /// Default false.
    pub inside: bool,
    /// Sources of private namespaces. The first whose pattern matches is the one.
    pub private: Vec<PrivateSource>,
    /// Logins by URL prefix, for all sources; the longest prefix counts, and userinfo in an upstream's URL beats it.
    pub credentials: Vec<Credential>,
    /// Origins that redirects may lead to though they are inside the house: the blob store of an internal proxy.
    pub redirect_origins: Vec<Url>,
    /// For name, TCP and TLS. Default 10 s.
    pub connect_timeout: Duration,
    /// From sending a request to the answer's head. A proxy that has to fetch the module itself takes its time, and
    /// `go` would wait for ever. Default 60 s.
    pub answer_timeout: Duration,
    /// Between two pieces of a body; over twice as long it must have come at 512 bytes a second. Default 30 s.
    pub read_timeout: Duration,
    /// For all of an answer but a zip, which may take as long as it moves; with all waiting and retries. Default 5 min.
    pub whole_timeout: Duration,
    /// PEM bundles of certificate authorities that are trusted besides the system's.
    pub extra_roots: Vec<Vec<u8>>,
    /// What tells this instance from others in `Via`: 1 to 64 letters, digits, `.`, `_`, `-`. No default.
    pub instance_id: String,
    /// Where this instance listens: an upstream there is skipped with a warning.
    pub own_addresses: Vec<SocketAddr>,
    /// The URLs under which it is known (`public_url`): an upstream with the same one is skipped likewise.
    pub own_urls: Vec<Url>,
    /// Whether HTTPS_PROXY, HTTP_PROXY and NO_PROXY hold, as for the `go` command. Redirects to hosts that are not
    /// configured never go through such a proxy, because the proxy, not we, would resolve their names. Default true.
    pub proxy_from_environment: bool,
    /// Whether each answer has a connection to itself, as in HTTP/1.1: where answers are handed on as slowly as a client
    /// takes them, one that stalls would hold up all others on a connection of HTTP/2. Default false.
    pub http1_only: bool,
    /// What happens when a source fails.
    pub failures: FailureSettings,
}

/// What happens when a source fails; for each source by itself.
#[derive(Clone, Debug)]
pub struct FailureSettings {
    /// Failures in a row after which it is not asked for a while. Default 5.
    pub threshold: u32,
    /// For how long, the first time; it doubles each time. Default 5 s.
    pub cool_down: Duration,
    /// The longest that it is left alone. Default 1 min.
    pub max_cool_down: Duration,
    /// How often one request is tried again, at most. Default 2.
    pub retries: u32,
    /// When a small answer that does not come is asked for once more. Default adaptive.
    pub hedge: Hedge,
    /// Requests to it at a time. Default 256.
    pub max_in_flight: usize,
    /// Of what chance there is in pauses. Default 0; a running gateway has one of its own.
    pub seed: u64,
}

/// When a small answer that does not come is asked for once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hedge {
    /// Never.
    Off,
    /// When it takes longer than 19 of 20 took of late.
    Adaptive,
    /// After so long.
    After(Duration),
}

/// The source of a private namespace.
#[derive(Clone)]
pub struct PrivateSource {
    /// Which paths it serves, by GOPRIVATE's rules; letter case is ignored.
    pub pattern: Glob,
    /// Its own list in GOPROXY syntax.
    pub upstream: String,
}

/// Why the sources cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nothing configured, and no Go installation to take a default from.
    #[error(
        "no upstream: set `upstream.list` in the configuration or GOPROXY in the environment, for example \
         GOPROXY=https://goproxy.example.com (there is no `go` in PATH to take a default from)"
    )]
    Unset,
    /// A list that cannot be read.
    #[error("{setting}: {error}")]
    Upstreams {
        /// Where the list came from.
        setting: String,
        /// What is wrong with it.
        error: UpstreamsError,
    },
    /// A credential that cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Not a PEM bundle of certificates.
    #[error("extra root certificates: {0}")]
    Roots(String),
    /// An instance id with other characters, or none.
    #[error("the instance id `{0}` is not 1 to 64 letters, digits, `.`, `_`, `-`")]
    InstanceId(String),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            upstream: None,
            inside: false,
            private: Vec::new(),
            credentials: Vec::new(),
            redirect_origins: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(30),
            whole_timeout: Duration::from_secs(300),
            extra_roots: Vec::new(),
            instance_id: String::new(),
            own_addresses: Vec::new(),
            own_urls: Vec::new(),
            proxy_from_environment: true,
            http1_only: false,
            failures: FailureSettings::default(),
        }
    }
}

impl Default for FailureSettings {
    fn default() -> Self {
        Self {
            threshold: 5,
            cool_down: Duration::from_secs(5),
            max_cool_down: Duration::from_secs(60),
            retries: 2,
            hedge: Hedge::Adaptive,
            max_in_flight: 256,
            seed: 0,
        }
    }
}
