//! A journal's chunks in sled. Key: the list's name, a zero byte, the chunk's number (8 bytes).
//!
//! sled splits a leaf that has more than 16 keys, and writes both halves anew. So keys are made ahead, with nothing under
//! them: what is split then is empty, and half as much is written.

use crate::{
    blob::{self, Blobs},
    error::StoreError,
};

use super::chunk::Chunk;

/// So many keys of a list are made at once ...
const KEYS_AHEAD: u64 = if cfg!(test) { 4 } else { 64 };
/// ... first with this chunk: a short list has none ahead.
const KEYS_FROM: u64 = if cfg!(test) { 2 } else { 8 };
/// Stale keys that are looked for at once.
const REMOVE_KEYS: usize = 400;

/// The chunks of one journal in sled.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a>(pub(super) Blobs<'a>);

impl Disk<'_> {
    /// The last chunk of `list` that begins before `index`.
    pub(super) fn chunk_before(self, list: &str, index: u64) -> Result<Option<Chunk>, StoreError> {
        let keys = key(list, 0)..=last_key(list);
        let last = self.0.tree.call(|tree| tree.range(keys).next_back().transpose())?;
        let (mut from, mut until) = (0, last.map_or(0, |(piece, _)| number_of(&piece).saturating_add(1)));
        let mut found = None;
        while from < until {
            let middle = from + (until - from) / 2;
            match self.chunk(list, middle)? {
                Some(chunk) if chunk.first < index => {
                    found = Some(chunk);
                    from = middle + 1;
                }
                _ => until = middle,
            }
        }
        Ok(found)
    }

    /// A chunk of `list`.
    pub(super) fn chunk(self, list: &str, number: u64) -> Result<Option<Chunk>, StoreError> {
        let Some(bytes) = self.0.get(&mut key(list, number))? else { return Ok(None) };
        let damaged = || self.0.tree.shared.damaged(format!("chunk {number} of {list} cannot be read"));
        Chunk::parse(number, bytes).map(Some).ok_or_else(damaged)
    }

    /// Writes chunks of lists, each list's in their order.
    pub(super) fn write_all(self, chunks: &[(&str, &Chunk)]) -> Result<(), StoreError> {
        let mut writer = self.0.writer();
        for (list, chunk) in chunks.iter().filter(|(_, chunk)| chunk.number % KEYS_AHEAD == KEYS_FROM) {
            for ahead in 1..=KEYS_AHEAD {
                self.0.reserve(&mut writer, &mut key(list, chunk.number + ahead))?;
            }
        }
        writer.flush()?;
        for (list, chunk) in chunks {
            self.0.put(&mut writer, &mut key(list, chunk.number), chunk.bytes())?;
        }
        writer.flush()
    }

    /// Removes the chunks of `list` from this one on.
    pub(super) fn remove_from(self, list: &str, number: u64) -> Result<(), StoreError> {
        loop {
            let keys = key(list, number)..=last_key(list);
            let is_made_ahead =
                |entry: &sled::Result<(_, sled::IVec)>| entry.as_ref().is_ok_and(|(_, piece)| piece.is_empty());
            let stale = self.0.tree.call(|tree| {
                let stale = tree.range(keys).filter(|entry| !is_made_ahead(entry)).take(REMOVE_KEYS);
                stale.map(|entry| Ok(entry?.0)).collect::<sled::Result<Vec<_>>>()
            })?;
            let mut writer = self.0.writer();
            stale.iter().try_for_each(|key| writer.remove(key))?;
            writer.flush()?;
            if stale.len() < REMOVE_KEYS {
                return Ok(());
            }
        }
    }
}

fn key(list: &str, number: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(list.len() + 11);
    key.extend_from_slice(list.as_bytes());
    key.push(0);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// No piece of the list is behind it: a longer key is behind a shorter one.
fn last_key(list: &str) -> Vec<u8> {
    let mut key = key(list, u64::MAX);
    key.extend_from_slice(&u16::MAX.to_be_bytes());
    key
}

fn number_of(piece: &[u8]) -> u64 {
    blob::owner(piece).last_chunk::<8>().map_or(0, |number| u64::from_be_bytes(*number))
}
