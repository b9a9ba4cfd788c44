//! The validated settings. Plain values: each part's own settings are made from them where the parts are put together.

use super::{Secret, Tokens};
use crate::telemetry::log;
use crate::{forward, limit};
use auth::{DirectorySettings, IssuerSettings, NamePart, SessionSettings};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// All of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept that is not configured to be elsewhere.
    pub data: PathBuf,
    /// Whether there is a store of our own, or answers are handed on from one behind.
    pub mode: Mode,
    /// The URL that clients use; its path, if any, comes before every target.
    pub public_url: Option<Url>,
    /// Whom a refusal tells people to ask, unless the rule names somebody.
    pub contact: Option<String>,
    /// This instance's name in `Via`, by which a loop is noticed.
    pub instance: Option<String>,
    /// The listener.
    pub listen: Listen,
    /// TLS; `None`: plain HTTP, or the development certificate of a first run.
    pub tls: Option<Tls>,
    /// The admin listener.
    pub admin: Admin,
    /// Whose JWTs are believed.
    pub issuers: Vec<IssuerSettings>,
    /// Whose passwords are accepted; `None`: none are.
    pub directory: Option<DirectorySettings>,
    /// How long sessions of browsers last.
    pub sessions: SessionSettings,
    /// The policy.
    pub policy: Policy,
    /// Where public modules come from.
    pub upstream: Upstream,
    /// Where private modules come from.
    pub sources: Vec<Source>,
    /// What vouches for public modules.
    pub checksum: Checksum,
    /// Where modules are kept.
    pub store: Store,
    /// Who may ask how much.
    pub limits: limit::Settings,
    /// What people and pipelines get themselves.
    pub tokens: Tokens,
    /// The audit journal.
    pub audit: Audit,
    /// The log.
    pub log: log::Settings,
}

/// `mode`, with `[forward]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    /// A store of our own.
    Store,
    /// None: every answer comes from a store behind.
    Forward(Forward),
}

/// `[forward]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forward {
    /// How the store behind is told who asks; `None`: it is not.
    pub identity: Option<Box<Identity>>,
}

/// How the store behind is told who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What it is signed with.
    pub secret: Secret,
    /// In which headers.
    pub headers: forward::Headers,
}

/// `[listen]`
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where to listen.
    pub address: SocketAddr,
    /// Plain HTTP is fine on an address that is not loopback.
    pub insecure_http: bool,
    /// Whose word is taken for a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections begin with a PROXY protocol v2 header.
    pub proxy_protocol: bool,
    /// Threads that serve; `None`: one a core.
    pub workers: Option<u32>,
    /// How long a PROXY header, a TLS handshake or a request's head may take.
    pub header_timeout: Duration,
    /// How long a connection may be without use.
    pub idle_timeout: Duration,
    /// Connections in all.
    pub max_connections: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
    /// Bytes of a request's head.
    pub max_header_bytes: u64,
    /// How long connections are still accepted after readiness fails.
    pub drain_delay: Duration,
    /// How long answers under way may take at the end.
    pub drain_timeout: Duration,
}

/// `[tls]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
    /// Whose client certificates are accepted, PEM.
    pub client_ca: Option<PathBuf>,
    /// Which part of a client certificate names its holder.
    pub client_name: NamePart,
}

/// `[admin]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admin {
    /// Where it is; `None`: off.
    pub address: Option<SocketAddr>,
}

/// `[policy]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The Casbin model; `None`: the one that is built in.
    pub model: Option<PathBuf>,
    /// The rules.
    pub files: Vec<PathBuf>,
    /// A reload may make private paths public.
    pub allow_widening: bool,
}

/// `[upstream]`
#[derive(Clone, Debug)]
pub struct Upstream {
    /// In GOPROXY syntax; `None`: as the `go` command resolves it.
    pub list: Option<String>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a source may send nothing.
    pub read_timeout: Duration,
    /// How long all of an answer but a zip may take.
    pub whole_timeout: Duration,
    /// Where redirects may lead though it is inside the house; the origins of these.
    pub redirect_origins: Vec<Url>,
    /// HTTPS_PROXY, HTTP_PROXY and NO_PROXY hold.
    pub proxy_from_environment: bool,
    /// What happens when a source fails.
    pub failures: Failures,
    /// Certificates to trust besides the system's, PEM.
    pub roots: Option<PathBuf>,
    /// Credentials for the sources, private ones too.
    pub credentials: Vec<Credential>,
}

/// What happens when a source fails; keys of `[upstream]`, for private sources too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failures {
    /// Failures in a row after which a source is not asked for a while.
    pub threshold: u32,
    /// For how long, the first time.
    pub cool_down: Duration,
    /// For how long at most.
    pub max_cool_down: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// When a small answer is asked for once more.
    pub hedge: Hedge,
    /// Requests to one source at a time.
    pub max_in_flight: u32,
}

/// When a small answer that does not come is asked for once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hedge {
    /// When it takes unusually long.
    Auto,
    /// Never.
    Off,
    /// After so long.
    After(Duration),
}

/// `[[upstream.credential]]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// The source's base URL.
    pub url: Url,
    /// What is sent there.
    pub login: Login,
}

/// What is sent to a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Login {
    /// `Authorization: Basic`
    Basic {
        /// The login.
        login: String,
        /// The password.
        password: Secret,
    },
    /// `Authorization: Bearer`
    Bearer(Secret),
}

/// `[[source]]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// A module path pattern as of GOPRIVATE.
    pub pattern: String,
    /// In GOPROXY syntax.
    pub list: String,
}

/// `[[checksum]]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// As the `go` command resolves GOSUMDB.
    GoCommand,
    /// None: nothing vouches for public modules.
    Off,
    /// These.
    Databases(Vec<Database>),
}

/// A checksum database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// Which.
    pub key: DatabaseKey,
    /// Where it is asked, and nowhere else; `None`: through the upstream list, or at its name.
    pub url: Option<Url>,
}

/// How a checksum database is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DatabaseKey {
    /// By a name whose key is built in.
    Name(String),
    /// By `name+hash+key`.
    Key(String),
}

/// `[store]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// Where it is.
    pub dir: PathBuf,
    /// How long lists are fresh.
    pub list_fresh: Duration,
    /// How long `@latest` and branch answers are fresh.
    pub query_fresh: Duration,
    /// From which age on such an answer waits a second for its refresh.
    pub stale_wait: Duration,
    /// How long an absence is believed.
    pub negative: Duration,
    /// Bytes of small answers kept in memory.
    pub memory: u64,
}

/// `[audit]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// Where the journal is.
    pub dir: PathBuf,
    /// Bytes after which a new segment begins.
    pub segment: u64,
    /// Whether the server keeps an index of it.
    pub index: bool,
    /// How long records are gathered to be indexed together.
    pub index_every: Duration,
}
