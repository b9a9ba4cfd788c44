//! Every metric of modgate; all names begin with `modgate_`. How they are written is in [`exposition`].
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `requests_total` | counter | kind, status, decision, cache |
//! | `request_duration_seconds` (to the answer's head) | histogram | kind, cache |
//! | `requests_in_flight` | gauge | |
//! | `panics_total` | counter | |
//! | `upstream_requests_total` | counter | result |
//! | `connections_open` | gauge | |
//! | `connections_total` | counter | |
//! | `connections_ended_total` | counter | reason |
//! | `reloads_total` | counter | what, result |
//! | `limit_delayed_total` | counter | limit |
//! | `limit_refused_total` | counter | limit |
//! | `policy` (info: the digest in force) | gauge, always 1 | digest |
//! | `build` (info) | gauge, always 1 | version |
//! | what [`Reading`] lists | gauge or counter | |
//! | `source_state` | gauge, 0 or 1 | list, source, state |
//! | `source_transitions_total` | counter | list, source, to |
//! | `source_skipped_total`, `source_retries_total`, `source_hedges_total`, `source_refused_total` | counter | list, source |
//! | `source_in_flight`, `source_waiting` | gauge | list, source |
//! | `issuer_keys`, `issuer_keys_age_seconds`, `issuer_keys_failing` (0 or 1) | gauge | issuer |
//! | `issuer_key_fetches_total`, `issuer_key_failures_total` | counter | issuer |
//!
//! Series that never counted are not exposed, so the product of the label values costs memory (some 10 KB) and no text.

mod exposition;

use super::cells::{Counters, Histogram, PerThread};
use super::issuers::IssuerReading;
use super::label::{Cache, ConnectionEnd, Decision, Kind, Label, Limit, Reloaded, StatusClass, Success, Upstream};
use super::reading::Reading;
use super::sources::SourceReading;
use arc_swap::ArcSwapOption;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Closure = Box<dyn Fn() -> f64 + Send + Sync>;
type Sources = Box<dyn Fn() -> Vec<SourceReading> + Send + Sync>;
type Issuers = Box<dyn Fn() -> Vec<IssuerReading> + Send + Sync>;

/// What is counted of one answered request.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// What was asked for.
    pub kind: Kind,
    /// The status of the answer.
    pub status: u16,
    /// What the policy said.
    pub decision: Decision,
    /// Where the answer came from.
    pub cache: Cache,
    /// From the parsed head of the request to the head of the answer.
    pub elapsed: Duration,
}

/// The counters. One instance for the process, shared by everybody.
pub struct Metrics {
    requests: PerThread<Requests>,
    panics: AtomicU64,
    upstream: Counters,
    connections_open: AtomicI64,
    connections: AtomicU64,
    connections_ended: Counters,
    reloads: Counters,
    limit_delayed: Counters,
    limit_refused: Counters,
    policy: ArcSwapOption<String>,
    readings: Mutex<Vec<(Reading, Closure)>>,
    sources: Mutex<Option<Sources>>,
    issuers: Mutex<Option<Issuers>>,
}

/// What every request counts.
struct Requests {
    answered: Counters,
    durations: Box<[Histogram]>,
    /// Those that began in this thread less those that ended in it.
    in_flight: AtomicI64,
}

