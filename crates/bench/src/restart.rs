//! The projector killed, and stopped, with a log behind it: how soon it works again.

use std::path::Path;

use partyline_log::kafka::Kafka;
use serde::Serialize;

use crate::{
    args::{self, Setup},
    cluster,
    latency::{Clock, Flow, Pace, Watch},
    load,
    worker::Worker,
    workload::{Key, Probe, READER, subscribe},
};

/// The number whose rows are waited for.
const NUMBER: &str = "+4930200000";

/// Both ways to end.
#[derive(Debug, Serialize)]
pub struct Restarted {
    /// Commands in the log.
    pub commands: u64,
    /// After SIGKILL, at the end of the log and before a checkpoint of all of it.
    pub killed: Back,
    /// From SIGTERM to the end of the process.
    pub stop_s: f64,
    /// After that.
    pub stopped: Back,
}

/// How soon it was back.
#[derive(Debug, Serialize)]
pub struct Back {
    /// From its start to the row of a command that had been waiting: ready.
    pub ready_s: f64,
    /// From its start to the row of a command that was published then.
    pub new_row_s: f64,
}

/// Measures both once, on a new log.
///
/// # Errors
/// If it fails.
pub fn restart(setup: &Setup, args: &args::Workload) -> anyhow::Result<Restarted> {
    load::load(setup, args)?;
    let kafka = cluster::connect(setup)?;
    let number: Key = NUMBER.into();
    load::fill(setup, &kafka, 1, |value| subscribe(&number, READER, value))?;
    let data = tempfile::tempdir()?;
    let mut first = Worker::start(setup, data.path())?;
    first.catch_up(setup, &kafka)?;
    first.kill()?;
    let mut probe = Probe::new(vec![number], 1);
    let (killed, worker) = back(setup, &kafka, data.path(), &mut probe)?;
    let stop_s = worker.stop()?.as_secs_f64();
    let (stopped, worker) = back(setup, &kafka, data.path(), &mut probe)?;
    worker.stop()?;
    Ok(Restarted { commands: args.commands, killed, stop_s, stopped })
}

/// Starts it while a command waits, and sends another as soon as that one is done.
fn back(setup: &Setup, kafka: &Kafka, data: &Path, probe: &mut Probe) -> anyhow::Result<(Back, Worker)> {
    let (clock, flow) = (Clock::start(), Flow::default());
    let watch = Watch::open(setup, kafka, READER)?;
    let pace = Pace::new(setup, kafka, clock)?;
    pace.send_now(probe, &flow)?;
    let began = clock.now();
    let worker = Worker::start(setup, data)?;
    let since = |time: u64| (time - began) as f64 / 1e6;
    let ready_s = since(watch.wait(clock)?.came);
    pace.send_now(probe, &flow)?;
    let new_row_s = since(watch.wait(clock)?.came);
    Ok((Back { ready_s, new_row_s }, worker))
}
