//! Where records are: each partition has a table of its own, so that an append is always at the end of a B-tree, where
//! SQLite fills page after page and moves nothing.

use crate::{LogError, Offset, Partition};

/// Offsets below this can be stored.
pub(super) const OFFSETS_MAX: Offset = i64::MAX as u64;
/// More topics than this are refused.
pub(super) const TOPICS_MAX: i64 = (1 << 15) - 1;
/// More partitions of a topic than this are refused.
const PARTITIONS_MAX: u32 = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 12;

/// A topic as it stands in the file.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    /// Its number, from 1.
    pub(super) id: i64,
    /// What it is for, as stored.
    pub(super) kind: String,
    /// How many partitions it has.
    pub(super) partitions: u32,
}

/// A partition of a topic as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub(super) i64);

impl Slot {
    /// The slot of a partition.
    pub(super) fn new(topic: i64, partition: Partition) -> Self {
        Self((topic << PARTITION_BITS) | i64::from(partition))
    }

    /// The slots of a topic: from the first up to, not including, the second.
    pub(super) fn range(topic: i64) -> (Self, Self) {
        (Self::new(topic, 0), Self::new(topic + 1, 0))
    }

    /// Which partition it is.
    pub(super) fn partition(self) -> Partition {
        // 12 bits always fit.
        (self.0 & (i64::from(PARTITIONS_MAX) - 1)) as Partition
    }

    /// The table of its records.
    pub(super) fn table(self) -> String {
        format!("records_{}_{}", self.0 >> PARTITION_BITS, self.partition())
    }
}

/// An offset as SQLite has it.
pub(super) fn stored(offset: Offset) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// Refuses partition counts that no topic can have.
pub(super) fn check_partitions(partitions: u32) -> Result<(), LogError> {
    match partitions {
        1..=PARTITIONS_MAX => Ok(()),
        _ => Err(LogError::Refused(format!("a topic has 1 to {PARTITIONS_MAX} partitions, not {partitions}"))),
    }
}
