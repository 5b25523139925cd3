//! Reads partitions of one topic onwards, and waits for more: by the bell for what this process appends, by looking
//! at SQLite's data version for what others do.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    block::each_block,
    home::{Failure, Home},
    layout::Slot,
    schema,
};
use crate::{LogError, Offset, Partition, Record, Records};

/// The most records of one batch.
const BATCH_RECORDS_MAX: usize = 4_096;
/// The most bytes of keys and values of one batch (one larger record comes alone).
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Between two looks for other processes' records: at first, and after a while of silence.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(10);

/// Where a reader is.
pub(super) struct Cursor {
    home: Arc<Home>,
    topic: i64,
    at: BTreeMap<Partition, Offset>,
    /// The partition whose turn it is, so that a long one does not hold up the others.
    turn: Partition,
    /// The data version at which everything had been read; nothing new can be there before it changes.
    exhausted: Option<i64>,
    poll: Duration,
    /// Where blocks are unpacked.
    room: Vec<u8>,
}

impl Cursor {
    /// Reads no partition yet.
    pub(super) fn new(home: Arc<Home>, topic: i64) -> Self {
        Self { home, topic, at: BTreeMap::new(), turn: 0, exhausted: None, poll: POLL_MIN, room: Vec::new() }
    }

    /// Reads `partition` from `offset` on.
    pub(super) fn start(&mut self, partition: Partition, offset: Offset) {
        self.at.insert(partition, offset);
        self.exhausted = None;
    }

    /// Reads `partition` no more.
    pub(super) fn stop(&mut self, partition: Partition) {
        self.at.remove(&partition);
    }

    /// Everything of `partition` below this has been delivered.
    pub(super) fn position(&self, partition: Partition) -> Offset {
        self.at.get(&partition).copied().unwrap_or_default()
    }

    /// Waits up to `wait` for records; whether some came. `into` is cleared first.
    pub(super) fn next(&mut self, conn: &Connection, into: &mut Records, wait: Duration) -> Result<bool, LogError> {
        into.clear();
        let begun = Instant::now();
        loop {
            let heard = self.home.bell.count();
            let came = self.look(conn, into);
            if self.home.named(came)? {
                self.poll = POLL_MIN;
                return Ok(true);
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            if !self.home.bell.wait(heard, left.min(self.poll)) {
                self.poll = (self.poll * 2).min(POLL_MAX);
            }
        }
    }

    fn look(&mut self, conn: &Connection, into: &mut Records) -> Result<bool, Failure> {
        let version = conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.exhausted == Some(version) {
            return Ok(false);
        }
        let bounds = schema::bounds(conn, self.topic)?;
        let turn = bounds.iter().position(|b| b.partition >= self.turn).unwrap_or_default();
        let (before, from) = bounds.split_at(turn);
        for bounds in from.iter().chain(before) {
            let Some(at) = self.at.get_mut(&bounds.partition) else { continue };
            if *at < bounds.end {
                let slot = Slot::new(self.topic, bounds.partition);
                let full;
                (*at, full) = fetch(conn, slot, *at..bounds.end, &mut self.room, into)?;
                if full {
                    self.turn = bounds.partition + 1;
                    return Ok(true);
                }
            }
        }
        self.exhausted = Some(version);
        Ok(!into.is_empty())
    }
}

/// Adds the records of a range; says which offset to go on from, and whether the batch is full. Where records were
/// removed there are gaps. The end was read before the records were, so that all below it are seen.
fn fetch(
    conn: &Connection,
    slot: Slot,
    range: Range<Offset>,
    room: &mut Vec<u8>,
    into: &mut Records,
) -> Result<(Offset, bool), Failure> {
    let partition = slot.partition();
    let mut full = None;
    let reached = each_block(conn, slot, range.clone(), |block| {
        for record in block.records(room)? {
            let (offset, record) = record?;
            if offset < range.start {
                continue;
            }
            let bytes = into.bytes() + record.key.len() + record.value.len();
            if into.len() >= BATCH_RECORDS_MAX || (bytes > BATCH_BYTES_MAX && !into.is_empty()) {
                full = Some(offset);
                return Ok(ControlFlow::Break(()));
            }
            let key = (!record.key.is_empty()).then_some(record.key);
            let headers = record.headers().ok_or_else(|| block.damaged())?;
            let (at_ms, value) = (block.at_ms, Some(record.value));
            into.push(Record { partition, offset, at_ms, key, value, headers: &headers });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((full.unwrap_or(reached), full.is_some()))
}
