//! A table's records in memory: found by key, weighed, and let go of when they were not used for a while.

use std::{hash::BuildHasher as _, hint::black_box, ops::Range};

use foldhash::fast::RandomState;
use hashbrown::hash_table::{AbsentEntry, HashTable, OccupiedEntry};
use smallvec::SmallVec;

/// A key: most lie beside their record.
type Key = SmallVec<[u8; 40]>;

/// Bytes that a record costs beside its own and its key's: room for a longer key, counters, index, the allocator.
const OVERHEAD_BYTES: usize = 72;
/// What is let go of at once is at least this part of the bound, so that the search for it is paid seldom.
const SLACK_PART: usize = 32;

/// One record.
pub(super) struct Entry<T> {
    pub(super) key: Key,
    pub(super) value: T,
    weight: usize,
    /// Whether runs have something of it, which must not show through.
    pub(super) stored: bool,
    /// The checkpoint that is to keep its change; 0 for none.
    due_for: u32,
    used: bool,
}

/// Where a record is.
#[derive(Clone, Copy)]
struct Slot {
    /// A part of its key's hash: what is not looked for is nearly always told from that, without a look at the record.
    hash: u32,
    /// Its place in the list of all.
    at: u32,
}

impl Slot {
    fn of(hash: u64, at: usize) -> Self {
        Self { hash: hash as u32, at: place(at) }
    }

    fn may_be(&self, hash: u64) -> bool {
        self.hash == hash as u32
    }
}

/// Records by key, in no order.
pub(super) struct Cache<T> {
    /// Places in `entries`, by the hashes of the keys. Those lie in the records: anywhere else they would be one more
    /// place in memory to wait for, which is what a lookup costs.
    index: HashTable<Slot>,
    hasher: RandomState,
    /// Each in a box: a vector of them would have half as much room again that nobody uses.
    entries: Vec<Box<Entry<T>>>,
    weigh: fn(&T) -> usize,
    cached_bytes: usize,
    /// Of what the next checkpoint is to keep.
    dirty_bytes: usize,
    /// The next one. Of the one before, records may still be due.
    checkpoint: u32,
    /// Handed out to be changed: its weight is not known until the next call.
    lent: Option<usize>,
    /// What was found last: the next call is often for the same record.
    last: usize,
    hand: usize,
}

impl<T> Cache<T> {
    pub(super) fn new(weigh: fn(&T) -> usize) -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::default(),
            entries: Vec::new(),
            weigh,
            cached_bytes: 0,
            dirty_bytes: 0,
            checkpoint: 1,
            lent: None,
            last: 0,
            hand: 0,
        }
    }

    pub(super) fn find(&mut self, key: &[u8]) -> Option<usize> {
        if self.entries.get(self.last).is_none_or(|entry| *entry.key != *key) {
            let hash = self.hasher.hash_one(key);
            let is_it = |slot: &Slot| slot.may_be(hash) && *self.entries[slot.at as usize].key == *key;
            self.last = self.index.find(hash, is_it)?.at as usize;
        }
        Some(self.last)
    }

    /// Has the records of these keys come from memory, and with `touch` what they point at, those that are held. Nothing
    /// here depends on what comes, so a processor waits for several at once.
    pub(super) fn fetch<'k, W: Copy>(&self, wanted: impl Iterator<Item = (&'k [u8], W)>, mut touch: impl FnMut(&T, W)) {
        let held = |(key, with): (&[u8], W)| {
            let hash = self.hasher.hash_one(key);
            self.index.find(hash, |slot| slot.may_be(hash)).map(|slot| (slot.at as usize, with))
        };
        let places: SmallVec<[(usize, W); 32]> = wanted.filter_map(held).collect();
        for (at, _) in &places {
            let entry = &self.entries[*at];
            black_box((entry.key.len(), entry.weight, entry.used));
        }
        places.iter().for_each(|(at, with)| touch(&self.entries[*at].value, *with));
    }

    pub(super) fn insert(&mut self, key: &[u8], value: T, stored: bool) -> usize {
        let (at, weight) = (self.entries.len(), self.weight(key, &value));
        self.entries.push(Box::new(Entry { key: Key::from_slice(key), value, stored, weight, due_for: 0, used: true }));
        let rehash = |slot: &Slot| self.hasher.hash_one(&*self.entries[slot.at as usize].key);
        let hash = self.hasher.hash_one(key);
        self.index.insert_unique(hash, Slot::of(hash, at), rehash);
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
        if entry.due_for != self.checkpoint {
            entry.due_for = self.checkpoint;
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

    /// Begins a checkpoint, for which all dirty records are due; says in which places they are. To be called once nothing
    /// is due for the one before. They stay in their places until something is let go of.
    pub(super) fn begin_checkpoint(&mut self) -> Range<usize> {
        self.settle();
        self.dirty_bytes = 0;
        // No process takes four billion.
        self.checkpoint += 1;
        0..self.entries.len()
    }

    /// The record there, if it is due for the checkpoint that was begun; then it is not any more.
    pub(super) fn take_due(&mut self, at: usize) -> Option<&mut Entry<T>> {
        let entry = &mut self.entries[at];
        let is_due = entry.due_for != 0 && entry.due_for != self.checkpoint;
        is_due.then(|| {
            entry.due_for = 0;
            &mut **entry
        })
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
            if entry.due_for != 0 || entry.used {
                entry.used = false;
                self.hand += 1;
            } else {
                self.evict(self.hand);
            }
        }
    }

    /// The last record takes the place of the one that goes.
    fn evict(&mut self, at: usize) {
        let last = self.entries.len() - 1;
        if let Ok(gone) = self.index_of(at) {
            gone.remove();
        }
        if let Ok(mut moved) = self.index_of(last) {
            moved.get_mut().at = place(at);
        }
        self.cached_bytes -= self.entries.swap_remove(at).weight;
    }

    /// What the index says of the record at `at`.
    fn index_of(&mut self, at: usize) -> Result<OccupiedEntry<'_, Slot>, AbsentEntry<'_, Slot>> {
        let (hash, at) = (self.hasher.hash_one(&*self.entries[at].key), place(at));
        self.index.find_entry(hash, |found| found.at == at)
    }

    fn weight(&self, key: &[u8], value: &T) -> usize {
        (self.weigh)(value) + key.len() + OVERHEAD_BYTES
    }

    /// What the record that was handed out last weighed, and weighs.
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

/// A record's place, as the index has it.
///
/// # Panics
/// Where there are 4 billion records: memory ends far below.
fn place(at: usize) -> u32 {
    assert!(at < u32::MAX as usize, "a cache has outgrown every bound");
    at as u32
}
