//! Compaction and retention in small steps.
//!
//! Compaction is Kafka's: read the part of a partition that was never cleaned and note each key's last offset (a
//! bounded map); then go through the partition from its begin to there and remove every record whose key has a later
//! one: a block that had one is written anew, in its place. Below `cleaned` every key is then unique. Reads and removals
//! are short transactions of their own, so that readers and other writers get in between, and an interrupted pass is
//! simply done again.

use std::{collections::HashMap, fs::File, ops::ControlFlow, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    block::{BLOCK_RECORDS_MAX, Block, Sealed, Stored, each_block},
    home::{Failure, Home},
    layout::{Slot, stored},
    schema::{self, kind_name},
    writer::Writer,
};
use crate::{LogError, Offset, TopicKind};

/// The most records that one step removes, in one transaction.
const STEP_REMOVED_MAX: u32 = 5_000;
/// A step ends after so many records ...
const STEP_READ_MAX: usize = 20_000;
/// ... or so many bytes of them.
const STEP_READ_BYTES_MAX: usize = 8 << 20;
/// The most keys of one pass: what fits a hash map of 2^20 places, about 35 MB.
const PASS_KEYS_MAX: usize = 900_000;
/// Below this many records that were never cleaned their share does not count: many small partitions, each with a
/// position row now and then, are cleaned by age.
const DIRTY_MIN: u64 = 1_000;
/// A partition with records this old that were never cleaned is cleaned (contract: max.compaction.lag.ms).
const LAG_MAX_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// What one step of cleaning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// How many records it removed.
    pub removed: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// The process's cleaner, while it holds the lock.
pub(super) struct Cleaner {
    writer: Writer,
    pass: Option<Pass>,
    /// The partition that was compacted last; the next one is looked for behind it.
    last: Slot,
    _lock: File,
}

/// One compaction of one partition.
struct Pass {
    slot: Slot,
    /// The first offset not looked at yet.
    at: Offset,
    /// The pass ends before this offset.
    end: Offset,
    /// The last offset of each key, by hash.
    last: HashMap<KeyHash, Offset>,
    removing: bool,
    kept: u64,
}

/// Half of BLAKE3's.
type KeyHash = [u8; 16];

/// What a step has read.
#[derive(Default)]
struct Step {
    read: usize,
    read_bytes: usize,
    /// Where blocks are unpacked.
    room: Vec<u8>,
}

/// A partition as the cleaner sees it.
struct Extent {
    slot: Slot,
    begin: Offset,
    end: Offset,
    cleaned: Offset,
    kept: u64,
}

impl Cleaner {
    /// A new connection.
    pub(super) fn new(home: Arc<Home>, lock: File) -> Result<Self, LogError> {
        Ok(Self { writer: Writer::open(home)?, pass: None, last: Slot(0), _lock: lock })
    }

    /// Goes on with the pass under way; else removes what is too old; else begins the next pass.
    pub(super) fn step(&mut self, now_ms: i64) -> Result<Cleaned, LogError> {
        if let Some(pass) = self.pass.take() {
            return if pass.removing { self.remove(pass) } else { self.note(pass) };
        }
        for (kind, days) in [(TopicKind::Outcomes, 7), (TopicKind::DeadLetters, 30)] {
            let removed = self.expire(kind, now_ms.saturating_sub(days * DAY_MS))?;
            if removed > 0 {
                return Ok(Cleaned { removed, more: true });
            }
        }
        self.pass = self.named(due(&self.writer.conn, self.last, now_ms))?;
        self.last = self.pass.as_ref().map_or(Slot(0), |pass| pass.slot);
        Ok(Cleaned { removed: 0, more: self.pass.is_some() })
    }

