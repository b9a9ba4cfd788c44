//! The access to one source: whether it may be asked now, how many at a time, and how often again.
//!
//! All that is asked of a source goes through [`Access::ask`]. In this order: its health is looked at; a slot is waited
//! for; leave is taken; it is asked, and a small answer that does not begin in time is asked for once more (a hedge);
//! what failed may be tried again after a pause. Every try counts for the source's health.
//!
//! INVARIANT (bounded effort): one request makes at most `retries` further tries and one hedge, each out of a budget, and
//! none of them begins later than `answer_timeout` after it began. Only GETs are made, and never again once bytes of
//! an answer were handed on.

use super::{
    body::Body,
    budget::Budget,
    chance::Chance,
    circuit::{Rules, Sign},
    error::SourceError,
    health::{Health, Pass},
    latency::Latencies,
    observer::Observed,
    settings::{FailureSettings, Hedge},
    slots::{Slot, Slots},
    state::SourceState,
    transport::Timeouts,
};
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The pause before the first retry is up to this, before the second up to twice that, and so on.
const PAUSE: Duration = Duration::from_millis(200);
/// Retries for a hundred requests.
const RETRY_SHARE: u32 = 20;
/// Hedges for a hundred requests.
const HEDGE_SHARE: u32 = 10;
/// No hedge is made sooner, however fast a source is: much of this may be our own scheduling.
const SOONEST_HEDGE: Duration = Duration::from_millis(50);

/// What a request is like.
#[derive(Clone, Copy)]
pub(super) struct Errand {
    /// A hash of what it is about, a module mostly.
    pub(super) subject: u64,
    /// Its answer is handed on as it comes.
    pub(super) streamed: bool,
    /// A second request at the same time may help.
    pub(super) hedged: bool,
    /// Another source is asked when this one fails, so nobody should wait for long.
    pub(super) alternative: bool,
}

/// What holds for all sources of an instance.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) failures: FailureSettings,
    pub(super) timeouts: Timeouts,
    pub(super) chance: Arc<Chance>,
    pub(super) observed: Observed,
    /// Streams are handed on as slowly as clients take them ([`SourceSettings::inside`](super::SourceSettings::inside)), so
    /// they hold no slot: else slow clients would keep everybody from the source.
    pub(super) hands_on: bool,
}

/// The access to one source.
pub(super) struct Access {
    source: Arc<str>,
    terms: Terms,
    health: Arc<Health>,
    slots: Slots,
    retry_budget: Budget,
    hedge_budget: Budget,
    latencies: Latencies,
    retries: AtomicU64,
    hedges: AtomicU64,
    refused: AtomicU64,
}

