//! What a checkpoint keeps of a table, while the table goes on: records are encoded a few at a time, in no order and each
//! before it is changed next, and put on their way in the order of their keys.

use std::ops::Range;

use crate::{codec::Codec, error::StoreError, runs::Record, writer::RECORD_BYTES};

/// Records as they were when the checkpoint began, as far as they are encoded.
pub(super) struct Frozen {
    /// Places in the cache where there may be more.
    pub(super) unseen: Range<usize>,
    /// Keys and values.
    bytes: Vec<u8>,
    records: Vec<Place>,
    /// How many of them are on their way, once all are encoded and in order.
    given: Option<usize>,
}

/// Where a record lies.
struct Place {
    at: usize,
    key_bytes: usize,
    value_bytes: usize,
    adds: bool,
}

impl Frozen {
    pub(super) fn new(places: Range<usize>) -> Self {
        Self { unseen: places, bytes: Vec::new(), records: Vec::new(), given: None }
    }

    /// Takes a record; returns its bytes.
    pub(super) fn take<T>(&mut self, key: &[u8], value: &T, adds: bool, codec: Codec<T>) -> Result<usize, StoreError> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(key);
        (codec.encode)(value, &mut self.bytes);
        let value_bytes = self.bytes.len() - at - key.len();
        if value_bytes > RECORD_BYTES {
            return Err(StoreError::TooLarge { what: "a record", bytes: value_bytes, bound: RECORD_BYTES });
        }
        self.records.push(Place { at, key_bytes: key.len(), value_bytes, adds });
        Ok(self.bytes.len() - at)
    }

    /// The next record to be put on its way. All are encoded now.
    pub(super) fn next(&mut self) -> Option<Record<'_>> {
        let Self { bytes, records, given, .. } = self;
        let given = given.get_or_insert_with(|| {
            records.sort_unstable_by(|a, b| a.record(bytes).key.cmp(b.record(bytes).key));
            0
        });
        *given += 1;
        records.get(*given - 1).map(|place| place.record(bytes))
    }

    /// A record that is encoded, on its way or not. Seldom asked for, so all are looked through.
    pub(super) fn find(&self, key: &[u8]) -> Option<Record<'_>> {
        self.records.iter().map(|place| place.record(&self.bytes)).find(|record| record.key == key)
    }
}

impl Place {
    fn record<'b>(&self, bytes: &'b [u8]) -> Record<'b> {
        let Self { at, key_bytes, value_bytes, adds } = *self;
        let (key, rest) = bytes.get(at..).unwrap_or_default().split_at(key_bytes);
        Record { key, value: rest.get(..value_bytes).unwrap_or_default(), adds }
    }
}
