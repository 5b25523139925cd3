//! A bare read of a topic: what reading alone allows.

use std::{ops::ControlFlow, time::Duration};

use anyhow::anyhow;
use partyline_log::{Backend as _, kafka::Kafka};
use rdkafka::error::RDKafkaErrorCode;

use crate::{
    args::Setup,
    cluster,
    figures::{Measured, Meter},
};

/// Nothing for this long is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Reads all commands once.
///
/// # Errors
/// If they cannot be read.
pub fn commands(setup: &Setup) -> anyhow::Result<Measured> {
    let meter = Meter::start(setup)?;
    let kafka = cluster::connect(setup)?;
    let records = read(setup, &kafka, &kafka.topics().commands)?;
    meter.stop(records, 0)
}

/// Reads a topic to its end; how many records it has.
///
/// # Errors
/// If it cannot be read.
pub fn read(setup: &Setup, kafka: &Kafka, topic: &str) -> anyhow::Result<u64> {
    let bounds = kafka.bounds(topic)?;
    // The end of a partition is told apart from the last record: transactions' markers take offsets too.
    // A broker that has no more keeps the last question for so long.
    let properties = [("enable.partition.eof", "true"), ("fetch.wait.max.ms", "10")];
    let inflow = cluster::draw(&cluster::consumer(setup, &properties)?, topic, &bounds)?;
    let (mut records, mut bytes, mut open) = (0_u64, 0, bounds.len());
    while open > 0 {
        let mut failed = Ok(());
        let came = inflow.take(PATIENCE, |taken| {
            match taken.error() {
                None => {
                    records += 1;
                    bytes += taken.value().map_or(0, <[u8]>::len);
                }
                Some(RDKafkaErrorCode::PartitionEOF) => open -= 1,
                Some(error) => failed = Err(anyhow!("{error}: {}", taken.reason())),
            }
            if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        failed?;
        anyhow::ensure!(came, "nothing more came");
    }
    eprintln!("{topic}: {records} records, {:.0} bytes each", bytes as f64 / records.max(1) as f64);
    Ok(records)
}
