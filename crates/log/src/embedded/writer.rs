//! The one place that begins a transaction for records, and what may be done in one: append, and set positions.

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    appends::Appends,
    home::{Failure, Home, WAL_BYTES_MAX, keep_waiting},
    layout::{OFFSETS_MAX, Slot, stored},
    schema,
};
use crate::{LogError, Offset, Partition, Position, records::now_ms};

/// The longest metadata of a position, as on Kafka. Bytes.
const METADATA_BYTES_MAX: usize = 4_096;
/// How long a commit may wait for readers when the write-ahead file has grown too large.
const TRUNCATE_PATIENCE: Duration = Duration::from_millis(100);

/// A connection that writes.
pub(super) struct Writer {
    home: Arc<Home>,
    /// Also for reading, by its owner.
    pub(super) conn: Connection,
    catalog: Catalog,
    /// Once the write-ahead file is larger, it is emptied. Bytes.
    wal_bytes_max: u64,
}

/// Topics that were looked up: their ids and partition counts never change.
#[derive(Default)]
pub(super) struct Catalog(HashMap<Arc<str>, (i64, u32)>);

impl Writer {
    /// A new connection.
    pub(super) fn open(home: Arc<Home>) -> Result<Self, LogError> {
        let conn = home.connect(false)?;
        Ok(Self { home, conn, catalog: Catalog::default(), wal_bytes_max: WAL_BYTES_MAX })
    }

    /// Where this log is.
    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Does `work` in one transaction: when this returns `Ok` it is on disk, otherwise nothing of it happened.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut Catalog) -> Result<T, Failure>,
    ) -> Result<T, LogError> {
        let done = (|| {
            let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx, &mut self.catalog)?;
            tx.commit()?;
            Ok::<_, Failure>(done)
        })();
        let done = self.home.named(done)?;
        self.home.bell.ring();
        self.bound_wal();
        Ok(done)
    }

    /// Finds where a record of `topic` and `partition` goes, outside a transaction.
    pub(super) fn slot(&mut self, topic: &Arc<str>, partition: Partition) -> Result<Slot, LogError> {
        self.home.named(self.catalog.slot(&self.conn, topic, partition))
    }

    /// Readers that overlap all the time keep the write-ahead file from being begun anew. When it has grown far past
    /// what a checkpoint leaves, wait for them a moment; whether that helps or not, the commit stands.
    fn bound_wal(&mut self) {
        let size = self.home.wal_bytes();
        if size <= self.wal_bytes_max {
            return;
        }
        let emptied = (|| {
            self.conn.busy_timeout(TRUNCATE_PATIENCE)?;
            let busy: i64 = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(busy == 0)
        })();
        if let Err(error) = self.conn.busy_handler(Some(keep_waiting)) {
            tracing::warn!(%error, "the busy handler could not be set again");
        }
        self.wal_bytes_max = match emptied {
            Ok(true) => WAL_BYTES_MAX,
            Ok(false) => size + WAL_BYTES_MAX,
            Err(error) => {
                tracing::warn!(%error, bytes = size, "the write-ahead file could not be emptied");
                size + WAL_BYTES_MAX
            }
        };
    }
}

impl Catalog {
    /// Where records of `topic` and `partition` go.
    fn slot(&mut self, conn: &Connection, topic: &Arc<str>, partition: Partition) -> Result<Slot, Failure> {
        let (id, partitions) = match self.0.get(topic) {
            Some(known) => *known,
            None => {
                let found = schema::topic(conn, topic)?.ok_or_else(|| LogError::NoTopic(topic.to_string()))?;
                self.0.insert(Arc::clone(topic), (found.id, found.partitions));
                (found.id, found.partitions)
            }
        };
        if partition >= partitions {
            return Err(out_of_range(topic, partition).into());
        }
        Ok(Slot::new(id, partition))
    }
}

/// Appends records, each partition's at its end, with the time of the append; gives each partition's offsets.
pub(super) fn append(
    tx: &Transaction<'_>,
    catalog: &mut Catalog,
    appends: &Appends,
) -> Result<Vec<Range<Offset>>, Failure> {
    let at_ms = now_ms();
    let mut update = tx.prepare_cached("UPDATE partitions SET end = ?2 WHERE id = ?1")?;
    let mut placed = Vec::new();
    for tail in appends.tails() {
        let slot = catalog.slot(tx, &tail.topic, tail.partition)?;
        let begin = schema::end(tx, slot)?;
        let end = begin.saturating_add(tail.records());
        if end > OFFSETS_MAX {
            return Err(LogError::Refused(format!("partition {} of {} is full", tail.partition, tail.topic)).into());
        }
        let sql = format!("INSERT INTO {} (first, at_ms, records) VALUES (?1, ?2, ?3)", slot.table());
        let mut insert = tx.prepare_cached(&sql)?;
        for (first, block) in appends.blocks(tail, begin) {
            insert.execute(params![stored(first), at_ms, block])?;
        }
        update.execute([slot.0, stored(end)])?;
        placed.push(begin..end);
    }
    Ok(placed)
}

/// Sets the positions of a group.
pub(super) fn set_positions(tx: &Transaction<'_>, group: &str, positions: &[Position]) -> Result<(), Failure> {
    let sql = "INSERT INTO positions (consumers, partition, next_offset, metadata) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset, metadata = excluded.metadata";
    let mut upsert = tx.prepare_cached(sql)?;
    for Position { partition, committed } in positions {
        if committed.metadata.len() > METADATA_BYTES_MAX || committed.next_offset > OFFSETS_MAX {
            let what = format!("a position of partition {partition} is out of bounds");
            return Err(LogError::Refused(what).into());
        }
        upsert.execute(params![group, partition, stored(committed.next_offset), committed.metadata])?;
    }
    Ok(())
}

/// There is no such partition.
pub(super) fn out_of_range(topic: &str, partition: Partition) -> LogError {
    LogError::OutOfRange(format!("{topic} has no partition {partition}"))
}
