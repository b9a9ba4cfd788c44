//! `@latest` for sources that have none: derived as the `go` command would, from the list.

use super::{Body, Content, Inner, Look, item::Item};
use crate::goproxy::Asked;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::Arc;

impl Inner {
    /// The `.info` of the highest version on the list. None when the list is empty or cannot be had: then the source's
    /// own answer about `@latest` stands.
    ///
    /// Both steps go through the store, so they are held or joined like any other; a list that is not fresh is asked
    /// for anew, and used as it is when that fails. Boxed, because a flight waits for other flights here.
    pub(super) fn derive_latest(
        self: Arc<Self>,
        item: Item,
        now: Timestamp,
    ) -> BoxFuture<'static, Option<(Bytes, Arc<str>)>> {
        Box::pin(async move {
            let (list, _) = self.current(&item.sibling(Asked::List), now).await?;
            let highest = self.parts.inspect.highest(&list)?;
            self.current(&item.sibling(Asked::Info(highest)), now).await
        })
    }

    /// A small answer, fresh if that can be had.
    async fn current(self: &Arc<Self>, item: &Item, now: Timestamp) -> Option<(Bytes, Arc<str>)> {
        let held = match self.look(item, now).await {
            Look::Held(held) if !held.stale => return small(held.content),
            Look::Held(held) => small(held.content),
            Look::Absent { .. } => return None,
            Look::Ask => None,
        };
        match self.ask(item, now).await {
            Ok(content) => small(content),
            Err(_) => held,
        }
    }
}

fn small(content: Content) -> Option<(Bytes, Arc<str>)> {
    match content.body {
        Body::Small(small) => Some((small.bytes().clone(), small.source().clone())),
        Body::Zip(_) => None,
    }
}
