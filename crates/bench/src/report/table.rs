//! A table for each kind of measurement: medians, and in brackets how far the runs lie apart.

use comfy_table::{CellAlignment, Table, presets};

use crate::all::{MORE_PARTITIONS, One, Series, Spread};

/// A column's head, where its number is, and how it is written.
type Column = (&'static str, &'static str, Unit);

#[derive(Clone, Copy)]
enum Unit {
    /// A second, in thousands.
    Thousands,
    /// Bytes, in MB.
    Megabytes,
    Seconds,
    Milliseconds,
    Percent,
    /// Seconds for each million of the commands, or of the rows where no command was counted.
    PerMillion,
}

const RATE: Column = ("commands/s", "commands_per_s", Unit::Thousands);
const ROWS: Column = ("rows/s", "rows_per_s", Unit::Thousands);
const CPU: Column = ("CPU s/M", "cpu_s", Unit::PerMillion);
const BROKER: Column = ("broker CPU s/M", "broker_cpu_s", Unit::PerMillion);
const MEMORY: Column = ("memory MB", "peak_rss_bytes", Unit::Megabytes);
/// When the process had ended; its rate is until all was committed.
const ENDED: Column = ("ended after s", "ended_s", Unit::Seconds);
const TO_LIMIT: Column = ("of the limit", "to_limit", Unit::Percent);
const TO_CLIENT: Column = ("of it one by one", "to_client", Unit::Percent);
const STORE: Column = ("store MB", "store_bytes", Unit::Megabytes);

const LATENCY: &[Column] = &[
    ("p50 ms", "p50_ms", Unit::Milliseconds),
    ("p99 ms", "p99_ms", Unit::Milliseconds),
    ("p99.9 ms", "p999_ms", Unit::Milliseconds),
    ("max ms", "max_ms", Unit::Milliseconds),
    ("CPU s", "cpu_s", Unit::Seconds),
    ("broker CPU s", "broker_cpu_s", Unit::Seconds),
    MEMORY,
];

/// Each table, the head of its first column, and its other columns.
const TABLES: &[(&str, &str, &[Column])] = &[
    (
        "catch-up",
        "log",
        &[RATE, ROWS, ENDED, CPU, BROKER, MEMORY, TO_LIMIT, TO_CLIENT, ("of the read", "to_read", Unit::Percent)],
    ),
    ("latency", "commands/s", LATENCY),
    (MORE_PARTITIONS, "commands/s", LATENCY),
    ("view", "view", &[ROWS, ("bare read rows/s", "bare_read.rows_per_s", Unit::Thousands), CPU, MEMORY, STORE]),
    (
        "replay",
        "replay",
        &[
            ("one: commands/s", "one.commands_per_s", Unit::Thousands),
            ("one: memory MB", "one.peak_rss_bytes", Unit::Megabytes),
            ("all: s", "all.seconds", Unit::Seconds),
            ("all: commands/s", "all.commands_per_s", Unit::Thousands),
        ],
    ),
    (
        "restart",
        "commands",
        &[
            ("kill -9: ready s", "killed.ready_s", Unit::Seconds),
            ("new row s", "killed.new_row_s", Unit::Seconds),
            ("SIGTERM: ended s", "stop_s", Unit::Seconds),
            ("ready s", "stopped.ready_s", Unit::Seconds),
            ("new row s", "stopped.new_row_s", Unit::Seconds),
        ],
    ),
    (
        "history",
        "entries",
        &[
            ("s", "seconds", Unit::Seconds),
            ("first row s", "first_row_s", Unit::Seconds),
            ROWS,
            MEMORY,
            ("others: p99 before ms", "before.p99_ms", Unit::Milliseconds),
            ("meanwhile ms", "meanwhile.p99_ms", Unit::Milliseconds),
        ],
    ),
    ("growth", "commands", &[RATE, ENDED, CPU, BROKER, MEMORY, STORE, TO_LIMIT, TO_CLIENT]),
    (
        "embedded",
        "log",
        &[
            ("publish commands/s", "load.commands_per_s", Unit::Thousands),
            ("project commands/s", "catch_up.commands_per_s", Unit::Thousands),
            ("memory MB", "catch_up.peak_rss_bytes", Unit::Megabytes),
            ("log MB", "log_bytes", Unit::Megabytes),
            STORE,
        ],
    ),
];

/// Everything that was measured.
pub fn tables(series: &Series) -> String {
    let tables = TABLES.iter().filter_map(|(what, head, columns)| {
        let first = series.of(what).next()?;
        Some(format!("### {what}, {} runs\n\n{}\n", first.runs.len(), table(head, columns, series.of(what))))
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn table<'a>(head: &str, columns: &[Column], ones: impl Iterator<Item = &'a One>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([head].into_iter().chain(columns.iter().map(|(head, ..)| *head)));
    for one in ones {
        let mut name = one.variant.clone();
        if matches!(one.what, "latency" | MORE_PARTITIONS) && !one.always("sustained") {
            name.push_str(" (not sustained)");
        }
        table.add_row([name].into_iter().chain(columns.iter().map(|column| cell(one, column))));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cell(one: &One, (_, path, unit): &Column) -> String {
    let Some(Spread { median, low, high }) = one.spread(path).filter(|of| of.high > 0.0) else { return String::new() };
    let done = |name| one.spread(name).map_or(0.0, |spread| spread.median);
    let million = if done("commands") > 0.0 { done("commands") } else { done("rows") }.max(1.0) / 1e6;
    let text = |value: f64| match unit {
        Unit::Thousands if value < 10_000.0 => format!("{:.1}k", value / 1e3),
        Unit::Thousands => format!("{:.0}k", value / 1e3),
        Unit::Megabytes => format!("{:.0}", value / f64::from(1 << 20)),
        Unit::Seconds => format!("{value:.2}"),
        Unit::Milliseconds => format!("{value:.1}"),
        Unit::Percent => format!("{:.0} %", value * 100.0),
        Unit::PerMillion => format!("{:.1}", value / million),
    };
    if one.runs.len() == 1 { text(median) } else { format!("{} ({} to {})", text(median), text(low), text(high)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_have_median_and_range() {
        let mut series = Series::default();
        for rate in [90_000.0, 110_000.0, 100_000.0] {
            series.add("growth", "1 M", json!({ "commands": 1_000_000, "commands_per_s": rate, "cpu_s": 12.0 }));
        }
        let text = tables(&series);
        assert!(text.contains("| 1 M") && text.contains("100k (90k to 110k)") && text.contains("12.0"), "{text}");
    }
}
