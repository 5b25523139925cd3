//! The arguments of `all`: what, how often, and how large.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Workload;

/// A part of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// The projector beside the limit and a bare read
    CatchUp,
    /// The same with one business number and one partition
    SingleNumber,
    /// Latency at several rates
    Latency,
    /// Latency with more partitions
    LatencyPartitions,
    /// `view follow`
    View,
    /// `replay`
    Replay,
    /// After SIGTERM and after kill -9
    Restart,
    /// A service joins a number with a long history
    History,
    /// Catch-up at several sizes, beside the limit
    Growth,
    /// Catch-up on the embedded log
    Embedded,
}

/// The whole measurement.
#[derive(Debug, Clone, clap::Args)]
pub struct All {
    /// Only these parts
    #[arg(long, value_name = "PART,PART", value_delimiter = ',')]
    pub only: Vec<Part>,
    /// How often each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Commands of each run before, which do not count: a broker is slow at first. 0 for none
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub warm_up_commands: u64,
    /// What is in the log.
    #[command(flatten)]
    pub workload: Workload,
    /// Latency: commands a second
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "100,1000,5000,10000,20000")]
    pub rates: Vec<u32>,
    /// Latency: how long each rate is measured, in seconds
    #[arg(long, value_name = "S", default_value_t = 20)]
    pub rate_seconds: u32,
    /// History: entries of the number
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub entries: u64,
    /// Growth and restart: commands in the log
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1000000,3000000,10000000")]
    pub sizes: Vec<u64>,
    /// Also write everything there, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also draw it there, as SVG
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
}

impl All {
    /// Whether a part is to be measured.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
