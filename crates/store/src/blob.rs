//! Byte strings of any length in sled: compressed, and cut in pieces of a size that sled bears.
//!
//! A piece's key is the string's key and the piece's number. The first piece begins with the number of pieces and the
//! length before compression; with the length 0, the bytes are as they were.

use lz4_flex::block::{compress_into, decompress, get_maximum_output_size};

use crate::{
    error::StoreError,
    tree::Tree,
    writer::{PIECE_BYTES, Writer},
};

const HEAD_BYTES: usize = 6;

/// The byte strings of one tree.
#[derive(Clone, Copy)]
pub(crate) struct Blobs<'a> {
    pub(crate) tree: &'a Tree,
}

impl<'a> Blobs<'a> {
    pub(crate) fn writer(self) -> Writer<'a> {
        Writer::new(self.tree)
    }

    /// Writes `bytes` under `key`. `key` is as it was when this returns.
    pub(crate) fn put(self, writer: &mut Writer<'_>, key: &mut Vec<u8>, bytes: &[u8]) -> Result<(), StoreError> {
        let mut packed = vec![0; HEAD_BYTES];
        let raw = if compress(bytes, &mut packed) { bytes.len() } else { 0 };
        let too_large = || StoreError::TooLarge {
            what: "a string",
            bytes: bytes.len(),
            bound: PIECE_BYTES * usize::from(u16::MAX),
        };
        let count = u16::try_from(packed.len().div_ceil(PIECE_BYTES)).map_err(|_| too_large())?;
        let raw = u32::try_from(raw).map_err(|_| too_large())?;
        packed[..2].copy_from_slice(&count.to_be_bytes());
        packed[2..HEAD_BYTES].copy_from_slice(&raw.to_be_bytes());
        let end = key.len();
        for (number, piece) in (0..count).zip(packed.chunks(PIECE_BYTES)) {
            key.extend_from_slice(&number.to_be_bytes());
            writer.put(key, piece)?;
            key.truncate(end);
        }
        Ok(())
    }

    /// The bytes under `key`, `None` if there are none.
    pub(crate) fn get(self, key: &mut Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = self.tree.waiting(key) {
            return Ok(Some(bytes));
        }
        let end = key.len();
        let piece = |key: &mut Vec<u8>, number: u16| {
            key.extend_from_slice(&number.to_be_bytes());
            let piece = self.tree.call(|tree| tree.get(&*key));
            key.truncate(end);
            piece
        };
        let damaged =
            |key: &[u8]| self.tree.shared.damaged(format!("what lies under {} cannot be read", key.escape_ascii()));
        let Some(first) = piece(key, 0)? else { return Ok(None) };
        let Some((count, rest)) = first.split_first_chunk::<2>() else { return Err(damaged(key)) };
        let Some((raw, mut packed)) = rest.split_first_chunk::<4>() else { return Err(damaged(key)) };
        let (count, raw) = (u16::from_be_bytes(*count), u32::from_be_bytes(*raw) as usize);
        let mut joined = Vec::new();
        if count > 1 {
            joined.extend_from_slice(packed);
            for number in 1..count {
                let Some(piece) = piece(key, number)? else { return Err(damaged(key)) };
                joined.extend_from_slice(&piece);
            }
            packed = &joined;
        }
        match raw {
            0 if count > 1 => Ok(Some(joined)),
            0 => Ok(Some(packed.to_vec())),
            raw => decompress(packed, raw).map(Some).map_err(|_| damaged(key)),
        }
    }
}

/// Appends `bytes`, compressed where that makes them less. Whether it did.
pub(crate) fn compress(bytes: &[u8], packed: &mut Vec<u8>) -> bool {
    let begin = packed.len();
    packed.resize(begin + get_maximum_output_size(bytes.len()), 0);
    match compress_into(bytes, packed.get_mut(begin..).unwrap_or_default()) {
        Ok(length) if length < bytes.len() => {
            packed.truncate(begin + length);
            true
        }
        _ => {
            packed.truncate(begin);
            packed.extend_from_slice(bytes);
            false
        }
    }
}
