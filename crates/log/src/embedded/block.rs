//! Records of one partition as one row of SQLite, as Kafka's record batches are: one statement appends hundreds of them,
//! and together they compress to less than half.
//!
//! A sealed block: a checksum of the rest (8 bytes), the length of the records before compression (4; 0 if they are as they
//! were), and the records. A record: how far its offset is from the block's first one, and the lengths of key, value and
//! headers (4 bytes each), then these. Headers: each name and each value with its length (4) before it. All numbers are
//! little-endian.

use std::ops::{ControlFlow, Range};

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use rusqlite::Connection;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    home::Failure,
    layout::{Slot, stored},
    schema,
};
use crate::{Offset, Outgoing};

/// No more records are in one block.
pub(super) const BLOCK_RECORDS_MAX: u32 = 1_000;
/// A block with so many bytes of records is full; its last record may go far beyond.
const BLOCK_BYTES: usize = 64 << 10;
const HEAD_BYTES: usize = 12;

/// A block that is being filled.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    records: u32,
}

/// One record of a block.
pub(super) struct Stored<'a> {
    /// How far it is from the block's first offset.
    pub(super) at: u32,
    /// Empty means none.
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    headers: &'a [u8],
}

impl Block {
    /// Adds a record at the next offset.
    pub(super) fn append(&mut self, row: &Outgoing<'_>) {
        let lengths = row.headers.iter().map(|(name, value)| 8 + name.len() + value.len());
        self.begin(self.records, row.key, row.value, lengths.sum());
        for text in row.headers.iter().flat_map(|(name, value)| [*name, value.as_str()]) {
            self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds a record as it was in another block.
    pub(super) fn keep(&mut self, record: &Stored<'_>) {
        self.begin(record.at, record.key, record.value, record.headers.len());
        self.bytes.extend_from_slice(record.headers);
    }

    /// All of a record but its headers.
    fn begin(&mut self, at: u32, key: &[u8], value: &[u8], headers_bytes: usize) {
        // A batch is smaller than 4 GiB.
        for number in [at, key.len() as u32, value.len() as u32, headers_bytes as u32] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.records += 1;
    }

    /// How many records it has.
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Whether the next record should be in another one.
    pub(super) fn is_full(&self) -> bool {
        self.records >= BLOCK_RECORDS_MAX || self.bytes.len() >= BLOCK_BYTES
    }

    /// Forgets its records, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
    }

    /// It, sealed.
    pub(super) fn sealed(&self) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.seal(&mut sealed);
        sealed.shrink_to_fit();
        sealed
    }

    /// Appends it to `into`, sealed.
    pub(super) fn seal(&self, into: &mut Vec<u8>) {
        let begin = into.len();
        let head = begin + HEAD_BYTES;
        into.resize(head + get_maximum_output_size(self.bytes.len()), 0);
        match into.get_mut(head..).map(|room| compress_into(&self.bytes, room)) {
            Some(Ok(packed)) if packed < self.bytes.len() => {
                into.truncate(head + packed);
                into[begin + 8..head].copy_from_slice(&(self.bytes.len() as u32).to_le_bytes());
            }
            _ => {
                into.truncate(head);
                into.extend_from_slice(&self.bytes);
            }
        }
        let checksum = xxh3_64(&into[begin + 8..]);
        into[begin..begin + 8].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// A block in the file.
pub(super) struct Sealed<'a> {
    slot: Slot,
    /// The offset that its records' are counted from.
    pub(super) first: Offset,
    /// When it was appended. Milliseconds since 1970.
    pub(super) at_ms: i64,
    bytes: &'a [u8],
}

impl Sealed<'_> {
    /// Its records, with their offsets. `room` is where they are unpacked.
    pub(super) fn records<'a>(
        &'a self,
        room: &'a mut Vec<u8>,
    ) -> Result<impl Iterator<Item = Result<(Offset, Stored<'a>), Failure>>, Failure> {
        let mut rest = unpack(self.bytes, room).ok_or_else(|| self.damaged())?;
        Ok(std::iter::from_fn(move || {
            if rest.0.is_empty() {
                return None;
            }
            let record = rest.record().map(|record| (self.first + Offset::from(record.at), record));
            Some(record.ok_or_else(|| self.damaged()))
        }))
    }

    /// It is none, or not the one that was written.
    pub(super) fn damaged(&self) -> Failure {
        Failure::Damaged(self.slot, self.first)
    }
}

/// The records of a sealed block; `None` if it is damaged.
fn unpack<'a>(sealed: &'a [u8], room: &'a mut Vec<u8>) -> Option<Rest<'a>> {
    let (checksum, rest) = sealed.split_first_chunk::<8>()?;
    if xxh3_64(rest) != u64::from_le_bytes(*checksum) {
        return None;
    }
    let (length, packed) = rest.split_first_chunk::<4>()?;
    match u32::from_le_bytes(*length) as usize {
        0 => Some(Rest(packed)),
        length => {
            room.resize(length, 0);
            let unpacked = decompress_into(packed, room).ok()?;
            room.get(..unpacked).map(Rest)
        }
    }
}

