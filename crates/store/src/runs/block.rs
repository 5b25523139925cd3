//! A block of a run: records in key order, each key and value behind their lengths.

/// What a run has of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Whether the value stands behind what older runs have under the key, instead of replacing it.
    pub(crate) adds: bool,
}

/// A bit of the value's length, which is never that long.
const ADDS: u32 = 1 << 31;

/// A block that is read for one record of it is cut once it has this many bytes, before compression. For that record
/// sled reads a leaf of blocks, and lets go of leaves late, after so many reads: of 4 KB each they took 15 MB more.
pub(super) const SMALL_BYTES: usize = if cfg!(test) { 1_000 } else { 2 * 1024 };
/// And one that is only ever read with its neighbours.
pub(super) const LARGE_BYTES: usize = if cfg!(test) { 2_000 } else { 16 * 1024 };

/// Appends a record. Lengths are within bounds that were checked where the record came in.
pub(super) fn push(block: &mut Vec<u8>, Record { key, value, adds }: Record<'_>) {
    block.extend_from_slice(&(key.len() as u16).to_le_bytes());
    block.extend_from_slice(&(value.len() as u32 | if adds { ADDS } else { 0 }).to_le_bytes());
    block.extend_from_slice(key);
    block.extend_from_slice(value);
}

/// The record that begins at `at`, and where the next one does; `None` at the end.
pub(super) fn record(block: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let rest = block.get(at..)?;
    let (key, rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*key).into())?;
    let (value, rest) = rest.split_at_checked((length & !ADDS) as usize)?;
    Some((Record { key, value, adds: length & ADDS != 0 }, block.len() - rest.len()))
}
