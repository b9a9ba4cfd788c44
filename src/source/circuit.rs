//! When a source is asked: the state machine, without clocks, locks or chance of its own.
//!
//! ```text
//!            enough failures            the cool-down is over: one request is the probe
//!   Closed ───────────────────▶ Open ──────────────────────────────────────────────────▶ Probing
//!      ▲                         ▲                   it fails, and the next cool-down is longer │
//!      │                         └─────────────────────────────────────────────────────────────┤
//!      └───────────────────────────────────────────────────────────────────────────────────────┘
//!                                         an answer, whatever it says
//! ```
//!
//! What counts as a failure is an outage of the source, never its answer: 404, 403 and 429 are signs of life. A source
//! that gives *no* answer (no connection, a reset, a time-out, ourselves) counts each time. One that fails *while
//! answering* (5xx, a body that breaks off) may do so for a single module that it cannot get, and asked again and again
//! that must not close it to all others: so this counts once a module until there is a sign of life.
//!
//! A 429 with Retry-After holds everything off for that long, bounded like a cool-down.
//!
//! INVARIANT: there is at most one probe at a time. INVARIANT: what began before the last opening or probe changes nothing;
//! its [`Leave`] is of an earlier generation.

use std::time::Duration;
use tokio::time::Instant;

/// Requests of [`WINDOW`] to twice that, from which on their share of failures counts.
const MANY: u32 = 20;
/// How long the recent past is.
const WINDOW: Duration = Duration::from_secs(10);

/// What opens a circuit, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Failures in a row.
    pub(super) threshold: u32,
    /// The first cool-down.
    pub(super) cool_down: Duration,
    /// The longest.
    pub(super) max_cool_down: Duration,
}

/// How a request ended, as far as the source's health goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sign {
    /// It answered, be it with a refusal.
    Life,
    /// It gave no answer.
    Silence,
    /// It failed while answering about this subject (a hash).
    Trouble(u64),
    /// It asks to be left alone for so long.
    Busy(Duration),
}

/// What is to be seen of a circuit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is asked.
    Closed,
    /// It is not asked before the time that it named itself.
    HeldOff,
    /// The next request, or one under way, will show whether it is well again.
    HalfOpen,
    /// It is not asked.
    Open,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Closed, Self::HeldOff, Self::HalfOpen, Self::Open];

    /// As it is shown.
    pub fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HeldOff => "held_off",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Leave to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Leave {
    generation: u64,
    probe: bool,
}

impl Leave {
    pub(super) fn is_probe(self) -> bool {
        self.probe
    }
}

/// Why there is no leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It is failing. There is a probe under way, or there will be one after so long.
    Failing(Option<Duration>),
    /// It wants to be left alone for so long.
    HeldOff(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    Probing,
}

/// The circuit of one source.
pub(super) struct Circuit {
    rules: Rules,
    state: State,
    held_off: Option<Instant>,
    generation: u64,
    /// Silences since the last sign of life.
    silences: u32,
    /// Subjects with trouble since the last sign of life; no more than the threshold.
    troubles: Vec<u64>,
    /// Signs of life since the last failure.
    calm: u32,
    /// Openings since it was last well for a while.
    openings: u32,
    recent: Recent,
}

