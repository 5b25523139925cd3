//! A table's records in memory: found by key, weighed, and let go of when they were not used for a while.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

/// Bytes that a record costs beside its own and twice its place in a table: index, counters, the allocator.
const OVERHEAD_BYTES: usize = 96;
/// What is let go of at once is at least this part of the bound, so that the search for it is paid seldom.
const SLACK_PART: usize = 32;

/// One record.
struct Entry<T> {
    key: Arc<[u8]>,
    value: T,
    /// Whether there is one in a run, which must not show through.
    stored: bool,
    weight: usize,
    dirty: bool,
    used: bool,
}

/// Records by key, in no order.
pub(super) struct Cache<T> {
    index: HashMap<Arc<[u8]>, usize>,
    /// Each in a box: a vector of them would have half as much room again that nobody uses.
    entries: Vec<Box<Entry<T>>>,
    weigh: fn(&T) -> usize,
    cached_bytes: usize,
    dirty_bytes: usize,
    /// Handed out to be changed: its weight is not known until the next call.
    lent: Option<usize>,
    /// What was found last: the next call is often for the same record.
    last: usize,
    hand: usize,
}

impl<T> Cache<T> {
    pub(super) fn new(weigh: fn(&T) -> usize) -> Self {
        Self {
            index: HashMap::new(),
            entries: Vec::new(),
            weigh,
            cached_bytes: 0,
            dirty_bytes: 0,
            lent: None,
            last: 0,
            hand: 0,
        }
    }

    pub(super) fn find(&mut self, key: &[u8]) -> Option<usize> {
        if self.entries.get(self.last).is_none_or(|entry| *entry.key != *key) {
            self.last = self.index.get(key).copied()?;
        }
        Some(self.last)
    }

    pub(super) fn insert(&mut self, key: &[u8], value: T, stored: bool) -> usize {
        let (at, key) = (self.entries.len(), Arc::<[u8]>::from(key));
        let weight = self.weight(&key, &value);
        self.index.insert(Arc::clone(&key), at);
        self.entries.push(Box::new(Entry { key, value, stored, weight, dirty: false, used: true }));
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

    /// The dirty records that are to be written, in the order of their keys; `keep` says which are worth it.
    pub(super) fn dirty_in_key_order(&self, keep: fn(&T) -> bool) -> Vec<(&[u8], &T)> {
        let is_due = |entry: &&Entry<T>| entry.dirty && (entry.stored || keep(&entry.value));
        let mut dirty: Vec<_> = self.entries.iter().map(|entry| &**entry).filter(is_due).collect();
        dirty.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        dirty.into_iter().map(|entry| (&*entry.key, &entry.value)).collect()
    }

    /// Makes every record clean: those that were due are written.
    pub(super) fn clean(&mut self, keep: fn(&T) -> bool) {
        self.settle();
        for entry in self.entries.iter_mut().filter(|entry| entry.dirty) {
            entry.dirty = false;
            entry.stored |= keep(&entry.value);
        }
        self.dirty_bytes = 0;
    }

    /// Lets go of clean records down to the bound, the first that were not used since the hand last passed them.
    pub(super) fn trim(&mut self, max_bytes: usize) {
        self.settle();
        let slack = max_bytes / SLACK_PART;
        // Where nearly everything is dirty there is nothing to be had from looking.
        if self.cached_bytes <= max_bytes + slack || self.cached_bytes - self.dirty_bytes <= slack {
            return;
        }
        let mut looks_left = 2 * self.entries.len();
        while self.cached_bytes > max_bytes && looks_left > 0 {
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
