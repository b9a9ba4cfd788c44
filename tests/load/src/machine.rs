//! Where a run took place, and what about it may make its figures doubtful.

use crate::{comparison::Comparison, round::cores};
use std::{collections::BTreeSet, fs};

/// From this part of the machine's CPU time on, used by others, a run is called disturbed.
const DISTURBED: f64 = 0.05;

/// The machine, before the first round.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: f64,
    kernel: String,
    /// Load averages of 1, 5 and 15 minutes.
    load: String,
}

impl Machine {
    /// Looks at it.
    pub(crate) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: cores(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }

    /// What it is.
    pub(crate) fn place(&self) -> String {
        format!("{} × {}, Linux {}, load before {}", self.cores, self.processor, self.kernel, self.load)
    }

    /// What to say below a table.
    pub(crate) fn notes(&self, shapes: &[Comparison]) -> Vec<String> {
        let rounds = || shapes.iter().flat_map(|shape| &shape.servers).flat_map(|column| &column.rounds);
        let suites: BTreeSet<_> = rounds().map(|round| round.suite.as_str()).collect();
        let foreign = rounds().map(|round| round.foreign).fold(0.0, f64::max);
        let ended = rounds().filter(|round| round.cpu.ended > 0.0).count();
        let each = shapes.iter().flat_map(|shape| &shape.servers).map(|column| column.rounds.len()).max().unwrap_or(0);
        let mut notes = vec![
            self.place(),
            format!("median of {each} interleaved rounds; (ratio to the first server; CPU: least–greatest)"),
            format!("cipher suite: {}", suites.into_iter().collect::<Vec<_>>().join(", ")),
            format!("other programs used up to {:.0} % of the CPU time of a round", foreign * 100.0),
        ];
        if foreign > DISTURBED {
            notes.push("WARNING: the machine was not quiet; repeat this on one that is".into());
        }
        if ended > 0 {
            notes.push(format!(
                "in {ended} rounds threads or children of a server ended; their time is known to 10 ms only"
            ));
        }
        notes
    }
}