    /// Removes records appended before `limit_ms` from the begin of a partition, as many as a step may.
    fn expire(&mut self, kind: TopicKind, limit_ms: i64) -> Result<u64, LogError> {
        for extent in self.named(extents(&self.writer.conn, kind))? {
            let Extent { slot, begin, .. } = extent;
            let cut = self.named(first_young(&self.writer.conn, &extent, limit_ms))?;
            if cut > begin {
                self.writer.transact(|tx, _| {
                    let sql = format!("DELETE FROM {} WHERE first >= ?1 AND first < ?2", slot.table());
                    tx.prepare_cached(&sql)?.execute([stored(begin), stored(cut)])?;
                    let sql = "UPDATE partitions SET begin = ?2 WHERE id = ?1";
                    Ok(tx.prepare_cached(sql)?.execute([slot.0, stored(cut)])?)
                })?;
                // These topics are not compacted: each offset is there.
                return Ok(cut - begin);
            }
        }
        Ok(0)
    }

    /// First half of a pass: notes the last offset of each key.
    fn note(&mut self, mut pass: Pass) -> Result<Cleaned, LogError> {
        let Pass { slot, at, end, last, .. } = &mut pass;
        let mut step = Step::default();
        let reached = each_block(&self.writer.conn, *slot, *at..*end, |block| {
            if step.has_read_enough() {
                return Ok(ControlFlow::Break(()));
            }
            if last.len() + BLOCK_RECORDS_MAX as usize > PASS_KEYS_MAX {
                *end = block.first;
                return Ok(ControlFlow::Break(()));
            }
            for record in step.records(&block)? {
                let (offset, record) = record?;
                if !record.key.is_empty() {
                    last.insert(hash(record.key), offset);
                }
            }
            Ok(ControlFlow::Continue(()))
        });
        *at = self.named(reached)?;
        if pass.at >= pass.end {
            pass.at = 0;
            pass.removing = true;
        }
        self.pass = Some(pass);
        Ok(Cleaned { removed: 0, more: true })
    }

    /// Second half: removes records whose key has a later one.
    fn remove(&mut self, mut pass: Pass) -> Result<Cleaned, LogError> {
        let Pass { slot, at, end, last, kept, .. } = &mut pass;
        let mut step = Step::default();
        let mut removed = 0;
        let mut thinner: Vec<(Offset, Option<Vec<u8>>)> = Vec::new();
        let reached = each_block(&self.writer.conn, *slot, *at..*end, |block| {
            if step.has_read_enough() || removed + BLOCK_RECORDS_MAX > STEP_REMOVED_MAX {
                return Ok(ControlFlow::Break(()));
            }
            let (mut left, before) = (Block::default(), removed);
            for record in step.records(&block)? {
                let (offset, record) = record?;
                match last.get(&hash(record.key)) {
                    Some(later) if *later > offset => removed += 1,
                    _ => left.keep(&record),
                }
            }
            *kept += u64::from(left.records());
            if removed > before {
                let sealed = (left.records() > 0).then(|| left.sealed());
                thinner.push((block.first, sealed));
            }
            Ok(ControlFlow::Continue(()))
        });
        *at = self.named(reached)?;
        let done = at >= end;
        if !thinner.is_empty() || done {
            let table = slot.table();
            self.writer.transact(|tx, _| {
                let mut update = tx.prepare_cached(&format!("UPDATE {table} SET records = ?2 WHERE first = ?1"))?;
                let mut delete = tx.prepare_cached(&format!("DELETE FROM {table} WHERE first = ?1"))?;
                for (first, records) in &thinner {
                    match records {
                        Some(records) => update.execute(params![stored(*first), records])?,
                        None => delete.execute([stored(*first)])?,
                    };
                }
                if done {
                    let sql = "UPDATE partitions SET cleaned = ?2, kept = ?3 WHERE id = ?1";
                    tx.prepare_cached(sql)?.execute([slot.0, stored(*end), stored(*kept)])?;
                }
                Ok(())
            })?;
        }
        self.pass = (!done).then_some(pass);
        Ok(Cleaned { removed: u64::from(removed), more: true })
    }

    fn named<T, F: Into<Failure>>(&self, result: Result<T, F>) -> Result<T, LogError> {
        self.writer.home().named(result)
    }
}

