//! The measurements that share a log: the projector beside what bounds it, then the readers of what it wrote.

use serde_json::Value;

use super::{Runs, at, in_millions, several, this};
use crate::args::{Part, Setup, Workload};

/// Loads a new log and measures these parts on it. The projector runs in any case.
pub fn measure(runs: &mut Runs<'_>, parts: &[Part], variant: &str, workload: &Workload) -> anyhow::Result<()> {
    let log = runs.new_log();
    let load = this(&log, "load", &runs.workload(workload))?;
    let read = this(&log, "read", &[])?;
    let mut project = this(&log, "catch-up", &[])?;
    if parts.contains(&Part::CatchUp) {
        let [limit, client] = limits(runs, &log, variant, &mut project)?;
        compare(&mut project, "to_read", &read);
        let said = [
            ("load", load),
            ("bare read", read),
            ("the limit", limit),
            ("the limit, one by one", client),
            ("project", project),
        ];
        for (name, said) in said {
            runs.series.add("catch-up", &format!("{variant}: {name}"), said);
        }
    }
    readers(runs, &log, parts)?;
    runs.finish(log, workload.commands)
}

/// So often the projector runs before anything counts; the limit does with each of its settings.
const WARM_UPS: usize = 4;

/// Chooses the limit's settings, and has the broker see each kind of work.
pub fn warm_up(runs: &mut Runs<'_>, workload: &Workload) -> anyhow::Result<()> {
    let variant = several(runs.plan);
    measure(runs, &[Part::CatchUp], &variant, workload)?;
    (1..WARM_UPS).try_for_each(|_| measure(runs, &[], &variant, workload))
}

/// Loads a new log of one size and measures the projector on it, beside the limit there.
pub fn growth(runs: &mut Runs<'_>, workload: &Workload) -> anyhow::Result<()> {
    let log = runs.new_log();
    this(&log, "load", &runs.workload(workload))?;
    let mut project = this(&log, "catch-up", &[])?;
    let variant = several(runs.plan);
    limits(runs, &log, &variant, &mut project)?;
    runs.series.add("growth", &in_millions(workload.commands), project);
    runs.finish(log, workload.commands)
}

/// Which of them is fastest depends on the machine, so that is tried first.
const LIMITS: [&[&str]; 4] = [
    &["--producers=1"],
    &["--producers=2"],
    &["--producers=1", "-X", "compression.type=lz4"],
    &["--producers=2", "-X", "compression.type=lz4"],
];

/// Each so often: the broker may yet have to warm up.
const TRIES: usize = 2;

/// The limit as the projector could reach it, and with the client's own calls.
fn limits(runs: &mut Runs<'_>, log: &Setup, variant: &str, project: &mut Value) -> anyhow::Result<[Value; 2]> {
    let mut shape = shape(project);
    let many = limit(runs, log, variant.to_owned(), &shape)?;
    shape.push("--one-by-one".to_owned());
    let client = limit(runs, log, format!("{variant}, one by one"), &shape)?;
    compare(project, "to_limit", &many);
    compare(project, "to_client", &client);
    Ok([many, client])
}

/// The limit, with the settings that were the fastest when a log like this was first measured.
fn limit(runs: &mut Runs<'_>, log: &Setup, variant: String, shape: &[String]) -> anyhow::Result<Value> {
    let measure = |settings: &[&str]| {
        let settings = settings.iter().map(|&word| word.to_owned());
        this(log, "limit", &shape.iter().cloned().chain(settings).collect::<Vec<_>>())
    };
    let settings = match runs.limits.get(&variant) {
        Some(settings) => *settings,
        None => {
            let mut fastest = (0.0, LIMITS[0]);
            for settings in [LIMITS; TRIES].into_iter().flatten() {
                let rate = rate(&measure(settings)?);
                if rate > fastest.0 {
                    fastest = (rate, settings);
                }
            }
            runs.limits.insert(variant, fastest.1);
            fastest.1
        }
    };
    let mut said = measure(settings)?;
    if let Some(said) = said.as_object_mut() {
        said.insert("settings".to_owned(), settings.join(" ").into());
    }
    Ok(said)
}

fn readers(runs: &mut Runs<'_>, log: &Setup, parts: &[Part]) -> anyhow::Result<()> {
    if parts.contains(&Part::View) {
        runs.series.add("view", "desk", this(log, "view", &["--service=desk".to_owned()])?);
    }
    if parts.contains(&Part::Replay) {
        runs.series.add("replay", "each service", this(log, "replay", &[])?);
    }
    Ok(())
}

/// The limit writes as many rows of the same sizes.
fn shape(project: &Value) -> Vec<String> {
    let number = |path: &str| at(project, path).unwrap_or_default();
    vec![
        format!("--rows={}", number("rows") / number("commands").max(1.0)),
        format!("--key-bytes={}", number("key_bytes")),
        format!("--value-bytes={}", number("value_bytes")),
    ]
}

/// Notes which part of another rate its own is.
fn compare(said: &mut Value, name: &str, other: &Value) {
    let ratio = rate(said) / rate(other);
    if let Some(said) = said.as_object_mut() {
        said.insert(name.to_owned(), ratio.into());
    }
}

fn rate(said: &Value) -> f64 {
    at(said, "commands_per_s").unwrap_or_default().max(1e-3)
}
