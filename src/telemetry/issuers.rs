//! How the published keys of each issuer are doing, as metrics. The label is the configured alias.

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;

/// One issuer that publishes its keys, at the time of a scrape.
#[derive(Clone, Debug)]
pub struct IssuerReading {
    /// Its alias.
    pub issuer: String,
    /// Keys in force.
    pub keys: u64,
    /// Seconds since they were last fetched; `None` if they never were.
    pub age: Option<f64>,
    /// The last fetch brought nothing.
    pub failing: bool,
    /// Fetches so far.
    pub fetches: u64,
    /// Fetches that brought nothing.
    pub failures: u64,
}

type Read<T> = fn(&IssuerReading) -> T;

const GAUGES: [(&str, &str, Read<Option<f64>>); 3] = [
    ("issuer_keys", "Published keys of an issuer that are in force", |one| Some(one.keys as f64)),
    ("issuer_keys_age_seconds", "Time since the published keys of an issuer were last fetched", |one| one.age),
    ("issuer_keys_failing", "1 while the last fetch of an issuer's keys brought nothing", |one| {
        Some(f64::from(u8::from(one.failing)))
    }),
];
const COUNTERS: [(&str, &str, Read<u64>); 2] = [
    ("issuer_key_fetches", "Times that the keys of an issuer were asked for", |one| one.fetches),
    ("issuer_key_failures", "Times that this brought nothing", |one| one.failures),
];

/// Writes all of it; every metric is described, also without an issuer.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, readings: &[IssuerReading]) -> fmt::Result {
    for (name, help, read) in GAUGES {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (one, value) in readings.iter().filter_map(|one| Some((one, read(one)?))) {
            metric.encode_family(&[("issuer", one.issuer.as_str())])?.encode_gauge(&value)?;
        }
    }
    for (name, help, read) in COUNTERS {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for one in readings {
            let labels = [("issuer", one.issuer.as_str())];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&read(one), None)?;
        }
    }
    Ok(())
}
