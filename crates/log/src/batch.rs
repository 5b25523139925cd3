//! One transaction's worth of what goes out: rows in one buffer, and the positions that belong to them.

use std::{ops::Range, sync::Arc};

use crate::{Committed, Offset, Partition};

/// Rows and positions of one transaction.
///
/// Keys and values lie in one buffer and rows point into it, so that bytes which several services see are held once.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    positions: Vec<Position>,
}

/// A position to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Of which partition of the commands topic.
    pub partition: Partition,
    /// What to commit.
    pub committed: Committed,
}

#[derive(Debug)]
struct Row {
    topic: Arc<str>,
    partition: Partition,
    key: Range<usize>,
    value: Range<usize>,
    headers: Vec<(&'static str, String)>,
}

/// One record that goes out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// To which topic.
    pub topic: &'a Arc<str>,
    /// To which partition of it.
    pub partition: Partition,
    /// Its key; empty means none.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Its headers (dead letters only).
    pub headers: &'a [(&'static str, String)],
}

impl Batch {
    /// Appends bytes to the buffer and says where they are; `write` may only append.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    /// Adds a record whose key and value were written before.
    pub fn push(&mut self, topic: &Arc<str>, partition: Partition, key: Range<usize>, value: Range<usize>) {
        self.push_with_headers(topic, partition, key, value, Vec::new());
    }

    /// Adds a record with headers.
    pub fn push_with_headers(
        &mut self,
        topic: &Arc<str>,
        partition: Partition,
        key: Range<usize>,
        value: Range<usize>,
        headers: Vec<(&'static str, String)>,
    ) {
        self.rows.push(Row { topic: Arc::clone(topic), partition, key, value, headers });
    }

    /// Sets the position of a partition; a later one replaces an earlier one.
    pub fn commit(&mut self, partition: Partition, next_offset: Offset, metadata: String) {
        let committed = Committed { next_offset, metadata };
        match self.positions.iter_mut().find(|p| p.partition == partition) {
            Some(position) => position.committed = committed,
            None => self.positions.push(Position { partition, committed }),
        }
    }

    /// The records, in the order they were pushed.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Outgoing<'_>> {
        self.rows.iter().map(|row| Outgoing {
            topic: &row.topic,
            partition: row.partition,
            key: self.bytes.get(row.key.clone()).unwrap_or_default(),
            value: self.bytes.get(row.value.clone()).unwrap_or_default(),
            headers: &row.headers,
        })
    }

    /// The positions.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is neither a record nor a position.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.positions.is_empty()
    }

    /// How many bytes of keys and values are held.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}
