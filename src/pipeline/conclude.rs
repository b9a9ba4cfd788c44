//! The end of every walk: one record, one log line, the request id in the answer.

use super::{Gateway, trail::Trail, transfer::Transfer};
use crate::{
    audit::{self, Appending, AuditError, Group},
    error::{Kind, RequestError},
    goproxy::{Asked, SumdbAsk, Target, refusal},
    telemetry::{Answered, REQUEST_ID, label},
};
use axum::{
    body::{Body, HttpBody},
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, header},
};
use jiff::Timestamp;
use std::{net::SocketAddr, sync::Arc};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bodies up to this size are handed over in one piece, so whether they arrived is not known.
const WATCHED_FROM: u64 = 64 * 1024;

impl Gateway {
    /// Hands in the record of an answer; `None` for one that leaves none.
    pub(super) fn record_answered<'a>(
        &self,
        trail: &Trail,
        is_served: bool,
        status: StatusCode,
        answered: Timestamp,
        records: &'a Group,
    ) -> Option<Appending<'a>> {
        // Whatever is served has a record.
        let recorded = is_served || trail.recorded;
        let is_known = trail.target.is_some() || trail.page.is_some();
        (is_known && recorded).then(|| {
            let append = |record: &audit::Record<'_>| records.append(record);
            trail.record(audit::Kind::Answered, answered, Some(status.as_u16()), append)
        })
    }

    /// Lets an answer go.
    ///
    /// INVARIANT (record before effect): no byte of a target leaves before its record is kept.
    pub(super) fn conclude(
        self: &Arc<Self>,
        trail: Trail,
        mut is_served: bool,
        mut response: Response<Body>,
        answered: Timestamp,
        kept: Result<(), Arc<AuditError>>,
    ) -> Response<Body> {
        if let Err(error) = kept {
            is_served = false;
            response = self.refuse(&trail, &unrecorded(error));
        }
        self.expect_repeat(&trail, response.status());
        self.count(&trail, response.status(), answered);
        if is_served {
            tell(&trail, response.status().as_u16());
        }
        if let Ok(mut id) = HeaderValue::from_str(trail.id.as_str()) {
            // To HTTP/2: not worth a place in the table of headers, since it never comes again.
            id.set_sensitive(true);
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        if !response.status().is_success()
            || response.body().size_hint().exact().is_some_and(|size| size <= WATCHED_FROM)
        {
            return response;
        }
        Transfer::watch(response, self, Arc::new(trail))
    }

    /// Keeps the record that must come before a source is asked for `target`.
    pub(super) fn record_asked(&self, target: &Target, trail: &Trail) -> Result<(), RequestError> {
        let append = |record: &audit::Record<'_>| self.journal.append(record);
        let kept = trail.record_about(Some(target), audit::Kind::Asked, (self.clock)(), None, append);
        kept.map_err(|error| unrecorded(Arc::new(error)))
    }

    /// A transfer that `answered` announced did not complete.
    pub(super) fn transfer_broke(&self, trail: &Trail, status: u16, why: &str) {
        tracing::warn!({ REQUEST_ID } = trail.id.as_str(), asked = %trail.asked(), why, "transfer broke");
        let kept =
            trail.record(audit::Kind::Broken, (self.clock)(), Some(status), |record| self.journal.append(record));
        if let Err(error) = kept {
            tracing::error!({ REQUEST_ID } = trail.id.as_str(), %error, "a broken transfer could not be recorded");
        }
    }

    /// The answer to a request that is not served; its cause goes to the log.
    pub(super) fn refuse(&self, trail: &Trail, error: &RequestError) -> Response<Body> {
        let (status, code) = error.kind.status();
        let (id, subject, asked) = (trail.id.as_str(), &*trail.principal.subject, trail.asked());
        if status.is_server_error() {
            tracing::warn!({ REQUEST_ID } = id, subject, %asked, code, %error, "not served");
        } else if !trail.recorded {
            tracing::debug!({ REQUEST_ID } = id, subject, %asked, code, %error, "refused");
        } else {
            let reason = trail.rejected;
            tracing::info!({ REQUEST_ID } = id, subject, %asked, code, reason, %error, "refused");
        }
        // Absence is told in the source's own words: scripts and people compare them. The id is in the header.
        let id = (error.kind != Kind::Absent).then_some(trail.id.as_str());
        let text = refusal::text(&error.outside, id);
        let mut response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(header::CONTENT_LENGTH, text.len())
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::VARY, "Authorization")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if status == StatusCode::UNAUTHORIZED {
            response = response.header(header::WWW_AUTHENTICATE, "Basic realm=\"modgate\", charset=\"UTF-8\"");
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response = response.header(header::ALLOW, "GET, HEAD");
        }
        if let Some(seconds) = error.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        let body = if trail.method == Method::HEAD { Body::empty() } else { Body::from(text) };
        response.body(body).unwrap_or_else(|_| Response::new(Body::empty()))
    }

    /// Keeps the record of a refresh that nobody waits for: the name leaves the house on behalf of the system.
    pub(super) fn record_refresh(&self, target: &Target, now: Timestamp) -> Result<(), RequestError> {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let trail = Trail::new(self.ids.next(), now, Method::GET, nowhere, Arc::clone(&self.system));
        self.record_asked(target, &trail)
    }

    fn count(&self, trail: &Trail, status: StatusCode, answered: Timestamp) {
        let elapsed = answered.duration_since(trail.received).unsigned_abs();
        let kind = match (trail.target.as_deref(), &trail.page) {
            (Some(target), _) => kind(target),
            (None, Some(_)) => label::Kind::Console,
            (None, None) => label::Kind::Invalid,
        };
        let (decision, cache) = (decision(trail.ruling.decision), cache(trail.cache));
        self.metrics.answered(&Answered { kind, status: status.as_u16(), decision, cache, elapsed });
    }
}

