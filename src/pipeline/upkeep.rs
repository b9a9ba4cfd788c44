//! What is done beside the requests: reloading the policy and the keys of issuers, following the token database, feeding
//! the audit index, scrubbing the store.
//!
//! Each runs on the background runtime or on a thread of its own, and none of them can stop the gateway from serving:
//! what fails is logged, recorded where it changes what is in force, and tried again.

use super::{Gateway, assembly::Assembled, roll};
use crate::{
    audit::{
        Record,
        index::{FeedCounters, Feeder},
    },
    config::{Audit, Settings},
    policy::ReloadOutcome,
    server::{Dependency, Readiness},
    source::{SourceState, Standing},
    store::Store,
    telemetry::{
        IssuerReading, Metrics, Reading, SourceReading,
        label::{Reloaded, Success},
    },
    watch::{Watch, watch},
};
use auth::{Alias, Change, ChangeKind, Issuers, KeyNews, KeyStanding, KeyState, Refreshed, Reread, Tokens};
use jiff::Timestamp;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::MissedTickBehavior};

/// How often the token database is looked at; a revocation is in force after this long at the latest.
const TOKENS_EVERY: Duration = Duration::from_millis(500);
/// A policy directory has to be quiet for this long before its files are read.
const QUIET: Duration = Duration::from_millis(150);
/// Between two looks at the accounts of the limits.
const LIMITS_EVERY: Duration = Duration::from_secs(60);
/// Between two passes over the whole store.
const SCRUB_EVERY: Duration = Duration::from_hours(24);
/// How fast a pass reads, in bytes a second.
const SCRUB_RATE: u64 = 8 << 20;

/// What the upkeep watches.
pub struct Upkeep {
    gateway: Arc<Gateway>,
    tokens: Arc<Tokens>,
    issuers: Arc<Issuers>,
    model: Option<PathBuf>,
    files: Vec<PathBuf>,
    allow_widening: bool,
    watch: Option<Watch>,
    index: Option<Arc<Feeder>>,
    key_watch: Option<Watch>,
}

impl Upkeep {
    /// Starts all of it.
    pub fn start(assembled: &Assembled, settings: &Settings, background: &Handle) -> Arc<Self> {
        let (gateway, tokens) = (Arc::clone(&assembled.gateway), Arc::clone(&assembled.tokens));
        register(&gateway, &tokens);
        follow_tokens(background, Arc::clone(&tokens), Arc::clone(&gateway));
        follow_issuers(background, &assembled.issuers, &gateway, assembled.run);
        if let Some(store) = gateway.holding.store() {
            scrub(background, store.clone());
        }
        tidy_limits(background, Arc::clone(&gateway));
        let (judges, every) = (assembled.judges.clone(), settings.tokens.refresh_groups);
        roll::call(background, judges, Arc::clone(&tokens), Arc::clone(&gateway), every);
        roll::prune(background, Arc::clone(&tokens), Arc::clone(&gateway));
        let index = feed_index(&gateway, &settings.audit);
        let policy = &settings.policy;
        let build = |watch, key_watch, index| Self {
            gateway: Arc::clone(&gateway),
            tokens: Arc::clone(&tokens),
            issuers: Arc::clone(&assembled.issuers),
            model: policy.model.clone(),
            files: policy.files.clone(),
            allow_widening: policy.allow_widening,
            watch,
            key_watch,
            index,
        };
        let watched = policy.model.iter().chain(&policy.files).cloned().collect::<Vec<_>>();
        let reloader = build(None, None, None);
        let watch = watch(&watched, QUIET, move || reloader.reload_policy());
        if let Err(error) = &watch {
            tracing::warn!(%error, "policy files are read again on SIGHUP only");
        }
        Arc::new(build(watch.ok(), watch_keys(&gateway, &assembled.issuers), index))
    }

    /// The server listens: recorded, and ready as long as these checks say so.
    pub fn started(&self, readiness: &Readiness) {
        let (journal, clock) = (Arc::clone(&self.gateway.journal), Arc::clone(&self.gateway.clock));
        journal.act(clock(), "server.started", concat!("modgate ", env!("CARGO_PKG_VERSION")));
        // Without requests nothing else would find out that there is room again.
        readiness.check("journal", move || match journal.is_failing() {
            true => journal.append(&Record::act(clock(), "journal.retried", b"")).map_err(|error| told(&error)),
            false => Ok(()),
        });
        if let Some(store) = self.gateway.holding.store().cloned() {
            readiness.check("store", move || store.is_in_place().map_err(|error| told(&error)));
        }
        let sources = Arc::clone(&self.gateway.sources);
        let (issuers, clock) = (Arc::clone(&self.issuers), Arc::clone(&self.gateway.clock));
        readiness.show_sources(move || {
            let published = issuers.states(clock());
            sources.states().iter().map(dependency).chain(published.iter().map(issuer_dependency)).collect()
        });
    }

