//! How the place of a record is packed into its SQLite rowid, so that an append is at the end of a range of the
//! B-tree and a range of offsets is a range of rowids: 15 bits of topic, 12 of partition, 36 of offset.

use crate::{LogError, Offset, Partition};

/// Offsets below this can be packed: 68,719,476,736 records a partition.
pub(super) const OFFSETS_MAX: Offset = 1 << OFFSET_BITS;
/// More topics than this are refused.
pub(super) const TOPICS_MAX: i64 = (1 << 15) - 1;
/// More partitions of a topic than this are refused.
const PARTITIONS_MAX: u32 = 1 << PARTITION_BITS;
const OFFSET_BITS: u32 = 36;
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

/// A partition of a topic as one number: the upper bits of its records' ids.
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

    /// The id of the record at `offset` (at most [`OFFSETS_MAX`], which as the end of a range is the next slot's 0).
    pub(super) fn record(self, offset: Offset) -> i64 {
        (self.0 << OFFSET_BITS) + offset.min(OFFSETS_MAX) as i64
    }
}

/// The offset in a record's id.
pub(super) fn offset_of(record: i64) -> Offset {
    (record as u64) & (OFFSETS_MAX - 1)
}

/// Refuses partition counts that no topic can have.
pub(super) fn check_partitions(partitions: u32) -> Result<(), LogError> {
    match partitions {
        1..=PARTITIONS_MAX => Ok(()),
        _ => Err(LogError::Refused(format!("a topic has 1 to {PARTITIONS_MAX} partitions, not {partitions}"))),
    }
}
