//! A journal's chunks in sled. Key: the list's name, a zero byte, the index of the first record (8 bytes).

use crate::{
    blob::{self, Blobs},
    error::StoreError,
};

use super::chunk::Chunk;

/// Stale keys that are looked for at once.
const REMOVE_KEYS: usize = 400;

/// The chunks of one journal in sled.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a>(pub(super) Blobs<'a>);

impl Disk<'_> {
    /// The last chunk of `list` that begins before `index`.
    pub(super) fn chunk_before(self, list: &str, index: u64) -> Result<Option<Chunk>, StoreError> {
        let range = key(list, 0)..key(list, index);
        match self.0.tree.call(|tree| tree.range(range).next_back().transpose())? {
            Some((piece, _)) => self.chunk(list, first_of(&piece)),
            None => Ok(None),
        }
    }

    /// The chunk of `list` that begins with record `first`.
    pub(super) fn chunk(self, list: &str, first: u64) -> Result<Option<Chunk>, StoreError> {
        let Some(bytes) = self.0.get(&mut key(list, first))? else { return Ok(None) };
        let damaged = || self.0.tree.shared.damaged(format!("record {first} of {list} cannot be read"));
        Chunk::parse(first, bytes).map(Some).ok_or_else(damaged)
    }

    /// Writes chunks of lists, in this order.
    pub(super) fn write_all<'c>(self, chunks: impl Iterator<Item = (&'c str, &'c Chunk)>) -> Result<(), StoreError> {
        let mut writer = self.0.writer();
        for (list, chunk) in chunks {
            self.0.put(&mut writer, &mut key(list, chunk.first), chunk.bytes())?;
        }
        writer.flush()
    }

    /// Removes the chunks of `list` that begin with record `index` or later.
    pub(super) fn remove_from(self, list: &str, index: u64) -> Result<(), StoreError> {
        loop {
            // A longer key is behind a shorter one: the end takes every piece with it.
            let mut end = key(list, u64::MAX);
            end.extend_from_slice(&u16::MAX.to_be_bytes());
            let range = key(list, index)..=end;
            let keys = |tree: &sled::Tree| tree.range(range).keys().take(REMOVE_KEYS).collect::<sled::Result<Vec<_>>>();
            let keys = self.0.tree.call(keys)?;
            let mut writer = self.0.writer();
            keys.iter().try_for_each(|key| writer.remove(key))?;
            writer.flush()?;
            if keys.len() < REMOVE_KEYS {
                return Ok(());
            }
        }
    }
}

fn key(list: &str, first: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(list.len() + 11);
    key.extend_from_slice(list.as_bytes());
    key.push(0);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

fn first_of(piece: &[u8]) -> u64 {
    blob::owner(piece).last_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}