impl Requests {
    fn new() -> Self {
        Self {
            answered: Counters::new(count::<Kind>() * count::<StatusClass>() * count::<Decision>() * count::<Cache>()),
            durations: (0..count::<Kind>() * count::<Cache>()).map(|_| Histogram::default()).collect(),
            in_flight: AtomicI64::new(0),
        }
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: PerThread::new(Requests::new),
            panics: AtomicU64::new(0),
            upstream: Counters::new(count::<Upstream>()),
            connections_open: AtomicI64::new(0),
            connections: AtomicU64::new(0),
            connections_ended: Counters::new(count::<ConnectionEnd>()),
            reloads: Counters::new(count::<Reloaded>() * count::<Success>()),
            limit_delayed: Counters::new(count::<Limit>()),
            limit_refused: Counters::new(count::<Limit>()),
            policy: ArcSwapOption::empty(),
            readings: Mutex::new(Vec::new()),
            sources: Mutex::new(None),
            issuers: Mutex::new(None),
        })
    }

    /// Counts an answered request.
    pub fn answered(&self, answered: &Answered) {
        let Answered { kind, status, decision, cache, elapsed } = *answered;
        let Some(own) = self.requests.own() else { return };
        own.answered.add(place4(kind, StatusClass::of(status), decision, cache));
        if let Some(histogram) = own.durations.get(place(kind, cache)) {
            histogram.observe(elapsed);
        }
    }

    /// Counts a request as in flight, until [`Metrics::ended`] is called for it.
    pub fn began(&self) {
        if let Some(own) = self.requests.own() {
            own.in_flight.fetch_add(1, Relaxed);
        }
    }

    /// A request is no longer in flight.
    pub fn ended(&self) {
        if let Some(own) = self.requests.own() {
            own.in_flight.fetch_sub(1, Relaxed);
        }
    }

    /// Counts a request handler that panicked.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Counts a request to a source. A zip's is over with the answer's head: what breaks off later is a failed transfer.
    pub fn upstream(&self, result: Upstream) {
        self.upstream.add(result.index());
    }

    /// Counts a connection, as open until the returned value is dropped.
    pub fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        self.connections_open.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }

    /// Counts a connection that was refused or ended from this side.
    pub fn connection_ended(&self, reason: ConnectionEnd) {
        self.connections_ended.add(reason.index());
    }

    /// How often that happened.
    pub fn connections_ended(&self, reason: ConnectionEnd) -> u64 {
        self.connections_ended.get(reason.index())
    }

    /// Counts a reload.
    pub fn reloaded(&self, what: Reloaded, result: Success) {
        self.reloads.add(place(what, result));
    }

    /// How often that happened.
    pub fn reloads(&self, what: Reloaded, result: Success) -> u64 {
        self.reloads.get(place(what, result))
    }

    /// Counts a request that has to wait for its turn.
    pub fn limit_delayed(&self, limit: Limit) {
        self.limit_delayed.add(limit.index());
    }

    /// Counts a request that is over a limit.
    pub fn limit_refused(&self, limit: Limit) {
        self.limit_refused.add(limit.index());
    }

    /// Says which policy is in force.
    pub fn policy_in_force(&self, digest: &str) {
        self.policy.store(Some(Arc::new(digest.to_owned())));
    }

    /// Has `closure` called at every scrape. A second closure for the same reading takes the first one's place.
    pub fn register(&self, reading: Reading, closure: impl Fn() -> f64 + Send + Sync + 'static) {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.retain(|(registered, _)| *registered != reading);
        readings.push((reading, Box::new(closure)));
    }

    /// Has `closure` called at every scrape for how the sources are doing; a second one takes the first one's place.
    pub fn register_sources(&self, closure: impl Fn() -> Vec<SourceReading> + Send + Sync + 'static) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(closure));
    }

    /// The same for how the published keys of issuers are doing.
    pub fn register_issuers(&self, closure: impl Fn() -> Vec<IssuerReading> + Send + Sync + 'static) {
        *self.issuers.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(closure));
    }

    /// All of it as OpenMetrics text.
    pub fn render(self: &Arc<Self>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("modgate");
        registry.register_collector(Box::new(self.clone()));
        let mut out = String::with_capacity(16 << 10);
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// An open connection.
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Relaxed);
    }
}

const fn count<L: Label>() -> usize {
    L::ALL.len()
}

fn place<A: Label, B: Label>(a: A, b: B) -> usize {
    a.index() * count::<B>() + b.index()
}

