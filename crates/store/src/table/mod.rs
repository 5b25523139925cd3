//! A table of records by key, behind a write-back cache.

mod cache;
mod key;
mod scan;
mod slots;

use std::{ops::ControlFlow, sync::Arc};

use self::{
    cache::Cache,
    slots::{Slot, Slots},
};
use crate::{
    codec::Codec,
    error::StoreError,
    part::{Part, Steps},
    shared::{Name, Shared},
    writer::{KEY_BYTES, Writer},
};

/// What [`Table::scan`] calls with each key and record; it says whether to go on.
pub type Visitor<'a, T> = dyn FnMut(&[u8], T) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Records by key. Reading and changing happen in memory; [`Store::checkpoint`](crate::Store::checkpoint) is what
/// writes. A record that is not there reads as `T::default()`.
pub struct Table<T> {
    // The tree comes first: the database must be let go of before the name, which may hold the last of its lock.
    tree: sled::Tree,
    name: Name,
    codec: Codec<T>,
    cache: Cache<T>,
    scratch: Vec<u8>,
}

impl<T: Default> Table<T> {
    pub(crate) fn new(name: Name, tree: sled::Tree, codec: Codec<T>, cache_bytes: usize) -> Self {
        Self { tree, name, codec, cache: Cache::new(codec.weigh, cache_bytes), scratch: Vec::new() }
    }

    /// The record of `key`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it cannot be decoded, [`StoreError::TooLarge`] for a key over 1,024 bytes, what the
    /// disk says.
    pub fn read(&mut self, key: &[u8]) -> Result<&T, StoreError> {
        let at = self.find(key)?;
        Ok(self.cache.value(at))
    }

    /// The record of `key`, to be changed: the next checkpoint writes it.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn write(&mut self, key: &[u8]) -> Result<&mut T, StoreError> {
        let at = self.find(key)?;
        Ok(self.cache.lend(at))
    }

    /// Bytes of memory that only a checkpoint frees: the caller takes one when its bound is reached.
    #[must_use]
    pub fn dirty_bytes(&self) -> usize {
        self.cache.dirty_bytes()
    }

    /// Bytes of memory of all records held, dirty ones included.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.cache.cached_bytes()
    }

    /// Lets go of records that were not used lately, down to the bound that the store was opened with. Dirty records
    /// stay. To be called between batches; mostly it does nothing.
    pub fn trim(&mut self) {
        self.cache.trim();
    }

    /// Visits the records with keys from `from` on, in the order of their keys, until `visit` says stop. It sees what
    /// the last checkpoint wrote, not what is dirty.
    ///
    /// # Errors
    /// What `visit` returns; [`StoreError::Damaged`] if a record cannot be decoded; what the disk says.
    pub fn scan(&self, from: &[u8], visit: &mut Visitor<'_, T>) -> Result<(), StoreError> {
        scan::scan(&self.slots(), from, &mut |key, record| visit(key, self.decode(key, record)?))
    }

    fn slots(&self) -> Slots<'_> {
        Slots { shared: &self.name.shared, tree: &self.tree }
    }

    fn decode(&self, key: &[u8], record: &[u8]) -> Result<T, StoreError> {
        (self.codec.decode)(record).map_err(|reason| {
            let key = key.escape_ascii();
            self.name.shared.damaged(format!("the record {key} of {} does not decode: {reason}", self.name.as_str()))
        })
    }

    /// Where in the cache the record of `key` is, after fetching it if need be.
    fn find(&mut self, key: &[u8]) -> Result<usize, StoreError> {
        if let Some(at) = self.cache.find(key) {
            return Ok(at);
        }
        if key.len() > KEY_BYTES {
            return Err(StoreError::TooLarge { what: "a key", bytes: key.len(), bound: KEY_BYTES });
        }
        self.name.shared.check()?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let found = self.slots().load(key, &mut scratch);
        self.scratch = scratch;
        let (value, slot) = match found? {
            Some(found) => {
                let value = found.record().map(|record| self.decode(key, record)).transpose()?;
                (value.unwrap_or_default(), Some(found.slot))
            }
            None => (T::default(), None),
        };
        Ok(self.cache.insert(key, value, slot))
    }
}

impl<T> Part for Table<T> {}

impl<T> Steps for Table<T> {
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.name.shared, store)
    }

    fn write_dirty(&mut self, attempt: u64) -> Result<(), StoreError> {
        let slots = Slots { shared: &self.name.shared, tree: &self.tree };
        let mut writer = Writer::new(slots.shared, slots.tree);
        let mut record = Vec::new();
        for entry in self.cache.dirty_in_key_order() {
            let slot = entry.slot.map_or(Slot::A, Slot::other);
            if (self.codec.keep)(&entry.value) {
                record.clear();
                (self.codec.encode)(&entry.value, &mut record);
                slots.write(&mut writer, &entry.key, slot, attempt, Some(&record), &mut self.scratch)?;
            } else if entry.slot.is_some() {
                slots.write(&mut writer, &entry.key, slot, attempt, None, &mut self.scratch)?;
            }
        }
        writer.flush()
    }

    fn committed(&mut self) -> Result<(), StoreError> {
        let slots = Slots { shared: &self.name.shared, tree: &self.tree };
        let mut writer = Writer::new(slots.shared, slots.tree);
        let keep = self.codec.keep;
        self.cache.clean(|entry| {
            if keep(&entry.value) {
                entry.slot = Some(entry.slot.map_or(Slot::A, Slot::other));
            } else if let Some(older) = entry.slot.take() {
                // That the record is gone is committed, in the other slot: so that one must outlast this one.
                slots.remove(&mut writer, &entry.key, older)?;
                slots.remove(&mut writer, &entry.key, older.other())?;
            }
            Ok(())
        })?;
        writer.flush()
    }
}
