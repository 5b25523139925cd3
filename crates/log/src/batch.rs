//! One transaction's worth of what goes out: rows in one buffer, and the positions that belong to them.

use std::{collections::HashMap, iter::successors, num::NonZeroU32, sync::Arc};

use crate::{Committed, Offset, Partition};

/// Rows and positions of one transaction, of less than 4 GiB.
///
/// Keys and values lie in one buffer and rows point into it, so that bytes which several services see are held once.
/// Rows come out by target: a client that sends a request for each partition fills it at once.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    targets: Vec<Queue>,
    by_target: HashMap<(Arc<str>, Partition), Target>,
    rows: Vec<Row>,
    /// Of the few rows that have any, by row.
    headers: Vec<(u32, Headers)>,
    positions: Vec<Position>,
    sent_bytes: usize,
}

/// What a record costs on its way beside its key and value: in librdkafka's queue, in the request, in the broker.
const RECORD_BYTES: usize = 100;

/// A position to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Of which partition of the commands topic.
    pub partition: Partition,
    /// What to commit.
    pub committed: Committed,
}

/// Where bytes lie in a batch's buffer; there are none by default. Means nothing to another batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A topic's partition that a batch has records for; means nothing to another batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(usize);

/// A record's headers: names and values.
pub type Headers = Vec<(&'static str, String)>;

/// A target's rows: a list that runs through those of all targets.
#[derive(Debug)]
struct Queue {
    topic: Arc<str>,
    partition: Partition,
    /// The first and the last.
    ends: Option<(u32, u32)>,
}

#[derive(Debug)]
struct Row {
    key: Span,
    value: Span,
    /// The next one of the same target: never the first of all.
    next: Option<NonZeroU32>,
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
    /// For [`Batch::record`].
    pub(crate) at: u32,
}

impl Outgoing<'_> {
    /// Whether both go to the same partition.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.topic, other.topic) && self.partition == other.partition
    }
}

impl Batch {
    /// Appends bytes to the buffer and says where they are; `write` may only append.
    ///
    /// # Panics
    /// Where the buffer has reached 4 GiB: what fills it has a bound far below.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = index(self.bytes.len());
        write(&mut self.bytes);
        Span { start, end: index(self.bytes.len()) }
    }

    /// Where records of a topic's partition go, for [`Batch::push`].
    pub fn target(&mut self, topic: &Arc<str>, partition: Partition) -> Target {
        let new = Target(self.targets.len());
        *self.by_target.entry((Arc::clone(topic), partition)).or_insert_with(|| {
            self.targets.push(Queue { topic: Arc::clone(topic), partition, ends: None });
            new
        })
    }

    /// Adds a record whose key and value were written before.
    pub fn push(&mut self, Target(target): Target, key: Span, value: Span) {
        // Never missing where this batch gave the target out.
        let Some(queue) = self.targets.get_mut(target) else { return };
        let row = index(self.rows.len());
        self.sent_bytes += key.len() + value.len() + RECORD_BYTES;
        self.rows.push(Row { key, value, next: None });
        let first = match queue.ends {
            None => row,
            Some((first, last)) => {
                if let Some(last) = self.rows.get_mut(last as usize) {
                    last.next = NonZeroU32::new(row);
                }
                first
            }
        };
        queue.ends = Some((first, row));
    }

    /// Adds a record with headers.
    pub fn push_with_headers(&mut self, target: Target, key: Span, value: Span, headers: Headers) {
        self.headers.push((index(self.rows.len()), headers));
        self.push(target, key, value);
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
        self.targets.iter().flat_map(|queue| {
            let row = |at: u32| self.rows.get(at as usize).map(|row| (at, row));
            let first = queue.ends.and_then(|(first, _)| row(first));
            successors(first, move |(_, before)| row(before.next?.get())).map(|(at, row)| self.outgoing(queue, at, row))
        })
    }

    /// The key and the value of one of its rows.
    pub(crate) fn record(&self, at: u32) -> (&[u8], &[u8]) {
        self.rows.get(at as usize).map_or((&[], &[]), |row| (self.at(row.key), self.at(row.value)))
    }

    /// Nothing is missing where a row was pushed with what this batch gave out.
    fn at(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn outgoing<'a>(&'a self, queue: &'a Queue, at: u32, row: &Row) -> Outgoing<'a> {
        let headers = self.headers.binary_search_by_key(&at, |(row, _)| *row).ok();
        Outgoing {
            topic: &queue.topic,
            partition: queue.partition,
            key: self.at(row.key),
            value: self.at(row.value),
            headers: headers.and_then(|found| self.headers.get(found)).map_or(&[], |(_, headers)| headers),
            at,
        }
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

    /// How many bytes are to be sent: those that several records share count for each, and so does what a record costs
    /// by itself.
    pub fn sent_bytes(&self) -> usize {
        self.sent_bytes
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.targets.clear();
        self.by_target.clear();
        self.rows.clear();
        self.headers.clear();
        self.positions.clear();
        self.sent_bytes = 0;
    }
}

fn index(at: usize) -> u32 {
    assert!(at < u32::MAX as usize, "a batch has outgrown every bound");
    at as u32
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
            batch.push(target, Span::default(), value);
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
        batch.push(target, Span::default(), value);
        let again: Vec<_> = batch.rows().map(|row| (&**row.topic, row.partition, row.value[0])).collect();
        assert_eq!((again, batch.len()), (vec![("b", 7, 1)], 1));
    }

    #[test]
    fn shared_bytes_are_sent_with_each_row() {
        let mut batch = Batch::default();
        let topic: Arc<str> = Arc::from("a");
        let value = batch.write(|bytes| bytes.extend([0; 1_000]));
        for partition in 0..3 {
            let target = batch.target(&topic, partition);
            batch.push(target, Span::default(), value);
        }
        assert_eq!((batch.bytes(), batch.sent_bytes()), (1_000, 3 * 1_100));
        batch.clear();
        assert_eq!(batch.sent_bytes(), 0);
    }

    #[test]
    fn headers_stay_with_their_rows() {
        let mut batch = Batch::default();
        let topic: Arc<str> = Arc::from("a");
        for value in 0..4_u8 {
            let target = batch.target(&topic, u32::from(value % 2));
            let span = batch.write(|bytes| bytes.push(value));
            match value {
                1 | 2 => batch.push_with_headers(target, span, span, vec![("n", value.to_string())]),
                _ => batch.push(target, span, span),
            }
        }
        let seen: Vec<_> = batch.rows().map(|row| (row.key[0], row.headers.first().map(|(_, n)| n.as_str()))).collect();
        assert_eq!(seen, [(0, None), (2, Some("2")), (1, Some("1")), (3, None)]);
        batch.clear();
        let (target, span) = (batch.target(&topic, 0), batch.write(|bytes| bytes.push(1)));
        batch.push(target, span, span);
        batch.push(target, span, span);
        assert!(batch.rows().all(|row| row.headers.is_empty()));
    }
}
