//! Small plots, one file each.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use plotters::{
    coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
    prelude::*,
};

use crate::all::{One, Series, Spread};

const SIZE: (u32, u32) = (560, 320);
const FONT: (&str, u32) = ("sans-serif", 13);
const TITLE: (&str, u32) = ("sans-serif", 15);
const COLOURS: [RGBColor; 4] =
    [RGBColor(38, 103, 173), RGBColor(221, 128, 31), RGBColor(70, 148, 73), RGBColor(176, 58, 72)];

/// The points of a line: where, and the values there.
type Line = (&'static str, Vec<(f64, Spread)>);

/// Draws what was measured of catch-up, latency and growth.
///
/// # Errors
/// If a file cannot be written.
pub fn plots(series: &Series, dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let all = |what| series.of(what).collect::<Vec<_>>();
    let (catch_up, latency, growth) = (all("catch-up"), all("latency"), all("growth"));
    if !catch_up.is_empty() {
        bars(&dir.join("catch-up.svg"), "Catch-up: thousand commands a second", &catch_up)?;
    }
    if !latency.is_empty() {
        let percentiles = [("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms")];
        let lines = percentiles.map(|(name, path)| line(&latency, name, "rate", path, 1.0));
        let of = lines.iter().flat_map(|(_, points)| points).map(|(_, spread)| spread);
        let (low, high) = of.fold((f64::MAX, 1.0_f64), |(l, h), of| (l.min(of.low), h.max(of.high)));
        let rates = span(&lines);
        let (x, y) = ((rates.0..rates.1).log_scale(), (low.max(0.1) / 2.0..high * 2.0).log_scale());
        let file = dir.join("latency.svg");
        draw(&file, "Latency in ms, by commands a second", (x, y), &lines, &one_two_five)?;
    }
    let lines = [
        ("growth-rate.svg", "Catch-up: thousand commands/s, by million commands", "commands_per_s", 1e3),
        ("growth-memory.svg", "Catch-up: memory in MB, by million commands", "peak_rss_bytes", 1048576.0),
        ("growth-store.svg", "Catch-up: store in MB, by million commands", "store_bytes", 1048576.0),
    ];
    for (file, title, path, unit) in lines.into_iter().filter(|_| !growth.is_empty()) {
        let lines = [line(&growth, "", "commands", path, unit)];
        let high = lines[0].1.iter().fold(0.0_f64, |high, (_, of)| high.max(of.high));
        let (x, y) = (0.0..span(&lines).1 * 1.05, 0.0..high.max(1e-3) * 1.2);
        draw(&dir.join(file), title, (x, y), &lines, &|x| format!("{}", (x / 1e4).round() / 100.0))?;
    }
    Ok(())
}

/// The labels of a logarithmic axis, where there is room for them.
fn one_two_five(x: &f64) -> String {
    let text = format!("{x:.0}");
    if text.starts_with(['1', '2', '5']) { text } else { String::new() }
}

fn line(ones: &[&One], name: &'static str, x: &str, y: &str, unit: f64) -> Line {
    let points = ones.iter().filter_map(|one| {
        let Spread { median, low, high } = one.spread(y)?;
        Some((one.spread(x)?.median, Spread { median: median / unit, low: low / unit, high: high / unit }))
    });
    (name, points.collect())
}

/// The least and the greatest place; a little apart if there is only one.
fn span(lines: &[Line]) -> (f64, f64) {
    let places = lines.iter().flat_map(|(_, points)| points).map(|(place, _)| *place);
    let (low, high) = places.fold((f64::MAX, 0.0_f64), |(low, high), place| (low.min(place), high.max(place)));
    if low < high { (low, high) } else { (high.max(2.0) / 2.0, high.max(2.0) * 2.0) }
}

/// Horizontal bars with a whisker from the lowest to the highest run.
fn bars(file: &Path, title: &str, ones: &[&One]) -> anyhow::Result<()> {
    let count = ones.len();
    let root = SVGBackend::new(file, (SIZE.0, 70 + 28 * count as u32)).into_drawing_area();
    let rates: Vec<_> = ones.iter().filter_map(|one| one.spread("commands_per_s")).collect();
    let high = rates.iter().fold(1.0_f64, |high, of| high.max(of.high)) / 1e3;
    let failed = |error| anyhow!("{}: {error}", file.display());
    let mut chart = ChartBuilder::on(&root)
        .caption(title, TITLE)
        .margin(10)
        .x_label_area_size(24)
        .y_label_area_size(170)
        .build_cartesian_2d(0.0..high * 1.15, 0.0..count as f64)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(6)
        .label_style(FONT)
        .draw()
        .map_err(failed)?;
    let area = chart.plotting_area();
    for (row, (one, of)) in ones.iter().zip(&rates).enumerate() {
        // The first one is on top.
        let y = (count - row) as f64 - 0.5;
        let colour = COLOURS[usize::from(one.variant.ends_with("project"))];
        area.draw(&Rectangle::new([(0.0, y - 0.3), (of.median / 1e3, y + 0.3)], colour.filled())).map_err(failed)?;
        let whisker = vec![(of.low / 1e3, y), (of.high / 1e3, y)];
        area.draw(&PathElement::new(whisker, BLACK.stroke_width(2))).map_err(failed)?;
        let beside = EmptyElement::at((of.high / 1e3, y))
            + Text::new(format!("{:.0}", of.median / 1e3), (6, -6), FONT.into_font());
        area.draw(&beside).map_err(failed)?;
        let (left, middle) = area.map_coordinate(&(0.0, y));
        let name = Text::new(one.variant.clone(), (left - 165, middle - 6), FONT.into_font());
        root.draw(&name).map_err(failed)?;
    }
    root.present().map_err(failed)
}

/// Lines through the medians, with a whisker at each point.
fn draw<X, Y>(
    file: &Path,
    title: &str,
    (x, y): (X, Y),
    lines: &[Line],
    label: &dyn Fn(&f64) -> String,
) -> anyhow::Result<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    let failed = |error| anyhow!("{}: {error}", file.display());
    let mut chart = ChartBuilder::on(&root)
        .caption(title, TITLE)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(52)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(label)
        .label_style(FONT)
        .draw()
        .map_err(failed)?;
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        let through = points.iter().map(|(x, of)| (*x, of.median));
        let drawn = chart.draw_series(LineSeries::new(through.clone(), colour.stroke_width(2))).map_err(failed)?;
        if !name.is_empty() {
            drawn.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.draw_series(through.map(|at| Circle::new(at, 3, colour.filled()))).map_err(failed)?;
        let whiskers =
            points.iter().map(|(x, of)| PathElement::new([(*x, of.low), (*x, of.high)], colour.stroke_width(1)));
        chart.draw_series(whiskers).map_err(failed)?;
    }
    if lines.len() > 1 {
        let mut legend = chart.configure_series_labels();
        legend
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(TRANSPARENT)
            .label_font(FONT)
            .draw()
            .map_err(failed)?;
    }
    root.present().map_err(failed)
}
