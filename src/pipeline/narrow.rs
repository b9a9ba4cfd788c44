//! Narrowing: a list, `@latest` or the answer to a query shows a caller only versions that they may read.
//!
//! `go` asks for a list first and takes the highest version from it; a version that is then refused would fail every
//! `go get` of the module. So denied versions vanish from the list, and `@latest` falls back to the newest that is left.
//! The raw answer stays in the store; what is narrowed is made for one caller and kept nowhere.

use super::{Gateway, Trail, serve::Narrowed};
use crate::{
    error::{Kind, RequestError},
    goproxy::{Asked, Info, Target, answer::Wish, list},
    module::{ModulePath, Version},
    policy::{Decision, Effect, Permit, Verdict},
    store::{Body, Content},
};
use bytes::Bytes;
use std::sync::Arc;

impl Gateway {
    /// The answer with nothing in it that the caller may not read.
    pub(super) async fn narrow(
        self: &Arc<Self>,
        permit: &Permit,
        content: Content,
        wish: Wish<'_>,
        trail: &mut Trail,
    ) -> Result<Narrowed, RequestError> {
        let (Target::Module { path, asked }, Body::Small(small)) = (permit.target(), &content.body) else {
            return Ok(Narrowed::Untouched(content));
        };
        if !permit.restricts_versions() {
            return Ok(Narrowed::Untouched(content));
        }
        if *asked == Asked::List {
            let kept = list::filter(small.bytes(), |version| self.may_read(permit, version));
            return Ok(Narrowed::Own(kept.into()));
        }
        let version = named_version(small.bytes())?;
        let decision = permit.decide(&version);
        if decision.effect == Effect::Allow {
            return Ok(Narrowed::Untouched(content));
        }
        if *asked == Asked::Latest {
            return Box::pin(self.newest_readable(path, (version, decision), wish, trail)).await;
        }
        Err(self.refuse_version(path, version, decision, trail))
    }

    fn may_read(&self, permit: &Permit, version: &Version) -> bool {
        permit.decide(version).effect == Effect::Allow
    }

    /// `@latest` from what the caller may read of the list, the source's own being denied.
    async fn newest_readable(
        self: &Arc<Self>,
        path: &ModulePath,
        (latest, why): (Version, Decision),
        wish: Wish<'_>,
        trail: &mut Trail,
    ) -> Result<Narrowed, RequestError> {
        let permit = self.permit_also(trail, path, Asked::List)?;
        let listed = self.content(&permit, wish, trail).await?;
        let Body::Small(small) = &listed.body else {
            return Err(RequestError::new(Kind::Internal, "a list is no file"));
        };
        let readable = list::versions(small.bytes()).into_iter().filter(|version| self.may_read(&permit, version));
        let readable = readable.collect::<Vec<_>>();
        let Some(newest) = list::highest(&readable) else {
            return Err(self.refuse_version(path, latest, why, trail));
        };
        let permit = self.permit_also(trail, path, Asked::Info(newest.clone()))?;
        let content = self.content(&permit, wish, trail).await?;
        match &content.body {
            Body::Small(info) => Ok(Narrowed::Own(info.bytes().clone())),
            Body::Zip(_) => Err(RequestError::new(Kind::Internal, "an info is no file")),
        }
    }

    /// A permit for something else that is needed to answer; the policy is asked again, for that.
    fn permit_also(&self, trail: &mut Trail, path: &ModulePath, asked: Asked) -> Result<Permit, RequestError> {
        let target = Target::Module { path: path.clone(), asked };
        let authorization = self.authorize_also(trail, &target);
        match authorization.verdict {
            Verdict::Permitted(permit) => Ok(permit),
            Verdict::Withheld(_) | Verdict::Denied => {
                trail.ruling.deny(&authorization.decision);
                Err(self.denial(&trail.principal, &target, &authorization.decision))
            }
        }
    }

    /// What was asked for turned out to be a denied version.
    fn refuse_version(
        &self,
        path: &ModulePath,
        version: Version,
        decision: Decision,
        trail: &mut Trail,
    ) -> RequestError {
        let target = Target::Module { path: path.clone(), asked: Asked::Info(version) };
        let error = self.denial(&trail.principal, &target, &decision);
        trail.ruling.deny(&decision);
        error
    }
}

/// The version that an `.info` names.
fn named_version(info: &Bytes) -> Result<Version, RequestError> {
    let parsed = Info::parse(info)
        .map_err(|error| RequestError::new(Kind::BadSource, "the source sent no info").because(error))?;
    Ok(parsed.version)
}