impl Access {
    pub(super) fn new(source: Arc<str>, terms: &Terms) -> Self {
        let FailureSettings { threshold, cool_down, max_cool_down, max_in_flight, .. } = terms.failures;
        let rules = Rules { threshold, cool_down, max_cool_down };
        Self {
            health: Health::new(Arc::clone(&source), rules, Arc::clone(&terms.chance)),
            source,
            slots: Slots::new(max_in_flight),
            retry_budget: Budget::new(RETRY_SHARE),
            hedge_budget: Budget::new(HEDGE_SHARE),
            latencies: Latencies::new(),
            terms: terms.clone(),
            retries: AtomicU64::new(0),
            hedges: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// How it is doing; `list` is the configuration's key of the list that it stands in.
    pub(super) fn state(&self, list: &Arc<str>) -> SourceState {
        SourceState {
            list: Arc::clone(list),
            source: Arc::clone(&self.source),
            standing: self.health.standing(),
            changes: self.health.changes(),
            skipped: self.health.skipped(),
            retries: self.retries.load(Relaxed),
            hedges: self.hedges.load(Relaxed),
            refused: self.refused.load(Relaxed),
            in_flight: self.slots.taken(),
            waiting: self.slots.waiting(),
        }
    }

    /// Asks with `open`, which sends one request and waits for the head of its answer. All but what is streamed is whole
    /// when this returns.
    pub(super) async fn ask<A>(&self, errand: Errand, open: impl Fn() -> A) -> Result<Body, SourceError>
    where
        A: Future<Output = Result<Body, SourceError>>,
    {
        self.retry_budget.earn();
        self.hedge_budget.earn();
        let limits = Limits::of(errand, self.terms.timeouts);
        let mut error = match self.attempt(errand, &limits, &open).await {
            Ok(body) => return Ok(body),
            Err(Miss::Unasked(error)) => return Err(error),
            Err(Miss::Failed(error)) => error,
        };
        for retry in 0..self.terms.failures.retries {
            let pause = PAUSE.saturating_mul(1 << retry.min(8)).mul_f64(self.terms.chance.draw());
            if !is_worth_retrying(&error, errand) || !self.may_retry(&limits, pause) {
                break;
            }
            self.retries.fetch_add(1, Relaxed);
            sleep(pause).await;
            error = match self.attempt(errand, &limits, &open).await {
                Ok(body) => return Ok(body),
                // What the source did before says more than that it is left alone now.
                Err(Miss::Unasked(_)) => return Err(error),
                Err(Miss::Failed(error)) => error,
            };
        }
        Err(error)
    }

    fn may_retry(&self, limits: &Limits, pause: Duration) -> bool {
        Instant::now() + pause < limits.last_begin && !self.health.is_closed_to_all() && self.retry_budget.spend()
    }

    /// One try, from the door to the whole answer (or the head of one that is streamed).
    async fn attempt<A>(&self, errand: Errand, limits: &Limits, open: &impl Fn() -> A) -> Result<Body, Miss>
    where
        A: Future<Output = Result<Body, SourceError>>,
    {
        let (mut pass, slot) = self.enter(limits).await.map_err(Miss::Unasked)?;
        let mut answered = false;
        let trying = async {
            let began = Instant::now();
            let body = self.head(errand, &pass, open).await?;
            answered = true;
            pass.answered();
            if errand.streamed {
                return Ok(body);
            }
            self.latencies.note(began.elapsed());
            let told = body.told.clone();
            let whole = body.whole(&self.source, self.terms.timeouts.whole).await;
            whole.map(|bytes| Body::of(bytes).told(told))
        };
        let late = || SourceError::TimedOut { at: Arc::clone(&self.source), waiting: limits.waiting };
        let tried = timeout_at(limits.end, trying).await.unwrap_or_else(|_| Err(late()));
        match self.terms.observed.tell(tried) {
            Ok(body) if errand.streamed => {
                let slot = (!self.terms.hands_on).then_some(slot);
                Ok(accompanied(body, pass, slot, errand.subject))
            }
            Ok(body) => {
                pass.ended(Sign::Life);
                Ok(body)
            }
            Err(error) => {
                pass.ended(sign(&error, answered, errand.subject));
                Err(Miss::Failed(error))
            }
        }
    }

    /// Leave and a slot. Asked for leave last, since the wait for a slot may have shown that the source is down.
    async fn enter(&self, limits: &Limits) -> Result<(Pass, Slot), SourceError> {
        if let Some(refusal) = self.health.refusal() {
            return Err(refusal);
        }
        let Some(slot) = self.slots.take(limits.last_begin).await else {
            self.refused.fetch_add(1, Relaxed);
            return Err(SourceError::Overloaded { at: Arc::clone(&self.source), retry_after: None });
        };
        Ok((self.health.admit()?, slot))
    }

    /// The head of an answer, from the first of at most two requests that gets one.
    async fn head<A>(&self, errand: Errand, pass: &Pass, open: &impl Fn() -> A) -> Result<Body, SourceError>
    where
        A: Future<Output = Result<Body, SourceError>>,
    {
        let mut first = pin!(open());
        // A probe is one request.
        let Some(delay) = self.hedge_delay().filter(|_| errand.hedged && !pass.is_probe()) else {
            return first.await;
        };
        if let Ok(head) = timeout(delay, &mut first).await {
            return head;
        }
        let Some(_slot) = self.slots.spare() else { return first.await };
        if !self.hedge_budget.spend() {
            return first.await;
        }
        self.hedges.fetch_add(1, Relaxed);
        let second = pin!(open());
        match select(first, second).await {
            Either::Left((Err(error), second)) if is_outage(&error) => second.await.map_err(|_| error),
            Either::Right((Err(error), first)) if is_outage(&error) => first.await,
            Either::Left((head, _)) | Either::Right((head, _)) => head,
        }
    }

    fn hedge_delay(&self) -> Option<Duration> {
        match self.terms.failures.hedge {
            Hedge::Off => None,
            Hedge::After(delay) => Some(delay),
            Hedge::Adaptive => self.latencies.high().map(|high| high.max(SOONEST_HEDGE)),
        }
    }
}

/// Why a try brought nothing.
enum Miss {
    /// Nothing was sent.
    Unasked(SourceError),
    Failed(SourceError),
}

/// The time that one request has, all its tries together.
struct Limits {
    /// No try begins, and none waits for a slot, after this.
    last_begin: Instant,
    /// When a small answer must be whole, or a streamed one have begun.
    end: Instant,
    /// What is waited for then.
    waiting: &'static str,
}

impl Limits {
    fn of(errand: Errand, timeouts: Timeouts) -> Self {
        let now = Instant::now();
        let (time, waiting) = match errand.streamed {
            true => (timeouts.answer.saturating_mul(2), "the head of an answer"),
            false => (timeouts.whole, "the end of the answer"),
        };
        Self { last_begin: now + timeouts.answer, end: now + time, waiting }
    }
}

fn is_outage(error: &SourceError) -> bool {
    match error {
        SourceError::Status { .. }
        | SourceError::Failed { .. }
        | SourceError::TimedOut { .. }
        | SourceError::Loop { .. } => true,
        SourceError::Absent { .. }
        | SourceError::NoSource { .. }
        | SourceError::Refused { .. }
        | SourceError::Overloaded { .. }
        | SourceError::TooLarge { .. }
        | SourceError::Invalid { .. } => false,
    }
}

/// 5xx, resets and time-outs; after a time-out not if somebody else can be asked instead.
fn is_worth_retrying(error: &SourceError, errand: Errand) -> bool {
    match error {
        SourceError::Status { status, .. } => *status >= 500,
        SourceError::Failed { .. } => true,
        SourceError::TimedOut { .. } => !errand.alternative,
        _ => false,
    }
}

/// What an error says about the source's health; `answered`: the head of an answer had come.
fn sign(error: &SourceError, answered: bool, subject: u64) -> Sign {
    match error {
        SourceError::Overloaded { retry_after: Some(wish), .. } => Sign::Busy(*wish),
        SourceError::Status { .. } => Sign::Trouble(subject),
        error if is_outage(error) && answered => Sign::Trouble(subject),
        error if is_outage(error) => Sign::Silence,
        _ => Sign::Life,
    }
}

/// A streamed body with the slot and the pass that it holds until its end.
fn accompanied(body: Body, pass: Pass, slot: Option<Slot>, subject: u64) -> Body {
    let Body { length, bytes, told } = body;
    let bytes = stream::unfold(Some((bytes, pass, slot)), move |state| async move {
        let (mut bytes, mut pass, slot) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => Some((Ok(piece), Some((bytes, pass, slot)))),
            Some(Err(error)) => {
                pass.ended(sign(&error, true, subject));
                Some((Err(error), None))
            }
            None => {
                pass.ended(Sign::Life);
                None
            }
        }
    });
    Body { length, bytes: bytes.boxed(), told }
}
