//! A journal's file: chunks, several of a list in one extent where they come together, compressed, each extent behind the
//! one before. Nothing in it is ever overwritten or removed. What is behind the extents that a checkpoint names is left from
//! a crash, and cut off when the file is opened.
//!
//! It is a file beside sled, as what only grows needs nothing of what sled does: sled writes values two to three times, at
//! ten times the cost of a file's.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::Arc,
};

use lz4_flex::block::decompress;
use xxhash_rust::xxh3::xxh3_64;

use super::chunk::Chunk;
use crate::{blob::compress, error::StoreError, shared::Shared};

/// An extent takes no further chunk that would bring it over so many bytes, before compression.
const EXTENT_BYTES: usize = if cfg!(test) { 20_000 } else { 64 << 10 };

/// Where consecutive records of a list are in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) records: Range<u64>,
    offset: u64,
    /// Bytes in the file.
    packed: u32,
    /// Bytes before compression; as many as in the file if it made nothing less.
    raw: u32,
    /// Of what is in the file.
    checksum: u64,
}

impl Extent {
    /// What is kept of it under the index that follows its records.
    pub(super) fn encode(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.records.start.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.packed.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.raw.to_le_bytes());
        bytes[24..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    /// `None` if it is none.
    pub(super) fn decode(end: u64, bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (packed, rest) = rest.split_first_chunk()?;
        let (raw, checksum) = rest.split_first_chunk()?;
        Some(Self {
            records: u64::from_le_bytes(*first)..end,
            offset: u64::from_le_bytes(*offset),
            packed: u32::from_le_bytes(*packed),
            raw: u32::from_le_bytes(*raw),
            checksum: u64::from_le_bytes(checksum.try_into().ok()?),
        })
    }

    /// The byte of the file that follows it.
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::from(self.packed)
    }
}

/// Extents, each with its list.
pub(super) type Written = Vec<(Arc<str>, Extent)>;

/// The file.
pub(super) struct Extents {
    shared: Arc<Shared>,
    path: PathBuf,
    file: File,
}

impl Extents {
    /// Opens the file of the journal `name`, or makes it, and cuts it to the bytes that the last checkpoint knows of.
    pub(super) fn open(shared: &Arc<Shared>, name: &str, bytes: u64) -> Result<Self, StoreError> {
        let path = shared.base.place.journals().join(format!("{}.{name}", shared.name));
        let open = || {
            fs::create_dir_all(shared.base.place.journals())?;
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            let there = file.metadata()?.len();
            if there > bytes && !shared.base.read_only {
                file.set_len(bytes)?;
            }
            Ok((file, there))
        };
        let (file, there) = open().map_err(|e| shared.base.fail(StoreError::io("open", &path, e)))?;
        if there < bytes {
            return Err(shared.damaged(format!("{} has {there} bytes of {bytes}", path.display())));
        }
        Ok(Self { shared: Arc::clone(shared), path, file })
    }

    /// Writes full chunks, in the order in which their lists grew, from the byte `at` of the file on. Returns where they
    /// are, list by list.
    pub(super) fn write(&self, mut at: u64, chunks: &[(Arc<str>, Arc<Chunk>)]) -> Result<Written, StoreError> {
        let mut by_list: Vec<_> = chunks.iter().collect();
        by_list.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (mut written, mut raw, mut packed) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = by_list.as_slice();
        while let Some((list, first)) = rest.first() {
            raw.clear();
            let of_list = rest.iter().take_while(|(other, _)| other == list);
            let mut count = 0;
            for (_, chunk) in of_list {
                if count > 0 && raw.len() + chunk.bytes().len() > EXTENT_BYTES {
                    break;
                }
                raw.extend_from_slice(chunk.bytes());
                count += 1;
            }
            let (taken, left) = rest.split_at(count);
            let end = taken.last().map_or(first.first, |(_, last)| last.next());
            let extent = self.put(at, first.first..end, &raw, &mut packed)?;
            at = extent.end();
            written.push((Arc::clone(list), extent));
            rest = left;
        }
        Ok(written)
    }

    fn put(&self, offset: u64, records: Range<u64>, raw: &[u8], packed: &mut Vec<u8>) -> Result<Extent, StoreError> {
        packed.clear();
        compress(raw, packed);
        #[cfg(test)]
        self.shared.base.fault()?;
        self.file.write_all_at(packed, offset).map_err(|e| self.failed("write", e))?;
        // Records are bounded far below 4 GiB, and extents by them.
        let (raw, checksum) = (raw.len() as u32, xxh3_64(packed));
        Ok(Extent { records, offset, packed: packed.len() as u32, raw, checksum })
    }

    /// Reads an extent: one long chunk.
    pub(super) fn read(&self, extent: &Extent) -> Result<Chunk, StoreError> {
        let damaged =
            || self.shared.damaged(format!("byte {} of {} is not as it was", extent.offset, self.path.display()));
        let mut packed = vec![0; extent.packed as usize];
        self.file.read_exact_at(&mut packed, extent.offset).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => damaged(),
            _ => self.failed("read", e),
        })?;
        if xxh3_64(&packed) != extent.checksum {
            return Err(damaged());
        }
        let raw = extent.raw as usize;
        let bytes = if packed.len() == raw { packed } else { decompress(&packed, raw).map_err(|_| damaged())? };
        let chunk = Chunk::parse(extent.records.start, bytes).ok_or_else(damaged)?;
        if chunk.next() == extent.records.end { Ok(chunk) } else { Err(damaged()) }
    }

    fn failed(&self, what: &str, error: io::Error) -> StoreError {
        self.shared.base.fail(StoreError::io(what, &self.path, error))
    }
}
