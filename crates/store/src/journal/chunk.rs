//! A chunk of a journal's list: consecutive records, each after its length.

/// Bytes of a chunk, before compression: each checkpoint writes all of a list's last one. A record that would not fit begins
/// a new one, so where chunks end depends on the records alone. A longer record has a chunk of its own.
const CHUNK_BYTES: usize = 8 << 10;
const LENGTH_BYTES: usize = 4;

/// Records `first..next()` of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: u64,
    count: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    /// An empty chunk that will begin with record `first`.
    pub(super) fn starting_at(first: u64) -> Self {
        Self { first, count: 0, bytes: Vec::new() }
    }

    /// An empty chunk after one that became full: this one will too.
    pub(super) fn following(first: u64) -> Self {
        Self { first, count: 0, bytes: Vec::with_capacity(CHUNK_BYTES) }
    }

    /// The chunk that these bytes are; `None` if they are none.
    pub(super) fn parse(first: u64, bytes: Vec<u8>) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let mut count = 0;
        while !rest.is_empty() {
            (_, rest) = split(rest)?;
            count += 1;
        }
        Some(Self { first, count, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The index after its last record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.count
    }

    /// Whether a record of this length still belongs into it.
    pub(super) fn takes(&self, length: usize) -> bool {
        self.count == 0 || self.bytes.len() + LENGTH_BYTES + length <= CHUNK_BYTES
    }

    /// Adds a record and returns by how many bytes the chunk grew.
    pub(super) fn push(&mut self, record: &[u8]) -> usize {
        // Records are bounded far below 4 GiB before they come here.
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.count += 1;
        LENGTH_BYTES + record.len()
    }

    /// Its records with their indexes.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        (self.first..).map_while(move |index| {
            let (record, after) = split(rest)?;
            rest = after;
            Some((index, record))
        })
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
