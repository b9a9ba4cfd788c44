//! A table of figures with notes below it, as text for a terminal or as Markdown for docs/performance.md.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// The table. The first two columns are names; the others are figures and are aligned to the right.
pub(crate) struct Grid {
    /// What the columns are.
    pub(crate) header: Vec<&'static str>,
    /// Rows as long as the header.
    pub(crate) rows: Vec<Vec<String>>,
    /// What must be known to read it.
    pub(crate) notes: Vec<String>,
}

impl Grid {
    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(&self.header).add_rows(&self.rows);
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{}\n\n{}", table.trim_fmt(), self.notes.join("\n"))
    }

    /// For a document.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
        let rule: String = (0..self.header.len()).map(|column| if column < 2 { "|---" } else { "|--:" }).collect();
        let rows = self.rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        let notes = self.notes.iter().map(|note| format!("* {note}\n"));
        format!("{}{rule}|\n{}\n{}", line(&self.header), rows.collect::<String>(), notes.collect::<String>())
    }
}

/// Microseconds, in the unit that reads best.
pub(crate) fn time(microseconds: f64) -> String {
    match microseconds {
        ms if ms >= 10_000.0 => format!("{:.1} ms", ms / 1_000.0),
        ms if ms >= 1_000.0 => format!("{:.2} ms", ms / 1_000.0),
        us => format!("{us:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_text_and_markdown() {
        let grid = Grid {
            header: vec!["shape", "server", "p50"],
            rows: vec![vec!["a".into(), "one".into(), time(7.0)], vec![String::new(), "two".into(), time(12_345.0)]],
            notes: vec!["quiet".into()],
        };
        assert_eq!(
            grid.markdown(),
            "| shape | server | p50 |\n|---|---|--:|\n| a | one | 7 µs |\n|  | two | 12.3 ms |\n\n* quiet\n"
        );
        let text = grid.text();
        assert!(text.contains("12.3 ms") && text.ends_with("\n\nquiet"), "{text}");
    }

    #[test]
    fn times_are_told_in_the_unit_that_reads_best() {
        assert_eq!(
            [time(999.0), time(1_000.0), time(9_990.0), time(10_000.0)],
            ["999 µs", "1.00 ms", "9.99 ms", "10.0 ms"]
        );
    }
}
