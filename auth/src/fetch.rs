//! Fetching what an issuer publishes or answers: its metadata, its keys, its tokens.
//!
//! INVARIANT: an issuer is trusted with its tokens and with nothing else. Only `https` is spoken, and `http` to loopback; no
//! redirect is followed, since an issuer that moved is another one; an answer is read to a limit; all of it has a
//! time-out. Which certificates are trusted is configuration: the system's, and others besides.

use reqwest::{Certificate, Client, redirect::Policy};
use std::time::Duration;
use url::Url;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take, from the first byte of the request to the last of the answer.
const WHOLE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const LARGEST: usize = 1 << 20;

/// Asks issuers. Cheap to clone; its connections belong to the runtime that first uses them.
#[derive(Clone, Debug)]
pub struct Fetcher(Client);

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The certificates to trust cannot be used.
    #[error("the certificates to trust: {0}")]
    Roots(reqwest::Error),
    /// There are none in a file that was to have some.
    #[error("the certificates to trust: there is none in it")]
    NoRoots,
    /// Neither https, nor http to loopback.
    #[error("`{0}` is neither https nor at a loopback address")]
    Insecure(Url),
    /// No answer came.
    #[error("{}", chain(.0))]
    Failed(#[from] reqwest::Error),
    /// The answer does not end.
    #[error("the answer is larger than {LARGEST} bytes")]
    Oversize,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}

impl Fetcher {
    /// Trusts these certificates (PEM) besides the system's.
    ///
    /// # Errors
    /// When one of them is no certificate, or a file has none.
    pub fn new(roots: &[Vec<u8>]) -> Result<Self, FetchError> {
        let mut extra = Vec::new();
        for pem in roots {
            let found = Certificate::from_pem_bundle(pem).map_err(FetchError::Roots)?;
            if found.is_empty() {
                return Err(FetchError::NoRoots);
            }
            extra.extend(found);
        }
        let builder = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT).timeout(WHOLE);
        let builder = builder.tls_certs_merge(extra).referer(false).user_agent("modgate");
        builder.build().map(Self).map_err(FetchError::Roots)
    }

    /// Gets a document.
    ///
    /// # Errors
    /// When no whole answer comes. A status that is no success is an answer.
    pub async fn get(&self, url: &Url) -> Result<Fetched, FetchError> {
        self.send(self.0.get(url.clone()).header("accept", "application/json"), url).await
    }

    /// Sends a form, with these headers.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn post(
        &self,
        url: &Url,
        headers: reqwest::header::HeaderMap,
        body: Vec<u8>,
    ) -> Result<Fetched, FetchError> {
        self.send(self.0.post(url.clone()).headers(headers).body(body), url).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &Url) -> Result<Fetched, FetchError> {
        if !is_confidential(url) {
            return Err(FetchError::Insecure(url.clone()));
        }
        let mut answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len().saturating_add(piece.len()) > LARGEST {
                return Err(FetchError::Oversize);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Fetched { status, headers, body })
    }
}

/// Whether nobody on the way can read what is sent there, or change what comes back.
pub fn is_confidential(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host)))
}

/// Whether a host is this machine.
pub fn is_loopback<S: AsRef<str>>(host: &url::Host<S>) -> bool {
    match host {
        url::Host::Domain(name) => name.as_ref() == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

/// An error with its causes: the outermost of reqwest's says little.
fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_noticed() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        assert!(Fetcher::new(&[]).is_ok());
        for bad in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Fetcher::new(&[bad.as_bytes().to_vec()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn http_is_for_loopback_only() {
        for (url, good) in [
            ("https://issuer.example/", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://[::1]/", true),
            ("http://localhost:1/", true),
            ("http://issuer.example/", false),
            ("http://127.0.0.1.example/", false),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(is_confidential(&url.parse().unwrap()), good, "{url}");
        }
    }
}
