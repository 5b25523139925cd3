//! What a measurement says: one line of JSON.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// How much was done in which time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Commands taken or written.
    pub commands: u64,
    /// Rows written.
    #[serde(default)]
    pub rows: u64,
    /// From the first connection to the last commit, in seconds.
    pub seconds: f64,
}

impl Figures {
    /// Of so much work.
    pub fn new(commands: u64, rows: u64, took: Duration) -> Self {
        Self { commands, rows, seconds: took.as_secs_f64() }
    }

    /// Commands a second.
    pub fn rate(&self) -> f64 {
        self.commands as f64 / self.seconds.max(1e-3)
    }

    /// Prints it on stdout, and how it reads on stderr.
    ///
    /// # Errors
    /// If stdout cannot be written to.
    pub fn print(&self) -> anyhow::Result<()> {
        let usage = crate::usage::Usage::of(std::process::id())?;
        eprintln!(
            "{} commands, {} rows in {:.3} s: {:.0} commands/s, {:.2} CPU s, peak {} MB",
            self.commands,
            self.rows,
            self.seconds,
            self.rate(),
            usage.cpu_s,
            usage.peak_rss_bytes >> 20
        );
        Ok(writeln!(io::stdout().lock(), "{}", serde_json::to_string(self)?)?)
    }
}
