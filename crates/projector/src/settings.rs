//! The workers' bounds.

use std::{collections::BTreeSet, time::Duration};

use partyline_store::{Lifetime, Options};

/// Bounds of a worker, each with its unit.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A transaction takes at most this many commands.
    pub batch_commands: usize,
    /// A transaction takes no more commands once it holds this many bytes of rows, counted once for all services that
    /// see the same; a third of them, if it has a part of a history, for which the other partitions wait.
    pub batch_bytes: usize,
    /// Rows go on their way before their transaction is complete once they are so many bytes.
    pub part_bytes: usize,
    /// A transaction takes no more commands once it is this old.
    pub batch_age: Duration,
    /// A checkpoint is taken after this time.
    pub checkpoint_age: Duration,
    /// A checkpoint is taken after this many commands of all partitions together.
    pub checkpoint_commands: u64,
    /// A checkpoint is taken once the changes of all partitions take this much memory.
    pub dirty_bytes: usize,
    /// Records that all partitions together keep in memory, changed ones included; more where those alone are more.
    pub cache_bytes: usize,
    /// sled's own cache, of all partitions together.
    pub sled_cache_bytes: u64,
    /// A store takes a snapshot after so many bytes were written to it; an opening after a kill reads what came after.
    pub snapshot_bytes: u64,
    /// A view topic that nothing was written to says how fresh it is after this time.
    pub position_age: Duration,
    /// Whether missing view topics are made.
    pub create_topics: bool,
    /// The services whose rows are published; nothing for all.
    pub services: Option<BTreeSet<String>>,
}

impl Settings {
    /// Those of a store.
    pub(crate) fn lasting(&self) -> Options {
        let lifetime = Lifetime::Lasting { snapshot_bytes: self.snapshot_bytes };
        Options { sled_cache_bytes: self.sled_cache_bytes, lifetime }
    }

    /// Those of a store that nobody opens again.
    pub(crate) fn scratch(&self) -> Options {
        Options { sled_cache_bytes: self.sled_cache_bytes, lifetime: Lifetime::Scratch }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_commands: 24_000,
            batch_bytes: 12 << 20,
            // Large requests still, as a log that is behind is read a partition after the other.
            part_bytes: 500 << 10,
            batch_age: Duration::from_millis(200),
            checkpoint_age: Duration::from_secs(10),
            checkpoint_commands: 500_000,
            dirty_bytes: 64 << 20,
            cache_bytes: 32 << 20,
            sled_cache_bytes: 8 << 20,
            snapshot_bytes: 128 << 20,
            position_age: Duration::from_secs(5),
            create_topics: true,
            services: None,
        }
    }
}
