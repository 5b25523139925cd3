//! A bare read of the commands: what reading alone allows.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use partyline_log::Backend as _;

use crate::{args::Log, cluster, figures::Figures};

/// Nothing for this long is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole log once.
///
/// # Errors
/// If it cannot be read.
pub fn read(log: &Log) -> anyhow::Result<Figures> {
    let began = Instant::now();
    let kafka = cluster::connect(log)?;
    let topic = &kafka.topics().commands;
    let bounds = kafka.bounds(topic)?;
    let expected: u64 = bounds.iter().map(|of| of.end - of.begin).sum();
    let consumer = cluster::consumer(log, topic, &bounds)?;
    let (mut commands, mut bytes) = (0, 0);
    while commands < expected {
        let message = consumer.poll(PATIENCE).context("nothing more came")??;
        commands += 1;
        bytes += message.payload_len();
    }
    eprintln!("{:.0} bytes a command", bytes as f64 / expected.max(1) as f64);
    Ok(Figures::new(commands, 0, began.elapsed()))
}
