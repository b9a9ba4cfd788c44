//! Fetches one database's files, by the way that the `go` command would take.
//!
//! A database with a URL of its own is asked there. Any other is asked through the upstream list if that answers its
//! `supported` request, and at `https://NAME` if it says with certainty that it does not (404, 410) or there is no
//! upstream. As long as an upstream carries the database, a 404 of a file is the database's own and no reason to go round
//! it. Any other answer to `supported` is an outage: a refusing upstream must not make us ask around it.

use super::{
    database::Database,
    databases::Clock,
    flight::Flights,
    wire::{Wire, WireError},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::{runtime::Handle, sync::Mutex};

/// Answers are a few hundred bytes (lookups), 8 KiB (tiles), some 100 KiB (data tiles).
const CAP: u64 = 1 << 20;
/// For how long a way is taken before the upstream list is asked again.
const WAY_HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// Where a database is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Upstream,
    Direct,
}

/// Fetches files of one database, each at most once at a time.
pub(super) struct Courier {
    database: Database,
    wire: Arc<dyn Wire>,
    clock: Clock,
    way: Mutex<Option<(Way, Timestamp)>>,
    flights: Flights<Result<Bytes, WireError>>,
}

impl Courier {
    pub(super) fn new(database: Database, wire: Arc<dyn Wire>, clock: Clock, runtime: Handle) -> Self {
        Self { database, wire, clock, way: Mutex::new(None), flights: Flights::new(runtime) }
    }

    /// Fetches `lookup/…`, `tile/…` or `latest`.
    pub(super) async fn fetch(self: &Arc<Self>, path: &str) -> Result<Bytes, WireError> {
        let work = || {
            let (courier, path) = (self.clone(), path.to_owned());
            async move { courier.carry(&path).await }
        };
        let crashed = || Err(WireError::unavailable("the fetch was broken off"));
        self.flights.join(path, work).await.unwrap_or_else(crashed)
    }

    async fn carry(&self, path: &str) -> Result<Bytes, WireError> {
        if self.way().await? == Way::Direct {
            return self.direct(path).await;
        }
        let absent = match self.wire.upstream(self.database.name(), path, CAP).await {
            Err(absent @ (WireError::NotFound | WireError::NoSource)) => absent,
            answer => return answer,
        };
        // The database's own word only if the upstream still carries it.
        *self.way.lock().await = None;
        match (self.way().await?, absent) {
            (Way::Direct, _) => self.direct(path).await,
            (Way::Upstream, WireError::NoSource) => Err(WireError::unavailable("no upstream may be asked for it")),
            (Way::Upstream, absent) => Err(absent),
        }
    }

    async fn direct(&self, path: &str) -> Result<Bytes, WireError> {
        let url = self.database.direct(path);
        let url = url.ok_or_else(|| WireError::unavailable(format!("`{path}` does not fit into a URL")))?;
        self.wire.direct(url, CAP).await
    }

