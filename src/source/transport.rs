//! One request over HTTP, and what its failures mean.
//!
//! Two clients share everything but their resolver: the open one is for origins that the operator configured, the
//! guarded one for hosts that a redirect named (see [`super::guard`]). Connections are kept and reused, HTTP/2 where
//! the server offers it. Neither client follows redirects, keeps cookies or knows of a time limit for the whole; both
//! undo gzip.
//!
//! INVARIANT: the headers of a request are made here and in [`super::ask`] and nowhere else, so nothing that a caller
//! sent can go on: `Accept: */*`, `Accept-Encoding: gzip`, `User-Agent`, `Via`, and `Authorization` of the source's own
//! credential; and what an [`super::Ask`] has, which never takes the place of one of these two.

use super::{
    error::SourceError,
    guard::{Inside, Lookup, Names},
    settings::{SettingsError, SourceSettings},
};
use crate::error::with_causes;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, VIA},
};
use reqwest::{Certificate, Client, Response, Url, redirect::Policy};
use std::{error::Error, sync::Arc, time::Duration};

/// The longest that each thing may take; [`SourceSettings`] explains them.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) answer: Duration,
    pub(super) read: Duration,
    pub(super) whole: Duration,
}

/// The clients of all sources.
pub(super) struct Transport {
    open: Client,
    guarded: Client,
    via: Via,
    pub(super) timeouts: Timeouts,
}

/// Where one request goes.
pub(super) struct Hop<'a> {
    pub(super) url: &'a Url,
    /// Whether the operator configured the URL's origin.
    pub(super) configured: bool,
    pub(super) authorization: Option<&'a HeaderValue>,
    /// What the manner of asking adds.
    pub(super) more: HeaderMap,
}

impl Transport {
    pub(super) fn new(settings: &SourceSettings, lookup: Arc<dyn Lookup>) -> Result<Self, SettingsError> {
        let open = Self::client(settings, Names { lookup: lookup.clone(), guarded: false })?;
        let guarded = Self::client(settings, Names { lookup, guarded: true })?;
        let timeouts =
            Timeouts { answer: settings.answer_timeout, read: settings.read_timeout, whole: settings.whole_timeout };
        Ok(Self { open, guarded, via: Via::new(&settings.instance_id)?, timeouts })
    }

    fn client(settings: &SourceSettings, names: Names) -> Result<Client, SettingsError> {
        let mut roots = Vec::new();
        for pem in &settings.extra_roots {
            let bundle =
                Certificate::from_pem_bundle(pem).map_err(|error| SettingsError::Roots(with_causes(&error)))?;
            if bundle.is_empty() {
                return Err(SettingsError::Roots("no certificate in the bundle".into()));
            }
            roots.extend(bundle);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("modgate/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .tls_certs_merge(roots);
        if names.guarded || !settings.proxy_from_environment {
            builder = builder.no_proxy();
        }
        if settings.http1_only {
            builder = builder.http1_only();
        }
        builder.dns_resolver(names).build().map_err(|error| SettingsError::Client(with_causes(&error)))
    }

    /// Sends a GET and waits for the head of its answer. Dropping the future, or the answer, ends the request.
    pub(super) async fn send(&self, at: &Arc<str>, hop: Hop<'_>) -> Result<Response, SourceError> {
        let client = if hop.configured { &self.open } else { &self.guarded };
        let mut request = client.get(hop.url.clone()).headers(hop.more).header(VIA, &self.via.value);
        if let Some(value) = hop.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        match tokio::time::timeout(self.timeouts.answer, request.send()).await {
            Ok(Ok(response)) if self.via.is_in(response.headers()) => Err(SourceError::Loop { at: at.clone() }),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure(at, error)),
            Err(_) => Err(SourceError::TimedOut { at: at.clone(), waiting: "the head of an answer" }),
        }
    }

    pub(super) fn via(&self) -> &Via {
        &self.via
    }
}

/// The name of this instance in `Via`.
pub(super) struct Via {
    name: String,
    value: HeaderValue,
}

impl Via {
    fn new(instance_id: &str) -> Result<Self, SettingsError> {
        let wrong = || SettingsError::InstanceId(instance_id.to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=64).contains(&instance_id.len()) || !instance_id.bytes().all(plain) {
            return Err(wrong());
        }
        let name = format!("modgate-{instance_id}");
        let value = HeaderValue::from_str(&format!("1.1 {name}")).map_err(|_| wrong())?;
        Ok(Self { name, value })
    }

    /// Whether a message with these headers has passed this instance.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        let mut passed = values.flat_map(|value| value.split(',')).filter_map(|one| one.split_whitespace().nth(1));
        passed.any(|name| name.eq_ignore_ascii_case(&self.name))
    }
}

/// What an error of the client means. Its text goes to the log, without the URL: that may hold a secret.
pub(super) fn failure(at: &Arc<str>, error: reqwest::Error) -> SourceError {
    let error = error.without_url();
    if let Some(inside) = cause::<Inside>(&error) {
        return SourceError::invalid(at, format!("a redirect into the house: {inside}"));
    }
    if error.is_timeout() {
        let waiting = if error.is_connect() { "a connection" } else { "the connection to answer" };
        return SourceError::TimedOut { at: at.clone(), waiting };
    }
    // What hyper says is about the connection; what comes from elsewhere under a body is about its encoding.
    let encoding = error.is_decode() && cause::<hyper::Error>(&error).is_none();
    if encoding
        && cause::<std::io::Error>(&error).is_some_and(|error| error.kind() != std::io::ErrorKind::UnexpectedEof)
    {
        return SourceError::invalid(at, with_causes(&error));
    }
    SourceError::failed(at, with_causes(&error))
}

/// The cause of kind `E` in an error's chain of sources.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_via_is_known_among_others() {
        let via = Via::new("a1").unwrap();
        let is_own = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(VIA, value.parse().unwrap());
            }
            via.is_in(&headers)
        };
        assert!(is_own(&["1.1 modgate-a1"]) && is_own(&["1.1 nginx, HTTP/2 Modgate-A1 (x)"]));
        assert!(is_own(&["1.1 nginx", "2 modgate-a1"]));
        assert!(!is_own(&[]) && !is_own(&["1.1 modgate-a12"]) && !is_own(&["1.1 x (modgate-a1)", "modgate-a1"]));
    }

    #[test]
    fn instance_ids_are_plain() {
        for id in ["", "a b", "a,b", "ü", "a\n", &"x".repeat(65)] {
            assert!(Via::new(id).is_err(), "{id}");
        }
    }
}
