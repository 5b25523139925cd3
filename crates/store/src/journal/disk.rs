//! A journal's chunks in sled: each under its number, and where those of a list are. Keys: `c` and the number (8 bytes);
//! `l`, the list's name, a zero byte and the index of the chunk's first record (8 bytes), under which the number is.
//!
//! sled splits a leaf that has more than 16 keys, and writes both halves anew. So chunks are numbered in the order in which
//! they are first written, and their keys are made ahead, with nothing under them: what is split then is empty, and a leaf
//! is filled at once. Less than half as much is written so.
//!
//! What must be there first after a crash is written first: keys, then where chunks are, then these. So no chunk is there
//! that nobody knows of; and one that is known of and not there is behind its list's end.

use std::ops::Range;

use super::chunk::Chunk;
use crate::{blob::Blobs, error::StoreError};

/// So many keys at least are there that no chunk has, when chunks are written: more than a leaf has.
const KEYS_AHEAD: u64 = if cfg!(test) { 4 } else { 64 };
/// Stale chunks that are looked for at once.
const REMOVE_CHUNKS: usize = 100;

/// Which numbers chunks have.
pub(super) struct Numbers {
    /// The next chunk's.
    next: u64,
    /// Those below it have keys.
    made: u64,
}

impl Numbers {
    /// Gives a chunk its number, if it has none.
    pub(super) fn give(&mut self, chunk: &mut Chunk) {
        if chunk.number.is_none() {
            chunk.number = Some(self.next);
            self.next += 1;
        }
    }

    /// Which keys are to be made before those chunks are written that have numbers.
    pub(super) fn reserve(&mut self) -> Range<u64> {
        let from = self.made;
        if from < self.next + KEYS_AHEAD {
            self.made = self.next + 2 * KEYS_AHEAD;
        }
        from..self.made
    }
}

/// The chunks of one journal in sled.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a>(pub(super) Blobs<'a>);

impl Disk<'_> {
    /// The numbers that were not given yet. Of the keys that were made and never used the last one stays: one of their
    /// numbers may have been given to a chunk that a crash kept from being written, and is not given again.
    pub(super) fn numbers(self) -> Result<Numbers, StoreError> {
        let (mut next, mut unused) = (0, Vec::new());
        self.0.tree.call(|tree| {
            for entry in tree.scan_prefix(CHUNK).rev() {
                let (key, piece) = entry?;
                next = next.max(key.get(1..).and_then(number).map_or(0, |last| last + 1));
                if !piece.is_empty() {
                    break;
                }
                unused.push(key);
            }
            Ok(())
        })?;
        let mut writer = self.0.writer();
        unused.iter().skip(1).try_for_each(|key| writer.remove(key))?;
        writer.flush()?;
        Ok(Numbers { next, made: next })
    }

    /// The last chunk of `list` that begins before `index`.
    pub(super) fn chunk_before(self, list: &str, index: u64) -> Result<Option<Chunk>, StoreError> {
        let places = place_key(list, 0)..place_key(list, index);
        match self.0.tree.call(|tree| tree.range(places).next_back().transpose())? {
            Some((key, place)) => self.load(list, first_of(&key), &place),
            None => Ok(None),
        }
    }

    /// The chunk of `list` that begins with record `first`.
    pub(super) fn chunk(self, list: &str, first: u64) -> Result<Option<Chunk>, StoreError> {
        match self.0.tree.call(|tree| tree.get(place_key(list, first)))? {
            Some(place) => self.load(list, first, &place),
            None => Ok(None),
        }
    }

    fn load(self, list: &str, first: u64, place: &[u8]) -> Result<Option<Chunk>, StoreError> {
        let damaged = || self.0.tree.shared.damaged(format!("record {first} of {list} cannot be read"));
        let number = number(place).ok_or_else(damaged)?;
        let Some(bytes) = self.0.get(&mut chunk_key(number))? else { return Ok(None) };
        Chunk::parse(number, first, bytes).map(Some).ok_or_else(damaged)
    }

    /// Makes keys, and writes chunks, each with its list, in the order of their numbers.
    pub(super) fn write_all<'c>(
        self,
        to_make: Range<u64>,
        chunks: impl Iterator<Item = (&'c str, &'c Chunk)>,
    ) -> Result<(), StoreError> {
        let mut numbered = Vec::new();
        for (list, chunk) in chunks {
            let number = chunk.number.ok_or_else(|| StoreError::Misuse(format!("a chunk of {list} has no number")))?;
            numbered.push((number, list, chunk));
        }
        numbered.sort_unstable_by_key(|(number, ..)| *number);
        let mut writer = self.0.writer();
        for number in to_make {
            self.0.make(&mut writer, chunk_key(number))?;
        }
        writer.flush()?;
        for (number, list, chunk) in &numbered {
            writer.put(&place_key(list, chunk.first), &number.to_be_bytes())?;
        }
        writer.flush()?;
        for (number, _, chunk) in &numbered {
            self.0.put(&mut writer, &mut chunk_key(*number), chunk.bytes())?;
        }
        writer.flush()
    }

    /// Removes the chunks of `list` that begin with record `index` or later.
    pub(super) fn remove_from(self, list: &str, index: u64) -> Result<(), StoreError> {
        loop {
            let places = place_key(list, index)..=place_key(list, u64::MAX);
            let stale = |tree: &sled::Tree| tree.range(places).take(REMOVE_CHUNKS).collect::<sled::Result<Vec<_>>>();
            let stale = self.0.tree.call(stale)?;
            let mut writer = self.0.writer();
            for number in stale.iter().filter_map(|(_, place)| number(place)) {
                self.0.remove(&mut writer, &chunk_key(number))?;
            }
            writer.flush()?;
            stale.iter().try_for_each(|(key, _)| writer.remove(key))?;
            writer.flush()?;
            if stale.len() < REMOVE_CHUNKS {
                return Ok(());
            }
        }
    }
}

const CHUNK: &[u8] = b"c";
const PLACE: &[u8] = b"l";

fn chunk_key(number: u64) -> Vec<u8> {
    [CHUNK, &number.to_be_bytes()].concat()
}

fn place_key(list: &str, first: u64) -> Vec<u8> {
    [PLACE, list.as_bytes(), b"\0", &first.to_be_bytes()].concat()
}

fn first_of(place_key: &[u8]) -> u64 {
    place_key.last_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|number| u64::from_be_bytes(*number))
}