impl Circuit {
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            state: State::Closed,
            held_off: None,
            generation: 0,
            silences: 0,
            troubles: Vec::new(),
            calm: 0,
            openings: 0,
            recent: Recent::new(now),
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Probing => Standing::HalfOpen,
            State::Open { until } if now >= until => Standing::HalfOpen,
            State::Open { .. } => Standing::Open,
            State::Closed if self.held_off.is_some_and(|until| now < until) => Standing::HeldOff,
            State::Closed => Standing::Closed,
        }
    }

    /// Whether somebody who asked now would be refused.
    pub(super) fn refusal(&self, now: Instant) -> Option<Refusal> {
        match (self.state, self.held_off) {
            (State::Probing, _) => Some(Refusal::Failing(None)),
            (State::Open { until }, _) if now < until => {
                Some(Refusal::Failing(Some(until.saturating_duration_since(now))))
            }
            (_, Some(until)) if now < until => Some(Refusal::HeldOff(until.saturating_duration_since(now))),
            _ => None,
        }
    }

    /// Leave to ask once. A cool-down that is over makes that the probe.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Leave, Refusal> {
        if let Some(refusal) = self.refusal(now) {
            return Err(refusal);
        }
        let probe = matches!(self.state, State::Open { .. });
        if probe {
            self.state = State::Probing;
            self.generation = self.generation.wrapping_add(1);
        }
        Ok(Leave { generation: self.generation, probe })
    }

    /// The head of an answer came. For a probe that is enough; else it counts when all of it is there.
    pub(super) fn answered(&mut self, leave: &mut Leave) {
        if leave.generation == self.generation && std::mem::take(&mut leave.probe) {
            self.close();
        }
    }

    /// A request ended. `chance` (0 to 1) spreads the cool-down.
    pub(super) fn ended(&mut self, leave: Leave, sign: Sign, now: Instant, chance: f64) {
        if leave.generation != self.generation {
            return;
        }
        if leave.probe && !matches!(sign, Sign::Silence | Sign::Trouble(_)) {
            self.close();
        }
        match sign {
            Sign::Life => self.lives(now),
            Sign::Busy(wish) => {
                self.held_off = now.checked_add(wish.min(self.rules.max_cool_down));
                self.lives(now);
            }
            Sign::Silence => {
                self.silences = self.silences.saturating_add(1);
                self.recent.note(true, now);
                self.fails(leave, now, chance);
            }
            Sign::Trouble(subject) => {
                if !self.troubles.contains(&subject) {
                    self.troubles.push(subject);
                }
                self.fails(leave, now, chance);
            }
        }
    }

    /// A request was given up by whoever made it; a probe may be made again at once.
    pub(super) fn abandoned(&mut self, leave: Leave, now: Instant) {
        if leave.probe && leave.generation == self.generation {
            self.state = State::Open { until: now };
        }
    }

    fn lives(&mut self, now: Instant) {
        self.silences = 0;
        self.troubles.clear();
        self.recent.note(false, now);
        self.calm = self.calm.saturating_add(1);
        // Not after the first: a source that comes and goes is left alone for longer each time.
        if self.calm >= self.rules.threshold {
            self.openings = 0;
        }
    }

    fn fails(&mut self, leave: Leave, now: Instant, chance: f64) {
        self.calm = 0;
        let troubles = u32::try_from(self.troubles.len()).unwrap_or(u32::MAX);
        let in_a_row = self.silences.saturating_add(troubles);
        if leave.probe || in_a_row >= self.rules.threshold || self.recent.is_bad() {
            self.open(now, chance);
        }
    }

    fn open(&mut self, now: Instant, chance: f64) {
        let doubled = 1_u32.checked_shl(self.openings.min(16)).unwrap_or(1);
        let most = self.rules.cool_down.saturating_mul(doubled).min(self.rules.max_cool_down);
        self.openings = self.openings.saturating_add(1);
        self.generation = self.generation.wrapping_add(1);
        self.state = State::Open { until: now + most.mul_f64(0.75 + 0.25 * chance.clamp(0.0, 1.0)) };
        self.forget(now);
    }

    fn close(&mut self) {
        self.state = State::Closed;
    }

    fn forget(&mut self, now: Instant) {
        self.silences = 0;
        self.troubles.clear();
        self.recent = Recent::new(now);
    }
}

/// Requests of the last [`WINDOW`] to twice that.
struct Recent {
    began: Instant,
    current: Tally,
    previous: Tally,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    all: u32,
    failed: u32,
}

impl Recent {
    fn new(now: Instant) -> Self {
        Self { began: now, current: Tally::default(), previous: Tally::default() }
    }

    fn note(&mut self, failed: bool, now: Instant) {
        let age = now.saturating_duration_since(self.began);
        if age >= WINDOW {
            self.previous = if age < WINDOW * 2 { self.current } else { Tally::default() };
            self.current = Tally::default();
            self.began = now;
        }
        self.current.all = self.current.all.saturating_add(1);
        self.current.failed = self.current.failed.saturating_add(u32::from(failed));
    }

    /// Half of many failed.
    fn is_bad(&self) -> bool {
        let all = self.current.all.saturating_add(self.previous.all);
        let failed = self.current.failed.saturating_add(self.previous.failed);
        all >= MANY && failed >= all.div_ceil(2)
    }
}
