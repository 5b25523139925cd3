//! A journal's chunks in sled. Key: the list's name, a zero byte, the index of the first record (8 bytes), the number
//! of the piece; the first piece begins with the number of pieces.

use crate::{
    error::StoreError,
    shared::Shared,
    writer::{self, Writer},
};

use super::chunk::Chunk;

/// Stale keys that are looked for at once.
const REMOVE_KEYS: usize = 400;

/// The chunks of one journal in sled.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    pub(super) shared: &'a Shared,
    pub(super) tree: &'a sled::Tree,
}

impl Disk<'_> {
    /// The last chunk of `list` that begins before `index`.
    pub(super) fn chunk_before(&self, list: &str, index: u64) -> Result<Option<Chunk>, StoreError> {
        let range = key(list, 0, 0)..key(list, index, 0);
        match self.shared.call(|| self.tree.range(range).next_back().transpose())? {
            Some((key, _)) => self.chunk(list, first_of(&key)),
            None => Ok(None),
        }
    }

    /// The chunk of `list` that begins with record `first`.
    pub(super) fn chunk(&self, list: &str, first: u64) -> Result<Option<Chunk>, StoreError> {
        let Some(head) = self.piece(list, first, 0)? else {
            return Ok(None);
        };
        let damaged = || self.shared.damaged(format!("record {first} of {list} cannot be read"));
        let (count, bytes) = head.split_first().ok_or_else(damaged)?;
        let mut bytes = bytes.to_vec();
        for number in 1..*count {
            bytes.extend_from_slice(&self.piece(list, first, number)?.ok_or_else(damaged)?);
        }
        Chunk::parse(first, bytes).map(Some).ok_or_else(damaged)
    }

    fn piece(&self, list: &str, first: u64, number: u8) -> Result<Option<sled::IVec>, StoreError> {
        self.shared.call(|| self.tree.get(key(list, first, number)))
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>, list: &str, chunk: &Chunk) -> Result<(), StoreError> {
        let (count, pieces) = writer::pieces(chunk.bytes())?;
        for (number, piece) in (0..count).zip(pieces) {
            if number == 0 {
                writer.put(&key(list, chunk.first, 0), &[&[count], piece].concat())?;
            } else {
                writer.put(&key(list, chunk.first, number), piece)?;
            }
        }
        Ok(())
    }

    /// Removes the chunks of `list` that begin with record `index` or later.
    pub(super) fn remove_from(&self, list: &str, index: u64) -> Result<(), StoreError> {
        loop {
            let range = key(list, index, 0)..=key(list, u64::MAX, u8::MAX);
            let keys = || self.tree.range(range).keys().take(REMOVE_KEYS).collect::<sled::Result<Vec<_>>>();
            let keys = self.shared.call(keys)?;
            let mut writer = Writer::new(self.shared, self.tree);
            keys.iter().try_for_each(|key| writer.remove(key))?;
            writer.flush()?;
            if keys.len() < REMOVE_KEYS {
                return Ok(());
            }
        }
    }
}

fn key(list: &str, first: u64, piece: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(list.len() + 10);
    key.extend_from_slice(list.as_bytes());
    key.push(0);
    key.extend_from_slice(&first.to_be_bytes());
    key.push(piece);
    key
}

fn first_of(key: &[u8]) -> u64 {
    key.split_last().and_then(|(_, key)| key.last_chunk::<8>()).map_or(0, |first| u64::from_be_bytes(*first))
}
