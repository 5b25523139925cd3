//! The ends of the lists that are being appended to, in memory.

use std::{collections::VecDeque, sync::Arc};

use foldhash::{HashMap, HashMapExt as _};

use super::{chunk::Chunk, extents::Extent};

/// Lists whose clean ends stay in memory, so that the next append need not fetch them; 8 KB each at most.
pub(super) const TAIL_LISTS: usize = 512;

/// The end of one list.
pub(super) struct Tail {
    /// What is in the file since the last checkpoint.
    pub(super) written: Vec<Extent>,
    /// Full chunks that are not in the file yet.
    pub(super) full: VecDeque<Arc<Chunk>>,
    /// The chunk that grows.
    pub(super) open: Chunk,
    /// Whether the list has grown since the last checkpoint.
    pub(super) dirty: bool,
    pub(super) name: Arc<str>,
    used: bool,
}

impl Tail {
    pub(super) fn new(name: &str, open: Chunk) -> Self {
        Self { written: Vec::new(), full: VecDeque::new(), open, dirty: false, name: Arc::from(name), used: true }
    }

    /// The first record that is to be looked for here, and not where the last checkpoint left it.
    pub(super) fn first(&self) -> u64 {
        match (self.written.first(), self.full.front()) {
            (Some(extent), _) => extent.records.start,
            (None, Some(chunk)) => chunk.first,
            (None, None) => self.open.first,
        }
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

    /// The tails of lists that have grown, in the order of their names.
    pub(super) fn dirty_in_order(&mut self) -> Vec<&mut Tail> {
        let mut tails: Vec<_> = self.by_list.values_mut().filter(|tail| tail.dirty).collect();
        tails.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        tails
    }

    /// Lets go of clean tails: first those not used since the last sweep, then, if that is too few, of all. Dirty ones
    /// stay, so the next sweep is put off where most are.
    fn sweep(&mut self) {
        self.by_list.retain(|_, tail| tail.dirty || std::mem::take(&mut tail.used));
        if self.by_list.len() > TAIL_LISTS / 2 {
            self.by_list.retain(|_, tail| tail.dirty);
        }
        self.sweep_at = TAIL_LISTS.max(self.by_list.len() + self.by_list.len() / 2);
    }
}
