//! A body on its way out, watched: when the transfer breaks, the journal is told.
//!
//! `answered` was recorded before the first byte left; only here is it known whether the last one did. A break is either
//! ours (the bytes turned out wrong, or the disk or a source failed) or the client's, which went away.
//!
//! An answer with a Content-Length is complete with its last byte: hyper asks its body for nothing more after that.

use super::{Gateway, trail::Trail};
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    http::{Response, header::CONTENT_LENGTH},
};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A watched body.
pub(super) struct Transfer {
    inner: Body,
    gateway: Arc<Gateway>,
    /// None once the transfer is complete or was recorded as broken.
    trail: Option<Arc<Trail>>,
    status: u16,
    /// Bytes of the announced length that are still to come.
    left: Option<u64>,
}

impl Transfer {
    pub(super) fn watch(response: Response<Body>, gateway: &Arc<Gateway>, trail: Arc<Trail>) -> Response<Body> {
        let status = response.status().as_u16();
        let left = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        response.map(|inner| Body::new(Self { inner, gateway: Arc::clone(gateway), trail: Some(trail), status, left }))
    }

    fn passed(&mut self, bytes: usize) {
        self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
        if self.left == Some(0) || self.inner.is_end_stream() {
            self.trail = None;
        }
    }

    fn broke(&mut self, why: &str) {
        if let Some(trail) = self.trail.take() {
            self.gateway.transfer_broke(&trail, self.status, why);
        }
    }
}

impl HttpBody for Transfer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => {
                self.broke(&error.to_string());
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.trail = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.passed(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Transfer {
    /// hyper drops a body that it did not read to its end when the client has gone.
    fn drop(&mut self) {
        self.broke("the client went away");
    }
}
