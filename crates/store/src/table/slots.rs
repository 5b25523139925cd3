//! How a record lies in sled, so that a checkpoint is all or nothing without writing everything twice.
//!
//! Each record has two slots. A slot says which attempt at a checkpoint wrote it, and counts if that attempt was
//! committed; of two that count, the younger is the record. Writing overwrites the other slot, so whatever happens to
//! an attempt, the record of the last committed one is untouched. A record that is gone is written as such; once that
//! is committed, both slots are removed, the older first.
//!
//! Slot A is always written first: where it is missing, there is no record.

use super::key;
use crate::{
    error::StoreError,
    shared::Shared,
    writer::{self, Writer},
};

/// Bytes before a record's first piece: the attempt, then the number of pieces (0: the record is gone).
const HEAD_BYTES: usize = 9;

/// One of a record's two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    A,
    B,
}

impl Slot {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(super) fn byte(self) -> u8 {
        u8::from(self == Self::B)
    }
}

/// The slot that is the record, and its first piece or all of them.
pub(super) struct Found {
    pub(super) slot: Slot,
    attempt: u64,
    pieces: u8,
    first: sled::IVec,
    all: Option<Vec<u8>>,
}

impl Found {
    /// The record's bytes; `None` if it is gone.
    pub(super) fn record(&self) -> Option<&[u8]> {
        match &self.all {
            Some(all) => Some(all),
            None => (self.pieces > 0).then(|| &self.first[HEAD_BYTES..]),
        }
    }

    pub(super) fn younger(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.attempt > self.attempt => other,
            _ => self,
        }
    }
}

/// The records of one table in sled.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) shared: &'a Shared,
    pub(super) tree: &'a sled::Tree,
}

impl Slots<'_> {
    /// The record of `key` at the last checkpoint.
    pub(super) fn load(&self, key: &[u8], stored: &mut Vec<u8>) -> Result<Option<Found>, StoreError> {
        key::escape(key, stored);
        let end = stored.len();
        stored.push(Slot::A.byte());
        let Some(a) = self.get(stored)? else {
            return Ok(None);
        };
        stored[end] = Slot::B.byte();
        let a = self.parse(Slot::A, a)?;
        let b = match self.get(stored)? {
            Some(b) => self.parse(Slot::B, b)?,
            None => None,
        };
        let found = match a {
            Some(a) => a.younger(b),
            None => match b {
                Some(b) => b,
                None => return Ok(None),
            },
        };
        stored.truncate(end);
        self.complete(found, stored).map(Some)
    }

    fn get(&self, stored: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.shared.call(|| self.tree.get(stored))
    }

    /// What a slot holds, if it counts.
    pub(super) fn parse(&self, slot: Slot, first: sled::IVec) -> Result<Option<Found>, StoreError> {
        let Some((attempt, [pieces, ..])) = first.split_first_chunk::<8>() else {
            return Err(self.shared.damaged("a record without its head"));
        };
        let (attempt, pieces) = (u64::from_be_bytes(*attempt), *pieces);
        Ok(self.shared.counts(attempt).then_some(Found { slot, attempt, pieces, first, all: None }))
    }

    /// Fetches the other pieces of a record that has several; `stored` is its escaped key.
    pub(super) fn complete(&self, mut found: Found, stored: &mut Vec<u8>) -> Result<Found, StoreError> {
        if found.pieces > 1 {
            let mut all = found.first[HEAD_BYTES..].to_vec();
            let end = stored.len();
            for piece in 1..found.pieces {
                stored.truncate(end);
                stored.extend([found.slot.byte(), piece]);
                match self.get(stored)? {
                    Some(bytes) => all.extend_from_slice(&bytes),
                    None => return Err(self.shared.damaged("a record without one of its pieces")),
                }
            }
            stored.truncate(end);
            found.all = Some(all);
        }
        Ok(found)
    }

    /// Writes a record, or that it is gone, into a slot.
    pub(super) fn write(
        &self,
        writer: &mut Writer<'_>,
        key: &[u8],
        slot: Slot,
        attempt: u64,
        record: Option<&[u8]>,
        stored: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let (count, pieces) = writer::pieces(record.unwrap_or_default())?;
        key::escape(key, stored);
        stored.push(slot.byte());
        let end = stored.len();
        let mut head = Vec::with_capacity(HEAD_BYTES + record.map_or(0, <[u8]>::len).min(writer::PIECE_BYTES));
        head.extend_from_slice(&attempt.to_be_bytes());
        head.push(if record.is_some() { count } else { 0 });
        for (number, piece) in (0..count).zip(pieces) {
            if number == 0 {
                head.extend_from_slice(piece);
                writer.put(stored, &head)?;
            } else {
                stored.truncate(end);
                stored.push(number);
                writer.put(stored, piece)?;
            }
        }
        Ok(())
    }

    /// Removes a slot of a record, with all pieces it ever had.
    pub(super) fn remove(&self, writer: &mut Writer<'_>, key: &[u8], slot: Slot) -> Result<(), StoreError> {
        let mut from = Vec::new();
        key::escape(key, &mut from);
        let mut until = from.clone();
        from.push(slot.byte());
        until.push(slot.byte() + 1);
        let keys = self.shared.call(|| self.tree.range(from..until).keys().collect::<sled::Result<Vec<_>>>())?;
        keys.iter().try_for_each(|key| writer.remove(key))
    }
}
