//! `replay`: views built from the log, one service after the other.

use anyhow::Context as _;
use partyline_log::Backend as _;
use serde::{Deserialize, Serialize};

use crate::{
    args::{self, Setup},
    cluster,
    figures::{Measured, Meter},
    usage,
    worker::partyline,
    workload::SERVICES,
};

/// How it went.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// Whose views, in this order.
    pub services: Vec<String>,
    /// The first one.
    pub one: Measured,
    /// All of them: commands are counted once, however often they were read.
    pub all: Measured,
}

/// What a replay says of itself.
#[derive(Debug, Deserialize)]
struct Said {
    rows: u64,
}

/// Measures each once.
///
/// # Errors
/// If one fails.
pub fn replay(setup: &Setup, args: &args::Replay) -> anyhow::Result<Replayed> {
    let everybody = || SERVICES.map(str::to_owned).to_vec();
    let services = if args.services.is_empty() { everybody() } else { args.services.clone() };
    let kafka = cluster::connect(setup)?;
    let commands: u64 = kafka.bounds(&kafka.topics().commands)?.iter().map(|of| of.end - of.begin).sum();
    let whole = Meter::start(setup)?;
    let (mut one, mut rows, mut cpu_s, mut peak_rss_bytes) = (None, 0, 0.0, 0);
    for service in &services {
        let meter = Meter::start(setup)?;
        let data = tempfile::tempdir()?;
        let ran = usage::run(partyline(setup, data.path()).args(["replay", service]))?;
        let said: Said = serde_json::from_str(&ran.stdout).with_context(|| format!("it said: {}", ran.stdout))?;
        let measured = meter.of(&ran, commands, said.rows)?;
        rows += said.rows;
        cpu_s += measured.cpu_s;
        peak_rss_bytes = measured.peak_rss_bytes.max(peak_rss_bytes);
        one.get_or_insert(measured);
    }
    let all = Measured { cpu_s, peak_rss_bytes, ..whole.stop(commands, rows)? };
    Ok(Replayed { services, one: one.context("no service is named")?, all })
}