impl Step {
    fn has_read_enough(&self) -> bool {
        self.read >= STEP_READ_MAX || self.read_bytes >= STEP_READ_BYTES_MAX
    }

    fn records<'a>(
        &'a mut self,
        block: &'a Sealed<'_>,
    ) -> Result<impl Iterator<Item = Result<(Offset, Stored<'a>), Failure>>, Failure> {
        let Self { read, read_bytes, room } = self;
        let records = block.records(room)?;
        Ok(records.inspect(|record| {
            if let Ok((_, record)) = record {
                *read += 1;
                *read_bytes += record.key.len() + record.value.len();
            }
        }))
    }
}

/// What tells one key from all others: no two are known of which this is the same.
fn hash(key: &[u8]) -> KeyHash {
    let mut hash = KeyHash::default();
    hash.copy_from_slice(&blake3::hash(key).as_bytes()[..size_of::<KeyHash>()]);
    hash
}

/// The next view partition behind `last` that is due: half of it or more was never cleaned (Kafka's
/// `min.cleanable.dirty.ratio`), or something of that is older than an hour.
fn due(conn: &Connection, last: Slot, now_ms: i64) -> rusqlite::Result<Option<Pass>> {
    let mut extents = extents(conn, TopicKind::View)?;
    let behind = extents.iter().take_while(|extent| extent.slot <= last).count();
    extents.rotate_left(behind);
    for Extent { slot, end, cleaned, kept, .. } in extents {
        let dirty = end.saturating_sub(cleaned);
        let old = |at_ms: i64| at_ms <= now_ms.saturating_sub(LAG_MAX_MS);
        if dirty > 0 && (dirty >= kept.max(DIRTY_MIN) || first_at(conn, slot, cleaned)?.is_some_and(old)) {
            return Ok(Some(Pass { slot, at: cleaned, end, last: HashMap::new(), removing: false, kept: 0 }));
        }
    }
    Ok(None)
}

/// The partitions of all topics of a kind that have records, in order.
fn extents(conn: &Connection, kind: TopicKind) -> rusqlite::Result<Vec<Extent>> {
    let sql = "SELECT p.id, p.begin, p.end, p.cleaned, p.kept
               FROM topics t JOIN partitions p ON p.id BETWEEN (t.id << 12) AND (t.id << 12) + 4095
               WHERE t.kind = ?1 AND p.end > p.begin ORDER BY p.id";
    let extent = |row: &rusqlite::Row<'_>| {
        let offset = |column| schema::offset(row, column);
        let slot = Slot(row.get(0)?);
        Ok(Extent { slot, begin: offset(1)?, end: offset(2)?, cleaned: offset(3)?, kept: offset(4)? })
    };
    conn.prepare_cached(sql)?.query_map([kind_name(kind)], extent)?.collect()
}

/// When the first block from `offset` on was appended.
fn first_at(conn: &Connection, slot: Slot, offset: Offset) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT at_ms FROM {} WHERE first >= ?1 ORDER BY first LIMIT 1", slot.table());
    conn.prepare_cached(&sql)?.query_row([stored(offset)], |row| row.get(0)).optional()
}

/// The first offset of the first block that was not appended before `limit_ms`, or how far one step may go.
fn first_young(conn: &Connection, extent: &Extent, limit_ms: i64) -> rusqlite::Result<Offset> {
    let Extent { slot, begin, end, .. } = *extent;
    let most = begin.saturating_add(Offset::from(STEP_REMOVED_MAX));
    let table = slot.table();
    let sql = format!("SELECT first, at_ms FROM {table} WHERE first >= ?1 AND first <= ?2 ORDER BY first");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([stored(begin), stored(most)])?;
    let mut cut = begin;
    while let Some(row) = rows.next()? {
        cut = schema::offset(row, 0)?;
        if row.get::<_, i64>(1)? >= limit_ms {
            return Ok(cut);
        }
    }
    Ok(if end <= most { end } else { cut })
}
