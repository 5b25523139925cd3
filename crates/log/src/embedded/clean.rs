//! Compaction and retention in small steps.
//!
//! Compaction is Kafka's: read the part of a partition that was never cleaned and note each key's last offset (a
//! bounded map); then go through the partition from its begin to there and remove every record whose key has a later
//! one. Below `cleaned` every key is then unique. Reads and removals are short transactions of their own, so that
//! readers and other writers get in between, and an interrupted pass is simply done again.

use std::{collections::HashMap, fs::File, sync::Arc};

use rusqlite::{Connection, OptionalExtension};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    home::Home,
    layout::{Slot, stored},
    schema::{self, kind_name},
    writer::Writer,
};
use crate::{LogError, Offset, TopicKind};

/// The most records that one step removes, in one transaction.
const STEP_REMOVED_MAX: usize = 5_000;
/// The most records that one step looks at.
const STEP_READ_MAX: usize = 20_000;
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
    last: HashMap<u128, Offset>,
    removing: bool,
    kept: u64,
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
            let Extent { slot, begin, end, .. } = extent;
            let cut = self.named(first_young(&self.writer.conn, &extent, limit_ms))?;
            if cut > begin {
                let removed = self.writer.transact(|tx, _| {
                    let sql = format!("DELETE FROM {} WHERE offset >= ?1 AND offset < ?2", slot.table());
                    let removed = tx.prepare_cached(&sql)?.execute([stored(begin), stored(cut.min(end))])?;
                    let sql = "UPDATE partitions SET begin = ?2 WHERE id = ?1";
                    tx.prepare_cached(sql)?.execute([slot.0, stored(cut)])?;
                    Ok(removed)
                })?;
                return Ok(removed as u64);
            }
        }
        Ok(0)
    }

    /// First half of a pass: notes the last offset of each key.
    fn note(&mut self, mut pass: Pass) -> Result<Cleaned, LogError> {
        let home = Arc::clone(self.writer.home());
        let reached = home.named(each_key(&self.writer.conn, pass.slot, pass.at..pass.end, |offset, key| {
            let Some(key) = key else { return true };
            let hash = xxh3_128(key);
            let room = pass.last.len() < PASS_KEYS_MAX || pass.last.contains_key(&hash);
            if room {
                pass.last.insert(hash, offset);
            } else {
                pass.end = offset;
            }
            room
        }))?;
        pass.at = reached;
        if pass.at >= pass.end {
            pass.at = 0;
            pass.removing = true;
        }
        self.pass = Some(pass);
        Ok(Cleaned { removed: 0, more: true })
    }

    /// Second half: removes records whose key has a later one.
    fn remove(&mut self, mut pass: Pass) -> Result<Cleaned, LogError> {
        let slot = pass.slot;
        let mut superseded: Vec<(Offset, Offset)> = Vec::new();
        let (last, kept) = (&pass.last, &mut pass.kept);
        let home = Arc::clone(self.writer.home());
        let reached = home.named(each_key(&self.writer.conn, slot, pass.at..pass.end, |offset, key| {
            if superseded.len() >= STEP_REMOVED_MAX {
                return false;
            }
            match key.and_then(|key| last.get(&xxh3_128(key))) {
                Some(later) if *later > offset => superseded.push((offset, *later)),
                _ => *kept += 1,
            }
            true
        }))?;
        pass.at = reached;
        let (done, kept, end) = (pass.at >= pass.end, pass.kept, pass.end);
        if superseded.is_empty() && !done {
            self.pass = Some(pass);
            return Ok(Cleaned { removed: 0, more: true });
        }
        let removed = self.writer.transact(|tx, _| {
            // A record goes only if the later one is there and has its key: equal hashes alone remove nothing.
            let table = slot.table();
            let sql = format!(
                "DELETE FROM {table} WHERE offset = ?1
                 AND EXISTS (SELECT 1 FROM {table} later WHERE later.offset = ?2 AND later.key = {table}.key)"
            );
            let mut delete = tx.prepare_cached(&sql)?;
            let mut removed = 0;
            for &(offset, later) in &superseded {
                removed += delete.execute([stored(offset), stored(later)])?;
            }
            if done {
                let sql = "UPDATE partitions SET cleaned = ?2, kept = ?3 WHERE id = ?1";
                tx.prepare_cached(sql)?.execute([slot.0, stored(end), stored(kept)])?;
            }
            Ok(removed as u64)
        })?;
        self.pass = (!done).then_some(pass);
        Ok(Cleaned { removed, more: true })
    }

    fn named<T>(&self, result: rusqlite::Result<T>) -> Result<T, LogError> {
        self.writer.home().named(result)
    }
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

/// When the first record from `offset` on was appended.
fn first_at(conn: &Connection, slot: Slot, offset: Offset) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT at_ms FROM {} WHERE offset >= ?1 ORDER BY offset LIMIT 1", slot.table());
    conn.prepare_cached(&sql)?.query_row([stored(offset)], |row| row.get(0)).optional()
}

/// The offset of the first record that was not appended before `limit_ms`, or how far one step may go.
fn first_young(conn: &Connection, extent: &Extent, limit_ms: i64) -> rusqlite::Result<Offset> {
    let Extent { slot, begin, end, .. } = extent;
    let table = slot.table();
    let sql = format!("SELECT offset, at_ms FROM {table} WHERE offset >= ?1 AND offset < ?2 ORDER BY offset LIMIT ?3");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([stored(*begin), stored(*end), STEP_REMOVED_MAX as i64])?;
    let mut cut = *begin;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= limit_ms {
            break;
        }
        cut = schema::offset(row, 0)? + 1;
    }
    Ok(cut)
}

/// Shows the keys of a range to `look` until it says no or a step has read enough; says which offset to go on from.
fn each_key(
    conn: &Connection,
    slot: Slot,
    range: std::ops::Range<Offset>,
    mut look: impl FnMut(Offset, Option<&[u8]>) -> bool,
) -> rusqlite::Result<Offset> {
    let table = slot.table();
    let sql = format!("SELECT offset, key FROM {table} WHERE offset >= ?1 AND offset < ?2 ORDER BY offset LIMIT ?3");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([stored(range.start), stored(range.end), STEP_READ_MAX as i64])?;
    let (mut read, mut reached) = (0, range.start);
    while let Some(row) = rows.next()? {
        let offset = schema::offset(row, 0)?;
        if !look(offset, row.get_ref(1)?.as_blob_or_null()?) {
            return Ok(offset);
        }
        (read, reached) = (read + 1, offset + 1);
    }
    Ok(if read < STEP_READ_MAX { range.end } else { reached })
}
