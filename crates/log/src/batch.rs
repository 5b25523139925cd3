//! One transaction's worth of what goes out: rows in one buffer, and the positions that belong to them.

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{Committed, Offset, Partition};

/// Rows and positions of one transaction.
///
/// Keys and values lie in one buffer and rows point into it, so that bytes which several services see are held once.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    targets: Vec<(Arc<str>, Partition)>,
    by_target: HashMap<(Arc<str>, Partition), Target>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(u32);

/// A record's headers: names and values.
pub type Headers = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Row {
    target: Target,
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
        let new = Target(u32::try_from(self.targets.len()).unwrap_or(u32::MAX));
        *self.by_target.entry((Arc::clone(topic), partition)).or_insert_with(|| {
            self.targets.push((Arc::clone(topic), partition));
            new
        })
    }

    /// Adds a record whose key and value were written before.
    pub fn push(&mut self, target: Target, key: Range<usize>, value: Range<usize>) {
        self.rows.push(Row { target, key, value, headers: None });
    }

    /// Adds a record with headers.
    pub fn push_with_headers(&mut self, target: Target, key: Range<usize>, value: Range<usize>, headers: Headers) {
        self.rows.push(Row { target, key, value, headers: Some(Box::new(headers)) });
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
    pub fn rows(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.rows.iter().filter_map(|row| self.outgoing(row))
    }

    /// The records of one target after those of another, each target's in the order they were pushed: so a client that
    /// sends a request for each partition fills it at once.
    pub fn rows_by_target(&self) -> impl Iterator<Item = Outgoing<'_>> {
        // Counted and laid out: sorting would compare.
        let mut starts = vec![0_usize; self.targets.len() + 1];
        for Row { target: Target(target), .. } in &self.rows {
            if let Some(count) = starts.get_mut(*target as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        starts.iter_mut().for_each(|start| {
            sum += *start;
            *start = sum;
        });
        let mut order = vec![0_usize; self.rows.len()];
        for (at, Row { target: Target(target), .. }) in self.rows.iter().enumerate() {
            if let Some(start) = starts.get_mut(*target as usize) {
                if let Some(place) = order.get_mut(*start) {
                    *place = at;
                }
                *start += 1;
            }
        }
        order.into_iter().filter_map(|at| self.outgoing(self.rows.get(at)?))
    }

    /// Nothing is missing where a row was pushed with what this batch gave out.
    fn outgoing<'a>(&'a self, row: &'a Row) -> Option<Outgoing<'a>> {
        let (topic, partition) = self.targets.get(row.target.0 as usize)?;
        Some(Outgoing {
            topic,
            partition: *partition,
            key: self.bytes.get(row.key.clone())?,
            value: self.bytes.get(row.value.clone())?,
            headers: row.headers.as_deref().map_or(&[], Vec::as_slice),
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

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.targets.clear();
        self.by_target.clear();
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
        let pushed: Vec<_> = batch.rows().map(|row| row.value[0]).collect();
        assert_eq!(pushed, (0..12).collect::<Vec<_>>());
        let grouped: Vec<_> = batch.rows_by_target().map(|row| (&**row.topic, row.partition, row.value[0])).collect();
        let expected = (0..6_u8).flat_map(|at| [at, at + 6]).map(|value| {
            let topic = if value % 2 == 0 { "a" } else { "b" };
            (topic, u32::from(value) % 3, value)
        });
        assert_eq!(grouped, expected.collect::<Vec<_>>());
        batch.clear();
        assert!(batch.is_empty() && batch.rows_by_target().next().is_none());
    }
}
