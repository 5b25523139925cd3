//! The last ids of one kind and scope (contract: Idempotency).

use std::{hint::black_box, iter};

use crate::IdHash;

/// How many ids are remembered.
pub const WINDOW_IDS: usize = 256;

/// How many ids are in one piece of memory, and looked at together. Windows grow all the time, each at its pace: were
/// each one piece, those that were outgrown would leave room that nobody needs.
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
    /// The first block, no larger than it needs: most windows are small.
    first: Vec<u128>,
    /// What comes behind a full first block.
    more: Option<Box<More>>,
    /// How many ids there are.
    count: u16,
    /// Where the oldest is, once the window is full.
    oldest: u16,
    /// How many of the newest ids are not kept elsewhere yet.
    fresh: u16,
}

#[derive(Debug, Clone, Default)]
struct More {
    /// The last of them may not be full.
    blocks: [Option<Box<[u128; BLOCK_IDS]>>; WINDOW_IDS / BLOCK_IDS - 1],
    /// The heads of all ids, where they are many.
    heads: Option<Box<[Head; WINDOW_IDS]>>,
}

impl Window {
    /// Whether the id is among the last ones.
    pub fn contains(&self, id: IdHash) -> bool {
        if let Some(heads) = self.heads() {
            let head = head(id.0);
            if !heads.iter().take(self.len()).fold(false, |found, other| found | (*other == head)) {
                return false;
            }
        }
        // Without a way out of each block, several ids are compared at once.
        self.blocks().any(|block| block.iter().fold(false, |found, other| found | (*other == id.0)))
    }

    /// Has what [`Window::contains`] looks through first come from memory, without waiting for it.
    pub fn fetch(&self) {
        match self.heads() {
            Some(heads) => heads.iter().step_by(LINE_BYTES / size_of::<Head>()).for_each(|head| {
                black_box(*head);
            }),
            None => {
                self.blocks().flat_map(|block| block.iter().step_by(LINE_BYTES / size_of::<u128>())).for_each(|id| {
                    black_box(*id);
                })
            }
        }
    }

    /// Adds an id; the oldest of a full window is forgotten.
    pub fn remember(&mut self, id: IdHash) {
        let mut at = self.len();
        if at == WINDOW_IDS {
            at = self.oldest.into();
            self.oldest = (self.oldest + 1) % WINDOW_IDS as u16;
        } else {
            self.count += 1;
        }
        self.put(at, id.0);
        self.note(at, id.0);
        self.fresh = (self.fresh + 1).min(WINDOW_IDS as u16);
    }

    /// Puts an id in its place, which is there or the next one behind all that are.
    fn put(&mut self, at: usize, id: u128) {
        let Some(behind) = at.checked_sub(BLOCK_IDS) else {
            match self.first.get_mut(at) {
                Some(slot) => *slot = id,
                None => self.first.push(id),
            }
            return;
        };
        if let Some(block) = self.more.get_or_insert_default().blocks.get_mut(behind / BLOCK_IDS) {
            block.get_or_insert_default()[behind % BLOCK_IDS] = id;
        }
    }

    /// Notes the head of the id at a place.
    fn note(&mut self, at: usize, id: u128) {
        if self.len() == MANY_IDS {
            let mut heads = Box::new([Head::default(); WINDOW_IDS]);
            heads.iter_mut().zip(self.blocks().flatten()).for_each(|(noted, id)| *noted = head(*id));
            self.more.get_or_insert_default().heads = Some(heads);
        } else if let Some(heads) = self.more.as_mut().and_then(|more| more.heads.as_mut()) {
            heads[at] = head(id);
        }
    }

    /// The ids that were remembered since [`Window::kept`], oldest first.
    pub fn fresh(&self) -> impl Iterator<Item = IdHash> + '_ {
        self.from(self.len() - usize::from(self.fresh))
    }

    /// Takes note that its ids are kept elsewhere.
    pub fn kept(&mut self) {
        self.fresh = 0;
    }

    /// The ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = IdHash> + '_ {
        self.from(0)
    }

    /// The ids from the one on that has so many older ones.
    fn from(&self, older: usize) -> impl Iterator<Item = IdHash> + '_ {
        (older..self.len()).map(|older| {
            let at = (usize::from(self.oldest) + older) % WINDOW_IDS;
            let id = match at.checked_sub(BLOCK_IDS) {
                None => self.first.get(at),
                Some(behind) => self.block(behind / BLOCK_IDS).and_then(|block| block.get(behind % BLOCK_IDS)),
            };
            // There is one in each of these places.
            IdHash(id.copied().unwrap_or_default())
        })
    }

    fn block(&self, number: usize) -> Option<&[u128; BLOCK_IDS]> {
        self.more.as_ref()?.blocks.get(number)?.as_deref()
    }

    /// The ids, as they lie in memory.
    fn blocks(&self) -> impl Iterator<Item = &[u128]> {
        let mut left = self.len() - self.first.len();
        let more = self.more.iter().flat_map(|more| more.blocks.iter().flatten()).map(move |block| {
            let ids = block.get(..left).unwrap_or(&block[..]);
            left -= ids.len();
            ids
        });
        iter::once(&self.first[..]).chain(more)
    }

    fn heads(&self) -> Option<&[Head; WINDOW_IDS]> {
        self.more.as_ref()?.heads.as_deref()
    }

    /// Bytes of memory that it takes beside itself.
    pub fn memory_bytes(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            let blocks = (self.len() - self.first.len()).div_ceil(BLOCK_IDS) * size_of::<[u128; BLOCK_IDS]>();
            size_of::<More>() + blocks + more.heads.as_ref().map_or(0, |heads| size_of_val(&**heads))
        });
        self.first.capacity() * size_of::<u128>() + more
    }

    /// How many ids are held.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn head(id: u128) -> Head {
    id as Head
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
    fn says_what_memory_it_takes() {
        for (ids, bytes) in [(0, 0), (1, 64), (16, 256), (17, 640), (32, 640), (33, 896), (64, 1_664), (256, 4_736)] {
            assert_eq!((0..ids).map(IdHash).collect::<Window>().memory_bytes(), bytes, "{ids} ids");
        }
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
