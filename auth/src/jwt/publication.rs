//! An issuer's published keys: fetching them, and waiting for them.
//!
//! ```text
//! follower ── round: metadata, keys ── keyring ── ended ── pause ── round …
//!    ▲ wanted                                       │
//! inquiry ── a token names a key nobody knows ──────┴── judged again
//! ```
//!
//! INVARIANT: only the follower fetches, one round at a time, and rounds begin at least a pause apart. However many
//! tokens name however many unknown keys, they cost the issuer one fetch in that time. Whoever waits, waits for a round that
//! began after they came: what the issuer publishes by then is what they are judged by.
//!
//! A `kid` that such a round did not find is remembered for a while as absent. A round that failed says nothing about any
//! kid: whoever waited for it is told that the issuer cannot be asked.

use super::issuer::IssuerSettings;
use super::key_file::{self, Usable};
use super::key_source::{KeysAt, Published};
use super::metadata;
use crate::fetch::{Fetched, Fetcher};
use jiff::Timestamp;
use parking_lot::Mutex;
use quick_cache::unsync::Cache;
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use url::Url;

/// The least time that an issuer's `max-age` can ask for.
const LEAST_AGE: Duration = Duration::from_secs(60);
/// The longest time until a failed fetch is tried again.
const MOST_RETRY: Duration = Duration::from_secs(60);
/// How long metadata are believed.
const METADATA_FOR: Duration = Duration::from_hours(24);
/// How long a `kid` that was not found is known to be absent, in seconds.
const ABSENT_FOR: i64 = 30;
/// The most that are known to be absent.
const MOST_ABSENT: usize = 1024;
/// The most inquiries that wait at a time.
const MOST_WAITING: usize = 4096;
/// Two fetches, each with its own time-out of ten seconds, and a little more.
const ROUND: Duration = Duration::from_secs(25);

/// What is known of an issuer's published keys, and how to get them.
pub(super) struct Publication {
    source: Published,
    fetcher: Fetcher,
    standing: Mutex<Standing>,
    /// Rounds begun.
    begun: AtomicU64,
    /// Rounds ended.
    ended: watch::Sender<u64>,
    /// The round that somebody waits for.
    wanted: watch::Sender<u64>,
    waiting: Semaphore,
}

struct Standing {
    /// By the metadata, and since when it is believed.
    keys_url: Option<(Url, Timestamp)>,
    /// The last good fetch.
    fetched: Option<Timestamp>,
    failure: Option<Failure>,
    /// When the last round began.
    began: Option<Instant>,
    /// Until when a kid is known to be absent; Unix time.
    absent: Cache<Box<str>, i64>,
    rounds: u64,
    failed: u64,
}

/// An outage, by its last failure.
#[derive(Clone, Debug)]
struct Failure {
    trouble: Trouble,
    in_row: u32,
}

/// Why a round brought nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The issuer does not answer, or not with what was asked for.
    Unreachable(String),
    /// What it answers cannot be used.
    Unusable(String),
}

/// What a round brought.
pub(super) struct Harvest {
    pub(super) keys: Usable,
    /// For how long the issuer says that it holds.
    max_age: Option<Duration>,
}

/// How published keys are doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Doing {
    pub(super) fetched: Option<Timestamp>,
    pub(super) failure: Option<String>,
    pub(super) rounds: u64,
    pub(super) failed: u64,
}

