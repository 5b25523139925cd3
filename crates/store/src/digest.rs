//! One number for all rows of a view, so that two of them can be compared however they were built.

/// So many bytes are hashed at once: BLAKE3 is several times faster on many of its chunks of 1 KiB than on one.
const HASHED_BYTES: usize = 64 << 10;

/// Computed over rows in the order of their keys, as a store's scans give them. It depends on that
/// order: rows in another order give another digest.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    hasher: blake3::Hasher,
    /// Not hashed yet.
    bytes: Vec<u8>,
    rows: u64,
}

/// What a [`Digest`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestResult {
    /// BLAKE3 of all rows, 64 hexadecimal digits.
    pub hex: String,
    /// How many rows went in.
    pub rows: u64,
}

impl Digest {
    /// A digest of no rows yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one row. Lengths go in first, so that no two different sequences of rows give the same input.
    pub fn row(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.rows += 1;
        if self.bytes.len() >= HASHED_BYTES {
            self.hasher.update(&self.bytes);
            self.bytes.clear();
        }
    }

    /// The digest of all rows that were added.
    #[must_use]
    pub fn finish(mut self) -> DigestResult {
        self.hasher.update(&self.bytes);
        DigestResult { hex: self.hasher.finalize().to_hex().to_string(), rows: self.rows }
    }
}