    /// The lock is held while the upstream is asked: whoever comes meanwhile needs the very answer.
    async fn way(&self) -> Result<Way, WireError> {
        if self.database.url().is_some() {
            return Ok(Way::Direct);
        }
        let mut known = self.way.lock().await;
        let now = (self.clock)();
        if let Some((way, since)) = *known
            && now.duration_since(since) < WAY_HOLDS
        {
            return Ok(way);
        }
        let way = match self.wire.upstream(self.database.name(), "supported", CAP).await {
            Ok(_) => Way::Upstream,
            Err(WireError::NotFound | WireError::NoSource) => Way::Direct,
            Err(unavailable) => return Err(unavailable),
        };
        *known = Some((way, now));
        Ok(way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::testlog::{self, Asked, ScriptedWire};

    fn courier(database: Database, wire: &Arc<ScriptedWire>, clock: &testlog::TestClock) -> Arc<Courier> {
        Arc::new(Courier::new(database, wire.clone(), clock.closure(), Handle::current()))
    }

    #[tokio::test]
    async fn an_upstream_that_carries_it_is_asked_and_believed() {
        let wire = ScriptedWire::new();
        let courier = courier(testlog::database(), &wire, &testlog::TestClock::default());
        wire.upstream("supported", Ok(""));
        wire.upstream("lookup/a@v1", Err(WireError::NotFound));
        assert_eq!(courier.fetch("lookup/a@v1").await, Err(WireError::NotFound));
        wire.upstream("latest", Ok("x"));
        assert_eq!(courier.fetch("latest").await.unwrap(), "x");
        assert_eq!(
            wire.asked(),
            ["supported", "lookup/a@v1", "supported", "latest"].map(Asked::upstream),
            "an absence is believed of an upstream that still carries it"
        );
    }

    #[tokio::test]
    async fn an_upstream_that_ceases_to_carry_it_is_not_believed() {
        for absent in [WireError::NotFound, WireError::NoSource] {
            let wire = ScriptedWire::new();
            let courier = courier(testlog::database(), &wire, &testlog::TestClock::default());
            wire.upstream("supported", Ok(""));
            wire.upstream("latest", Ok("x"));
            assert_eq!(courier.fetch("latest").await.unwrap(), "x");
            wire.upstream("supported", Err(absent.clone()));
            wire.upstream("latest", Err(absent));
            wire.direct("latest", Ok("y"));
            assert_eq!(courier.fetch("latest").await.unwrap(), "y");
        }
    }

    #[tokio::test]
    async fn without_one_the_database_itself_is_asked_until_the_hour_is_over() {
        for absent in [WireError::NotFound, WireError::NoSource] {
            let (wire, clock) = (ScriptedWire::new(), testlog::TestClock::default());
            let courier = courier(testlog::database(), &wire, &clock);
            wire.upstream("supported", Err(absent));
            wire.direct("latest", Ok("x"));
            courier.fetch("latest").await.unwrap();
            clock.advance(3599);
            courier.fetch("latest").await.unwrap();
            assert_eq!(wire.asked(), [Asked::upstream("supported"), Asked::direct("latest"), Asked::direct("latest")]);
            clock.advance(1);
            wire.upstream("supported", Ok(""));
            wire.upstream("latest", Ok("y"));
            assert_eq!(courier.fetch("latest").await.unwrap(), "y");
        }
    }

    // INVARIANT: an outage or a refusal is never taken as leave to ask elsewhere.
    #[tokio::test]
    async fn an_outage_is_not_gone_round_and_not_remembered() {
        let wire = ScriptedWire::new();
        let courier = courier(testlog::database(), &wire, &testlog::TestClock::default());
        wire.upstream("supported", Err(WireError::unavailable("503")));
        wire.direct("latest", Ok("never"));
        assert_eq!(courier.fetch("latest").await, Err(WireError::unavailable("503")));
        wire.upstream("supported", Ok(""));
        wire.upstream("latest", Ok("x"));
        assert_eq!(courier.fetch("latest").await.unwrap(), "x");
        wire.upstream("latest", Err(WireError::NoSource));
        assert!(matches!(courier.fetch("latest").await, Err(WireError::Unavailable(_))));
        assert!(!wire.asked().contains(&Asked::direct("latest")));
    }

    // INVARIANT: what a company's own database is asked never reaches an upstream.
    #[tokio::test]
    async fn an_own_url_is_the_only_one_asked() {
        let wire = ScriptedWire::new();
        let database = Database::parse(&format!("{} https://mirror.example/db", testlog::KEY)).unwrap().unwrap();
        let courier = courier(database, &wire, &testlog::TestClock::default());
        wire.direct("latest", Ok("x"));
        courier.fetch("latest").await.unwrap();
        assert_eq!(wire.asked(), [Asked::Direct("https://mirror.example/db/latest".to_owned())]);
    }
}
