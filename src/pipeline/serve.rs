//! Serving: what the holding or a checksum database has for a permit, in the form that the request asked for.
//!
//! Nothing here decides whether a target may be served; every function takes a [`Permit`].

use super::{Gateway, Trail};
use crate::{
    audit::Cache,
    error::{Kind, RequestError},
    forward::Question,
    goproxy::{
        Asked, Target,
        answer::{About, Wish},
        negotiation,
    },
    policy::{Namespace, Permit},
    source::SourceError,
    store::{Body as Held, CacheOutcome, Content, Look, StoreError},
};
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, Response},
};
use jiff::Timestamp;
use std::sync::Arc;

impl Gateway {
    /// Serves one permitted target.
    pub(super) async fn serve<B>(
        self: &Arc<Self>,
        permit: &Permit,
        request: &Request<B>,
        trail: &mut Trail,
    ) -> Result<Response<Body>, RequestError> {
        let wish = Wish { method: request.method(), headers: request.headers() };
        match permit.target() {
            Target::Root => Ok(greeting(permit, wish)),
            Target::Sumdb { name, asked } => self.serve_sumdb(permit, name, asked, wish, trail).await,
            Target::Module { asked: Asked::List | Asked::Latest | Asked::Query(_), .. } => {
                let content = self.content(permit, wish, trail).await?;
                let bytes = self.narrow(permit, content, wish, trail).await?;
                Ok(self.narrowed(permit, bytes, wish))
            }
            Target::Module { .. } => {
                let content = self.content(permit, wish, trail).await?;
                whole_or_part(permit, self.is_shared(permit), content, wish).await
            }
        }
    }

    /// What is held, or what a source gives once the record that must come first is kept.
    pub(super) async fn content(
        self: &Arc<Self>,
        permit: &Permit,
        wish: Wish<'_>,
        trail: &mut Trail,
    ) -> Result<Content, RequestError> {
        let (target, private) = (permit.target(), self.is_private(permit));
        let content = match self.holding.look(target, private, trail.received).await {
            Look::Held(held) => {
                if held.stale && !forbids_fetch(wish) {
                    self.refresh(permit, trail.received);
                }
                let newer = if held.old { Box::pin(self.holding.refreshed(target, private)).await } else { None };
                newer.unwrap_or(held.content)
            }
            Look::Absent { text } => return Err(RequestError::new(Kind::Absent, &*text)),
            Look::Ask => {
                self.may_ask(permit, wish)?;
                self.charge_fetch(trail).await?;
                self.record_asked(target, trail)?;
                let question = Question { target, private, wish, asker: trail.asker(), now: trail.received };
                Box::pin(self.holding.ask(question)).await.map_err(failure)?
            }
        };
        trail.cache = outcome(content.cache);
        trail.source = content.source.clone();
        trail.h1 = content.h1.clone();
        Ok(content)
    }

    /// Whether a shared cache may keep the answer.
    ///
    /// INVARIANT (private stays private): never what is private, whoever may read it.
    fn is_shared(&self, permit: &Permit) -> bool {
        permit.public_to_anonymous() && !self.is_private(permit)
    }

    fn narrowed(&self, permit: &Permit, narrowed: Narrowed, wish: Wish<'_>) -> Response<Body> {
        match narrowed {
            Narrowed::Own(bytes) => plain(permit, false).small(wish, bytes, || None),
            Narrowed::Untouched(content) => match &content.body {
                Held::Small(small) => {
                    let about = About {
                        settled: content.settled,
                        etag: content.etag.as_deref(),
                        modified: content.modified,
                        ..plain(permit, self.is_shared(permit))
                    };
                    about.small(wish, small.bytes().clone(), || small.gzip().cloned())
                }
                Held::Zip(_) => plain(permit, false).small(wish, Bytes::new(), || None),
            },
        }
    }

    /// Whether a source may be asked at all: not for those who asked us not to, and not without one.
    pub(super) fn may_ask(&self, permit: &Permit, wish: Wish<'_>) -> Result<(), RequestError> {
        if forbids_fetch(wish) {
            return Err(RequestError::new(
                Kind::NotHeld,
                "not held here, and Disable-Module-Fetch forbids to fetch it",
            ));
        }
        let target = permit.target();
        match target.module() {
            Some(path) if permit.private() && !self.sources.may_ask_privately(path) => Err(self.no_source(target)),
            _ => Ok(()),
        }
    }

    /// Private is what the policy says is, and what a private source serves.
    pub(super) fn is_private(&self, permit: &Permit) -> bool {
        permit.private() || permit.target().module().is_some_and(|path| self.sources.private_source(path))
    }

    /// A private module that nobody here can give, and that nobody outside is asked for.
    fn no_source(&self, target: &Target) -> RequestError {
        let what = super::authorize::described(target);
        let namespace = target.module().map(|path| self.policy.load().namespace(path));
        let rule = match namespace {
            Some(Namespace::Private(rule)) => format!(" ({})", rule.cited()),
            _ => String::new(),
        };
        let text = format!(
            "modgate: {what} is private{rule}, and no source is configured for it\nno public source was asked\nan operator has to add a [[source]] for it"
        );
        RequestError::new(Kind::NoSource, text)
    }

