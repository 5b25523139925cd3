//! Everything side by side. Each measurement is a process of its own and each run a log of its own, so that nothing is
//! warm for one and cold for the other; what belongs together runs back to back, because machines are noisy.

use std::{env, fs, process::Command};

use anyhow::Context as _;
use partyline_log::{Backend as _, Records};
use serde::Serialize;

use crate::{
    args::{self, Log},
    catch_up, cluster,
    figures::Figures,
    report,
    usage::{self, Usage},
    workload::SERVICES,
};

/// Row sizes are the mean of so many rows of each view topic.
const SAMPLE_ROWS: usize = 20_000;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What it did.
    #[serde(flatten)]
    pub figures: Figures,
    /// CPU of the process itself, in seconds.
    pub cpu_s: f64,
    /// CPU of the broker meanwhile, in seconds.
    pub broker_cpu_s: Option<f64>,
    /// The most memory the process had, in bytes.
    pub peak_rss_bytes: u64,
}

/// One run: everything on the same log.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Filling the log.
    pub load: Measured,
    /// Reading it.
    pub read: Measured,
    /// The projector.
    pub catch_up: Measured,
    /// The pass-through of as many rows of the same sizes.
    pub limit: Measured,
    /// Rows a command, bytes of a key, bytes of a value, as the projector wrote them.
    pub row_shape: (f64, usize, usize),
}

/// Measures, prints a table, writes the JSON.
///
/// # Errors
/// If a measurement fails.
pub fn all(log: &Log, plan: &args::All) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for run in 1..=plan.runs {
        eprintln!("run {run} of {}", plan.runs);
        let log = Log { prefix: format!("{}-{}-{run}", log.prefix, std::process::id()), ..log.clone() };
        runs.push(measure(&log, plan)?);
    }
    println!("{}", report::table(&runs));
    if let Some(path) = &plan.json {
        let json = serde_json::json!({ "workload": workload_arguments(&plan.workload), "runs": runs });
        fs::write(path, format!("{json:#}\n")).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn measure(log: &Log, plan: &args::All) -> anyhow::Result<Run> {
    let load = this("load", &workload_arguments(&plan.workload), log, plan)?;
    let read = this("read", &[], log, plan)?;
    let data = tempfile::tempdir()?;
    let catch_up = if plan.catch_up.in_process {
        this("catch-up", &["--in-process".to_owned()], log, plan)?
    } else {
        watched(&mut catch_up::project(log, &plan.catch_up.bin, data.path()), plan)?
    };
    let (key_bytes, value_bytes) = row_bytes(log)?;
    let rows = catch_up.figures.rows as f64 / catch_up.figures.commands.max(1) as f64;
    let shape = [
        ("--rows", rows.to_string()),
        ("--key-bytes", key_bytes.to_string()),
        ("--value-bytes", value_bytes.to_string()),
    ];
    let shape: Vec<String> = shape.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let limit = this("limit", &shape, log, plan)?;
    Ok(Run { load, read, catch_up, limit, row_shape: (rows, key_bytes, value_bytes) })
}

fn workload_arguments(workload: &args::Workload) -> Vec<String> {
    let args::Workload { commands, partitions, numbers, conversations, seed } = workload;
    vec![
        format!("--commands={commands}"),
        format!("--partitions={partitions}"),
        format!("--numbers={numbers}"),
        format!("--conversations={conversations}"),
        format!("--seed={seed}"),
    ]
}

/// One of this program's own measurements.
fn this(what: &str, arguments: &[String], log: &Log, plan: &args::All) -> anyhow::Result<Measured> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(what).args(arguments).args(["--bootstrap", &log.bootstrap, "--prefix", &log.prefix]);
    watched(&mut command, plan)
}

fn watched(command: &mut Command, plan: &args::All) -> anyhow::Result<Measured> {
    let broker = || plan.broker_pid.map(Usage::of).transpose();
    let before = broker()?;
    let ran = usage::run(command)?;
    let broker_cpu_s = before.zip(broker()?).map(|(before, after)| after.cpu_s - before.cpu_s);
    let figures = serde_json::from_str(&ran.stdout).with_context(|| format!("it said: {}", ran.stdout))?;
    Ok(Measured { figures, cpu_s: ran.usage.cpu_s, broker_cpu_s, peak_rss_bytes: ran.usage.peak_rss_bytes })
}

/// Mean bytes of the rows' keys and values.
fn row_bytes(log: &Log) -> anyhow::Result<(usize, usize)> {
    let kafka = cluster::connect(log)?;
    let (mut rows, mut keys, mut values) = (0, 0, 0);
    for service in SERVICES {
        let topic = kafka.topics().view(service);
        let from: Vec<_> = kafka.bounds(&topic)?.iter().map(|of| (of.partition, of.begin)).collect();
        let mut reader = kafka.reader(&topic, &from)?;
        let mut records = Records::default();
        let mut read = 0;
        while read < SAMPLE_ROWS {
            reader.next(&mut records, cluster::REQUEST / 10)?;
            if records.is_empty() {
                break;
            }
            read += records.len();
            keys += records.iter().filter_map(|row| row.key).map(<[u8]>::len).sum::<usize>();
            values += records.iter().filter_map(|row| row.value).map(<[u8]>::len).sum::<usize>();
        }
        rows += read;
    }
    anyhow::ensure!(rows > 0, "there are no rows");
    Ok((keys / rows, values / rows))
}
