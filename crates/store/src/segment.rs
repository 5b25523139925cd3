//! Many rows in one piece of memory, to be put in together.

/// Bytes of a piece of memory that rows wait in.
pub(crate) const SEGMENT_BYTES: usize = 1 << 20;
/// A segment is full once it has less room than this, which is more than most rows take.
const ROOM_BYTES: usize = 4 << 10;

/// Rows, one after the other. [`Rows::put_all`](crate::Rows::put_all) takes them as they lie.
#[derive(Debug)]
pub struct Segment {
    pub(crate) bytes: Vec<u8>,
    /// The lengths of each key and value.
    pub(crate) rows: Vec<(usize, usize)>,
}

impl Default for Segment {
    /// An empty one that has a megabyte of room: to grow would cost copies.
    fn default() -> Self {
        Self { bytes: Vec::with_capacity(SEGMENT_BYTES), rows: Vec::new() }
    }
}

impl Segment {
    /// Adds a row, of what these two append.
    pub fn put(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        key(&mut self.bytes);
        let middle = self.bytes.len();
        value(&mut self.bytes);
        self.rows.push((middle - start, self.bytes.len() - middle));
    }

    /// Whether another should be begun. What is put in nevertheless is taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() + ROOM_BYTES > SEGMENT_BYTES
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}
