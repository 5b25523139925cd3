//! The command log and the view topics: a few small traits, and two real implementations behind them.
//!
//! - [`kafka`]: Apache Kafka through librdkafka.
//! - [`embedded`]: one SQLite file, for several processes at once.
//!
//! Everything hard hides behind two calls of [`Intake`]: *give me the next batch* (records, partitions gained or
//! lost, or nothing) and *commit these rows and these positions, both or neither*. Nothing here knows what a record
//! means: keys and values are bytes.

mod batch;
mod committer;
pub mod embedded;
mod error;
pub mod kafka;
mod records;
mod topics;

use std::{sync::Arc, time::Duration};

pub use batch::{Batch, Headers, Outgoing, Position, Span, Target};
pub use error::{LogError, TopicProblem};
pub use records::{Record, Records};
pub use topics::{GENERATION, TopicKind, Topics};

/// A partition's number, from 0.
pub type Partition = u32;
/// A record's place in its partition, from 0.
pub type Offset = u64;

/// One log: the commands, the view topics, outcomes and dead letters. Shared by all threads of a process.
pub trait Backend: Send + Sync {
    /// What this log is: differs between any two logs, stays the same for one log's life.
    /// Kafka: cluster id and topic name; embedded: an id made when the file was.
    fn id(&self) -> Result<String, LogError>;
    /// The topics' names.
    fn topics(&self) -> &Topics;
    /// How many partitions `topic` has; `None` if there is no such topic.
    fn partitions(&self, topic: &str) -> Result<Option<u32>, LogError>;
    /// Names of the topics that exist and belong to this log (commands, views, outcomes, dead letters), sorted.
    fn list(&self) -> Result<Vec<String>, LogError>;
    /// Creates a topic with the settings of its kind; `false` if it was there already.
    fn create(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<bool, LogError>;
    /// What is wrong with the settings of `topic` (missing, wrong partition count, wrong setting), nothing if all is well.
    fn check(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<Vec<TopicProblem>, LogError>;
    /// Offsets of every partition of `topic`, as a read-committed reader sees them.
    fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, LogError>;
    /// Joins the projectors of this log, as `member`: an id that stays the same when the process restarts.
    fn intake(&self, member: &str) -> Result<Box<dyn Intake>, LogError>;
    /// Reads one topic, in no group.
    fn reader(&self, topic: &str, from: &[(Partition, Offset)]) -> Result<Box<dyn Reader>, LogError>;
    /// Appends records, idempotently and acknowledged by the whole log.
    fn publisher(&self) -> Result<Box<dyn Publisher>, LogError>;
    /// The group's committed positions, for operators: (partition, position).
    fn committed(&self) -> Result<Vec<(Partition, Committed)>, LogError>;
}

/// The offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Which partition.
    pub partition: Partition,
    /// The first offset that can still be read.
    pub begin: Offset,
    /// The offset after the last one that a read-committed reader may read.
    pub end: Offset,
}

/// A position that the group has committed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The next offset to take.
    pub next_offset: Offset,
    /// What was written beside it (at most 4,096 bytes).
    pub metadata: String,
}

/// A partition that this member has been given. It delivers nothing until [`Intake::start`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gained {
    /// Which partition, and the offsets it has now.
    pub bounds: Bounds,
    /// The group's position, read at this moment, not from memory.
    pub committed: Option<Committed>,
    /// Whether no view topic has a record in this partition. Looked for only where there is no position.
    pub views_empty: bool,
}

/// What [`Intake::next`] brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Records were put into the buffer.
    Records,
    /// Nothing came within the wait: nothing more is waiting.
    Idle,
    /// Partitions were gained.
    Gained(Vec<Gained>),
    /// Partitions are to be given up. The next call of [`Intake::next`] completes it: before that, settle and checkpoint.
    Losing(Vec<Partition>),
    /// Partitions are gone already (fenced or timed out): nothing of them may be committed any more.
    Lost(Vec<Partition>),
}

/// The projector's end of the log: commands in, transactions out. Belongs to one thread.
pub trait Intake: Send {
    /// Waits up to `wait` for the next thing to happen. Records of several partitions may come together, each
    /// partition's in order. `into` is cleared first.
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError>;
    /// Whether it has been said for the first time which partitions are this member's, if any.
    fn has_joined(&self) -> bool;
    /// Delivers the records of a gained partition, from `offset`.
    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError>;
    /// Delivers no more records of a partition until [`Intake::start`]; some that were read already may still come.
    fn pause(&mut self, partition: Partition) -> Result<(), LogError>;
    /// The offset up to which everything of a started `partition` has been delivered. Unlike "last offset + 1" it
    /// passes control records.
    fn position(&self, partition: Partition) -> Offset;
    /// Hands over the first rows of a transaction, or some more of them: the next [`Intake::submit`] completes it. Leaves
    /// an empty batch behind, and fails, as that does.
    fn write(&mut self, part: &mut Batch) -> Result<(), LogError>;
    /// Hands over one transaction: rows and positions, both or neither. It may still be under way when this returns;
    /// transactions are committed in the order given. Waits while as many are under way as the log allows.
    /// Leaves an empty batch behind, where possible one whose memory can be used again.
    /// After an error nothing of this or a later transaction is committed, and this intake is of no use any more.
    fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError>;
    /// How many submitted transactions are committed, since this intake was made. Fails if one of them failed.
    fn committed(&mut self) -> Result<u64, LogError>;
    /// Waits up to `wait` until a transaction that is submitted then is written at once, and says whether it is so. Fails
    /// as [`Intake::committed`] does.
    fn is_ready_within(&mut self, wait: Duration) -> Result<bool, LogError>;
    /// Waits until every submitted transaction is committed.
    fn settle(&mut self) -> Result<(), LogError>;
    /// Leaves the group cleanly. Anything submitted is settled first.
    fn close(self: Box<Self>) -> Result<(), LogError>;
}

/// Reads one topic's partitions from given offsets, in no group, committed records only. Belongs to one thread.
pub trait Reader: Send {
    /// Waits up to `wait` for records; `into` is cleared first and left empty if none came.
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<(), LogError>;
    /// The offset up to which everything of `partition` has been delivered. Unlike "last offset + 1" it passes
    /// control records, so at the end of the log it reaches [`Bounds::end`].
    fn position(&self, partition: Partition) -> Offset;
}

/// What became of a published record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the caller named it.
    pub tag: u64,
    /// Where it is now, or why it isn't.
    pub result: Result<(Partition, Offset), String>,
}

/// Appends records to a topic. Acknowledged by the whole log before a receipt says so. Belongs to one thread.
pub trait Publisher: Send {
    /// Queues a record; waits while the queue is full (bounded in records and bytes).
    fn send(
        &mut self,
        tag: u64,
        topic: &Arc<str>,
        partition: Partition,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), LogError>;
    /// Receipts that have come, in any order; waits up to `wait` for at least one if some are outstanding.
    fn receipts(&mut self, wait: Duration) -> Result<Vec<Receipt>, LogError>;
    /// How many sent records have no receipt yet.
    fn outstanding(&self) -> usize;
}
