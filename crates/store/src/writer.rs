//! Writes to sled in batches of bounded size, of values of bounded size.
//!
//! All bounds are measured. With more keys a batch, sled's memory explodes. A leaf of sled's holds up to 17 values: over
//! 128 KB it becomes a file of its own that is never removed.

use crate::{error::StoreError, tree::Tree};

/// Keys in a batch; few in tests, where a fault comes between batches.
const BATCH_KEYS: usize = if cfg!(test) { 3 } else { 400 };
/// Bytes of keys and values in a batch.
const BATCH_BYTES: usize = 256 * 1024;
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
    keys: usize,
    bytes: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree, batch: sled::Batch::default(), keys: 0, bytes: 0 }
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.make_room(key.len() + value.len())?;
        self.batch.insert(key, value);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.make_room(key.len())?;
        self.batch.remove(key);
        Ok(())
    }

    fn make_room(&mut self, bytes: usize) -> Result<(), StoreError> {
        if self.keys == BATCH_KEYS || self.bytes + bytes > BATCH_BYTES {
            self.flush()?;
        }
        self.keys += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Hands what was collected to sled, as one batch.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        if self.keys == 0 {
            return Ok(());
        }
        #[cfg(test)]
        self.tree.shared.fault()?;
        self.tree.shared.base.engine.wrote(self.bytes);
        (self.keys, self.bytes) = (0, 0);
        let batch = std::mem::take(&mut self.batch);
        self.tree.call(|tree| tree.apply_batch(batch))
    }
}
