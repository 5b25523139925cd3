//! The arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures partyline on a real Kafka.
#[derive(Debug, Parser)]
#[command(name = "partyline-bench", version, max_term_width = 100)]
pub struct Args {
    /// Which log.
    #[command(flatten)]
    pub log: Log,
    /// What to measure.
    #[command(subcommand)]
    pub what: What,
}

/// Where the log is.
#[derive(Debug, Clone, clap::Args)]
pub struct Log {
    /// The brokers: `HOST:PORT[,HOST:PORT]`
    #[arg(long, global = true, default_value = "127.0.0.1:9092", env = "PARTYLINE_BENCH_BOOTSTRAP")]
    pub bootstrap: String,
    /// How the topics' names begin
    #[arg(long, global = true, default_value = "bench")]
    pub prefix: String,
}

/// What to measure; each prints one line of JSON, `all` a table.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Make the topics and fill the commands topic
    Load(Workload),
    /// Read the commands, and no more
    Read,
    /// Read, and write as many rows of the same sizes in transactions, with no rules
    Limit(Limit),
    /// The projector from an empty store to the end of the log
    CatchUp(CatchUp),
    /// All of these, several times, side by side
    All(All),
}

/// The commands.
#[derive(Debug, Clone, clap::Args)]
pub struct Workload {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub commands: u64,
    /// Partitions of the log
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: u32,
    /// Business numbers
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub numbers: u32,
    /// Conversations
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub conversations: u32,
    /// What the random choices begin with
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// The rows of the pass-through.
#[derive(Debug, Clone, clap::Args)]
pub struct Limit {
    /// Rows a command, on average
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    pub rows: f64,
    /// Bytes of a row's key
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub key_bytes: usize,
    /// Bytes of a row's value
    #[arg(long, value_name = "N", default_value_t = 110)]
    pub value_bytes: usize,
    /// A transaction takes so many commands at most
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub transaction_commands: usize,
    /// A property of librdkafka's producer, over the tuned ones; may be repeated
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
}

/// The projector.
#[derive(Debug, Clone, clap::Args)]
pub struct CatchUp {
    /// The binary to measure
    #[arg(long, value_name = "FILE", default_value = "target/release/partyline")]
    pub bin: PathBuf,
    /// Run the projector in this process instead: for profiling
    #[arg(long)]
    pub in_process: bool,
    /// Where it keeps its stores, empty [default: a directory that is deleted afterwards]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// The whole measurement.
#[derive(Debug, Clone, clap::Args)]
pub struct All {
    /// What is in the log.
    #[command(flatten)]
    pub workload: Workload,
    /// What is measured.
    #[command(flatten)]
    pub catch_up: CatchUp,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// The broker's process, to count its CPU apart
    #[arg(long, value_name = "PID")]
    pub broker_pid: Option<u32>,
    /// Also write everything there, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
