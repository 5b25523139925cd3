//! The one place that begins a transaction for records, and what may be done in one: append, and set positions.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    home::{Failure, Home, WAL_BYTES_MAX, keep_waiting},
    layout::{OFFSETS_MAX, Slot, stored},
    schema,
};
use crate::{LogError, Offset, Outgoing, Partition, Position, records::now_ms};

/// How many records one statement inserts.
const INSERT_ROWS: usize = 16;
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

/// What a transaction appends to one partition.
struct Tail<'a> {
    end: Offset,
    /// With their offsets.
    rows: Vec<(Offset, Outgoing<'a>)>,
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

/// Appends records, each at the end of its partition, with the time of the append; tells `placed` each one's offset.
pub(super) fn append<'a>(
    tx: &Transaction<'_>,
    catalog: &mut Catalog,
    rows: impl Iterator<Item = Outgoing<'a>>,
    mut placed: impl FnMut(Offset),
) -> Result<(), Failure> {
    let mut tails: HashMap<Slot, Tail<'a>> = HashMap::new();
    for row in rows {
        let slot = catalog.slot(tx, row.topic, row.partition)?;
        let tail = match tails.entry(slot) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Tail { end: schema::end(tx, slot)?, rows: Vec::new() }),
        };
        if tail.end >= OFFSETS_MAX {
            return Err(LogError::Refused(format!("partition {} of {} is full", row.partition, row.topic)).into());
        }
        placed(tail.end);
        tail.rows.push((tail.end, row));
        tail.end += 1;
    }
    let at_ms = now_ms();
    let mut update = tx.prepare_cached("UPDATE partitions SET end = ?2 WHERE id = ?1")?;
    for (slot, tail) in tails {
        insert(tx, slot, &tail.rows, at_ms)?;
        update.execute([slot.0, stored(tail.end)])?;
    }
    Ok(())
}

/// Inserts records, several with one statement as far as possible: most of the price is the statement's.
fn insert(tx: &Transaction<'_>, slot: Slot, records: &[(Offset, Outgoing<'_>)], at_ms: i64) -> rusqlite::Result<()> {
    let table = slot.table();
    let (chunks, rest) = records.as_chunks::<INSERT_ROWS>();
    for (rows, chunks) in [(INSERT_ROWS, chunks.as_flattened()), (1, rest)] {
        let values = vec!["(?, ?, ?, ?, ?)"; rows].join(", ");
        let sql = format!("INSERT INTO {table} (offset, at_ms, key, value, headers) VALUES {values}");
        let mut insert = tx.prepare_cached(&sql)?;
        for chunk in chunks.chunks(rows) {
            let mut parameter = 1;
            for (offset, row) in chunk {
                insert.raw_bind_parameter(parameter, stored(*offset))?;
                insert.raw_bind_parameter(parameter + 1, at_ms)?;
                insert.raw_bind_parameter(parameter + 2, (!row.key.is_empty()).then_some(row.key))?;
                insert.raw_bind_parameter(parameter + 3, row.value)?;
                insert.raw_bind_parameter(parameter + 4, encode_headers(row.headers))?;
                parameter += 5;
            }
            insert.raw_execute()?;
        }
    }
    Ok(())
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

/// Headers as they are stored: each name and each value with its length (4 bytes, little-endian) before it.
fn encode_headers(headers: &[(&'static str, String)]) -> Option<Vec<u8>> {
    if headers.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for text in headers.iter().flat_map(|(name, value)| [*name, value.as_str()]) {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Some(bytes)
}

/// Headers as they were stored; `None` if these bytes are not headers.
pub(super) fn decode_headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut text = || {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        bytes = rest;
        Some((String::from_utf8(text.to_vec()).ok()?, rest.is_empty()))
    };
    let mut headers = Vec::new();
    loop {
        let (name, _) = text()?;
        let (value, last) = text()?;
        headers.push((name, value));
        if last {
            return Some(headers);
        }
    }
}
