//! The ends of the lists that are being appended to, in memory.

use std::{collections::VecDeque, sync::Arc};

use foldhash::{HashMap, HashMapExt as _};

use super::chunk::Chunk;

/// Lists whose clean ends stay in memory, so that the next append need not fetch them; 9 KB each at most.
pub(super) const TAIL_LISTS: usize = 512;

/// The end of one list.
pub(super) struct Tail {
    /// Full chunks that are not in sled yet.
    pub(super) full: VecDeque<Arc<Chunk>>,
    /// The chunk that grows.
    pub(super) open: Chunk,
    /// Whether `open` has records that are not in sled.
    pub(super) dirty: bool,
    pub(super) name: Arc<str>,
    used: bool,
}

impl Tail {
    pub(super) fn new(name: &str, open: Chunk, dirty: bool) -> Self {
        Self { full: VecDeque::new(), open, dirty, name: Arc::from(name), used: true }
    }

    /// The first record that is to be read here and not in sled.
    pub(super) fn first(&self) -> u64 {
        self.full.front().map_or(&self.open, |chunk| chunk).first
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.full.iter().map(|chunk| &**chunk).chain([&self.open])
    }
}

/// The ends of all active lists.
pub(super) struct Tails {
    by_list: HashMap<Arc<str>, Tail>,
    sweep_at: usize,
}

impl Tails {
    pub(super) fn new() -> Self {
        Self { by_list: HashMap::new(), sweep_at: TAIL_LISTS }
    }

    pub(super) fn get(&self, list: &str) -> Option<&Tail> {
        self.by_list.get(list)
    }

    pub(super) fn get_mut(&mut self, list: &str) -> Option<&mut Tail> {
        let tail = self.by_list.get_mut(list)?;
        tail.used = true;
        Some(tail)
    }

    pub(super) fn insert(&mut self, tail: Tail) -> &mut Tail {
        if self.by_list.len() >= self.sweep_at {
            self.sweep();
        }
        self.by_list.entry(Arc::clone(&tail.name)).or_insert(tail)
    }

    /// All tails in the order of their lists' names: what is written depends on what was appended alone.
    pub(super) fn in_order(&mut self) -> Vec<&mut Tail> {
        let mut tails: Vec<_> = self.by_list.values_mut().collect();
        tails.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        tails
    }

    /// Lets go of clean tails: first those not used since the last sweep, then, if that is too few, of all. Dirty ones
    /// stay, so the next sweep is put off where most are.
    fn sweep(&mut self) {
        self.by_list.retain(|_, tail| tail.dirty || !tail.full.is_empty() || std::mem::take(&mut tail.used));
        if self.by_list.len() > TAIL_LISTS / 2 {
            self.by_list.retain(|_, tail| tail.dirty || !tail.full.is_empty());
        }
        self.sweep_at = TAIL_LISTS.max(self.by_list.len() + self.by_list.len() / 2);
    }
}
