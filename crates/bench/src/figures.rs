//! What a measurement says: one line of JSON.

use std::{
    io::{self, Write as _},
    process,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    args::Setup,
    usage::{Ran, Usage},
};

/// How much was done in which time, and with what.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Commands taken or written.
    pub commands: u64,
    /// Rows written or read.
    pub rows: u64,
    /// From start to end, in seconds.
    pub seconds: f64,
    /// Commands a second.
    pub commands_per_s: f64,
    /// Rows a second.
    pub rows_per_s: f64,
    /// CPU of the process itself, in seconds.
    pub cpu_s: f64,
    /// CPU of the broker meanwhile, in seconds.
    pub broker_cpu_s: Option<f64>,
    /// The most memory the process had, in bytes.
    pub peak_rss_bytes: u64,
}

/// Begins a measurement.
pub struct Meter {
    began: Instant,
    own: Usage,
    broker: Broker,
}

/// The broker's CPU, from a moment on.
pub struct Broker {
    pid: Option<u32>,
    before: f64,
}

impl Meter {
    /// From now on.
    ///
    /// # Errors
    /// If the broker's process is named and is not there.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        Ok(Self { broker: Broker::of(setup)?, own: Usage::of(process::id())?, began: Instant::now() })
    }

    /// What this process did until now.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub fn stop(&self, commands: u64, rows: u64) -> anyhow::Result<Measured> {
        let took = self.began.elapsed();
        let now = Usage::of(process::id())?;
        let usage = Usage { cpu_s: now.cpu_s - self.own.cpu_s, ..now };
        Measured::new(commands, rows, took, usage, &self.broker)
    }

    /// What another process did that ran meanwhile.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub fn of(&self, ran: &Ran, commands: u64, rows: u64) -> anyhow::Result<Measured> {
        Measured::new(commands, rows, ran.took, ran.usage, &self.broker)
    }
}

impl Broker {
    /// From now on.
    ///
    /// # Errors
    /// If its process is named and is not there.
    pub fn of(setup: &Setup) -> anyhow::Result<Self> {
        let mut broker = Self { pid: setup.broker_pid, before: 0.0 };
        broker.before = broker.cpu_s()?.unwrap_or_default();
        Ok(broker)
    }

    /// What it used since then, in seconds; nothing if its process was not named.
    ///
    /// # Errors
    /// If it is not there any more.
    pub fn cpu_s(&self) -> anyhow::Result<Option<f64>> {
        self.pid.map(|pid| Ok(Usage::of(pid)?.cpu_s - self.before)).transpose()
    }
}

impl Measured {
    fn new(commands: u64, rows: u64, took: Duration, usage: Usage, broker: &Broker) -> anyhow::Result<Self> {
        let measured = Self {
            commands,
            rows,
            seconds: 0.0,
            commands_per_s: 0.0,
            rows_per_s: 0.0,
            cpu_s: usage.cpu_s,
            broker_cpu_s: broker.cpu_s()?,
            peak_rss_bytes: usage.peak_rss_bytes,
        };
        Ok(measured.within(took))
    }

    /// The same where everything was done within this time; what else was used in all of it counts.
    pub fn within(self, took: Duration) -> Self {
        let seconds = took.as_secs_f64().max(1e-3);
        let rate = |count: u64| count as f64 / seconds;
        Self { seconds, commands_per_s: rate(self.commands), rows_per_s: rate(self.rows), ..self }
    }
}

/// Prints it on stdout.
///
/// # Errors
/// If stdout cannot be written to.
pub fn print(result: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout().lock(), "{}", serde_json::to_string(result)?)?)
}
