//! The last ids of one kind and scope (contract: Idempotency).

use std::hint::black_box;

use crate::IdHash;

/// How many ids are remembered.
pub const WINDOW_IDS: usize = 256;

/// How many ids are looked at together.
const BLOCK_IDS: usize = 16;

/// From this many ids on, their heads are looked at first.
const MANY_IDS: usize = 64;

/// Memory comes in lines of so many bytes, nearly everywhere.
const LINE_BYTES: usize = 64;

/// The last bits of an id. Nearly every id that is looked for is a new one, as its head alone tells; a full window's
/// heads are an eighth of its memory.
type Head = u16;

/// The last [`WINDOW_IDS`] ids, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Window {
    ids: Vec<u128>,
    /// The heads of these ids, where they are many.
    heads: Option<Box<[Head; WINDOW_IDS]>>,
    /// Where the oldest is, once the window is full.
    oldest: u16,
    /// How many of the newest ids are not kept elsewhere yet.
    fresh: u16,
}

impl Window {
    /// Whether the id is among the last ones.
    pub fn contains(&self, id: IdHash) -> bool {
        if let Some(heads) = &self.heads {
            let head = head(id.0);
            if !heads.iter().take(self.ids.len()).fold(false, |found, other| found | (*other == head)) {
                return false;
            }
        }
        // Without a way out of each block, several ids are compared at once.
        self.ids.chunks(BLOCK_IDS).any(|block| block.iter().fold(false, |found, other| found | (*other == id.0)))
    }

    /// Has what [`Window::contains`] looks through first come from memory, without waiting for it.
    pub fn fetch(&self) {
        match &self.heads {
            Some(heads) => heads.iter().step_by(LINE_BYTES / size_of::<Head>()).for_each(|head| {
                black_box(*head);
            }),
            None => self.ids.iter().step_by(LINE_BYTES / size_of::<u128>()).for_each(|id| {
                black_box(*id);
            }),
        }
    }

    /// Adds an id; the oldest of a full window is forgotten.
    pub fn remember(&mut self, id: IdHash) {
        if self.ids.len() < WINDOW_IDS {
            // There are very many windows: none may have much room that it does not use.
            if self.ids.len() == self.ids.capacity() {
                self.ids.reserve_exact(step(self.ids.len()));
            }
            self.ids.push(id.0);
            self.note(self.ids.len() - 1, id.0);
        } else if let Some(slot) = self.ids.get_mut(usize::from(self.oldest)) {
            *slot = id.0;
            self.note(self.oldest.into(), id.0);
            self.oldest = (self.oldest + 1) % WINDOW_IDS as u16;
        }
        self.fresh = (self.fresh + 1).min(WINDOW_IDS as u16);
    }

    /// The ids that were remembered since [`Window::kept`], oldest first.
    pub fn fresh(&self) -> impl Iterator<Item = IdHash> + '_ {
        self.iter().skip(self.len() - usize::from(self.fresh))
    }

    /// Takes note that its ids are kept elsewhere.
    pub fn kept(&mut self) {
        self.fresh = 0;
    }

    /// Notes the head of the id at a place of the list.
    fn note(&mut self, at: usize, id: u128) {
        if self.heads.is_none() && self.ids.len() >= MANY_IDS {
            let mut heads = Box::new([Head::default(); WINDOW_IDS]);
            heads.iter_mut().zip(&self.ids).for_each(|(noted, id)| *noted = head(*id));
            self.heads = Some(heads);
        } else if let Some(noted) = self.heads.as_mut().and_then(|heads| heads.get_mut(at)) {
            *noted = head(id);
        }
    }

    /// The ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = IdHash> + '_ {
        let (young, old) = self.ids.split_at(usize::from(self.oldest).min(self.ids.len()));
        old.iter().chain(young).map(|id| IdHash(*id))
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory_bytes(&self) -> usize {
        let heads = self.heads.as_ref().map_or(0, |heads| size_of_val(&**heads));
        self.ids.capacity() * size_of::<u128>() + heads
    }

    /// How many ids are held.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

fn head(id: u128) -> Head {
    id as Head
}

/// By how many ids a full window grows: a quarter of a power of two, as allocators' sizes do.
fn step(ids: usize) -> usize {
    4.max((ids + 1).next_power_of_two() / 8)
}

/// The same ids in the same order, wherever the oldest lies.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Window {}

/// A window of ids that are kept where they come from.
impl FromIterator<IdHash> for Window {
    fn from_iter<I: IntoIterator<Item = IdHash>>(ids: I) -> Self {
        let mut window = Self::default();
        ids.into_iter().for_each(|id| window.remember(id));
        window.kept();
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let mut window: Window = (0..256).map(IdHash).collect();
        assert!(window.contains(IdHash(0)));
        window.remember(IdHash(256));
        assert!(!window.contains(IdHash(0)));
        assert!(window.contains(IdHash(1)) && window.contains(IdHash(256)));
        assert_eq!(window.iter().next(), Some(IdHash(1)));
        assert_eq!(window.iter().collect::<Window>().iter().collect::<Vec<_>>(), window.iter().collect::<Vec<_>>());
    }

    #[test]
    fn ids_with_the_same_head_are_told_apart() {
        let ids = |of: std::ops::Range<u128>| of.map(|n| IdHash(n << 64));
        let window: Window = ids(0..200).collect();
        assert!(ids(0..200).all(|id| window.contains(id)) && !ids(200..400).any(|id| window.contains(id)));
    }

    #[test]
    fn knows_which_ids_are_fresh() {
        let mut window: Window = (0..250).map(IdHash).collect();
        assert_eq!(window.fresh().count(), 0);
        (250..260).for_each(|id| window.remember(IdHash(id)));
        assert!(window.fresh().eq((250..260).map(IdHash)));
        window.kept();
        assert_eq!(window.fresh().count(), 0);
        (260..600).for_each(|id| window.remember(IdHash(id)));
        assert!(window.fresh().eq((344..600).map(IdHash)), "no more than it has");
    }

    #[test]
    fn finds_every_id_however_many_there_are() {
        let mut window = Window::default();
        for next in 0..2 * WINDOW_IDS as u128 {
            assert!(!window.contains(IdHash(next)));
            window.remember(IdHash(next));
            assert!(window.iter().all(|id| window.contains(id)));
        }
    }
}