    /// SIGHUP: everything is read again.
    pub fn reload(&self) {
        self.reload_policy();
        reread_keys(&self.issuers, &self.gateway);
        self.issuers.renew();
        refresh_tokens(&self.tokens, &self.gateway);
    }

    /// INVARIANT (last good stays): whatever is wrong with the files changes nothing but the log and the journal.
    fn reload_policy(&self) {
        let outcome = self.gateway.policy.reload(self.model.as_deref(), &self.files, self.allow_widening);
        let (act, detail) = match outcome {
            Ok(ReloadOutcome::Unchanged) => return,
            Ok(ReloadOutcome::Replaced { before, now, widened }) => {
                self.gateway.metrics.policy_in_force(&now);
                self.gateway.metrics.reloaded(Reloaded::Policy, Success::Succeeded);
                tracing::info!(%before, %now, widened = widened.len(), "policy reloaded");
                let widened = widened.iter().map(|widening| format!("; now public: {widening}")).collect::<String>();
                ("policy.reloaded", format!("{before} replaced by {now}{widened}"))
            }
            Err(error) => {
                self.gateway.metrics.reloaded(Reloaded::Policy, Success::Failed);
                tracing::error!(%error, "policy not reloaded, the last good one stays in force");
                ("policy.refused", error.to_string())
            }
        };
        self.gateway.journal.act((self.gateway.clock)(), act, &detail);
    }

    /// After the last answer: what was only in memory is written.
    pub fn end(&self) {
        if let Err(error) = self.tokens.flush_all() {
            tracing::warn!(%error, "when tokens were last used could not be written");
        }
        self.gateway.tidy_limits();
        let journal = &self.gateway.journal;
        journal.act((self.gateway.clock)(), "server.stopped", "");
        if let Err(error) = journal.close() {
            tracing::error!(%error, "the audit journal could not be closed");
        }
        // Behind the last record, which it then has too.
        if let Some(index) = &self.index {
            index.stop();
        }
    }
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeep")
            .field("watching", &(self.watch.is_some(), self.key_watch.is_some()))
            .finish_non_exhaustive()
    }
}

/// Reads key files again when they change; nothing to watch where there are no issuers.
fn watch_keys(gateway: &Arc<Gateway>, issuers: &Arc<Issuers>) -> Option<Watch> {
    if issuers.key_files().is_empty() {
        return None;
    }
    let (gateway, rereading) = (Arc::clone(gateway), Arc::clone(issuers));
    watch(&issuers.key_files(), QUIET, move || reread_keys(&rereading, &gateway))
        .inspect_err(|error| tracing::warn!(%error, "keys of issuers are read again on SIGHUP only"))
        .ok()
}

/// INVARIANT (last good stays): as for the policy.
fn reread_keys(issuers: &Issuers, gateway: &Gateway) {
    for (issuer, reread) in issuers.reread((gateway.clock)()) {
        let (act, detail) = match reread {
            Reread::Unchanged => continue,
            Reread::Replaced { keys, notes } => {
                gateway.metrics.reloaded(Reloaded::Keys, Success::Succeeded);
                tracing::info!(%issuer, keys, notes = notes.join("; "), "keys of the issuer replaced");
                ("keys.replaced", format!("{issuer}: {keys} {} in force", if keys == 1 { "key" } else { "keys" }))
            }
            Reread::Refused(error) => {
                gateway.metrics.reloaded(Reloaded::Keys, Success::Failed);
                tracing::error!(%issuer, %error, hint = error.hint(), "keys not replaced, the last good ones stay");
                ("keys.refused", format!("{issuer}: {error}"))
            }
        };
        gateway.journal.act((gateway.clock)(), act, &detail);
    }
}

/// Fetches what issuers publish, and tells what becomes of it.
fn follow_issuers(background: &Handle, issuers: &Arc<Issuers>, gateway: &Arc<Gateway>, seed: u64) {
    let (following, clock) = (Arc::clone(gateway), Arc::clone(&gateway.clock));
    let report = move |alias: &Alias, news: &KeyNews| report_key_news(&following, alias, news);
    issuers.follow(background, clock, seed, Arc::new(report));
    let (read, clock) = (Arc::clone(issuers), Arc::clone(&gateway.clock));
    gateway.metrics.register_issuers(move || read.states(clock()).iter().map(issuer_reading).collect());
}

