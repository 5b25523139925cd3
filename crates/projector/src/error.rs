//! Why a worker stops.

use partyline_log::{LogError, Offset, Partition};
use partyline_store::StoreError;

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// It must not start on a partition.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store holds what it should not.
    #[error(transparent)]
    Damaged(#[from] partyline_wire::state::Damaged),
    /// A file beside the stores could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl WorkError {
    /// Whether throwing everything in memory away and starting over from the store may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Log(error) => error.is_passing(),
            Self::Store(StoreError::Damaged { .. } | StoreError::Broken) | Self::Damaged(_) => true,
            Self::Store(_) | Self::Start(_) | Self::File { .. } => false,
        }
    }
}

/// Why a projector must not start on a partition: going on would publish something twice, or miss something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No positions, but rows.
    #[error(
        "POSITIONS_GONE: the group has no position for partition {partition}, but view topics hold rows of it. \
         Starting at 0 would publish them again. Find the position: the newest `position/{partition}` row of each \
         view topic says next_offset; set the group to the highest of them (kafka-consumer-groups --reset-offsets \
         --to-offset N): a topic that says less had no rows since. A history that was being told is told again"
    )]
    PositionsGone {
        /// Which partition.
        partition: Partition,
    },
    /// The store has seen commands that the group has not.
    #[error(
        "STORE_AHEAD: the store of partition {partition} is at {stored}, the group at {}. This is another cluster, or \
         the group's positions were lost or set back. If the group is right, delete the store; it is only a cache",
        committed.map_or_else(|| "no position".to_owned(), |offset| offset.to_string())
    )]
    StoreAhead {
        /// Which partition.
        partition: Partition,
        /// The store's position.
        stored: Offset,
        /// The group's position.
        committed: Option<Offset>,
    },
    /// The beginning of the log is needed, and gone.
    #[error(
        "LOG_TRIMMED: partition {partition} of the log begins at {begin}, but everything from {needed} is needed. The \
         commands topic must be kept for ever (retention.ms=-1). A copy of a store that had come to {begin} helps, or a new \
         log under another `prefix`"
    )]
    LogTrimmed {
        /// Which partition.
        partition: Partition,
        /// Where the log begins.
        begin: Offset,
        /// From where it is needed.
        needed: Offset,
    },
    /// The log ends before what was already taken from it.
    #[error(
        "LOG_CUT_SHORT: partition {partition} of the log ends at {end}, but the group is at {committed}. The topic was \
         made anew, or lost records. A copy of the topic helps, or a new log under another `prefix`"
    )]
    LogCutShort {
        /// Which partition.
        partition: Partition,
        /// Where the log ends.
        end: Offset,
        /// The group's position.
        committed: Offset,
    },
}
