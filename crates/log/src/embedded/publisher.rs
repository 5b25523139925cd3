//! Appends producers' records in group commits.

use std::{sync::Arc, time::Duration};

use super::{
    appends::Appends,
    home::Home,
    writer::{Writer, append},
};
use crate::{Batch, LogError, Partition, Publisher, Receipt, batch::Target};

/// The most records of one commit.
const GROUP_RECORDS_MAX: usize = 4_000;
/// The most bytes of keys and values of one commit.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// A larger record is refused, as on Kafka with its default settings. Bytes of key and value.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// Receipts that wait to be taken; beyond that nothing more can be sent.
const RECEIPTS_MAX: usize = 1_000_000;

/// A queue of one group and the receipts of earlier ones.
pub(super) struct EmbeddedPublisher {
    writer: Writer,
    queue: Batch,
    /// Target, tag and partition of each record in the queue.
    tags: Vec<(Target, u64, Partition)>,
    receipts: Vec<Receipt>,
}

impl EmbeddedPublisher {
    /// A new connection.
    pub(super) fn open(home: Arc<Home>) -> Result<Self, LogError> {
        let writer = Writer::open(home)?;
        Ok(Self { writer, queue: Batch::default(), tags: Vec::new(), receipts: Vec::new() })
    }

    /// Commits the queue. If that fails, nothing of it is in the log and it stays queued for the next attempt.
    fn commit(&mut self) -> Result<(), LogError> {
        if self.tags.is_empty() {
            return Ok(());
        }
        let mut appends = Appends::default();
        appends.add(self.queue.rows());
        appends.complete();
        let offsets = self.writer.transact(|tx, catalog| append(tx, catalog, &appends))?;
        // The order in which a batch gives its rows.
        self.tags.sort_by_key(|(target, ..)| *target);
        let placed = self.tags.drain(..).zip(offsets.into_iter().flatten());
        self.receipts
            .extend(placed.map(|((_, tag, partition), offset)| Receipt { tag, result: Ok((partition, offset)) }));
        self.queue.clear();
        Ok(())
    }
}

impl Publisher for EmbeddedPublisher {
    fn send(
        &mut self,
        tag: u64,
        topic: &Arc<str>,
        partition: Partition,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), LogError> {
        self.writer.slot(topic, partition)?;
        if self.receipts.len() >= RECEIPTS_MAX {
            return Err(LogError::Refused(format!("{RECEIPTS_MAX} receipts have not been taken")));
        }
        let bytes = key.len() + value.len();
        if bytes > RECORD_BYTES_MAX {
            let result = Err(format!("{bytes} bytes, more than the {RECORD_BYTES_MAX} that a record may have"));
            self.receipts.push(Receipt { tag, result });
            return Ok(());
        }
        if self.tags.len() >= GROUP_RECORDS_MAX || self.queue.bytes() + bytes > GROUP_BYTES_MAX {
            self.commit()?;
        }
        let key = self.queue.write(|buffer| buffer.extend_from_slice(key));
        let value = self.queue.write(|buffer| buffer.extend_from_slice(value));
        let target = self.queue.target(topic, partition);
        self.queue.push(target, key, value);
        self.tags.push((target, tag, partition));
        Ok(())
    }

    /// Commits what is queued, so it waits for the disk and never for anything else.
    fn receipts(&mut self, _wait: Duration) -> Result<Vec<Receipt>, LogError> {
        self.commit()?;
        Ok(std::mem::take(&mut self.receipts))
    }

    fn outstanding(&self) -> usize {
        self.tags.len() + self.receipts.len()
    }
}
