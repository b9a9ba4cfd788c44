//! How each source is doing, as metrics. The labels are what the configuration names, so their number is bounded by it.

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;

/// One source at the time of a scrape.
#[derive(Clone, Debug)]
pub struct SourceReading {
    /// The configuration's key of the list that it stands in.
    pub list: String,
    /// Its printable name.
    pub source: String,
    /// Every state that there is, whether it is in it, and how often it came into it.
    pub states: Vec<(&'static str, bool, u64)>,
    /// Requests answered without asking.
    pub skipped: u64,
    /// Requests made again.
    pub retries: u64,
    /// Requests made a second time.
    pub hedges: u64,
    /// Requests refused because too many waited.
    pub refused: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// Requests that wait.
    pub waiting: u64,
}

type Read = fn(&SourceReading) -> u64;

const COUNTERS: [(&str, &str, Read); 4] = [
    ("source_skipped", "Requests answered without asking a source that keeps failing", |one| one.skipped),
    ("source_retries", "Requests to a source that were made again", |one| one.retries),
    ("source_hedges", "Requests to a source that were made a second time because the first took long", |one| {
        one.hedges
    }),
    ("source_refused", "Requests refused because too many waited for a source", |one| one.refused),
];
const GAUGES: [(&str, &str, Read); 2] = [
    ("source_in_flight", "Requests to a source in flight", |one| one.in_flight),
    ("source_waiting", "Requests that wait until fewer are in flight", |one| one.waiting),
];

/// Writes all of it; every metric is described, also without a source.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, readings: &[SourceReading]) -> fmt::Result {
    let mut metric =
        encoder.encode_descriptor("source_state", "1 for the state a source is in", None, MetricType::Gauge)?;
    for one in readings {
        for (state, holds, _) in &one.states {
            labelled(&mut metric, one, ("state", state), |mut metric| metric.encode_gauge(&u64::from(*holds)))?;
        }
    }
    let help = "How often a source came into a state";
    let mut metric = encoder.encode_descriptor("source_transitions", help, None, MetricType::Counter)?;
    for one in readings {
        for (state, _, entered) in &one.states {
            let count = |mut metric: MetricEncoder<'_>| metric.encode_counter::<NoLabelSet, u64, f64>(entered, None);
            labelled(&mut metric, one, ("to", state), count)?;
        }
    }
    for (name, help, read) in COUNTERS {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for one in readings {
            metric.encode_family(&labels(one))?.encode_counter::<NoLabelSet, u64, f64>(&read(one), None)?;
        }
    }
    for (name, help, read) in GAUGES {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for one in readings {
            metric.encode_family(&labels(one))?.encode_gauge(&read(one))?;
        }
    }
    Ok(())
}

fn labels(one: &SourceReading) -> [(&'static str, &str); 2] {
    [("list", &one.list), ("source", &one.source)]
}

fn labelled(
    metric: &mut MetricEncoder<'_>,
    one: &SourceReading,
    more: (&'static str, &str),
    encode: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let [list, source] = labels(one);
    encode(metric.encode_family(&[list, source, more])?)
}
