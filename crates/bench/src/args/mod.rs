//! The arguments: those that go for everything here, those of `all` in `plan`.

mod plan;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use plan::{All, Part};

/// Measures partyline on a real Kafka.
#[derive(Debug, Parser)]
#[command(name = "partyline-bench", version, max_term_width = 100)]
pub struct Args {
    /// What is measured, and where.
    #[command(flatten)]
    pub setup: Setup,
    /// What to measure.
    #[command(subcommand)]
    pub what: What,
}

/// What is measured, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Setup {
    /// The brokers: `HOST:PORT[,HOST:PORT]`
    #[arg(long, global = true, default_value = "127.0.0.1:9092", env = "PARTYLINE_BENCH_BOOTSTRAP")]
    pub bootstrap: String,
    /// How the topics' names begin
    #[arg(long, global = true, default_value = "bench")]
    pub prefix: String,
    /// The binary to measure
    #[arg(long, global = true, value_name = "FILE", default_value = "target/dist/partyline")]
    pub bin: PathBuf,
    /// The broker's process, to count its CPU apart
    #[arg(long, global = true, value_name = "PID")]
    pub broker_pid: Option<u32>,
}

/// What to measure; each prints one line of JSON, `all` tables.
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
    /// Load and catch up on the embedded log, without Kafka
    Embedded(Workload),
    /// From a command's scheduled time to a reader of its row, on a new log
    Latency(Latency),
    /// `view follow` from an empty store, on a log that was projected
    View(View),
    /// `replay`, one service after the other, on a log that was projected
    Replay(Replay),
    /// The projector killed and stopped with a log behind it, on a new log
    Restart(Workload),
    /// A service joins a number with a long history, on a new log
    History(History),
    /// All of these, several times, side by side
    All(Box<All>),
}

/// The commands.
#[derive(Debug, Clone, clap::Args)]
pub struct Workload {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub commands: u64,
    /// What they are about.
    #[command(flatten)]
    pub mix: Mix,
}

/// What commands are about.
#[derive(Debug, Clone, clap::Args)]
pub struct Mix {
    /// Partitions of the log
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024))]
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
    /// Producers, each with some of the partitions
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub producers: u32,
    /// A transaction takes so many commands at most
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub transaction_commands: usize,
    /// With rust-rdkafka's own calls, a record at a time
    #[arg(long)]
    pub one_by_one: bool,
    /// A property of librdkafka's producer, over the tuned ones; may be repeated
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
}

/// The projector.
#[derive(Debug, Clone, clap::Args)]
pub struct CatchUp {
    /// Run the projector in this process instead: for profiling
    #[arg(long)]
    pub in_process: bool,
    /// Where it keeps its stores, empty [default: a directory that is deleted afterwards]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// An open loop.
#[derive(Debug, Clone, clap::Args)]
pub struct Latency {
    /// Commands a second
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How long it is measured
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How long it runs before that: a broker is slow at first
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub warm_up: u32,
    /// What they are about.
    #[command(flatten)]
    pub mix: Mix,
}

/// A view's worker.
#[derive(Debug, Clone, clap::Args)]
pub struct View {
    /// Whose view
    #[arg(long, value_name = "SERVICE", default_value = "desk")]
    pub service: String,
}

/// Replays.
#[derive(Debug, Clone, clap::Args)]
pub struct Replay {
    /// Whose views, one after the other [default: all that there are]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub services: Vec<String>,
}

/// A long history.
#[derive(Debug, Clone, clap::Args)]
pub struct History {
    /// Entries that the number has
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub entries: u64,
    /// Conversations that they are in
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub conversations: u64,
    /// Commands a second on other partitions
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How long they run alone before the service joins
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// Partitions of the log
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=1024))]
    pub partitions: u32,
}
