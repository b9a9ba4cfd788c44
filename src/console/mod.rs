//! The console: pages for people and an interface for programs, below `/-/`.
//!
//! ```text
//! visit (pipeline) → Console::answer → router → a file for each noun
//! ```
//!
//! Whoever asks was authenticated by the pipeline; [`Visitor`] says who it is. Handlers run on the background runtime and may
//! wait; they return a [`Refused`] instead of a status of their own, so that refusals look the same everywhere.
//! The [`pages`] are for browsers, whose sessions count here and nowhere else ([`session`]).

mod act;
mod cookies;
mod forgery;
mod form;
mod identity;
pub mod oauth;
mod pages;
mod refused;
mod site;
mod tokens;
mod visitor;

pub use oauth::Grants;
pub use refused::Refused;
pub use site::Site;
pub use visitor::{Proof, Visitor, session};

use crate::{
    error::{Kind, RequestError},
    policy,
};
use auth::{Logins, Renewal, Sessions};
use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::get,
};
use std::sync::Arc;
use tokio::runtime::Handle;
use tower::ServiceExt;
use zeroize::Zeroizing;

/// What the handlers share.
pub struct Desk {
    /// The policy in force.
    pub policy: Arc<policy::Live>,
    /// How browsers see us.
    pub site: Site,
    /// Where people log in.
    pub logins: Arc<Logins>,
    /// By which issuers are asked about people later.
    pub renewals: Vec<Arc<Renewal>>,
    /// Who has logged in.
    pub sessions: Arc<Sessions>,
    /// How tokens are got.
    pub grants: Arc<Grants>,
}

impl Desk {
    /// Whether people can log in with a browser.
    pub fn has_logins(&self) -> bool {
        let judge = self.logins.choices().next().is_some() || self.grants.authenticator.has_directory();
        judge && self.site.has_sessions()
    }

    /// Random bytes.
    fn draw<const LENGTH: usize>(&self) -> Result<Zeroizing<[u8; LENGTH]>, Refused> {
        let drawn = self.grants.random::<LENGTH>();
        drawn.map_err(|_| RequestError::new(Kind::Internal, "the system gives no random numbers").into())
    }
}

/// All pages and the interface for programs.
pub struct Console {
    desk: Arc<Desk>,
    router: Router,
    background: Handle,
}

impl Console {
    /// A console over these parts; what waits runs on `background`.
    pub fn new(desk: Arc<Desk>, background: Handle) -> Self {
        let router = Router::new()
            .route("/-/api/v1/whoami", get(identity::whoami))
            .merge(tokens::routes())
            .merge(oauth::routes())
            .merge(pages::routes())
            .fallback(absent)
            .method_not_allowed_fallback(method)
            .with_state(Arc::clone(&desk));
        Self { desk, router, background }
    }

    /// What the handlers share.
    pub fn desk(&self) -> &Desk {
        &self.desk
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
        pages::harden(response.headers_mut());
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
