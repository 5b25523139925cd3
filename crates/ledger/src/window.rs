//! The last ids of one kind and scope (contract: Idempotency).

use std::{collections::VecDeque, hint::black_box};

use crate::IdHash;

/// How many ids are remembered.
pub const WINDOW_IDS: usize = 256;

/// Memory comes in lines of so many bytes, nearly everywhere.
const LINE_BYTES: usize = 64;

/// The last [`WINDOW_IDS`] ids, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window(VecDeque<IdHash>);

impl Window {
    /// Whether the id is among the last ones.
    pub fn contains(&self, id: IdHash) -> bool {
        self.0.contains(&id)
    }

    /// Adds an id; the oldest of a full window is forgotten.
    pub fn remember(&mut self, id: IdHash) {
        if self.0.len() == WINDOW_IDS {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }

    /// The ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = IdHash> + '_ {
        self.0.iter().copied()
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<IdHash>()
    }
}

impl FromIterator<IdHash> for Window {
    fn from_iter<I: IntoIterator<Item = IdHash>>(ids: I) -> Self {
        let mut window = Self::default();
        ids.into_iter().for_each(|id| window.remember(id));
        window
    }
}

/// The last bits of an id.
type Print = u32;

/// The last [`WINDOW_IDS`] ids where there are many such lists: of those that are kept elsewhere, a fourth of each is in
/// memory. Nearly every id that is looked for is a new one, as that alone tells; the others are looked up where they
/// are kept.
#[derive(Debug, Clone, Default)]
pub struct RecentIds {
    /// Of every id, in a ring.
    prints: Vec<Print>,
    /// Where the oldest is, once the ring is full.
    oldest: u16,
    /// Those that are not kept elsewhere yet, oldest first, and perhaps older ones that do not count any more.
    fresh: Vec<IdHash>,
}

impl RecentIds {
    /// Whether the id may be among the last ones; if not, it is not. If so, it is if it is [fresh](Self::is_fresh) or
    /// [kept](Self::is_kept).
    pub fn may_contain(&self, id: IdHash) -> bool {
        let wanted = print(id);
        // Without a way out, several are compared at once.
        self.prints.iter().fold(false, |found, other| found | (*other == wanted))
    }

    /// Whether the id is among those that are not kept elsewhere yet.
    pub fn is_fresh(&self, id: IdHash) -> bool {
        self.last_fresh().contains(&id)
    }

    /// Whether the id is among those that are kept elsewhere and still count. `kept` are all ids there, oldest first.
    pub fn is_kept(&self, id: IdHash, kept: &[IdHash]) -> bool {
        let count = self.prints.len() - self.last_fresh().len();
        kept.iter().rev().take(count).any(|other| *other == id)
    }

    /// Adds an id; the oldest is forgotten if there are enough.
    pub fn remember(&mut self, id: IdHash) {
        self.note(print(id));
        // So that they need not all move each time.
        if self.fresh.len() == 2 * WINDOW_IDS {
            self.fresh.drain(..WINDOW_IDS);
        }
        self.fresh.push(id);
    }

    fn note(&mut self, print: Print) {
        if self.prints.len() < WINDOW_IDS {
            self.prints.push(print);
        } else if let Some(oldest) = self.prints.get_mut(usize::from(self.oldest)) {
            *oldest = print;
            self.oldest = (self.oldest + 1) % WINDOW_IDS as u16;
        }
    }

    /// The ids that were remembered since [`Self::kept`], oldest first: to be kept elsewhere, behind those that are.
    pub fn fresh(&self) -> impl Iterator<Item = IdHash> + '_ {
        self.last_fresh().iter().copied()
    }

    fn last_fresh(&self) -> &[IdHash] {
        &self.fresh[self.fresh.len().saturating_sub(WINDOW_IDS)..]
    }

    /// Takes note that all are kept elsewhere.
    pub fn kept(&mut self) {
        self.fresh = Vec::new();
    }

    /// Has what a new id needs come from memory, without waiting for it.
    pub fn fetch(&self) {
        self.prints.iter().step_by(LINE_BYTES / size_of::<Print>()).for_each(|print| {
            black_box(*print);
        });
        black_box(self.fresh.last().copied());
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory_bytes(&self) -> usize {
        self.prints.capacity() * size_of::<Print>() + self.fresh.capacity() * size_of::<IdHash>()
    }
}

fn print(id: IdHash) -> Print {
    id.0 as Print
}

/// As far as memory can tell: the same ids in the same order, wherever they are kept.
impl PartialEq for RecentIds {
    fn eq(&self, other: &Self) -> bool {
        let in_order = |ids: &Self| {
            let (newer, older) = ids.prints.split_at(ids.oldest.into());
            [older, newer].concat()
        };
        in_order(self) == in_order(other)
    }
}

impl Eq for RecentIds {}

/// Ids that are kept where they come from, oldest first.
impl FromIterator<IdHash> for RecentIds {
    fn from_iter<I: IntoIterator<Item = IdHash>>(ids: I) -> Self {
        let mut recent = Self::default();
        ids.into_iter().for_each(|id| recent.note(print(id)));
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_the_oldest() {
        let mut window: Window = (0..256).map(IdHash).collect();
        assert!(window.contains(IdHash(0)));
        window.remember(IdHash(256));
        assert!(!window.contains(IdHash(0)) && window.contains(IdHash(1)) && window.contains(IdHash(256)));
        assert!(window.iter().eq((1..257).map(IdHash)));
    }

    /// Recent ids, and everything that they ever kept elsewhere.
    #[derive(Default)]
    struct Both {
        recent: RecentIds,
        elsewhere: Vec<IdHash>,
    }

    impl Both {
        fn keep(&mut self) {
            self.elsewhere.extend(self.recent.fresh());
            self.recent.kept();
        }

        fn contains(&self, id: IdHash) -> bool {
            let recent = &self.recent;
            recent.may_contain(id) && (recent.is_fresh(id) || recent.is_kept(id, &self.elsewhere))
        }
    }

    /// However often they are kept, they are what a window is; ids with the same print are told apart.
    #[test]
    fn recent_ids_are_those_of_a_window() {
        let id = |n: u128| IdHash((n << 64) | (n % 7));
        for keep_each in [1, 3, 100, 255, 256, 257, 600, 10_000] {
            let (mut both, mut window) = (Both::default(), Window::default());
            for n in 0..2_000 {
                both.recent.remember(id(n));
                window.remember(id(n));
                if n % keep_each == keep_each - 1 {
                    both.keep();
                }
                for other in (0..n + 3).rev().take(300).step_by(11).chain([n, n.saturating_sub(255), n + 1]) {
                    assert_eq!(both.contains(id(other)), window.contains(id(other)), "{other} of {n}, {keep_each}");
                }
            }
            let read: RecentIds = both.elsewhere.iter().copied().chain(both.recent.fresh()).collect();
            assert_eq!(read, both.recent);
            assert_eq!(read.fresh().count(), 0);
        }
    }

    #[test]
    fn what_is_kept_elsewhere_takes_a_fourth() {
        let mut recent = RecentIds::default();
        assert_eq!(recent.memory_bytes(), 0);
        (0..256).for_each(|n| recent.remember(IdHash(n)));
        assert_eq!(recent.memory_bytes(), 256 * (16 + 4));
        recent.kept();
        assert_eq!(recent.memory_bytes(), 256 * 4);
        (0..2_000).for_each(|n| recent.remember(IdHash(n)));
        assert_eq!(recent.memory_bytes(), 256 * (2 * 16 + 4), "bounded");
    }
}
