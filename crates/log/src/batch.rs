//! One transaction's worth of what goes out: rows in one buffer, and the positions that belong to them.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{Committed, Offset, Partition};

/// Rows and positions of one transaction.
///
/// Keys and values lie in one buffer and rows point into it, so that bytes which several services see are held once.
/// Rows are kept by target: a client that sends a request for each partition fills it at once.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    targets: Vec<(Arc<str>, Partition)>,
    by_target: HashMap<(Arc<str>, Partition), Target>,
    /// Of each target, in the order they were pushed. There may be more of these than targets, empty.
    rows: Vec<Vec<Row>>,
    len: usize,
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

/// A topic's partition that a batch has records for; means nothing to another batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(usize);

/// A record's headers: names and values.
pub type Headers = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Row {
    key: Range<usize>,
    value: Range<usize>,
    /// Rare, and so not in place.
    headers: Option<Box<Headers>>,
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

    /// Where records of a topic's partition go, for [`Batch::push`].
    pub fn target(&mut self, topic: &Arc<str>, partition: Partition) -> Target {
        let new = Target(self.targets.len());
        *self.by_target.entry((Arc::clone(topic), partition)).or_insert_with(|| {
            self.targets.push((Arc::clone(topic), partition));
            if self.rows.len() < self.targets.len() {
                self.rows.push(Vec::new());
            }
            new
        })
    }

    /// Adds a record whose key and value were written before.
    pub fn push(&mut self, target: Target, key: Range<usize>, value: Range<usize>) {
        self.add(target, Row { key, value, headers: None });
    }

    /// Adds a record with headers.
    pub fn push_with_headers(&mut self, target: Target, key: Range<usize>, value: Range<usize>, headers: Headers) {
        self.add(target, Row { key, value, headers: Some(Box::new(headers)) });
    }

    fn add(&mut self, Target(target): Target, row: Row) {
        // Never missing where this batch gave the target out.
        if let Some(rows) = self.rows.get_mut(target) {
            rows.push(row);
            self.len += 1;
        }
    }

    /// Sets the position of a partition; a later one replaces an earlier one.
    pub fn commit(&mut self, partition: Partition, next_offset: Offset, metadata: String) {
        let committed = Committed { next_offset, metadata };
        match self.positions.iter_mut().find(|p| p.partition == partition) {
            Some(position) => position.committed = committed,
            None => self.positions.push(Position { partition, committed }),
        }
    }

    /// The records: those of one target after those of another, each target's in the order they were pushed.
    pub fn rows(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.targets.iter().zip(&self.rows).flat_map(|(target, rows)| rows.iter().map(|row| self.outgoing(target, row)))
    }

    /// Nothing is missing where a row was pushed with what this batch gave out.
    fn outgoing<'a>(&'a self, (topic, partition): &'a (Arc<str>, Partition), row: &'a Row) -> Outgoing<'a> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        Outgoing {
            topic,
            partition: *partition,
            key: bytes(&row.key),
            value: bytes(&row.value),
            headers: row.headers.as_deref().map_or(&[], Vec::as_slice),
        }
    }

    /// The positions.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is neither a record nor a position.
    pub fn is_empty(&self) -> bool {
        self.len == 0 && self.positions.is_empty()
    }

    /// How many bytes of keys and values are held.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.targets.clear();
        self.by_target.clear();
        self.rows.iter_mut().for_each(Vec::clear);
        self.len = 0;
        self.positions.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_targets_rows_stay_in_order() {
        let mut batch = Batch::default();
        let topics: [Arc<str>; 2] = [Arc::from("a"), Arc::from("b")];
        for value in 0..12_u8 {
            let target = batch.target(&topics[usize::from(value) % 2], u32::from(value) % 3);
            let value = batch.write(|bytes| bytes.push(value));
            batch.push(target, 0..0, value);
        }
        let grouped: Vec<_> = batch.rows().map(|row| (&**row.topic, row.partition, row.value[0])).collect();
        let expected = (0..6_u8).flat_map(|at| [at, at + 6]).map(|value| {
            let topic = if value % 2 == 0 { "a" } else { "b" };
            (topic, u32::from(value) % 3, value)
        });
        assert_eq!(grouped, expected.collect::<Vec<_>>());
        batch.clear();
        assert!(batch.is_empty() && batch.rows().next().is_none());
        let target = batch.target(&topics[1], 7);
        let value = batch.write(|bytes| bytes.push(1));
        batch.push(target, 0..0, value);
        let again: Vec<_> = batch.rows().map(|row| (&**row.topic, row.partition, row.value[0])).collect();
        assert_eq!((again, batch.len()), (vec![("b", 7, 1)], 1));
    }
}