/// INVARIANT (last good stays): as for the files, until the grace is over.
fn report_key_news(gateway: &Gateway, issuer: &Alias, news: &KeyNews) {
    let (act, detail, result) = match news {
        KeyNews::Replaced { keys, notes } => {
            tracing::info!(%issuer, keys, notes = notes.join("; "), "keys of the issuer replaced");
            let detail = format!("{issuer}: {keys} {} in force", if *keys == 1 { "key" } else { "keys" });
            ("keys.replaced", detail, Success::Succeeded)
        }
        KeyNews::Back => {
            tracing::info!(%issuer, "the issuer publishes its keys again, and they are what they were");
            return;
        }
        KeyNews::Refused(why) => {
            tracing::error!(%issuer, %why, "keys of the issuer not replaced, the last good ones stay");
            ("keys.refused", format!("{issuer}: {why}"), Success::Failed)
        }
        KeyNews::Unreachable(why) => {
            tracing::error!(%issuer, %why, "the issuer cannot be reached, its last good keys stay");
            ("keys.unreachable", format!("{issuer}: {why}"), Success::Failed)
        }
        KeyNews::Dropped => {
            tracing::error!(%issuer, "the issuer could not be reached for too long, its keys are not used any more");
            ("keys.dropped", format!("{issuer}: `keys_stale` is over"), Success::Failed)
        }
    };
    gateway.metrics.reloaded(Reloaded::Keys, result);
    gateway.journal.act((gateway.clock)(), act, &detail);
}

/// Follows what other processes do to the token database, and writes down when tokens were used.
fn follow_tokens(background: &Handle, tokens: Arc<Tokens>, gateway: Arc<Gateway>) {
    background.spawn(async move {
        let mut tick = tokio::time::interval(TOKENS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let (tokens, gateway) = (Arc::clone(&tokens), Arc::clone(&gateway));
            let done = tokio::task::spawn_blocking(move || {
                refresh_tokens(&tokens, &gateway);
                if let Err(error) = tokens.flush(Timestamp::now()) {
                    tracing::warn!(%error, "when tokens were last used could not be written");
                }
            });
            if done.await.is_err() {
                return;
            }
        }
    });
}

fn refresh_tokens(tokens: &Tokens, gateway: &Gateway) {
    match tokens.refresh() {
        Ok(Refreshed::Unchanged) => {}
        Ok(Refreshed::Reloaded { .. }) => gateway.metrics.reloaded(Reloaded::Tokens, Success::Succeeded),
        Err(_) => gateway.metrics.reloaded(Reloaded::Tokens, Success::Failed),
    }
    // Those too that were found when a request brought an unknown token.
    for Change { id, subject, kind } in tokens.take_changes() {
        let name = match kind {
            ChangeKind::Created => "token.created",
            ChangeKind::Revoked => "token.revoked",
            ChangeKind::Reinstated => "token.reinstated",
            ChangeKind::Removed => "token.removed",
        };
        tracing::info!(act = name, token = id.as_str(), %subject, "the token database changed");
        gateway.journal.act((gateway.clock)(), name, &format!("{} of {subject}", id.as_str()));
    }
}

/// Starts feeding the audit index, if there is to be one. Queries do without where it fails.
fn feed_index(gateway: &Gateway, audit: &Audit) -> Option<Arc<Feeder>> {
    if !audit.index {
        return None;
    }
    let clock = Arc::clone(&gateway.clock);
    let started = Feeder::start(gateway.journal.dir(), audit.index_every, move || clock());
    let feeder =
        started.inspect_err(|error| tracing::error!(%error, "the audit index is not fed")).ok().map(Arc::new)?;
    let counted = |read: fn(&FeedCounters) -> u64| {
        let feeder = Arc::clone(&feeder);
        move || read(feeder.counters()) as f64
    };
    use std::sync::atomic::Ordering::Relaxed;
    let metrics = &gateway.metrics;
    metrics.register(Reading::IndexRecords, counted(|counters| counters.indexed.load(Relaxed)));
    metrics.register(Reading::IndexFailures, counted(|counters| counters.failures.load(Relaxed)));
    metrics.register(Reading::IndexLagBytes, counted(|counters| counters.behind.load(Relaxed)));
    let (lagging, clock) = (Arc::clone(&feeder), Arc::clone(&gateway.clock));
    metrics.register(Reading::IndexLagSeconds, move || lagging.counters().lag(clock()));
    Some(feeder)
}

