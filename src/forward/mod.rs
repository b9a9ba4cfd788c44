//! Forward mode: no store of our own, every answer is handed on from a store behind.
//!
//! The store behind speaks GOPROXY: Athens, Artifactory, another modgate, a static tree. Who asks, what they may have and
//! what is recorded is the walk's business, as ever; here a [`Question`] becomes a request to the store behind, and its
//! answer a [`Content`] as the store of the other mode would have given it, so the walk has one way only.
//!
//! * A small answer is read whole, found to be what was asked for, and given an entity tag of its own.
//! * A zip streams ([`zip`]): what the client does not take is not read, so a slow one costs two pieces of memory.
//! * Nothing is kept, joined or remembered: each caller has a request of its own. An `@latest` that the store behind does
//!   not have is absent, and `go` derives it from the list as it would without us.
//!
//! INVARIANT (built anew): no header of the caller goes on. What a caller wishes for is parsed and written again
//! ([`crate::source::Ask`]); who asks is told only where the operator wants it, and signed ([`identity`]).
//!
//! The bytes of a version are the store's word: without a place to hold a zip back, it cannot be verified before it is
//! given out (docs/adr/0012). What is enforced is that nobody takes a part for the whole.

mod identity;
mod zip;

pub use identity::{Asker, Headers, Identity};

use crate::{
    goproxy::{
        Asked, Target,
        answer::Wish,
        negotiation::{EntityTag, Part},
    },
    source::{Ask, Fetched, Introduce, SourceError, Sources, Told},
    store::{Body, CacheOutcome, Content, Rules, Small, StoreError, check},
};
use axum::http::{Method, header::IF_RANGE};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// The way to the store behind. Methods may be called from any runtime.
pub struct Forward {
    sources: Arc<Sources>,
    identity: Option<Arc<Identity>>,
    background: Handle,
}

/// What is asked of a holding.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// For what.
    pub target: &'a Target,
    /// Whether it is private: then no source is asked but those that may know of it.
    pub private: bool,
    /// In what form.
    pub wish: Wish<'a>,
    /// On whose behalf.
    pub asker: Asker<'a>,
    /// When.
    pub now: Timestamp,
}

impl Forward {
    /// Connections live on `background`, because those who serve come and go.
    pub fn new(sources: Arc<Sources>, identity: Option<Identity>, background: Handle) -> Self {
        Self { sources, identity: identity.map(Arc::new), background }
    }

    /// Asks the store behind. The caller has recorded that it will.
    ///
    /// An error is an answer's status; a failure after the first bytes of a zip is an error of the body's stream.
    /// Dropping the future, or the content, ends the request.
    pub async fn ask(&self, question: Question<'_>) -> Result<Content, StoreError> {
        let Target::Module { path, asked } = question.target else {
            return Err(StoreError::Aborted("not a module's"));
        };
        let (sources, target, private) = (Arc::clone(&self.sources), question.target.clone(), question.private);
        let ask = self.manner(asked, &question);
        let fetching = self.background.spawn(async move { sources.fetch_as(&target, private, &ask).await });
        let fetched = AbortOnDropHandle::new(fetching).await;
        let (fetched, told) = fetched.map_err(|_| StoreError::Aborted("its task ended early"))??;
        if let Asked::Zip(_) = asked {
            return zip::pass(question.target, fetched, told).await;
        }
        let (source, bytes) = whole(fetched).await?;
        let checked = check(&Rules, path, asked, &bytes).map_err(|reason| invalid(question.target, &source, reason))?;
        Ok(small(Small::passing(bytes, checked.h1, &source, question.now), source, &told))
    }

    /// How the store behind is asked: for a zip as the caller wishes, for all else as ever.
    fn manner(&self, asked: &Asked, Question { wish, asker, now, .. }: &Question<'_>) -> Ask {
        let introduction = self.identity.as_ref().map(|identity| identity.introduce(asker, *now));
        let introduction = introduction.map(|introduction| Arc::new(introduction) as Arc<dyn Introduce>);
        if !matches!(asked, Asked::Zip(_)) {
            return Ask { introduction, ..Ask::default() };
        }
        let unless = EntityTag::unless(wish.headers);
        // A condition whose tag cannot be sent on is one that nobody meets: then the whole is asked for.
        let tag = EntityTag::if_range(wish.headers);
        let meets = tag.is_some() || !wish.headers.contains_key(IF_RANGE);
        let part = Part::asked(wish.headers).filter(|_| meets && unless.is_none() && *wish.method == Method::GET);
        Ask { verbatim: true, part: part.map(|part| (part, tag)), unless, introduction }
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward").field("identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}

/// All bytes of a small answer; the sources limit how many.
async fn whole(Fetched { source, mut body, .. }: Fetched) -> Result<(Arc<str>, Bytes), SourceError> {
    let mut all = BytesMut::new();
    while let Some(piece) = body.try_next().await? {
        all.extend_from_slice(&piece);
    }
    Ok((source, all.freeze()))
}

fn small(small: Small, source: Arc<str>, told: &Told) -> Content {
    Content {
        length: Some(small.bytes().len() as u64),
        etag: Some(Arc::clone(small.etag())),
        modified: told.modified,
        settled: true,
        cache: CacheOutcome::Forwarded,
        source: Some(source),
        h1: small.h1().cloned(),
        body: Body::Small(Arc::new(small)),
    }
}

fn invalid(target: &Target, source: &Arc<str>, reason: String) -> StoreError {
    let key = target.path().trim_start_matches('/').to_owned();
    StoreError::Invalid { key, source_name: Arc::clone(source), reason }
}
