//! The walk of a request: the steps in their order, each one place.
//!
//! ```text
//! meet → parse → authenticate → authorize → shape → record → serve → conclude
//! caller  Target   Principal      Permit    limits   asked   holding  answered
//! ```
//!
//! Plain functions in order rather than layers: it reads from top to bottom, and costs nothing on the path of a hit
//! (docs/adr/0002). What only some requests wait for is awaited on the heap (`Box::pin`), so that the future of a hit stays
//! small (docs/adr/0015). A step that refuses returns a
//! [`RequestError`]; [`Gateway::answer`] concludes every request, served or refused, in the same way: with one record,
//! one log line, and the request id in the answer.
//!
//! INVARIANT (record before effect): `asked` is kept before a source is asked, and `answered` before the first byte
//! leaves. A record that cannot be kept turns the answer into a 503.

mod assembly;
mod authenticate;
mod authorize;
mod caller;
mod conclude;
mod holding;
mod lookout;
mod narrow;
mod people;
mod plan;
mod request_id;
mod roll;
mod serve;
mod shape;
mod stand_in;
mod sumdb;
mod trail;
mod transfer;
mod upkeep;
mod visit;

pub use assembly::{Assembled, AssemblyError, Surroundings, assemble, databases_path, tokens_path, wall_clock};
pub use caller::{Caller, Front};
pub use holding::Holding;
pub use plan::{Flaw, Plan};
pub use request_id::{RequestId, RequestIds};
pub use stand_in::StandIn;
pub use upkeep::Upkeep;

use crate::{
    audit::{Group, Journal},
    checksum::Databases,
    console::Console,
    error::{Kind, RequestError},
    goproxy::{Target, TargetError},
    limit::Limits,
    policy,
    server::{Handler, Peer},
    source::Sources,
    telemetry::Metrics,
};
use auth::{Authenticator, CertificateError, Certified, NamePart, Principal};
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Request, Response},
};
use jiff::Timestamp;
use lookout::Lookout;
use std::{cell::OnceCell, error::Error, rc::Rc, sync::Arc};
use tokio::runtime::Handle;
use trail::Trail;

/// Whose a connection's certificate is.
type CertifiedResult = Result<Certified, CertificateError>;

/// Tells the time. Handed in, so that no test has to wait.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything that a walk needs, put together once at the start.
pub struct Gateway {
    /// Our own name and the proxies in front.
    pub front: Front,
    /// `public_url` without a trailing slash, for texts.
    pub public_url: String,
    /// Whom a refusal tells people to ask.
    pub contact: Option<String>,
    /// Who is asking.
    pub authenticator: Arc<Authenticator>,
    /// Which part of a client certificate names its holder.
    certificate_name: NamePart,
    /// Where what waits for others runs.
    background: Handle,
    /// For tokens that were issued a moment ago.
    lookout: Lookout,
    /// For whom a trial asks; nobody on a server.
    stand_in: Option<StandIn>,
    /// The policy in force.
    pub policy: Arc<policy::Live>,
    /// Pages, and the interface for programs.
    pub console: Console,
    /// Who may ask how much.
    pub limits: Arc<Limits>,
    /// Where records go.
    pub journal: Arc<Journal>,
    /// Modules, held, fetched or handed on.
    pub holding: Holding,
    /// Checksum databases.
    pub databases: Arc<Databases>,
    /// Where modules come from.
    pub sources: Arc<Sources>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Request ids.
    pub ids: RequestIds,
    /// On whose behalf a refresh is made that nobody waits for.
    pub system: Arc<Principal>,
    /// The time.
    pub clock: Clock,
}

/// The gateway as the listener's handler; each connection has a clone of its own.
#[derive(Clone)]
pub struct Walk {
    gateway: Arc<Gateway>,
    /// Where the requests of this thread hand in their records.
    records: Rc<Group>,
    /// Whose the connection's certificate is: found out by its first request.
    certified: OnceCell<CertifiedResult>,
}

impl Walk {
    /// For connections of the calling thread that are yet to come.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        let records = Rc::new(Group::new(Arc::clone(&gateway.journal)));
        Self { gateway, records, certified: OnceCell::new() }
    }
}

impl Handler for Walk {
    async fn handle(&self, peer: &Peer, request: &mut Request<hyper::body::Incoming>) -> Response<Body> {
        let part = self.gateway.certificate_name;
        let certified = peer.certificate.as_deref().map(|der| self.certified.get_or_init(|| Certified::of(der, part)));
        self.gateway.answer(peer, certified, request, &self.records).await
    }
}

impl Gateway {
    /// Answers one request, whatever it is.
    pub async fn answer<B>(
        self: &Arc<Self>,
        peer: &Peer,
        certified: Option<&CertifiedResult>,
        request: &mut Request<B>,
        records: &Group,
    ) -> Response<Body>
    where
        B: HttpBody<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
    {
        let nobody = Arc::clone(self.authenticator.nobody());
        let mut trail = Trail::new(self.ids.next(), (self.clock)(), request.method().clone(), peer.address, nobody);
        let served = self.walk(peer, certified, request, &mut trail).await;
        let is_served = served.is_ok();
        let response = served.unwrap_or_else(|error| self.refuse(&trail, &error));
        let answered = (self.clock)();
        let kept = match self.record_answered(&trail, is_served, response.status(), answered, records) {
            Some(appending) => appending.await,
            None => Ok(()),
        };
        self.conclude(trail, is_served, response, answered, kept)
    }

    async fn walk<B>(
        self: &Arc<Self>,
        peer: &Peer,
        certified: Option<&CertifiedResult>,
        request: &mut Request<B>,
        trail: &mut Trail,
    ) -> Result<Response<Body>, RequestError>
    where
        B: HttpBody<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
    {
        trail.caller = Some(self.front.meet(peer, request)?);
        if self.is_visit(request.uri().path()) {
            return Box::pin(self.visit(certified, request, trail)).await;
        }
        if let Err(refused) = caller::reads(request) {
            Box::pin(visit::throw_away(request.body_mut())).await;
            return Err(refused);
        }
        self.refuse_loop(request)?;
        trail.target = Some(Arc::new(self.parse(request.uri().path())?));
        trail.principal = self.authenticate(request.headers(), certified, trail).await?;
        let decided = self.authorize(trail);
        // Also what the policy refuses: it costs a record.
        self.shape(trail).await?;
        let permit = decided?;
        self.serve(&permit, request, trail).await
    }

    /// The URL path as a target; nothing after this looks at the URL again.
    fn parse(&self, path: &str) -> Result<Target, RequestError> {
        let below = self.front.below_base(path);
        let below = below.ok_or_else(|| RequestError::new(Kind::Absent, "not a path of the GOPROXY protocol"))?;
        Target::parse(below, self.databases.names()).map_err(|error| {
            let kind = match &error {
                TargetError::Unknown(_) => Kind::Absent,
                TargetError::UnknownDatabase(_) => Kind::UnknownDatabase,
                TargetError::BadSumdb(_) => Kind::BadRequest,
            };
            RequestError::new(kind, error.to_string())
        })
    }

    /// A request that this very instance sent to an upstream that turned out to be itself.
    fn refuse_loop<B>(&self, request: &Request<B>) -> Result<(), RequestError> {
        match self.sources.is_own_via(request.headers()) {
            true => Err(RequestError::new(Kind::Loop, "the upstream of this gateway is this gateway")),
            false => Ok(()),
        }
    }
}
