//! How the figures of [`crate::drive`] are shown.
//!
//! Every server but the first has the ratio to the first behind each figure, and the spread of the ratio over the rounds
//! behind that of the CPU time. What feeds an audit index has a line of its own below its server.

use crate::{
    comparison::{Column, Comparison, Measure, Ratio},
    grid::{Grid, time},
    machine::Machine,
};

/// All that is known after a run.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    /// Where it ran.
    pub(crate) machine: Machine,
    /// The shapes that ran.
    pub(crate) shapes: Vec<Comparison>,
}

impl Report {
    /// All shapes, one row for each server.
    pub(crate) fn grid(&self) -> Grid {
        Grid {
            header: vec!["shape", "server", "requests/s", "p50", "p99", "CPU-s/1,000", "RSS"],
            rows: self.shapes.iter().flat_map(rows).collect(),
            notes: self.machine.notes(&self.shapes),
        }
    }
}

fn rows(shape: &Comparison) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (number, column) in shape.servers.iter().enumerate() {
        let beside = shape.servers.first().filter(|_| number > 0);
        let mut row = vec![if number == 0 { title(shape) } else { String::new() }, column.server.clone()];
        row.extend(Measure::SHOWN.map(|measure| cell(column, beside, measure)));
        rows.push(row);
        let index = column.median(Measure::Index);
        if index > 0.0 {
            let (none, name) = (String::new, format!("{}, index", column.server));
            rows.push(vec![none(), name, none(), none(), none(), cpu(index), none()]);
        }
    }
    rows
}

/// What a shape is called: what is asked for, how, on how many connections.
pub(crate) fn title(shape: &Comparison) -> String {
    let streams = if shape.streams > 1 { format!("×{}", shape.streams) } else { String::new() };
    format!("{}, {}, {}{streams} conn.", shape.kind.name(), shape.protocol.name(), shape.connections)
}

/// A figure and how it compares with the first server's beside it.
fn cell(column: &Column, beside: Option<&Column>, measure: Measure) -> String {
    let figure = figure(measure, column.median(measure));
    match beside.and_then(|first| column.ratio(first, measure)) {
        Some(ratio) if measure == Measure::Cpu => format!("{figure} ({})", spread(ratio)),
        Some(ratio) => format!("{figure} ({:.2}×)", ratio.median),
        None => figure,
    }
}

fn spread(ratio: Ratio) -> String {
    format!("{:.2}×, {:.2}–{:.2}", ratio.median, ratio.least, ratio.greatest)
}

fn figure(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Rate => format!("{value:.0}"),
        Measure::P50 | Measure::P99 => time(value),
        Measure::Cpu | Measure::Index => cpu(value),
        Measure::Resident => format!("{:.0} MB", value / 1e6),
    }
}

fn cpu(value: f64) -> String {
    if value >= 1.0 { format!("{value:.2}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Kind, connection::Protocol, processes::Cpu, round::Round};

    fn column(server: &str, serving: f64, index: f64) -> Column {
        let round = Round {
            requests: 10_000,
            seconds: 2.0,
            p50_us: 120.0,
            p99_us: 2_300.0,
            cpu: Cpu { serving, index, ended: 0.0 },
            client_cpu: 0.1,
            foreign: 0.0,
            resident: 25_000_000,
            suite: "suite".into(),
        };
        Column { server: server.into(), rounds: vec![round.clone(), round] }
    }

    #[test]
    fn the_index_is_on_a_line_of_its_own() {
        let shape = Comparison {
            kind: Kind::Info,
            protocol: Protocol::H2,
            connections: 16,
            streams: 1,
            servers: vec![column("nginx", 0.2, 0.0), column("modgate", 0.1, 0.05)],
        };
        assert_eq!(
            rows(&shape),
            [
                [".info, h2, 16 conn.", "nginx", "5000", "120 µs", "2.30 ms", "0.0200", "25 MB"],
                [
                    "",
                    "modgate",
                    "5000 (1.00×)",
                    "120 µs (1.00×)",
                    "2.30 ms (1.00×)",
                    "0.0100 (0.50×, 0.50–0.50)",
                    "25 MB (1.00×)"
                ],
                ["", "modgate, index", "", "", "", "0.0050", ""],
            ]
        );
    }
}
