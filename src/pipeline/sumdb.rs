//! Serving `/sumdb/NAME/…`: the checksum databases, through us.
//!
//! A client that is told "no" to `supported` goes to the database itself, so it is told "yes"; a name that is not
//! configured was refused when the path was parsed. The client verifies what it gets; the policy decided on a lookup as
//! on the module version that it is about.
//!
//! INVARIANT (private stays private): a lookup of a private module never goes to a public checksum database.

use super::{Gateway, Trail, serve::plain};
use crate::{
    audit::Cache,
    checksum::ChecksumError,
    error::{Kind, RequestError},
    goproxy::{DatabaseName, SumdbAsk, answer::Wish},
    policy::Permit,
};
use axum::{body::Body, http::Response};
use bytes::Bytes;
use std::sync::Arc;

impl Gateway {
    pub(super) async fn serve_sumdb(
        self: &Arc<Self>,
        permit: &Permit,
        name: &DatabaseName,
        asked: &SumdbAsk,
        wish: Wish<'_>,
        trail: &mut Trail,
    ) -> Result<Response<Body>, RequestError> {
        if let (SumdbAsk::Lookup(path, _), true) = (asked, self.is_private(permit)) {
            let text = format!(
                "modgate: {path} is private, so no checksum database was asked for it\nset GONOSUMDB={path} on the client (not GOPRIVATE, which would go around this gateway)"
            );
            return Err(RequestError::new(Kind::Absent, text));
        }
        let bytes = match self.databases.held(name, asked, trail.received) {
            Some(bytes) => {
                trail.cache = Cache::Hit;
                bytes
            }
            None => Box::pin(self.ask_database(permit, name, asked, wish, trail)).await?,
        };
        Ok(plain(permit, permit.public_to_anonymous()).small(wish, bytes, || None))
    }

    async fn ask_database(
        self: &Arc<Self>,
        permit: &Permit,
        name: &DatabaseName,
        asked: &SumdbAsk,
        wish: Wish<'_>,
        trail: &mut Trail,
    ) -> Result<Bytes, RequestError> {
        self.may_ask(permit, wish)?;
        self.charge_fetch(trail).await?;
        self.record_asked(permit.target(), trail)?;
        trail.cache = Cache::Miss;
        self.databases.ask(name, asked).await.map_err(|error| {
            let kind = match &error {
                ChecksumError::NotFound => Kind::Absent,
                ChecksumError::Unavailable(_) => Kind::SourceDown,
                ChecksumError::Misbehaving(_) => Kind::Mismatch,
            };
            let outside = error.outside();
            RequestError::new(kind, outside).because(error)
        })
    }
}
