//! The catch-up on the embedded log: no broker, no second process but the projector's.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use partyline_log::{Backend as _, Publisher, Topics, embedded::Embedded};
use partyline_wire::partition_of;
use serde::Serialize;

use crate::{
    args::{self, Setup},
    catch_up::Said,
    figures::{Measured, Meter},
    usage,
    worker::{disk_bytes, partyline_on},
    workload::{Workload, texts},
};

/// Receipts are taken after so many commands.
const UNANSWERED: usize = 10_000;
/// No answer for this long is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both sides of it.
#[derive(Debug, Serialize)]
pub struct OnEmbedded {
    /// Publishing.
    pub load: Measured,
    /// Projecting.
    pub catch_up: Measured,
    /// The log's size on the disk, with its rows.
    pub log_bytes: u64,
    /// The stores' size on the disk.
    pub store_bytes: u64,
}

/// Measures both once.
///
/// # Errors
/// If one fails.
pub fn embedded(setup: &Setup, workload: &args::Workload) -> anyhow::Result<OnEmbedded> {
    let (log, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    // There is no broker to be counted.
    let setup = Setup { broker_pid: None, ..setup.clone() };
    let load = load(&setup, log.path(), workload)?;
    let meter = Meter::start(&setup)?;
    let address = format!("embedded:{}", log.path().display());
    let ran = usage::run(partyline_on(&address, &setup, data.path()).args(["project", "--until-end"]))?;
    let said: Said = serde_json::from_str(&ran.stdout).with_context(|| format!("it said: {}", ran.stdout))?;
    Ok(OnEmbedded {
        load,
        catch_up: meter.of(&ran, said.commands, said.rows)?,
        log_bytes: disk_bytes(log.path())?,
        store_bytes: disk_bytes(data.path())?,
    })
}

fn load(setup: &Setup, dir: &Path, args: &args::Workload) -> anyhow::Result<Measured> {
    let mut workload = Workload::new(&args.mix, texts()?);
    let log = Embedded::open(dir, Topics::new(&setup.prefix), args.mix.partitions)?;
    let topic = Arc::clone(&log.topics().commands);
    let meter = Meter::start(setup)?;
    let mut publisher = log.publisher()?;
    let mut value = Vec::new();
    for tag in 0..args.commands {
        value.clear();
        let key = workload.next(&mut value);
        let partition = partition_of(key.as_bytes(), args.mix.partitions);
        publisher.send(tag, &topic, partition, key.as_bytes(), &value)?;
        if publisher.outstanding() >= UNANSWERED {
            take(&mut *publisher)?;
        }
    }
    while publisher.outstanding() > 0 {
        take(&mut *publisher)?;
    }
    meter.stop(args.commands, 0)
}

fn take(publisher: &mut dyn Publisher) -> anyhow::Result<()> {
    let receipts = publisher.receipts(PATIENCE)?;
    anyhow::ensure!(!receipts.is_empty(), "the log does not answer");
    receipts.into_iter().try_for_each(|receipt| receipt.result.map(drop).map_err(|why| anyhow!("not taken: {why}")))
}