fn place4<A: Label, B: Label, C: Label, D: Label>(a: A, b: B, c: C, d: D) -> usize {
    (place(a, b) * count::<C>() + c.index()) * count::<D>() + d.index()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(kind: Kind, status: u16, cache: Cache, millis: u64) -> Answered {
        let elapsed = Duration::from_millis(millis);
        Answered { kind, status, decision: Decision::Allow, cache, elapsed }
    }

    #[test]
    fn a_request_is_counted_under_its_own_labels_only() {
        let metrics = Metrics::new();
        metrics.answered(&answered(Kind::Zip, 200, Cache::Hit, 3));
        metrics.answered(&answered(Kind::Zip, 200, Cache::Hit, 40_000));
        metrics.answered(&answered(Kind::Invalid, 502, Cache::Unused, 3));
        let text = metrics.render().unwrap();
        let zip = r#"modgate_requests_total{kind="zip",status="2xx",decision="allow",cache="hit"} 2"#;
        let invalid = r#"modgate_requests_total{kind="invalid",status="5xx",decision="allow",cache="none"} 1"#;
        assert!(text.contains(zip), "{text}");
        assert!(text.contains(invalid), "{text}");
        assert_eq!(text.matches("modgate_requests_total{").count(), 2, "{text}");
    }

    #[test]
    fn what_threads_count_is_added_up() {
        let metrics = Metrics::new();
        std::thread::scope(|scope| {
            for _ in 0..9 {
                scope.spawn(|| (0..50).for_each(|_| metrics.answered(&answered(Kind::Mod, 200, Cache::Hit, 3))));
            }
        });
        let text = metrics.render().unwrap();
        let total = r#"modgate_requests_total{kind="mod",status="2xx",decision="allow",cache="hit"} 450"#;
        assert!(text.contains(total), "{text}");
        assert!(text.contains(r#"_seconds_count{kind="mod",cache="hit"} 450"#), "{text}");
        assert!(text.contains(r#"_seconds_sum{kind="mod",cache="hit"} 1.35"#), "{text}");
    }

    #[test]
    fn buckets_are_cumulative_and_end_at_infinity() {
        let metrics = Metrics::new();
        for millis in [0, 2, 2, 60_000] {
            metrics.answered(&answered(Kind::Mod, 200, Cache::Hit, millis));
        }
        let text = metrics.render().unwrap();
        let bucket = |bound: &str, count: u64| {
            let line =
                format!(r#"modgate_request_duration_seconds_bucket{{le="{bound}",kind="mod",cache="hit"}} {count}"#);
            assert!(text.contains(&line), "{line} is not in\n{text}");
        };
        bucket("0.0005", 1);
        bucket("0.0025", 3);
        bucket("30.0", 3);
        bucket("+Inf", 4);
        assert!(text.contains(r#"_seconds_count{kind="mod",cache="hit"} 4"#), "{text}");
    }

    #[test]
    fn gauges_fall_again() {
        let metrics = Metrics::new();
        let connection = metrics.connection();
        metrics.began();
        std::thread::scope(|scope| {
            scope.spawn(|| metrics.began());
        });
        assert!(metrics.render().unwrap().contains("modgate_requests_in_flight 2\n"));
        metrics.ended();
        metrics.ended();
        drop(connection);
        let text = metrics.render().unwrap();
        assert!(text.contains("modgate_requests_in_flight 0\n"), "{text}");
        assert!(text.contains("modgate_connections_open 0\n"), "{text}");
        assert!(text.contains("modgate_connections_total 1\n"), "{text}");
    }

    #[test]
    fn readings_are_taken_at_the_scrape() {
        let metrics = Metrics::new();
        let bytes = Arc::new(AtomicU64::new(1));
        let seen = bytes.clone();
        metrics.register(Reading::StoreFlights, || 7.0);
        metrics.register(Reading::JournalRecords, move || seen.load(Relaxed) as f64);
        bytes.store(5, Relaxed);
        metrics.policy_in_force("abc");
        let text = metrics.render().unwrap();
        assert!(text.contains("modgate_store_flights 7.0\n"), "{text}");
        assert!(text.contains("modgate_journal_records_total 5.0\n"), "{text}");
        assert!(text.contains(r#"modgate_policy_info{digest="abc"} 1"#), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
