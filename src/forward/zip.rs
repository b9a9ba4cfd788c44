//! A zip on its way through: nothing of it is kept, and no more is read than the client takes.
//!
//! The body is read from the connection only when the client's side asks for more, so a slow client slows the store
//! behind, and memory holds a piece on each side. That needs a connection for each zip: on one of HTTP/2 a client that
//! stalls would take the window of all others (`http1_only` of the sources).
//!
//! INVARIANT: nobody takes a part for the whole. An answer whose end cannot be told from a break is refused; one that ends
//! before its announced length is an error of the stream, which breaks the transfer; and a sign-in page is no zip.

use super::invalid;
use crate::{
    goproxy::Target,
    source::{Extent, Fetched, SourceError, Told},
    store::{Body, CacheOutcome, Content, StoreError, ZipBody},
};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// How a zip of a module begins: with the header of its first file.
const BEGINNING: &[u8] = b"PK\x03\x04";

/// The answer as it will be streamed. Waits for the first bytes of a whole zip.
pub(super) async fn pass(target: &Target, fetched: Fetched, told: Told) -> Result<Content, StoreError> {
    let Fetched { source, length, body } = fetched;
    let Told { extent, etag, modified, endless } = told;
    let (length, body) = match &extent {
        Extent::Whole if endless => {
            return Err(invalid(target, &source, "its end could not be told from a break".into()));
        }
        Extent::Whole => match first(body).await? {
            Some(body) => (length, body),
            None => return Err(invalid(target, &source, "it is no zip".into())),
        },
        Extent::Part { of, .. } | Extent::Outside { of } => (Some(*of), body),
        Extent::Unchanged => (None, body),
    };
    Ok(Content {
        body: Body::Zip(ZipBody::passing(extent, body.map_err(StoreError::from).boxed())),
        length,
        etag: etag.map(|tag| tag.shared()),
        modified,
        settled: true,
        cache: CacheOutcome::Forwarded,
        source: Some(source),
        h1: None,
    })
}

type Pieces = BoxStream<'static, Result<Bytes, SourceError>>;

/// The same bytes, of which the first have been seen to be those of a zip.
async fn first(mut body: Pieces) -> Result<Option<Pieces>, SourceError> {
    let mut seen = BytesMut::new();
    while seen.len() < BEGINNING.len() {
        let Some(more) = body.try_next().await? else { return Ok(None) };
        seen.extend_from_slice(&more);
    }
    let is_zip = seen.starts_with(BEGINNING);
    Ok(is_zip.then(|| stream::once(async { Ok(seen.freeze()) }).chain(body).boxed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(pieces: &[&'static [u8]]) -> Option<Vec<u8>> {
        let pieces: Vec<Result<Bytes, SourceError>> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let body = first(stream::iter(pieces).boxed()).await.unwrap()?;
        let whole = body.map_ok(|piece| piece.to_vec()).try_concat().await;
        Some(whole.unwrap())
    }

    #[tokio::test]
    async fn a_zip_comes_through_however_it_is_cut_and_a_page_does_not() {
        assert_eq!(passed(&[b"PK\x03\x04rest"]).await.unwrap(), b"PK\x03\x04rest");
        assert_eq!(passed(&[b"P", b"", b"K\x03", b"\x04re", b"st"]).await.unwrap(), b"PK\x03\x04rest");
        for page in [&[b"<!DOCTYPE html>" as &[u8]][..], &[b"PK"], &[], &[b""], &[b"PK\x05\x06"]] {
            assert_eq!(passed(page).await, None, "{page:?}");
        }
    }
}
