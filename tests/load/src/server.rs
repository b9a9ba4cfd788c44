//! A server under load: its name, base URL, credential and processes, and the requests made ready for it.

use crate::{answers::Answer, failure::Failure, netrc};
use http::{HeaderMap, HeaderValue, Uri, header};
use std::{path::PathBuf, str::FromStr, sync::Arc};
use url::Url;

/// `NAME=VALUE` from the command line.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    /// Whose.
    pub(crate) name: String,
    /// What.
    pub(crate) value: T,
}

impl<T: FromStr> FromStr for Named<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
        let value = value.parse().map_err(|error| format!("{value}: {error}"))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

/// The servers, as the command line names them, and what they serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Servers {
    /// A server and its base URL; the first one is what the others are compared with
    #[arg(long = "server", value_name = "NAME=URL", required = true)]
    urls: Vec<Named<Url>>,
    /// A process of a server, with all its children; repeat for several
    #[arg(long = "process", value_name = "NAME=PID")]
    processes: Vec<Named<u32>>,
    /// Where a server keeps its zips, for `cold` to have them read from disk
    #[arg(long = "stored", value_name = "NAME=DIR")]
    stored: Vec<Named<PathBuf>>,
    /// A server that may word lists and .info in its own way: the first answer is compared by what it says
    #[arg(long, value_name = "NAME")]
    rewords: Vec<String>,
    /// Credentials, as the go command takes them: `machine HOST:PORT login … password …`
    #[arg(long, value_name = "FILE")]
    netrc: Option<PathBuf>,
    /// The tree that all servers serve, as `load tree` makes it
    #[arg(long, value_name = "DIR")]
    pub(crate) tree: PathBuf,
    /// The certificates to trust (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) roots: PathBuf,
}

/// A server that can be asked.
pub(crate) struct Server {
    /// Its name in the tables.
    pub(crate) name: String,
    /// Its host, for TLS.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Its processes.
    pub(crate) processes: Vec<u32>,
    /// Where it keeps zips.
    pub(crate) stored: Vec<PathBuf>,
    /// Whether its lists and `.info` may differ in form.
    pub(crate) rewords: bool,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Servers {
    /// Reads the credentials and puts together what belongs together.
    pub(crate) fn resolve(&self) -> Result<Vec<Arc<Server>>, Failure> {
        let processes = self.processes.iter().map(|one| &one.name);
        let stored = self.stored.iter().map(|one| &one.name);
        for name in processes.chain(stored).chain(&self.rewords) {
            if !self.urls.iter().any(|server| &server.name == name) {
                return Err(Failure::Arguments(format!("no --server is called {name}")));
            }
        }
        self.urls.iter().map(|named| self.server(named).map(Arc::new)).collect()
    }

    fn server(&self, named: &Named<Url>) -> Result<Server, Failure> {
        let (name, base) = (named.name.clone(), named.value.clone());
        let wrong = |what: &str| Failure::Arguments(format!("--server {name}={base}: {what}"));
        if base.scheme() != "https" {
            return Err(wrong("must be https"));
        }
        let host = base.host_str().ok_or_else(|| wrong("has no host"))?.to_owned();
        let port = base.port_or_known_default().ok_or_else(|| wrong("has no port"))?;
        let machine = base.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let authorization = match &self.netrc {
            Some(file) => netrc::authorization(file, &machine)?,
            None => None,
        };
        let processes = of(&self.processes, &name).copied().collect();
        let stored = of(&self.stored, &name).cloned().collect();
        let rewords = self.rewords.contains(&name);
        Ok(Server { rewords, name, host, port, processes, stored, base, authorization })
    }
}

fn of<'list, T>(list: &'list [Named<T>], name: &str) -> impl Iterator<Item = &'list T> {
    list.iter().filter(move |named| named.name == name).map(|named| &named.value)
}

impl Server {
    /// The address of one answer: absolute for HTTP/2, the path alone for HTTP/1.1.
    pub(crate) fn uri(&self, answer: &Answer, absolute: bool) -> Result<Uri, Failure> {
        let path = format!("{}{}", self.base.path().trim_end_matches('/'), answer.path);
        let text = if absolute { format!("https://{}:{}{path}", self.host, self.port) } else { path };
        text.parse().map_err(|error| self.wrong(answer, &format!("{error}")))
    }

    /// The headers that the `go` command sends.
    pub(crate) fn headers(&self, absolute: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !absolute && let Ok(host) = HeaderValue::try_from(format!("{}:{}", self.host, self.port)) {
            headers.insert(header::HOST, host);
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static("Go-http-client/2.0"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.extend(self.authorization.clone().map(|value| (header::AUTHORIZATION, value)));
        headers
    }

    /// A failure of a connection to it.
    pub(crate) fn lost(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::Connection { server: self.name.clone(), reason: reason.to_string() }
    }

    /// A wrong answer of it.
    pub(crate) fn wrong(&self, answer: &Answer, reason: &str) -> Failure {
        Failure::Answer { server: self.name.clone(), path: answer.path.clone(), reason: reason.into() }
    }
}
