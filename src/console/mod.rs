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
mod identity;
mod pages;
mod refused;
mod site;
mod visitor;

pub use refused::Refused;
pub use site::Site;
pub use visitor::{Proof, Visitor, session};

use crate::{
    audit::Journal,
    error::{Kind, RequestError},
    policy,
};
use auth::{Codes, Devices, Logins, Sessions};
use axum::{
    Router,
    body::Body,
    http::{Request, Response},
    routing::get,
};
use std::{path::PathBuf, sync::Arc};
use tokio::runtime::Handle;
use tower::ServiceExt;

/// What the handlers share.
pub struct Desk {
    /// The policy in force.
    pub policy: Arc<policy::Live>,
    /// How browsers see us.
    pub site: Site,
    /// Where people log in.
    pub logins: Logins,
    /// Who has logged in.
    pub sessions: Arc<Sessions>,
    /// Terminals that wait for somebody's approval.
    pub devices: Arc<Devices>,
    /// What programs on somebody's own machine are given.
    pub codes: Arc<Codes>,
    /// Where acts are kept.
    pub journal: Arc<Journal>,
    /// The token database.
    pub ledger: PathBuf,
}

impl Desk {
    /// Random bytes of the system.
    fn draw<const LENGTH: usize>(&self) -> Result<[u8; LENGTH], Refused> {
        let mut random = [0; LENGTH];
        let drawn = aws_lc_rs::rand::fill(&mut random);
        drawn.map_err(|_| RequestError::new(Kind::Internal, "the system gives no random numbers"))?;
        Ok(random)
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
        let router = Router::new().route("/-/api/v1/whoami", get(identity::whoami)).merge(pages::routes());
        let router = router.fallback(absent).method_not_allowed_fallback(method).with_state(Arc::clone(&desk));
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
