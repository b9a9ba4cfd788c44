//! A visit: a request for a page or for the interface for programs (`/-/…`), which no module path can begin with.
//!
//! The same walk as for a target, up to the decision: who may see a page is the [`console`](crate::console)'s to say. A session of a
//! browser counts here, and nowhere else. A visit is answered on the background runtime, because all that it needs (the
//! ledger, issuers, the directory) may wait.

use super::{CertifiedResult, Gateway, Trail};
use crate::{
    console::{Proof, Visitor, session},
    error::{Kind, RequestError},
};
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Request, Response, Uri, header},
};
use http_body_util::{BodyExt, Limited};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The largest body that is read, in bytes: forms and small JSON.
const BODY: usize = 64 * 1024;
/// How much of a larger one is thrown away before it is refused.
const THROWN: usize = 1024 * 1024;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest path that is recorded, in bytes.
const LONGEST: usize = 256;

impl Gateway {
    /// Whether a path is the console's.
    pub(super) fn is_visit(&self, path: &str) -> bool {
        self.front.below_base(path).is_some_and(|below| below.starts_with("/-/"))
    }

    /// Answers one visit.
    pub(super) async fn visit<B>(
        &self,
        certified: Option<&CertifiedResult>,
        request: &mut Request<B>,
        trail: &mut Trail,
    ) -> Result<Response<Body>, RequestError>
    where
        B: HttpBody<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
    {
        let below = self.front.below_base(request.uri().path()).unwrap_or_default();
        if below.len() > LONGEST {
            return Err(RequestError::new(Kind::Absent, "there is no such page"));
        }
        trail.page = Some(below.into());
        trail.principal = self.authenticate(request.headers(), certified, trail).await?;
        let desk = self.console.desk();
        let session = session(&desk.site, &desk.sessions, request.headers(), trail.received);
        if let Some(session) = &session {
            trail.principal = Arc::clone(&session.principal);
        }
        self.within_addresses(trail)?;
        self.shape(trail).await?;
        let body = timeout(PATIENCE, whole(request.body_mut())).await;
        let body = body.map_err(|_| RequestError::new(Kind::BadRequest, "the body did not come in time"))??;
        let visitor = Visitor {
            principal: trail.principal.clone(),
            proof: Proof::of(request.headers()),
            session: None,
            client: trail.caller.map(|caller| caller.client),
            request: trail.id.as_str().into(),
            now: trail.received,
        };
        let visitor = visitor.in_session(&desk.site, session, request, &body);
        let mut visit = Request::new(Body::from(body));
        *visit.method_mut() = request.method().clone();
        *visit.headers_mut() = request.headers().clone();
        *visit.uri_mut() = self.below_base(request.uri());
        let mut response = self.console.answer(visitor, visit).await?;
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// The path and query below our base.
    fn below_base(&self, uri: &Uri) -> Uri {
        let whole = uri.path_and_query().map_or("/", |path| path.as_str());
        let below = whole.strip_prefix(self.front.base.as_str()).unwrap_or(whole);
        below.parse().unwrap_or_default()
    }
}

/// The whole body. One that is too large is read a while longer and thrown away: a client that is still sending when it is
/// refused may never read why.
async fn whole<B>(body: &mut B) -> Result<Bytes, RequestError>
where
    B: HttpBody<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
{
    if let Ok(body) = Limited::new(&mut *body, BODY).collect().await {
        return Ok(body.to_bytes());
    }
    throw_away(body).await;
    Err(RequestError::new(Kind::TooLarge, "a body of more than 64 KiB, or a broken one"))
}

/// Reads what nobody wants, within bounds: over HTTP/2 an answer that overtakes the rest of its request is followed by a reset, which
/// clients may see first.
pub(super) async fn throw_away<B>(body: &mut B)
where
    B: HttpBody<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
{
    let mut thrown = 0;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            thrown += frame.data_ref().map_or(0, Bytes::len);
            if thrown > THROWN {
                break;
            }
        }
    };
    // Whoever does not send it in time is refused all the same.
    let _ = timeout(PATIENCE, reading).await;
}
