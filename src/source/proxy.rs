//! A server that speaks the GOPROXY protocol.
//!
//! One method, [`Proxy::get`]: follow redirects as [`super::redirect`] allows, judge the status, hand on the body.
//!
//! | status | is |
//! |---|---|
//! | 200 | success, the only one |
//! | 206, 304, 416 | taken where the [`Ask`] wished for it and they are exactly that, else all of it is asked for |
//! | 301, 302, 303, 307, 308 | followed |
//! | 404, 410 | `Absent` |
//! | 429 | `Overloaded` |
//! | 508, or our own name in `Via` | `Loop` |
//! | any other 4xx | `Refused` |
//! | everything else, 203, 204 and unasked 206 too | `Status` |

use super::{
    allowance::Allowance,
    ask::{Ask, Extent},
    body::Body,
    credential::Credential,
    error::SourceError,
    origin::{Origin, Origins, printable},
    reason, redirect,
    transport::{Hop, Transport},
};
use http::{
    StatusCode,
    header::{LOCATION, RETRY_AFTER},
};
use reqwest::{Response, Url};
use std::{sync::Arc, time::Duration};

/// One upstream over HTTP.
pub(super) struct Proxy {
    name: Arc<str>,
    base: Url,
    credential: Option<Credential>,
    configured: Arc<Origins>,
    transport: Arc<Transport>,
}

impl Proxy {
    /// `base` has no userinfo; `configured` are the origins that its redirects may lead to wherever they are.
    pub(super) fn new(
        base: Url,
        credential: Option<Credential>,
        configured: Arc<Origins>,
        transport: Arc<Transport>,
    ) -> Self {
        Self { name: printable(&base).into(), base, credential, configured, transport }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What is at `path` below the base; `path` begins with a slash and is percent-encoded.
    pub(super) async fn get(&self, path: &str, allowance: Allowance, ask: &Ask) -> Result<Body, SourceError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let mut response = self.walk(url.clone(), ask).await?;
        if matches!(response.status().as_u16(), 206 | 304 | 416) && (ask.part.is_some() || ask.unless.is_some()) {
            match ask.extent(response.status(), response.headers()) {
                Some(Extent::Unchanged) => return Ok(Body::none(Extent::Unchanged, ask.unless.clone(), &response)),
                Some(extent @ Extent::Outside { .. }) => return Ok(Body::none(extent, None, &response)),
                Some(extent) => return self.body(response, allowance, extent),
                None => response = self.walk(url, &ask.whole()).await?,
            }
        }
        match response.status().as_u16() {
            200 => self.body(response, allowance, Extent::Whole),
            _ => Err(self.refusal(response).await),
        }
    }

    fn body(&self, response: Response, allowance: Allowance, extent: Extent) -> Result<Body, SourceError> {
        let mut body = Body::of_response(&self.name, response, allowance, &self.transport.timeouts)?;
        body.told.extent = extent;
        Ok(body)
    }

    /// Sends the request and follows redirects until there are no more, at most [`redirect::MOST`].
    async fn walk(&self, start: Url, ask: &Ask) -> Result<Response, SourceError> {
        let mut credential = self.credential.as_ref();
        let (mut url, mut home) = (start.clone(), true);
        for _ in 0..=redirect::MOST {
            // INVARIANT: a credential goes to its own prefix only, and once another origin was seen, nowhere.
            let authorization = credential.filter(|credential| credential.covers(&url)).map(Credential::header);
            let (configured, more) = (self.configured.contains(&url), ask.headers(url.path(), home));
            let hop = Hop { url: &url, configured, authorization, more };
            let response = self.transport.send(&self.name, hop).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).map(|value| value.as_bytes());
            let next = redirect::follow(&start, &url, location, &self.configured)
                .map_err(|error| SourceError::invalid(&self.name, error.to_string()))?;
            if Origin::of(&next) != Origin::of(&url) {
                (credential, home) = (None, false);
            }
            url = next;
        }
        Err(SourceError::invalid(&self.name, format!("more than {} redirects", redirect::MOST)))
    }

    /// What an answer that is no success means.
    async fn refusal(&self, response: Response) -> SourceError {
        let at = self.name.clone();
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                SourceError::Absent { at, text: reason::read(response, &self.transport.timeouts).await.into() }
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                SourceError::Overloaded { at, retry_after: seconds.map(Duration::from_secs) }
            }
            StatusCode::LOOP_DETECTED => SourceError::Loop { at },
            status if status.is_client_error() => {
                let text = reason::read(response, &self.transport.timeouts).await.into();
                SourceError::Refused { at, status: status.as_u16(), text }
            }
            status => SourceError::Status { at, status: status.as_u16() },
        }
    }
}
