//! What rounds come to: medians of each server, and medians of the ratios to the first server, round by round.
//!
//! Ratios are taken between the rounds that ran one after the other, because a machine's speed drifts; their spread is
//! told beside them.

use crate::{answers::Kind, connection::Protocol, round::Round};

/// All rounds of one shape.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Comparison {
    /// What was asked for.
    pub(crate) kind: Kind,
    /// How.
    pub(crate) protocol: Protocol,
    /// On how many connections.
    pub(crate) connections: usize,
    /// With how many requests at a time on each.
    pub(crate) streams: usize,
    /// The servers, the one that the others are compared with first.
    pub(crate) servers: Vec<Column>,
}

/// One server's rounds, in the order in which they ran.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Column {
    /// The server's name.
    pub(crate) server: String,
    /// Its rounds.
    pub(crate) rounds: Vec<Round>,
}

/// Something that a round measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Requests per second.
    Rate,
    /// Median latency, microseconds.
    P50,
    /// 99th percentile of latency, microseconds.
    P99,
    /// CPU seconds per 1,000 requests, without the index.
    Cpu,
    /// CPU seconds of the index per 1,000 requests.
    Index,
    /// Resident memory, bytes.
    Resident,
}

/// Median and spread of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Ratio {
    /// The middle one.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) greatest: f64,
}

impl Measure {
    /// The columns of the tables.
    pub(crate) const SHOWN: [Self; 5] = [Self::Rate, Self::P50, Self::P99, Self::Cpu, Self::Resident];

    fn of(self, round: &Round) -> f64 {
        let requests = (round.requests as f64).max(1.0);
        match self {
            Self::Rate => requests / round.seconds.max(f64::MIN_POSITIVE),
            Self::P50 => round.p50_us,
            Self::P99 => round.p99_us,
            Self::Cpu => round.cpu.serving / requests * 1_000.0,
            Self::Index => round.cpu.index / requests * 1_000.0,
            Self::Resident => round.resident as f64,
        }
    }
}

impl Column {
    /// The median of a measure over the rounds.
    pub(crate) fn median(&self, measure: Measure) -> f64 {
        median(self.rounds.iter().map(|round| measure.of(round)).collect())
    }

    /// The ratio of a measure to the rounds of `first` that ran beside these; none where `first` measured nothing.
    pub(crate) fn ratio(&self, first: &Self, measure: Measure) -> Option<Ratio> {
        let pairs = self.rounds.iter().zip(&first.rounds);
        let ratios: Vec<f64> = pairs.map(|(round, beside)| measure.of(round) / measure.of(beside)).collect();
        let (least, greatest) =
            ratios.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), &ratio| (least.min(ratio), most.max(ratio)));
        let median = median(ratios);
        (median.is_finite() && greatest.is_finite()).then_some(Ratio { median, least, greatest })
    }
}

/// The middle value, or the mean of the two in the middle; NaN of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(&value), 1) => value,
        (Some(&value), _) => (value + values.get(middle - 1).copied().unwrap_or(value)) / 2.0,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::Cpu;
    use proptest::prelude::*;

    fn round(requests: u64, serving: f64) -> Round {
        Round {
            requests,
            seconds: 2.0,
            p50_us: 10.0,
            p99_us: 20.0,
            cpu: Cpu { serving, index: 0.0, ended: 0.0 },
            client_cpu: 0.0,
            foreign: 0.0,
            resident: 1 << 20,
            suite: String::new(),
        }
    }

    fn column(rounds: &[(u64, f64)]) -> Column {
        let rounds = rounds.iter().map(|&(requests, serving)| round(requests, serving)).collect();
        Column { server: String::new(), rounds }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine was three times as slow in the second round and twice in the third, for both.
        let first = column(&[(1_000, 1.0), (1_000, 3.0), (1_000, 2.0)]);
        let other = column(&[(1_000, 0.5), (1_000, 1.5), (1_000, 1.2)]);
        let ratio = other.ratio(&first, Measure::Cpu).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.greatest), (0.5, 0.5, 0.6));
        assert_eq!(other.median(Measure::Cpu), 1.2);
        assert_eq!(first.median(Measure::Rate), 500.0);
    }

    #[test]
    fn there_is_no_ratio_to_nothing() {
        let (first, other) = (column(&[(1_000, 1.0)]), column(&[(1_000, 1.0)]));
        assert_eq!(other.ratio(&first, Measure::Index), None);
        assert_eq!(column(&[]).ratio(&column(&[]), Measure::Cpu), None);
    }

    proptest! {
        #[test]
        fn a_median_has_as_many_on_either_side(values in proptest::collection::vec(-1e6..1e6_f64, 1..50)) {
            let middle = median(values.clone());
            let below = values.iter().filter(|&&value| value < middle).count();
            let above = values.iter().filter(|&&value| value > middle).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
        }
    }
}
