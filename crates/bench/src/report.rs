//! The table: medians, and how far the runs lie apart.

use comfy_table::{CellAlignment, Table, presets};

use crate::all::{Measured, Run};

type Part = fn(&Run) -> &Measured;

const PARTS: [(&str, Part); 4] = [
    ("load", |run| &run.load),
    ("read", |run| &run.read),
    ("limit (no rules)", |run| &run.limit),
    ("catch-up", |run| &run.catch_up),
];

/// What was measured, and the ratios under it.
pub fn table(runs: &[Run]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["", "commands/s", "range", "rows/s", "CPU s/M", "broker CPU s/M", "peak RSS MB"]);
    for (name, part) in PARTS {
        let over = |value: &dyn Fn(&Measured) -> f64| Spread::of(runs.iter().map(|run| value(part(run))));
        let rate = over(&|m| m.figures.rate());
        let million = |m: &Measured| m.figures.commands as f64 / 1e6;
        table.add_row([
            name.to_owned(),
            thousands(rate.median),
            format!("{} to {}", thousands(rate.low), thousands(rate.high)),
            thousands(over(&|m| m.figures.rows as f64 / m.figures.seconds).median),
            format!("{:.1}", over(&|m| m.cpu_s / million(m)).median),
            format!("{:.1}", over(&|m| m.broker_cpu_s.unwrap_or_default() / million(m)).median),
            format!("{:.0}", over(&|m| (m.peak_rss_bytes >> 20) as f64).median),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let ratio = |to: Part| Spread::of(runs.iter().map(|run| run.catch_up.figures.rate() / to(run).figures.rate()));
    let shape = runs.first().map(|run| run.row_shape).unwrap_or_default();
    format!(
        "{table}\n\ncatch-up to limit: {}\ncatch-up to read: {}\n{:.2} rows a command, key {} bytes, value {} bytes; {} runs, medians",
        ratio(|run| &run.limit).percent(),
        ratio(|run| &run.read).percent(),
        shape.0,
        shape.1,
        shape.2,
        runs.len()
    )
}

/// Median and range of a few values.
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let last = values.len().saturating_sub(1);
        // Of an even number, the mean of the two in the middle.
        Self { median: (at(last / 2) + at(last.div_ceil(2))) / 2.0, low: at(0), high: at(last) }
    }

    fn percent(&self) -> String {
        format!("{:.0} % ({:.0} to {:.0} %)", self.median * 100.0, self.low * 100.0, self.high * 100.0)
    }
}

fn thousands(value: f64) -> String {
    format!("{:.0}k", value / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, median) in [(vec![], 0.0), (vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0], 2.5)] {
            let spread = Spread::of(values.iter().copied());
            assert!((spread.median - median).abs() < 1e-9, "{values:?}");
        }
    }
}