/// What has not been looked at yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn record(&mut self) -> Option<Stored<'a>> {
        let at = self.number()?;
        let [key, value, headers] = [self.number()? as usize, self.number()? as usize, self.number()? as usize];
        Some(Stored { at, key: self.take(key)?, value: self.take(value)?, headers: self.take(headers)? })
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()? as usize;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

impl Stored<'_> {
    /// Its headers' names and values; `None` if they are damaged.
    pub(super) fn headers(&self) -> Option<Vec<(String, String)>> {
        let mut rest = Rest(self.headers);
        let mut headers = Vec::new();
        while !rest.0.is_empty() {
            headers.push((rest.text()?, rest.text()?));
        }
        Some(headers)
    }
}

/// Shows the blocks of a range to `look`, the one with its begin first, until that has enough; says which offset to go
/// on from: where that block began, or the end of the range.
pub(super) fn each_block(
    conn: &Connection,
    slot: Slot,
    range: Range<Offset>,
    mut look: impl FnMut(Sealed<'_>) -> Result<ControlFlow<()>, Failure>,
) -> Result<Offset, Failure> {
    let table = slot.table();
    let sql = format!(
        "SELECT first, at_ms, records FROM {table}
         WHERE first >= coalesce((SELECT max(first) FROM {table} WHERE first <= ?1), ?1) AND first < ?2 ORDER BY first"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([stored(range.start), stored(range.end)])?;
    while let Some(row) = rows.next()? {
        let first = schema::offset(row, 0)?;
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        if look(Sealed { slot, first, at_ms: row.get(1)?, bytes })?.is_break() {
            return Ok(first);
        }
    }
    Ok(range.end)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const NAMES: [&str; 3] = ["", "reason", "topic"];

    /// Key, value and headers of a record; bytes that compress well, and some that do not.
    type Kept = (Vec<u8>, Vec<u8>, Vec<(&'static str, String)>);

    fn record() -> impl Strategy<Value = Kept> {
        let bytes = || prop_oneof![vec(any::<u8>(), 0..40), (0..200_usize).prop_map(|length| vec![b'x'; length])];
        let headers = vec((prop::sample::select(NAMES.to_vec()), ".{0,9}"), 0..3);
        (bytes(), bytes(), headers)
    }

    fn block(records: &[Kept]) -> Block {
        let (topic, mut block) = (Arc::from("t"), Block::default());
        for (key, value, headers) in records {
            block.append(&Outgoing { topic: &topic, partition: 0, key, value, headers, at: 0 });
        }
        block
    }

    fn records(bytes: &[u8]) -> Option<Vec<(Offset, Kept)>> {
        let sealed = Sealed { slot: Slot::new(1, 0), first: 7, at_ms: 0, bytes };
        let mut room = b"what was there before".to_vec();
        let records = sealed.records(&mut room).ok()?.map(|record| {
            let (offset, record) = record.ok()?;
            let name = |name: String| NAMES.into_iter().find(|known| *known == name);
            let headers = record.headers()?.into_iter().map(|(n, value)| Some((name(n)?, value)));
            Some((offset, (record.key.to_vec(), record.value.to_vec(), headers.collect::<Option<_>>()?)))
        });
        records.collect()
    }

    proptest! {
        #[test]
        fn records_come_back(written in vec(record(), 0..40)) {
            let expected: Vec<_> = (7..).zip(written.iter().cloned()).collect();
            prop_assert_eq!(records(&block(&written).sealed()), Some(expected));
        }

        #[test]
        fn those_that_are_kept_stay_where_they_were(written in vec((record(), any::<bool>()), 0..40)) {
            let (all, kept): (Vec<_>, Vec<_>) = written.into_iter().unzip();
            let (sealed, mut room, mut left) = (block(&all).sealed(), Vec::new(), Block::default());
            let mut rest = unpack(&sealed, &mut room).unwrap();
            for is_kept in &kept {
                let record = rest.record().unwrap();
                if *is_kept {
                    left.keep(&record);
                }
            }
            let expected: Vec<_> = (7..).zip(all).zip(kept).filter(|(_, kept)| *kept).map(|(record, _)| record).collect();
            prop_assert_eq!(records(&left.sealed()), Some(expected));
        }

        #[test]
        fn damage_is_noticed(written in vec(record(), 0..40), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut sealed = block(&written).sealed();
            let length = sealed.len();
            sealed[at.index(length)] ^= 1 << bit;
            prop_assert_eq!(records(&sealed), None);
            sealed[at.index(length)] ^= 1 << bit;
            prop_assert_eq!(records(&sealed[..at.index(length)]), None);
        }
    }
}
