//! A reusable buffer of records that were read.

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Offset, Partition};

/// Records that were read, in one buffer that is used again and again.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    records: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    partition: Partition,
    offset: Offset,
    at_ms: i64,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(String, String)>,
}

/// One record that was read.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// From which partition.
    pub partition: Partition,
    /// At which offset.
    pub offset: Offset,
    /// The record's timestamp: the log's time where the topic is `LogAppendTime`. Milliseconds since 1970.
    pub at_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, as text; only those of dead letters are read.
    pub headers: &'a [(String, String)],
}

impl Records {
    /// Forgets all records, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// Adds a copy of a record.
    pub fn push(&mut self, record: Record<'_>) {
        let Record { partition, offset, at_ms, key, value, headers } = record;
        let key = key.map(|bytes| self.keep(bytes));
        let value = value.map(|bytes| self.keep(bytes));
        self.records.push(Held { partition, offset, at_ms, key, value, headers: headers.to_vec() });
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// The records, in the order they were read.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.records.iter().map(|held| Record {
            partition: held.partition,
            offset: held.offset,
            at_ms: held.at_ms,
            key: held.key.clone().and_then(|range| self.bytes.get(range)),
            value: held.value.clone().and_then(|range| self.bytes.get(range)),
            headers: &held.headers,
        })
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes of keys and values are held.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The clock for timestamps of records that are written: milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