/// Forgets idle accounts of the limits, and records floods.
fn tidy_limits(background: &Handle, gateway: Arc<Gateway>) {
    background.spawn(async move {
        let mut tick = tokio::time::interval(LIMITS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            gateway.tidy_limits();
        }
    });
}

/// Reads the whole store once a day and compares it with its records.
fn scrub(background: &Handle, store: Store) {
    background.spawn(async move {
        loop {
            tokio::time::sleep(SCRUB_EVERY).await;
            let scrubbed = store.scrub(SCRUB_RATE).await;
            tracing::info!(?scrubbed, "store scrubbed");
        }
    });
}

/// What other parts count anyway.
fn register(gateway: &Arc<Gateway>, tokens: &Arc<Tokens>) {
    let metrics = &gateway.metrics;
    let journal = Arc::clone(&gateway.journal);
    let counted = move |read: fn(&crate::audit::Counters) -> u64| {
        let journal = Arc::clone(&journal);
        move || read(journal.counters()) as f64
    };
    use std::sync::atomic::Ordering::Relaxed;
    metrics.register(Reading::JournalRecords, counted(|counters| counters.records.load(Relaxed)));
    metrics.register(Reading::JournalBytes, counted(|counters| counters.bytes.load(Relaxed)));
    metrics.register(Reading::JournalFailures, counted(|counters| counters.failures.load(Relaxed)));
    metrics.register(Reading::JournalSyncFailures, counted(|counters| counters.sync_failures.load(Relaxed)));
    if let Some(store) = gateway.holding.store() {
        register_store(metrics, store);
    }
    let (tokens, clock) = (Arc::clone(tokens), Arc::clone(&gateway.clock));
    metrics.register(Reading::ValidTokens, move || tokens.count_live(clock()) as f64);
    let limited = Arc::clone(gateway);
    metrics.register(Reading::LimitKeys, move || limited.limits.keys() as f64);
    let limited = Arc::clone(gateway);
    metrics.register(Reading::LimitWaiting, move || limited.limits.waiting() as f64);
    let sources = Arc::clone(&gateway.sources);
    metrics.register_sources(move || sources.states().iter().map(reading).collect());
}

/// What a store counts; in forward mode there is none, and no such metrics.
fn register_store(metrics: &Metrics, store: &Store) {
    let stored = |read: fn(&Store) -> u64| {
        let store = store.clone();
        move || read(&store) as f64
    };
    metrics.register(Reading::StoreSetAside, stored(|store| store.counters().set_aside.get()));
    metrics.register(Reading::StoreWriteFailures, stored(|store| store.counters().unkept.get()));
    metrics.register(Reading::StoreMemoryBytes, stored(Store::memory_bytes));
    metrics.register(Reading::StoreFlights, stored(Store::flights));
}

/// How a source is doing, for `/readyz`.
fn dependency(state: &SourceState) -> Dependency {
    let (list, source) = (state.list.to_string(), state.source.to_string());
    Dependency { list, source, state: state.standing.text(), well: state.standing == Standing::Closed }
}

/// How an issuer's published keys are doing, for `/readyz`.
fn issuer_dependency(state: &KeyState) -> Dependency {
    let well = state.standing == KeyStanding::Fresh;
    Dependency { list: "issuer".to_owned(), source: state.alias.clone(), state: state.standing.as_str(), well }
}

/// The same for `/metrics`.
fn issuer_reading(state: &KeyState) -> IssuerReading {
    IssuerReading {
        issuer: state.alias.clone(),
        keys: state.keys as u64,
        age: state.age.map(|age| age.as_secs_f64()),
        failing: state.failure.is_some(),
        fetches: state.fetches,
        failures: state.failures,
    }
}

/// How a source is doing, for `/metrics`.
fn reading(state: &SourceState) -> SourceReading {
    let changes = Standing::ALL.into_iter().zip(state.changes);
    SourceReading {
        list: state.list.to_string(),
        source: state.source.to_string(),
        states: changes.map(|(one, entered)| (one.text(), one == state.standing, entered)).collect(),
        skipped: state.skipped,
        retries: state.retries,
        hedges: state.hedges,
        refused: state.refused,
        in_flight: state.in_flight as u64,
        waiting: state.waiting as u64,
    }
}

/// An error and its cause.
fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
