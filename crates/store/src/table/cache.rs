//! A table's records in memory: found by key, weighed, and let go of when they were not used for a while.

use std::{collections::HashMap, sync::Arc};

use super::slots::Slot;
use crate::error::StoreError;

/// Bytes that a record costs beside its own and twice its place in a table: index, counters, the allocator.
const OVERHEAD_BYTES: usize = 96;
/// What is let go of at once is at least this part of the bound, so that the search for it is paid seldom.
const SLACK_PART: usize = 32;

/// One record.
pub(super) struct Entry<T> {
    pub(super) key: Arc<[u8]>,
    pub(super) value: T,
    /// Where it lies in sled; `None` if it does not.
    pub(super) slot: Option<Slot>,
    weight: usize,
    dirty: bool,
    used: bool,
}

/// Records by key, in no order.
pub(super) struct Cache<T> {
    index: HashMap<Arc<[u8]>, usize>,
    entries: Vec<Entry<T>>,
    weigh: fn(&T) -> usize,
    bound_bytes: usize,
    cached_bytes: usize,
    dirty_bytes: usize,
    /// Handed out to be changed: its weight is not known until the next call.
    lent: Option<usize>,
    hand: usize,
}

impl<T> Cache<T> {
    pub(super) fn new(weigh: fn(&T) -> usize, bound_bytes: usize) -> Self {
        Self {
            index: HashMap::new(),
            entries: Vec::new(),
            weigh,
            bound_bytes,
            cached_bytes: 0,
            dirty_bytes: 0,
            lent: None,
            hand: 0,
        }
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        self.index.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: &[u8], value: T, slot: Option<Slot>) -> usize {
        let (at, key) = (self.entries.len(), Arc::<[u8]>::from(key));
        let weight = self.weight(&key, &value);
        self.index.insert(Arc::clone(&key), at);
        self.entries.push(Entry { key, value, slot, weight, dirty: false, used: true });
        self.cached_bytes += weight;
        at
    }

    pub(super) fn value(&mut self, at: usize) -> &T {
        let entry = &mut self.entries[at];
        entry.used = true;
        &entry.value
    }

    pub(super) fn lend(&mut self, at: usize) -> &mut T {
        self.settle();
        self.lent = Some(at);
        let entry = &mut self.entries[at];
        if !entry.dirty {
            entry.dirty = true;
            self.dirty_bytes += entry.weight;
        }
        entry.used = true;
        &mut entry.value
    }

    pub(super) fn cached_bytes(&self) -> usize {
        let (lent_was, lent_is) = self.lent_weight();
        self.cached_bytes - lent_was + lent_is
    }

    pub(super) fn dirty_bytes(&self) -> usize {
        let (lent_was, lent_is) = self.lent_weight();
        self.dirty_bytes - lent_was + lent_is
    }

    /// The dirty records; in the order of their keys, which sled writes fastest.
    pub(super) fn dirty_in_key_order(&self) -> Vec<&Entry<T>> {
        let mut dirty: Vec<_> = self.entries.iter().filter(|entry| entry.dirty).collect();
        dirty.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        dirty
    }

    /// Makes every record clean, after `written` has seen each that was dirty.
    pub(super) fn clean(
        &mut self,
        mut written: impl FnMut(&mut Entry<T>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.settle();
        for entry in self.entries.iter_mut().filter(|entry| entry.dirty) {
            written(entry)?;
            entry.dirty = false;
        }
        self.dirty_bytes = 0;
        Ok(())
    }

    /// Lets go of clean records down to the bound, the first that were not used since the hand last passed them.
    pub(super) fn trim(&mut self) {
        self.settle();
        let slack = self.bound_bytes / SLACK_PART;
        // Where nearly everything is dirty there is nothing to be had from looking.
        if self.cached_bytes <= self.bound_bytes + slack || self.cached_bytes - self.dirty_bytes <= slack {
            return;
        }
        let mut looks_left = 2 * self.entries.len();
        while self.cached_bytes > self.bound_bytes && looks_left > 0 {
            looks_left -= 1;
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let entry = &mut self.entries[self.hand];
            if entry.dirty || entry.used {
                entry.used = false;
                self.hand += 1;
            } else {
                self.evict(self.hand);
            }
        }
    }

    /// The last record takes the place of the one that goes.
    fn evict(&mut self, at: usize) {
        let gone = self.entries.swap_remove(at);
        self.cached_bytes -= gone.weight;
        self.index.remove(&gone.key);
        if let Some(moved) = self.entries.get(at)
            && let Some(place) = self.index.get_mut(&moved.key)
        {
            *place = at;
        }
    }

    fn weight(&self, key: &[u8], value: &T) -> usize {
        (self.weigh)(value) + key.len() + OVERHEAD_BYTES
    }

    fn lent_weight(&self) -> (usize, usize) {
        self.lent.map_or((0, 0), |at| {
            let entry = &self.entries[at];
            (entry.weight, self.weight(&entry.key, &entry.value))
        })
    }

    /// Weighs the record that was handed out last.
    fn settle(&mut self) {
        let (was, is) = self.lent_weight();
        if let Some(at) = self.lent.take() {
            self.entries[at].weight = is;
            self.cached_bytes = self.cached_bytes - was + is;
            self.dirty_bytes = self.dirty_bytes - was + is;
        }
    }
}