impl Publication {
    pub(super) fn new(source: Published, fetcher: Fetcher) -> Self {
        let standing = Standing {
            keys_url: None,
            fetched: None,
            failure: None,
            began: None,
            absent: Cache::new(MOST_ABSENT),
            rounds: 0,
            failed: 0,
        };
        Self {
            source,
            fetcher,
            standing: Mutex::new(standing),
            begun: AtomicU64::new(0),
            ended: watch::Sender::new(0),
            wanted: watch::Sender::new(0),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// Until when keys count that were fetched now; Unix time.
    pub(super) fn good_until(&self, now: Timestamp) -> i64 {
        let kept = self.source.every.saturating_add(self.source.stale).as_secs();
        now.as_second().saturating_add(i64::try_from(kept).unwrap_or(i64::MAX))
    }

    /// Whether a fetch that came after it was seen did not find this kid.
    pub(super) fn is_absent(&self, kid: &str, now: Timestamp) -> bool {
        self.standing.lock().absent.get(kid).is_some_and(|until| now.as_second() < *until)
    }

    /// Remembers that a fetch did not find this kid.
    pub(super) fn found_absent(&self, kid: &str, now: Timestamp) {
        self.standing.lock().absent.insert(kid.into(), now.as_second().saturating_add(ABSENT_FOR));
    }

    /// How it is doing.
    pub(super) fn doing(&self) -> Doing {
        let standing = self.standing.lock();
        let failure = standing.failure.as_ref().map(|failure| failure.trouble.text().to_owned());
        Doing { fetched: standing.fetched, failure, rounds: standing.rounds, failed: standing.failed }
    }

    /// The number of the round that begins after this moment.
    pub(super) fn next(&self) -> u64 {
        self.begun.load(Ordering::Acquire).saturating_add(1)
    }

    /// Has a round begin as soon as one may.
    pub(super) fn want(&self, round: u64) {
        self.wanted.send_if_modified(|wanted| {
            let later = *wanted < round;
            *wanted = round.max(*wanted);
            later
        });
    }

    /// Waits until the round before this one has ended, if it is under way.
    pub(super) async fn under_way(&self, round: u64) {
        let mut ended = self.ended.subscribe();
        let _ = timeout(ROUND, ended.wait_for(|ended| *ended >= round.saturating_sub(1))).await;
    }

    /// Waits until this round has ended.
    ///
    /// # Errors
    /// Why it brought nothing, for the log.
    pub(super) async fn awaited(&self, round: u64) -> Result<(), String> {
        let _seat = self.waiting.try_acquire().map_err(|_| "too many wait for its keys already".to_owned())?;
        self.unless_failing()?;
        self.want(round);
        let mut ended = self.ended.subscribe();
        let patience = self.source.pause.saturating_add(ROUND);
        match timeout(patience, ended.wait_for(|ended| *ended >= round)).await {
            Ok(Ok(_)) => self.standing.lock().failure.as_ref().map_or(Ok(()), |failure| Err(failure.trouble.told())),
            Ok(Err(_)) | Err(_) => Err("its keys were waited for in vain".to_owned()),
        }
    }

    /// Nobody waits out a pause for an issuer that has just failed.
    fn unless_failing(&self) -> Result<(), String> {
        let standing = self.standing.lock();
        match (&standing.failure, standing.began) {
            (Some(failure), Some(began)) if began.elapsed() < self.source.pause => Err(failure.trouble.told()),
            _ => Ok(()),
        }
    }

    /// A round begins: its number.
    pub(super) fn begin(&self, at: Instant) -> u64 {
        let mut standing = self.standing.lock();
        standing.began = Some(at);
        standing.rounds = standing.rounds.saturating_add(1);
        self.begun.fetch_add(1, Ordering::AcqRel).saturating_add(1)
    }

    /// A round has ended.
    pub(super) fn end(&self, round: u64) {
        self.ended.send_replace(round);
    }

    /// Waits for a round to begin: when it is due, or when somebody wants it and it may.
    pub(super) async fn pause(&self, round: u64, began: Instant, due: Duration) {
        let mut wanted = self.wanted.subscribe();
        let woken = async { wanted.wait_for(|wanted| *wanted > round).await.is_ok() };
        if timeout_at(began + due, woken).await == Ok(true) {
            sleep_until(began + self.source.pause).await;
        }
    }

    /// Writes down how a round went, and says when the next one is due and whether an outage began, changed or ended.
    /// `chance` is from 0 to below 1.
    pub(super) fn note(
        &self,
        went: Result<Option<Duration>, &Trouble>,
        now: Timestamp,
        chance: f64,
    ) -> (Duration, bool) {
        let mut standing = self.standing.lock();
        match went {
            Ok(max_age) => {
                standing.fetched = Some(now);
                let ended = standing.failure.take().is_some();
                let asked = max_age.unwrap_or(self.source.every).max(LEAST_AGE).min(self.source.every);
                (asked.mul_f64(1.0 - 0.1 * chance).max(self.source.pause), ended)
            }
            Err(trouble) => {
                let before = standing.failure.take();
                let news = before.as_ref().is_none_or(|before| !before.trouble.is_like(trouble));
                let in_row = before.map_or(0, |before| before.in_row).saturating_add(1);
                standing.failed = standing.failed.saturating_add(1);
                standing.failure = Some(Failure { trouble: trouble.clone(), in_row });
                // The keys may have moved.
                standing.keys_url = None;
                let doubled = self.source.pause.saturating_mul(1 << in_row.min(16));
                let retry = doubled.min(MOST_RETRY).min(self.source.every);
                (retry.mul_f64(1.0 - 0.25 * chance).max(self.source.pause), news)
            }
        }
    }

    /// Forgets which kids are absent: other keys are in force.
    pub(super) fn forget_absent(&self) {
        self.standing.lock().absent.clear();
    }

    /// Gets the keys, by way of the metadata if these say where they are.
    pub(super) async fn fetch(&self, settings: &IssuerSettings, now: Timestamp) -> Result<Harvest, Trouble> {
        let url = match &self.source.at {
            KeysAt::Url(url) => url.clone(),
            KeysAt::Discovery => self.discover(settings, now).await?,
        };
        let fetched = self.get(&url).await?;
        let unusable = |why| Trouble::Unusable(format!("its keys at {url}: {why}"));
        let keys = key_file::published(&fetched.body, &settings.algorithms).map_err(unusable)?;
        Ok(Harvest { keys, max_age: max_age(&fetched.headers) })
    }

    async fn discover(&self, settings: &IssuerSettings, now: Timestamp) -> Result<Url, Trouble> {
        let known = self.standing.lock().keys_url.clone();
        let believed = |since: Timestamp| now.duration_since(since).unsigned_abs() < METADATA_FOR;
        if let Some((url, _)) = known.filter(|(_, since)| believed(*since)) {
            return Ok(url);
        }
        let place = metadata::place(&settings.issuer);
        let place = place.ok_or_else(|| Trouble::Unusable("its `issuer` is no URL of metadata".to_owned()))?;
        let fetched = self.get(&place).await?;
        let unusable = |why| Trouble::Unusable(format!("its metadata at {place}: {why}"));
        let url = metadata::keys_url(&fetched.body, &settings.issuer).map_err(unusable)?;
        self.standing.lock().keys_url = Some((url.clone(), now));
        Ok(url)
    }

    async fn get(&self, url: &Url) -> Result<Fetched, Trouble> {
        let fetched = self.fetcher.get(url).await;
        let fetched = fetched.map_err(|error| Trouble::Unreachable(format!("{url}: {error}")))?;
        match fetched.status {
            200 => Ok(fetched),
            status => Err(Trouble::Unreachable(format!("{url} answers with the status {status}"))),
        }
    }
}

impl Harvest {
    pub(super) fn max_age(&self) -> Option<Duration> {
        self.max_age
    }
}

impl Trouble {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Unreachable(text) | Self::Unusable(text) => text,
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Unreachable(text) => format!("it cannot be reached: {text}"),
            Self::Unusable(text) => format!("what it publishes cannot be used: {text}"),
        }
    }

    /// Whether it is of the same kind: another text alone is no news.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// RFC 9111, 5.2.2: `max-age`, or nothing at all for what must not be kept.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).map(str::trim);
    directives
        .filter_map(|directive| match directive.split_once('=') {
            Some((name, seconds)) if name.eq_ignore_ascii_case("max-age") => {
                seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
            }
            None if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") => {
                Some(Duration::ZERO)
            }
            _ => None,
        })
        .min()
}

#[cfg(test)]
#[path = "publication/tests.rs"]
mod tests;
