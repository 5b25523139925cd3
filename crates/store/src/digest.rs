//! One number for all rows of a view, so that two of them can be compared however they were built.
//!
//! Rows in the order of their keys are cut in sections: one ends with each row whose key's XXH3 is a multiple of 1,024, and
//! with the last row. The digest is BLAKE3 of the sections' BLAKE3s, one after the other. Where a section ends does not
//! depend on where one began to read, so that several threads can each hash some of them.

use xxhash_rust::xxh3::xxh3_64;

/// A section has so many rows, on average.
const SECTION_ROWS: u64 = 1_024;
/// So many bytes are hashed at once: BLAKE3 is several times faster on many of its chunks of 1 KiB than on one.
const HASHED_BYTES: usize = 64 << 10;

/// Computed over rows in the order of their keys. It depends on that order: rows in another order give another digest.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    /// Of the section that is begun ...
    hasher: blake3::Hasher,
    /// ... without these bytes of it.
    bytes: Vec<u8>,
    /// The hashes of those that have ended.
    sections: Vec<u8>,
    rows: u64,
}

/// What a digest came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestResult {
    /// 64 hexadecimal digits.
    pub hex: String,
    /// How many rows went in.
    pub rows: u64,
}

impl Digest {
    /// Whether a row with this key is the last one of its section.
    pub(crate) fn ends_section(key: &[u8]) -> bool {
        xxh3_64(key).is_multiple_of(SECTION_ROWS)
    }

    /// Adds one row. Lengths go in first, so that no two different sequences of rows give the same input. Whether it was
    /// the last one of its section.
    pub(crate) fn row(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.rows += 1;
        let ends = Self::ends_section(key);
        if ends {
            self.end_section();
        } else if self.bytes.len() >= HASHED_BYTES {
            self.hash();
        }
        ends
    }

    fn hash(&mut self) {
        self.hasher.update(&self.bytes);
        self.bytes.clear();
    }

    fn end_section(&mut self) {
        self.hash();
        if self.hasher.count() > 0 {
            self.sections.extend_from_slice(self.hasher.finalize().as_bytes());
            self.hasher.reset();
        }
    }

    /// Adds the rows of another one, which come after these. Both end where a section does.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.end_section();
        other.end_section();
        self.sections.append(&mut other.sections);
        self.rows += other.rows;
    }

    /// The digest of all rows that were added.
    pub(crate) fn finish(mut self) -> DigestResult {
        self.end_section();
        DigestResult { hex: blake3::hash(&self.sections).to_hex().to_string(), rows: self.rows }
    }
}
