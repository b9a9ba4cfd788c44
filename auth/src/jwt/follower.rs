//! The follower: a task for each issuer that publishes its keys, which fetches them ahead and again on a schedule, and is the
//! only one that does.

use super::issuer::{Alias, Issuer, KeyNews};
use super::issuers::Issuers;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Tells the time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Is told what is worth telling.
type Report = Arc<dyn Fn(&Alias, &KeyNews) + Send + Sync>;

/// How the published keys of an issuer are doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyState {
    /// Whose.
    pub alias: String,
    /// In a word.
    pub standing: KeyStanding,
    /// How many are in force.
    pub keys: usize,
    /// How long ago they were last fetched.
    pub age: Option<Duration>,
    /// Why the last fetch brought nothing, if it did not.
    pub failure: Option<String>,
    /// Fetches so far.
    pub fetches: u64,
    /// Fetches that brought nothing.
    pub failures: u64,
}

/// How published keys are doing, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyStanding {
    /// The last fetch was good.
    Fresh,
    /// No others could be had since; those that were there are used.
    Stale,
    /// There are none: new tokens of this issuer cannot be judged.
    Missing,
}

impl KeyStanding {
    /// The word: `fresh`, `stale` or `missing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

impl Issuers {
    /// Fetches what issuers publish, now and from now on, on a task of `background` for each. Returns at once. `seed` makes
    /// the times of instances fall apart. `report` is told of other keys and of outages, each once.
    pub fn follow(self: &Arc<Self>, background: &Handle, clock: Clock, seed: u64, report: Report) {
        let published = self.iter().enumerate().filter(|(_, issuer)| issuer.publication().is_some());
        for (by, number) in published.map(|(by, _)| by).zip(0_u64..) {
            let chance = Chance(seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            let (issuers, clock, report) = (Arc::clone(self), Arc::clone(&clock), Arc::clone(&report));
            background.spawn(async move {
                if let Some(issuer) = issuers.get(by) {
                    issuers.keep(issuer, &clock, chance, &report).await;
                }
            });
        }
    }

    /// Has all published keys fetched again as soon as may be.
    pub fn renew(&self) {
        let publications = self.iter().filter_map(Issuer::publication);
        publications.for_each(|publication| publication.want(publication.next()));
    }

    /// How the published keys of each issuer are doing; nothing of those whose keys come from a file.
    pub fn states(&self, now: Timestamp) -> Vec<KeyState> {
        let state = |issuer: &Issuer| {
            let (doing, keys) = (issuer.publication()?.doing(), issuer.key_count(now));
            Some(KeyState {
                alias: issuer.settings().alias.to_string(),
                standing: match (keys, &doing.failure) {
                    (0, _) => KeyStanding::Missing,
                    (_, Some(_)) => KeyStanding::Stale,
                    (_, None) => KeyStanding::Fresh,
                },
                keys,
                age: doing.fetched.map(|fetched| now.duration_since(fetched).unsigned_abs()),
                failure: doing.failure,
                fetches: doing.rounds,
                failures: doing.failed,
            })
        };
        self.iter().filter_map(state).collect()
    }

    async fn keep(&self, issuer: &Issuer, clock: &Clock, mut chance: Chance, report: &Report) {
        let Some(publication) = issuer.publication() else { return };
        loop {
            let began = Instant::now();
            let round = publication.begin(began);
            let went = publication.fetch(issuer.settings(), clock()).await;
            let now = clock();
            let (due, news) = issuer.renew(publication, went, now, chance.draw());
            if news.iter().any(|one| matches!(one, KeyNews::Replaced { .. } | KeyNews::Dropped)) {
                self.forget(now);
            }
            publication.end(round);
            news.iter().for_each(|one| report(&issuer.settings().alias, one));
            publication.pause(round, began, due).await;
        }
    }
}

/// A SplitMix64 generator, for pauses that must not fall together with those of other instances.
struct Chance(u64);

impl Chance {
    /// From 0 to below 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The 53 bits that a float holds exactly.
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