    /// Has a stale answer fetched again behind the caller's back, on behalf of the system and recorded as such.
    fn refresh(&self, permit: &Permit, now: Timestamp) {
        let (target, private) = (permit.target(), self.is_private(permit));
        let store = self.holding.store().filter(|store| store.is_refresh_due(target, private, now));
        if let Some(store) = store.filter(|_| self.record_refresh(target, now).is_ok()) {
            store.refresh(target, private, now);
        }
    }
}

/// Bytes that came out of narrowing, with what the answer needs to know of them.
pub(super) enum Narrowed {
    /// As the store has them.
    Untouched(Content),
    /// Made for this caller.
    Own(Bytes),
}

/// A `.info`, `.mod` or `.zip`; of a zip also a part.
async fn whole_or_part(
    permit: &Permit,
    shared: bool,
    content: Content,
    wish: Wish<'_>,
) -> Result<Response<Body>, RequestError> {
    let (settled, etag, modified) = (content.settled, content.etag.as_deref(), content.modified);
    let about = About { settled, etag, modified, ..plain(permit, shared) };
    let zip = match content.body {
        Held::Small(small) => return Ok(about.small(wish, small.bytes().clone(), || small.gzip().cloned())),
        Held::Zip(zip) => zip,
    };
    let Some(length) = content.length.filter(|_| zip.has_ranges() && wish.method == Method::GET) else {
        return Ok(about.streamed(wish, content.length, || Body::from_stream(zip.stream())));
    };
    if let Some(unchanged) = about.unchanged(wish) {
        return Ok(unchanged);
    }
    match negotiation::range(wish.headers, length, about.etag) {
        Err(negotiation::Unsatisfiable) => Ok(about.outside(wish, length)),
        Ok(None) => Ok(about.streamed(wish, Some(length), || Body::from_stream(zip.stream()))),
        Ok(Some(part)) => match Box::pin(zip.range(part.clone())).await.map_err(failure)? {
            Some(stream) => Ok(about.part(wish, &part, length, || Body::from_stream(stream))),
            None => Err(RequestError::new(Kind::Internal, "the module zip changed while it was asked for")),
        },
    }
}

/// `/`: good credentials are good.
fn greeting(permit: &Permit, wish: Wish<'_>) -> Response<Body> {
    let text = concat!("modgate ", env!("CARGO_PKG_VERSION"), ": a Go module gateway; set GOPROXY to this URL\n");
    plain(permit, permit.public_to_anonymous()).small(wish, Bytes::from_static(text.as_bytes()), || None)
}

/// Of bytes about which nothing is known but that they are final.
pub(super) fn plain(permit: &Permit, public: bool) -> About<'_> {
    About { target: permit.target(), public, settled: true, etag: None, modified: None }
}

/// Whether the caller asked us to ask nobody.
fn forbids_fetch(wish: Wish<'_>) -> bool {
    let values = wish.headers.get_all("disable-module-fetch");
    values.iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}

fn outcome(cache: CacheOutcome) -> Cache {
    match cache {
        CacheOutcome::Hit => Cache::Hit,
        CacheOutcome::Stale => Cache::Stale,
        CacheOutcome::Miss => Cache::Miss,
        CacheOutcome::Joined => Cache::Joined,
        CacheOutcome::Forwarded => Cache::Forwarded,
    }
}

/// What a failed ask means to the caller.
///
/// INVARIANT (status discipline): only certain absence is 404.
pub(super) fn failure(error: StoreError) -> RequestError {
    let kind = match &error {
        StoreError::Source(source) => source_kind(source),
        StoreError::Invalid { .. } | StoreError::Length { .. } => Kind::BadSource,
        StoreError::Mismatch { .. } | StoreError::OtherBytes { .. } | StoreError::Checksum(_) => Kind::Mismatch,
        StoreError::NoRoom { .. } | StoreError::Changed { .. } | StoreError::Aborted(_) => Kind::SourceDown,
        StoreError::Shelf(_) | StoreError::Read { .. } => Kind::Internal,
    };
    let outside = error.outside();
    RequestError::new(kind, outside).because(error)
}

/// What a source's failure means to the caller.
fn source_kind(error: &SourceError) -> Kind {
    match error {
        SourceError::Absent { .. } => Kind::Absent,
        SourceError::NoSource { .. } => Kind::NoSource,
        SourceError::Refused { .. } | SourceError::TooLarge { .. } | SourceError::Invalid { .. } => Kind::BadSource,
        SourceError::Overloaded { .. } | SourceError::Failed { .. } | SourceError::Status { .. } => Kind::SourceDown,
        SourceError::TimedOut { .. } => Kind::SourceTimeout,
        SourceError::Loop { .. } => Kind::Loop,
    }
}