/// One line for what is served: a hit is worth one only to those who look closely.
fn tell(trail: &Trail, status: u16) {
    let (id, subject, cache) = (trail.id.as_str(), &*trail.principal.subject, trail.cache.as_str());
    match trail.cache {
        audit::Cache::Miss | audit::Cache::Joined | audit::Cache::Forwarded => {
            tracing::info!({ REQUEST_ID } = id, subject, asked = %trail.asked(), cache, status, "served");
        }
        audit::Cache::Hit | audit::Cache::Stale | audit::Cache::None => {
            tracing::debug!({ REQUEST_ID } = id, subject, asked = %trail.asked(), cache, status, "served");
        }
    }
}

fn unrecorded(error: Arc<AuditError>) -> RequestError {
    let text = "modgate: the audit record of this request could not be kept, so it is not served\ntry again; if it lasts, tell the operators";
    RequestError::new(Kind::Unrecorded, text).because(error)
}

fn kind(target: &Target) -> label::Kind {
    match target {
        Target::Root => label::Kind::Root,
        Target::Module { asked, .. } => match asked {
            Asked::List => label::Kind::List,
            Asked::Latest => label::Kind::Latest,
            Asked::Query(_) => label::Kind::Query,
            Asked::Info(_) => label::Kind::Info,
            Asked::Mod(_) => label::Kind::Mod,
            Asked::Zip(_) => label::Kind::Zip,
        },
        Target::Sumdb { asked, .. } => match asked {
            SumdbAsk::Lookup(..) => label::Kind::Lookup,
            SumdbAsk::Tile(_) => label::Kind::Tile,
            SumdbAsk::Supported | SumdbAsk::Latest => label::Kind::Sumdb,
        },
    }
}

fn decision(decision: audit::Decision) -> label::Decision {
    match decision {
        audit::Decision::Allow => label::Decision::Allow,
        audit::Decision::Deny => label::Decision::Deny,
        audit::Decision::Withheld => label::Decision::Withheld,
        audit::Decision::Unauthenticated | audit::Decision::None => label::Decision::Undecided,
    }
}

fn cache(cache: audit::Cache) -> label::Cache {
    match cache {
        audit::Cache::Hit => label::Cache::Hit,
        audit::Cache::Stale => label::Cache::Stale,
        audit::Cache::Miss => label::Cache::Miss,
        audit::Cache::Joined => label::Cache::Joined,
        audit::Cache::Forwarded => label::Cache::Forwarded,
        audit::Cache::None => label::Cache::Unused,
    }
}
