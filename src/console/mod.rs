//! The console: pages for people and an interface for programs, below `/-/`.
//!
//! ```text
//! visit (pipeline) → Console::answer → router → a file for each noun
//! ```
//!
//! Whoever asks was authenticated by the pipeline; [`Visitor`] says who it is. Handlers run on the background runtime and may
//! wait; they return a [`Refused`] instead of a status of their own, so that refusals look the same everywhere.

mod identity;
mod refused;
mod visitor;

pub use refused::Refused;
pub use visitor::{Proof, Visitor};

use crate::{
    error::{Kind, RequestError},
    policy,
};
use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::get,
};
use std::sync::Arc;
use tokio::runtime::Handle;
use tower::ServiceExt;

/// What the handlers share.
pub struct Desk {
    /// The policy in force.
    pub policy: Arc<policy::Live>,
}

/// All pages and the interface for programs.
pub struct Console {
    router: Router,
    background: Handle,
}

impl Console {
    /// A console over these parts; what waits runs on `background`.
    pub fn new(desk: Arc<Desk>, background: Handle) -> Self {
        let router = Router::new()
            .route("/-/api/v1/whoami", get(identity::whoami))
            .fallback(absent)
            .method_not_allowed_fallback(method)
            .with_state(desk);
        Self { router, background }
    }

    /// Answers a visit.
    ///
    /// # Errors
    /// Whatever is refused; the pipeline makes an answer of it.
    pub async fn answer(&self, visitor: Visitor, mut request: Request<Body>) -> Result<Response<Body>, RequestError> {
        request.extensions_mut().insert(visitor);
        let router = self.router.clone();
        let answered = self.background.spawn(async move { router.oneshot(request).await }).await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => return Err(RequestError::new(Kind::Internal, "internal error")),
        };
        match response.extensions_mut().remove::<RequestError>() {
            Some(error) => Err(error),
            None => Ok(response),
        }
    }
}

async fn method() -> Refused {
    Refused(RequestError::new(Kind::Method, "this is asked for in another way"))
}

async fn absent() -> Refused {
    Refused(RequestError::new(Kind::Absent, "there is no such page"))
}
