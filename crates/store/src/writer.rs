//! Writes to sled in batches of bounded size, of values of bounded size.
//!
//! All bounds are measured. With more keys a batch, sled's memory explodes. A leaf of sled's holds up to 17 values: over
//! 128 KB it becomes a file of its own that is never removed.

use std::iter;

use crate::{error::StoreError, tree::Tree};

/// Keys in a batch; few in tests, where a fault comes between batches.
const BATCH_KEYS: usize = if cfg!(test) { 3 } else { 400 };
/// Bytes of keys and values in a batch.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;
/// How often each key is read after it was written. sled counts what lies in its cache, and lets go of what is beyond
/// its capacity, only once 64 accesses have come to the same 256th part of its pages: of what is written once, tens of
/// MB wait for that. So many reads halve it and cost nothing that could be measured; twice as many gain little more.
const READS: usize = 4;
/// Bytes of a value; what is longer is cut in pieces.
pub(crate) const PIECE_BYTES: usize = 6_000;
/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 1_024;
/// Bytes of a record.
pub(crate) const RECORD_BYTES: usize = 1 << 20;

/// Collects what goes to one tree. What was not flushed is not written.
pub(crate) struct Writer<'a> {
    tree: &'a Tree,
    batch: sled::Batch,
    keys: Vec<sled::IVec>,
    bytes: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, batch: sled::Batch::default(), keys: Vec::new(), bytes: 0 }
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let key = self.collect(key, value.len())?;
        self.batch.insert(key, value);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let key = self.collect(key, 0)?;
        self.batch.remove(key);
        Ok(())
    }

    fn collect(&mut self, key: &[u8], value_bytes: usize) -> Result<sled::IVec, StoreError> {
        let bytes = key.len() + value_bytes;
        if self.keys.len() == BATCH_KEYS || self.bytes + bytes > BATCH_BYTES {
            self.flush()?;
        }
        let key = sled::IVec::from(key);
        self.keys.push(key.clone());
        self.bytes += bytes;
        Ok(key)
    }

    /// Hands what was collected to sled, as one batch.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        self.tree.shared.fault()?;
        self.tree.shared.base.engine.wrote(self.bytes);
        self.bytes = 0;
        let (batch, keys) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.keys));
        self.tree.try_call(|tree| {
            tree.apply_batch(batch)?;
            let mut reads = keys.iter().flat_map(|key| iter::repeat_n(key, READS));
            reads.try_for_each(|key| tree.contains_key(key).map(drop))
        })
    }
}
