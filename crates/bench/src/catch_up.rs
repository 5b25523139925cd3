//! The projector from an empty store to lag 0: the real binary, or its workers in this process.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use partyline_log::{Backend, Bounds, Records, kafka::Kafka};
use partyline_projector::{Layout, Project, Settings};
use serde::{Deserialize, Serialize};

use crate::{
    args::{self, Setup},
    cluster,
    figures::{Measured, Meter},
    lag, usage,
    worker::{disk_bytes, partyline},
    workload::SERVICES,
};

/// How long a step waits for records.
const STEP: Duration = Duration::from_millis(100);
/// Row sizes are the means of samples of so many rows ...
const SAMPLE_ROWS: usize = 20_000;
/// ... from so many places of each view topic.
const SAMPLES: u64 = 4;

/// A catch-up, and what it left behind.
#[derive(Debug, Serialize)]
pub struct CaughtUp {
    /// How it went, until all was committed; CPU and memory are of all of it.
    #[serde(flatten)]
    pub measured: Measured,
    /// From the start until it had ended, with its last checkpoint on the disk, in seconds.
    pub ended_s: f64,
    /// The stores' size on the disk.
    pub store_bytes: u64,
    /// Of a row, on average.
    pub key_bytes: usize,
    /// Of a row, on average.
    pub value_bytes: usize,
}

/// What the projector says of itself.
#[derive(Debug, Deserialize)]
pub struct Said {
    /// Commands taken.
    pub commands: u64,
    /// Rows written.
    pub rows: u64,
}

/// Measures it once.
///
/// # Errors
/// If it fails.
pub fn catch_up(setup: &Setup, args: &args::CatchUp) -> anyhow::Result<CaughtUp> {
    let scratch = tempfile::tempdir()?;
    let data = args.data.as_deref().unwrap_or(scratch.path());
    let kafka = cluster::connect(setup)?;
    let (took, measured) = lag::none_after(setup, &kafka, || match args.in_process {
        true => in_process(setup, &kafka, data),
        false => binary(setup, data),
    })?;
    let (key_bytes, value_bytes) = row_bytes(&*kafka)?;
    let (ended_s, store_bytes) = (measured.seconds, disk_bytes(data)?);
    Ok(CaughtUp { measured: measured.within(took), ended_s, store_bytes, key_bytes, value_bytes })
}

fn binary(setup: &Setup, data: &Path) -> anyhow::Result<Measured> {
    let meter = Meter::start(setup)?;
    let ran = usage::run(partyline(setup, data).args(["project", "--until-end"]))?;
    let said: Said = serde_json::from_str(&ran.stdout).with_context(|| format!("it said: {}", ran.stdout))?;
    meter.of(&ran, said.commands, said.rows)
}

fn in_process(setup: &Setup, kafka: &Arc<Kafka>, data: &Path) -> anyhow::Result<Measured> {
    let meter = Meter::start(setup)?;
    let ends = kafka.bounds(&kafka.topics().commands)?;
    let backend: Arc<dyn Backend> = kafka.clone();
    let mut project = Project::open(backend, "bench", &Layout::new(data), Settings::default())?;
    loop {
        project.step(Instant::now(), STEP)?;
        let held: Vec<_> = project.positions().collect();
        if ends.iter().all(|of| held.iter().any(|(p, position)| *p == of.partition && *position >= of.end)) {
            break;
        }
    }
    let counts = project.close(Instant::now()).context("closing")?;
    meter.stop(counts.commands, counts.rows)
}

/// Mean bytes of the rows' keys and values. Looked at all along the topics: where they begin rows are smaller.
fn row_bytes(log: &dyn Backend) -> anyhow::Result<(usize, usize)> {
    let (mut rows, mut keys, mut values) = (0, 0, 0);
    let mut records = Records::default();
    for service in SERVICES {
        let topic = log.topics().view(service);
        let bounds = log.bounds(&topic)?;
        for part in 0..SAMPLES {
            let begin = |of: &Bounds| (of.partition, of.begin + (of.end - of.begin) * part / SAMPLES);
            let mut reader = log.reader(&topic, &bounds.iter().map(begin).collect::<Vec<_>>())?;
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
    }
    anyhow::ensure!(rows > 0, "there are no rows");
    Ok((keys / rows, values / rows))
}
