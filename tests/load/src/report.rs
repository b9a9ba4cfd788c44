//! How figures are shown: a table for people, Markdown for docs/performance.md, JSON for programs.
//!
//! Every server but the first has the ratio to the first behind each figure, and the spread of the ratio over the rounds
//! behind that of the CPU time.

use crate::{
    comparison::{Column, Comparison, Measure, Ratio},
    machine::Machine,
};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

const HEADER: [&str; 8] = ["shape", "server", "requests/s", "p50", "p99", "CPU-s/1,000", "index", "RSS"];

/// All that is known after a run.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    /// Where it ran.
    pub(crate) machine: Machine,
    /// The shapes that ran.
    pub(crate) shapes: Vec<Comparison>,
}

impl Report {
    /// A table for a terminal.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(HEADER);
        table.add_rows(self.rows());
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n\n{}", self.machine.notes(&self.shapes).join("\n"))
    }

    /// The same for docs/performance.md.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&HEADER.map(str::to_owned)) + "|---|---|--:|--:|--:|--:|--:|--:|\n";
        text.extend(self.rows().map(|row| line(&row)));
        let notes = self.machine.notes(&self.shapes);
        text + &notes.iter().map(|note| format!("\n* {note}")).collect::<String>() + "\n"
    }

    fn rows(&self) -> impl Iterator<Item = [String; 8]> {
        self.shapes.iter().flat_map(|shape| {
            let first = shape.servers.first();
            shape.servers.iter().enumerate().map(move |(number, column)| {
                let beside = first.filter(|_| number > 0);
                let name = if number == 0 { title(shape) } else { String::new() };
                let [rate, p50, p99, cpu, index, resident] = Measure::ALL.map(|measure| cell(column, beside, measure));
                [name, column.server.clone(), rate, p50, p99, cpu, index, resident]
            })
        })
    }
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
        Measure::P50 | Measure::P99 if value >= 10_000.0 => format!("{:.1} ms", value / 1_000.0),
        Measure::P50 | Measure::P99 if value >= 1_000.0 => format!("{:.2} ms", value / 1_000.0),
        Measure::P50 | Measure::P99 => format!("{value:.0} µs"),
        Measure::Index if value == 0.0 => "–".into(),
        Measure::Cpu | Measure::Index if value >= 1.0 => format!("{value:.2}"),
        Measure::Cpu | Measure::Index => format!("{value:.4}"),
        Measure::Resident => format!("{:.0} MB", value / 1e6),
    }
}
