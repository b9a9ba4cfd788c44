//! The metrics as OpenMetrics text, taken at the scrape. A series that never counted is left out.

use super::{Metrics, place, place4};
use crate::telemetry::label::{
    Cache, ConnectionEnd, Decision, Kind, Label, Limit, Reloaded, StatusClass, Success, Upstream,
};
use crate::telemetry::{
    cells::{Counters, Histogram},
    issuers, sources,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::{PoisonError, atomic::Ordering::Relaxed};

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.encode_requests(encoder)?;
        self.encode_durations(encoder)?;
        Self::encode_single::<Upstream>(encoder, "upstream_requests", "Requests to sources", &self.upstream)?;
        let help = "Connections refused or ended from this side";
        Self::encode_single::<ConnectionEnd>(encoder, "connections_ended", help, &self.connections_ended)?;
        self.encode_reloads(encoder)?;
        let help = "Requests over a limit that waited for their turn";
        Self::encode_single::<Limit>(encoder, "limit_delayed", help, &self.limit_delayed)?;
        let help = "Requests over a limit that were refused";
        Self::encode_single::<Limit>(encoder, "limit_refused", help, &self.limit_refused)?;

        let in_flight = self.requests.iter().map(|requests| requests.in_flight.load(Relaxed)).sum::<i64>();
        let gauges = [
            ("requests_in_flight", "Requests whose answer is not complete", in_flight),
            ("connections_open", "Open connections", self.connections_open.load(Relaxed)),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        let counters = [
            ("panics", "Request handlers that panicked", &self.panics),
            ("connections", "Accepted connections", &self.connections),
        ];
        for (name, help, value) in counters {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, u64, f64>(&value.load(Relaxed), None)?;
        }

        let version = [("version", env!("CARGO_PKG_VERSION"))];
        encode_info(encoder, "build", "The running version", &version)?;
        if let Some(digest) = self.policy.load_full() {
            encode_info(encoder, "policy", "The policy in force", &[("digest", digest.as_str())])?;
        }
        self.encode_readings(encoder)?;
        let registered = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources::encode(encoder, &registered.as_ref().map(|read| read()).unwrap_or_default())?;
        let registered = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers::encode(encoder, &registered.as_ref().map(|read| read()).unwrap_or_default())
    }
}

impl Metrics {
    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor("requests", "Answered requests", None, MetricType::Counter)?;
        for &kind in Kind::ALL {
            for &status in StatusClass::ALL {
                for &decision in Decision::ALL {
                    for &cache in Cache::ALL {
                        let place = place4(kind, status, decision, cache);
                        let total = self.requests.iter().map(|requests| requests.answered.get(place)).sum();
                        let labels = [pair(kind), pair(status), pair(decision), pair(cache)];
                        encode_counter(&mut metric, &labels, total)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from a request's head to its answer's head";
        let mut metric = encoder.encode_descriptor("request_duration_seconds", help, None, MetricType::Histogram)?;
        for &kind in Kind::ALL {
            for &cache in Cache::ALL {
                let durations = self.requests.iter().filter_map(|requests| requests.durations.get(place(kind, cache)));
                let (sum, total, buckets) = Histogram::read(durations);
                if total > 0 {
                    let labels = [pair(kind), pair(cache)];
                    metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)?;
                }
            }
        }
        Ok(())
    }

    fn encode_single<L: Label>(
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        counters: &Counters,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for &value in L::ALL {
            encode_counter(&mut metric, &[pair(value)], counters.get(value.index()))?;
        }
        Ok(())
    }

    fn encode_reloads(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What was read again while running, and whether it was good";
        let mut metric = encoder.encode_descriptor("reloads", help, None, MetricType::Counter)?;
        for &what in Reloaded::ALL {
            for &result in Success::ALL {
                encode_counter(&mut metric, &[pair(what), pair(result)], self.reloads.get(place(what, result)))?;
            }
        }
        Ok(())
    }

    fn encode_readings(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        for (reading, closure) in readings.iter() {
            let exposed = reading.exposed();
            let kind = if exposed.counter { MetricType::Counter } else { MetricType::Gauge };
            let mut metric = encoder.encode_descriptor(exposed.name, exposed.help, None, kind)?;
            if exposed.counter {
                metric.encode_counter::<NoLabelSet, f64, f64>(&closure(), None)?;
            } else {
                metric.encode_gauge(&closure())?;
            }
        }
        Ok(())
    }
}

fn pair<L: Label>(value: L) -> (&'static str, &'static str) {
    (L::NAME, value.text())
}

fn encode_counter<S: EncodeLabelSet>(metric: &mut MetricEncoder<'_>, labels: &S, total: u64) -> fmt::Result {
    if total == 0 {
        return Ok(());
    }
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, u64, f64>(&total, None)
}

fn encode_info(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, labels: &[(&str, &str); 1]) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
}
