//! The configuration: a flag over the environment over the file over the default.
//!
//! - [`Config`]: what the verbs work with; [`Config::connect`] opens the log that it names.
//! - `keys`: every key, its default, and how its value is read; `value`: reading values.
//! - `layers`: where values come from; `load`: the layers on top of each other, every mistake reported.
//! - `show`: `partyline config show`.

mod connect;
mod keys;
mod layers;
mod load;
pub mod show;
#[cfg(test)]
mod tests;
mod value;

use std::{collections::BTreeMap, fmt, path::PathBuf};

use partyline_log::Topics;
use partyline_projector::{Layout, Settings};

pub use connect::Log;
pub use layers::Flags;
pub use load::{Loaded, load};

/// Everything that can be configured, checked.
#[derive(Clone)]
pub struct Config {
    /// Which log.
    pub log: LogAddress,
    /// The data directory: stores, and the embedded log unless it is put elsewhere.
    pub data: PathBuf,
    /// How the topics' names begin.
    pub prefix: String,
    /// Partitions of a log that is made; fixed for its life. A log that exists has its own count.
    pub partitions: u32,
    /// Replicas of Kafka topics that are made; -1 leaves it to the brokers.
    pub replication_factor: i32,
    /// The workers' bounds, `create_topics` and `services`.
    pub work: Settings,
    /// librdkafka's properties. May hold secrets.
    pub kafka: BTreeMap<String, String>,
    /// How log lines on stderr look.
    pub log_format: LogFormat,
    /// More (positive) or fewer (negative) log lines than usual.
    pub verbosity: i8,
    /// Results as JSON, one object a line.
    pub json: bool,
}

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAddress {
    /// Files in this directory.
    Embedded(PathBuf),
    /// A Kafka cluster: `HOST:PORT[,HOST:PORT]`.
    Kafka(String),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl fmt::Debug for Config {
    /// Without the properties: there may be secrets among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("log", &self.log).field("data", &self.data).finish_non_exhaustive()
    }
}

impl Config {
    /// The folders of the data directory.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.data)
    }

    /// The topics' names.
    pub fn topics(&self) -> Topics {
        Topics::new(&self.prefix)
    }
}
