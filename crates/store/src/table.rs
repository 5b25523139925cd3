//! A table of records by key, behind a write-back cache.

mod cache;
mod frozen;

use std::{ops::ControlFlow, sync::Arc};

use self::{cache::Cache, frozen::Frozen};
use crate::{
    checkpoint::Sink,
    codec::Codec,
    error::StoreError,
    part::{Part, Steps},
    runs::{Record, Runs},
    shared::Shared,
    writer::KEY_BYTES,
};

/// What [`Table::scan`] calls with each key and record; it says whether to go on.
pub type Visitor<'a, T> = dyn FnMut(&[u8], T) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Records by key. Reading and changing happen in memory; [`Store::begin_checkpoint`](crate::Store::begin_checkpoint) is what
/// writes. A record that is not there reads as `T::default()`.
pub struct Table<T> {
    runs: Runs,
    codec: Codec<T>,
    cache: Cache<T>,
    /// What a checkpoint is being given of it.
    frozen: Option<Frozen>,
}

/// What looking whether a record is to be kept costs, in the bytes that could be encoded instead.
const LOOK_BYTES: usize = 16;

impl<T: Default> Table<T> {
    pub(crate) fn new(runs: Runs, codec: Codec<T>) -> Self {
        Self { runs, codec, cache: Cache::new(codec.weigh), frozen: None }
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

    /// The bytes of the record of `key` at the last checkpoint, or, of one that is being begun, as far as it is encoded;
    /// nothing if it had none.
    ///
    /// # Errors
    /// What the disk says.
    pub fn stored(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.runs.get(key)?;
        Ok(match self.frozen.as_ref().and_then(|frozen| frozen.find(key)) {
            Some(Record { value, adds: true, .. }) => Some([kept.unwrap_or_default().as_slice(), value].concat()),
            Some(Record { value, .. }) => Some(value.to_vec()),
            None => kept,
        })
    }

    /// The record of `key`, to be changed: the next checkpoint writes it.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn write(&mut self, key: &[u8]) -> Result<&mut T, StoreError> {
        let at = self.find(key)?;
        self.freeze(at)?;
        Ok(self.cache.lend(at))
    }

    /// Has the records of these keys that are held come from memory, several at once: to be called before they are read
    /// or changed one after the other. `touch` is to read what they point at and what is likely to be read, each with what
    /// came with its key. It does nothing else.
    pub fn fetch<'k, W: Copy>(&self, wanted: impl Iterator<Item = (&'k [u8], W)>, touch: impl FnMut(&T, W)) {
        self.cache.fetch(wanted, touch);
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

    /// Lets go of records that were not used lately, down to a bound. Dirty records stay. To be called between
    /// batches; mostly it does nothing, and nothing while a checkpoint is given what it keeps, which is looked for here.
    pub fn trim(&mut self, max_bytes: usize) {
        if self.frozen.is_none() {
            self.cache.trim(max_bytes);
        }
    }

    /// Does some of the work that keeps it small, no more than about `max_bytes` of it; returns what is left of
    /// that, which is nothing if there may be more to do. To be called between batches.
    ///
    /// # Errors
    /// What the disk says.
    pub fn tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        self.runs.tidy(max_bytes)
    }

    /// How much there is to tidy, in runs: for choosing between tables.
    #[must_use]
    pub fn untidy(&self) -> usize {
        self.runs.untidy()
    }

    /// Visits the records with keys from `from` on, in the order of their keys, until `visit` says stop. It sees what
    /// the last checkpoint wrote, not what is dirty.
    ///
    /// # Errors
    /// What `visit` returns; [`StoreError::Damaged`] if a record cannot be decoded; what the disk says.
    pub fn scan(&self, from: &[u8], visit: &mut Visitor<'_, T>) -> Result<(), StoreError> {
        self.runs.scan(from, &mut |key, record| match self.decode(key, record)? {
            record if (self.codec.keep)(&record) => visit(key, record),
            _ => Ok(ControlFlow::Continue(())),
        })
    }

    fn decode(&self, key: &[u8], record: &[u8]) -> Result<T, StoreError> {
        (self.codec.decode)(record).map_err(|reason| self.runs.tree().undecodable(key, &reason))
    }

    /// Where in the cache the record of `key` is, after fetching it if need be.
    fn find(&mut self, key: &[u8]) -> Result<usize, StoreError> {
        if let Some(at) = self.cache.find(key) {
            return Ok(at);
        }
        if key.len() > KEY_BYTES {
            return Err(StoreError::TooLarge { what: "a key", bytes: key.len(), bound: KEY_BYTES });
        }
        let Some(record) = self.runs.get(key)? else { return Ok(self.cache.insert(key, T::default(), false)) };
        let value = self.decode(key, &record)?;
        Ok(self.cache.insert(key, value, true))
    }
}

impl<T> Table<T> {
    /// Encodes a record for the checkpoint that is being given what it keeps, if it is to keep this one and does not have
    /// it yet; returns its bytes.
    fn freeze(&mut self, at: usize) -> Result<usize, StoreError> {
        let Self { runs, codec, cache, frozen } = self;
        let Some(frozen) = frozen else { return Ok(0) };
        let Some(entry) = cache.take_due(at) else { return Ok(0) };
        if !entry.stored && !(codec.keep)(&entry.value) {
            return Ok(0);
        }
        let adds = codec.growth.is_some() && entry.stored;
        let bytes = frozen.take(&entry.key, &entry.value, adds, *codec);
        let bytes = bytes.map_err(|error| runs.tree().shared.base.fail(error))?;
        entry.stored = true;
        if let Some(growth) = codec.growth {
            (growth.kept)(&mut entry.value);
        }
        Ok(bytes)
    }
}

impl<T> Part for Table<T> {}

impl<T> Steps for Table<T> {
    fn name(&self) -> &str {
        self.runs.tree().name()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.runs.tree().shared, store)
    }

    fn begin(&mut self, _: &mut Sink) -> Result<Option<Vec<u8>>, StoreError> {
        self.frozen = Some(Frozen::new(self.cache.begin_checkpoint()));
        Ok(None)
    }

    fn go_on(&mut self, sink: &mut Sink, bytes_left: &mut usize) -> Result<Option<Vec<u8>>, StoreError> {
        while *bytes_left > 0 {
            let Some(frozen) = &mut self.frozen else { break };
            if let Some(at) = frozen.unseen.next() {
                *bytes_left = bytes_left.saturating_sub(LOOK_BYTES + self.freeze(at)?);
            } else if let Some(record) = frozen.next() {
                *bytes_left = bytes_left.saturating_sub(record.key.len() + record.value.len());
                self.runs.add(record, sink)?;
            } else {
                self.frozen = None;
                return self.runs.complete(sink).map(Some);
            }
        }
        Ok(None)
    }
}
