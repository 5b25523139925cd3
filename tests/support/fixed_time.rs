//! A log whose commands have the timestamps that a test gives them, whenever they were appended. All else is as it was.

use std::{sync::Arc, time::Duration};

use partyline_log::{
    Backend, Batch, Bounds, Committed, Event, Intake, LogError, Offset, Partition, Publisher, Reader, Record, Records,
    TopicKind, TopicProblem, Topics,
};

/// Log time of a command, in milliseconds.
pub type Clock = Arc<dyn Fn(Partition, Offset) -> i64 + Send + Sync>;

/// A log under a clock of the test's own.
pub struct FixedTime {
    /// The log.
    pub log: Arc<dyn Backend>,
    /// Its clock.
    pub clock: Clock,
}

/// An intake or a reader of the commands.
struct Timed<T> {
    of: T,
    clock: Clock,
}

impl<T> Timed<T> {
    fn set(&self, records: &mut Records) {
        let mut timed = Records::default();
        for record in records.iter() {
            timed.push(Record { at_ms: (self.clock)(record.partition, record.offset), ..record });
        }
        *records = timed;
    }
}

impl Backend for FixedTime {
    fn id(&self) -> Result<String, LogError> {
        self.log.id()
    }

    fn topics(&self) -> &Topics {
        self.log.topics()
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>, LogError> {
        self.log.partitions(topic)
    }

    fn list(&self) -> Result<Vec<String>, LogError> {
        self.log.list()
    }

    fn create(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<bool, LogError> {
        self.log.create(topic, kind, partitions)
    }

    fn check(&self, topic: &str, kind: TopicKind, partitions: u32) -> Result<Vec<TopicProblem>, LogError> {
        self.log.check(topic, kind, partitions)
    }

    fn bounds(&self, topic: &str) -> Result<Vec<Bounds>, LogError> {
        self.log.bounds(topic)
    }

    fn intake(&self, member: &str) -> Result<Box<dyn Intake>, LogError> {
        Ok(Box::new(Timed { of: self.log.intake(member)?, clock: Arc::clone(&self.clock) }))
    }

    fn reader(&self, topic: &str, from: &[(Partition, Offset)]) -> Result<Box<dyn Reader>, LogError> {
        let reader = self.log.reader(topic, from)?;
        let is_timed = *topic == *self.topics().commands;
        Ok(if is_timed { Box::new(Timed { of: reader, clock: Arc::clone(&self.clock) }) } else { reader })
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, LogError> {
        self.log.publisher()
    }

    fn committed(&self) -> Result<Vec<(Partition, Committed)>, LogError> {
        self.log.committed()
    }
}

impl Reader for Timed<Box<dyn Reader>> {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<(), LogError> {
        self.of.next(into, wait)?;
        self.set(into);
        Ok(())
    }

    fn position(&self, partition: Partition) -> Offset {
        self.of.position(partition)
    }
}

impl Intake for Timed<Box<dyn Intake>> {
    fn next(&mut self, into: &mut Records, wait: Duration) -> Result<Event, LogError> {
        let event = self.of.next(into, wait)?;
        self.set(into);
        Ok(event)
    }

    fn has_joined(&self) -> bool {
        self.of.has_joined()
    }

    fn start(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        self.of.start(partition, offset)
    }

    fn pause(&mut self, partition: Partition) -> Result<(), LogError> {
        self.of.pause(partition)
    }

    fn position(&self, partition: Partition) -> Offset {
        self.of.position(partition)
    }

    fn write(&mut self, part: &mut Batch) -> Result<(), LogError> {
        self.of.write(part)
    }

    fn submit(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        self.of.submit(batch)
    }

    fn committed(&mut self) -> Result<u64, LogError> {
        self.of.committed()
    }

    fn is_ready_within(&mut self, wait: Duration) -> Result<bool, LogError> {
        self.of.is_ready_within(wait)
    }

    fn settle(&mut self) -> Result<(), LogError> {
        self.of.settle()
    }

    fn close(self: Box<Self>) -> Result<(), LogError> {
        self.of.close()
    }
}
