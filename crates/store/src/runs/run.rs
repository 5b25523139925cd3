//! One run: records in key order, written once, in blocks; what memory knows of it, and reading it.
//!
//! In sled: the run's number, what it is (a block, the index, the filter), the block's number, the piece's.

use super::{
    block::{self, Record},
    filter::{Filter, Hash},
};
use crate::{blob::Blobs, error::StoreError};

const BLOCK: u8 = 0;
const INDEX: u8 = 1;
const FILTER: u8 = 2;

/// Takes a part of a run that is to be written: under which key, and its bytes.
pub(super) type Put<'a> = dyn FnMut(Vec<u8>, Vec<u8>) -> Result<(), StoreError> + 'a;

/// A run that is written.
pub(super) struct Run {
    pub(super) id: u64,
    /// Bytes of its records.
    pub(super) bytes: u64,
    /// Each block's first key.
    index: Vec<Box<[u8]>>,
    filter: Option<Filter>,
}

/// A run that is being written.
pub(super) struct Draft {
    run: Run,
    block: Vec<u8>,
    /// So many bytes make a block full.
    block_bytes: usize,
    /// Every key, where there will be a filter.
    keys: Option<Vec<Hash>>,
}

/// The key of a part of a run.
fn key(run: u64, part: u8, block: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(15);
    key.extend_from_slice(&run.to_be_bytes());
    key.push(part);
    key.extend_from_slice(&(block as u32).to_be_bytes());
    key
}

/// The run that a stored key belongs to.
pub(super) fn of_key(key: &[u8]) -> Option<u64> {
    key.first_chunk::<8>().map(|id| u64::from_be_bytes(*id))
}

impl Draft {
    pub(super) fn new(id: u64, filtered: bool) -> Self {
        let run = Run { id, bytes: 0, index: Vec::new(), filter: None };
        let block_bytes = if filtered { block::SMALL_BYTES } else { block::LARGE_BYTES };
        Self { run, block: Vec::new(), block_bytes, keys: filtered.then(Vec::new) }
    }

    /// Adds the next record in key order; a block that is full goes to `put`.
    pub(super) fn push(&mut self, record: Record<'_>, put: &mut Put<'_>) -> Result<(), StoreError> {
        if self.block.is_empty() {
            self.run.index.push(record.key.into());
        }
        block::push(&mut self.block, record);
        self.run.bytes += (record.key.len() + record.value.len()) as u64;
        if let Some(keys) = &mut self.keys {
            keys.push(Hash::of(record.key));
        }
        if self.block.len() >= self.block_bytes { self.cut(put) } else { Ok(()) }
    }

    fn cut(&mut self, put: &mut Put<'_>) -> Result<(), StoreError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let number = self.run.index.len() - 1;
        put(key(self.run.id, BLOCK, number), std::mem::replace(&mut self.block, Vec::with_capacity(self.block_bytes)))
    }

    /// Puts what is left of it.
    pub(super) fn finish(mut self, put: &mut Put<'_>) -> Result<Run, StoreError> {
        self.cut(put)?;
        let Self { mut run, keys, .. } = self;
        let mut index = Vec::new();
        let name = |first| Record { key: first, value: &[], adds: false };
        run.index.iter().for_each(|first| block::push(&mut index, name(first)));
        put(key(run.id, INDEX, 0), index)?;
        if let Some(keys) = keys {
            let filter = Filter::new(&keys);
            put(key(run.id, FILTER, 0), filter.encode())?;
            run.filter = Some(filter);
        }
        Ok(run)
    }
}

impl Run {
    /// A run that was written before.
    pub(super) fn load(blobs: Blobs<'_>, id: u64, bytes: u64, filtered: bool) -> Result<Self, StoreError> {
        let missing = || blobs.tree.shared.damaged(format!("run {id} is incomplete"));
        let stored = blobs.get(&mut key(id, INDEX, 0))?.ok_or_else(missing)?;
        let mut index = Vec::new();
        let mut at = 0;
        while let Some((first, next)) = block::record(&stored, at) {
            index.push(first.key.into());
            at = next;
        }
        if at != stored.len() {
            return Err(missing());
        }
        let filter = match filtered {
            true => {
                let stored = blobs.get(&mut key(id, FILTER, 0))?.ok_or_else(missing)?;
                Some(Filter::decode(&stored).ok_or_else(missing)?)
            }
            false => None,
        };
        Ok(Self { id, bytes, index, filter })
    }

    /// A key behind about `share` of `shares` of its records.
    pub(super) fn key_at(&self, share: usize, shares: usize) -> Option<&[u8]> {
        self.index.get(share * self.index.len() / shares).map(|first| &**first)
    }

    /// Whether it may have a key; without a filter, it may.
    pub(super) fn may_have(&self, hash: Hash) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_have(hash))
    }

    /// The value of a key, and whether it adds to what older runs have.
    pub(super) fn get(&self, blobs: Blobs<'_>, wanted: &[u8]) -> Result<Option<(Vec<u8>, bool)>, StoreError> {
        let mut cursor = self.seek(wanted);
        if self.index.first().is_none_or(|first| **first > *wanted) {
            return Ok(None);
        }
        while let Some(record) = cursor.record(self, blobs)? {
            if record.key >= wanted {
                return Ok((record.key == wanted).then(|| (record.value.to_vec(), record.adds)));
            }
            cursor.step();
        }
        Ok(None)
    }

    /// A cursor at the beginning of the block that would have `key`; records before it may come first.
    pub(super) fn seek(&self, key: &[u8]) -> Cursor {
        let block = self.index.partition_point(|first| **first <= *key).saturating_sub(1);
        Cursor { next_block: block, block: Vec::new(), at: 0, next_at: 0 }
    }

    fn block(&self, blobs: Blobs<'_>, number: usize) -> Result<Vec<u8>, StoreError> {
        let missing = || blobs.tree.shared.damaged(format!("run {} is without block {number}", self.id));
        blobs.get(&mut key(self.id, BLOCK, number))?.ok_or_else(missing)
    }
}

/// A place in a run.
pub(super) struct Cursor {
    next_block: usize,
    block: Vec<u8>,
    at: usize,
    next_at: usize,
}

impl Cursor {
    /// The record here; `None` at the end of the run.
    pub(super) fn record(&mut self, run: &Run, blobs: Blobs<'_>) -> Result<Option<Record<'_>>, StoreError> {
        if self.at >= self.block.len() {
            if self.next_block >= run.index.len() {
                return Ok(None);
            }
            self.block = run.block(blobs, self.next_block)?;
            self.next_block += 1;
            self.at = 0;
        }
        match block::record(&self.block, self.at) {
            Some((record, next)) => {
                self.next_at = next;
                Ok(Some(record))
            }
            None => Err(blobs.tree.shared.damaged(format!("a block of run {} cannot be read", run.id))),
        }
    }

    /// The record that [`Cursor::record`] gave last, once more.
    pub(super) fn current(&self) -> Option<Record<'_>> {
        block::record(&self.block, self.at).map(|(record, _)| record)
    }

    /// Goes on to the next record.
    pub(super) fn step(&mut self) {
        self.at = self.next_at;
    }
}
