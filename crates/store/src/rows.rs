//! Rows: keys and values as they come, of which a later one replaces an earlier one, and which are read in key order.

use std::sync::Arc;

use crate::{
    error::StoreError,
    part::{Part, Steps},
    runs::{Record, Runs, Visit},
    shared::Shared,
    writer::{KEY_BYTES, RECORD_BYTES},
};

/// Bytes of a piece of memory that rows wait in.
const SEGMENT_BYTES: usize = 1 << 20;

/// Rows by key. Putting one in costs no read; [`Store::checkpoint`](crate::Store::checkpoint) is what writes.
pub struct Rows {
    runs: Runs,
    /// Keys and values that wait, each row within one segment.
    segments: Vec<Vec<u8>>,
    waiting: Vec<Waiting>,
    pending_bytes: usize,
}

/// Where a row lies.
#[derive(Clone, Copy)]
struct Waiting {
    segment: u32,
    at: u32,
    key_bytes: u16,
    value_bytes: u32,
}

impl Rows {
    pub(crate) fn new(runs: Runs) -> Self {
        Self { runs, segments: Vec::new(), waiting: Vec::new(), pending_bytes: 0 }
    }

    /// Puts a row in, in place of one with the same key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for a key over 1,024 bytes or a value over 1 MiB.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let too_large = |what, bytes, bound| StoreError::TooLarge { what, bytes, bound };
        if key.len() > KEY_BYTES {
            return Err(too_large("a key", key.len(), KEY_BYTES));
        }
        if value.len() > RECORD_BYTES {
            return Err(too_large("a row", value.len(), RECORD_BYTES));
        }
        let bytes = key.len() + value.len();
        if self.segments.last().is_none_or(|last| last.len() + bytes > last.capacity()) {
            self.segments.push(Vec::with_capacity(SEGMENT_BYTES.max(bytes)));
        }
        let segment = self.segments.len() - 1;
        if let Some(last) = self.segments.last_mut() {
            // All within bounds: a segment has a megabyte, or one row.
            let (key_bytes, value_bytes) = (key.len() as u16, value.len() as u32);
            self.waiting.push(Waiting { segment: segment as u32, at: last.len() as u32, key_bytes, value_bytes });
            last.extend_from_slice(key);
            last.extend_from_slice(value);
            self.pending_bytes += bytes + size_of::<Waiting>();
        }
        Ok(())
    }

    /// Bytes of memory that only a checkpoint frees: the caller takes one when its bound is reached.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Does some of the work that keeps it small, no more than about `max_bytes` of it; returns what is left of
    /// that, which is nothing if there may be more to do. To be called between batches.
    ///
    /// # Errors
    /// What the disk says.
    pub fn tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        self.runs.tidy(max_bytes)
    }

    /// Visits the rows with keys from `from` on, in the order of their keys, until `visit` says stop. It sees what the
    /// last checkpoint wrote.
    ///
    /// # Errors
    /// What `visit` returns; what the disk says.
    pub fn scan(&self, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.runs.scan(from, visit)
    }
}

impl Waiting {
    fn row(self, segments: &[Vec<u8>]) -> (&[u8], &[u8]) {
        let bytes = segments.get(self.segment as usize).and_then(|segment| segment.get(self.at as usize..));
        let (key, rest) = bytes.unwrap_or_default().split_at(self.key_bytes.into());
        (key, rest.get(..self.value_bytes as usize).unwrap_or_default())
    }
}

impl Part for Rows {}

impl Steps for Rows {
    fn name(&self) -> &str {
        self.runs.tree().name()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.runs.tree().shared, store)
    }

    fn write_dirty(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let Self { runs, segments, waiting, .. } = self;
        // Of the same key the last one first; only one without any bytes can lie where another does, before it.
        waiting.sort_unstable_by(|a, b| {
            let place = |row: &Waiting| (row.segment, row.at, row.value_bytes);
            a.row(segments).0.cmp(b.row(segments).0).then_with(|| place(b).cmp(&place(a)))
        });
        waiting.dedup_by(|later, first| later.row(segments).0 == first.row(segments).0);
        runs.add(|put| {
            waiting.iter().try_for_each(|row| {
                let (key, value) = row.row(segments);
                put(Record { key, value, adds: false })
            })
        })?;
        Ok(Some(runs.manifest()))
    }

    fn committed(&mut self) {
        self.segments.clear();
        self.waiting.clear();
        self.pending_bytes = 0;
        self.runs.committed();
    }
}
