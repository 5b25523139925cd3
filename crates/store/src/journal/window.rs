//! How far a read of a list is, and where it has to stop.

use super::chunk::Chunk;

/// What a read still has to visit.
pub(super) struct Window {
    pub(super) next: u64,
    pub(super) until: u64,
    pub(super) records_left: usize,
    pub(super) bytes_left: usize,
    pub(super) any: bool,
}

impl Window {
    pub(super) fn is_open(&self) -> bool {
        self.next < self.until && self.records_left > 0
    }

    /// Visits what is wanted of a chunk, of its records before `end`.
    pub(super) fn visit(&mut self, chunk: &Chunk, end: u64, visit: &mut dyn FnMut(u64, &[u8])) {
        for (index, record) in chunk.records().take_while(|(index, _)| *index < end) {
            if !self.is_open() {
                return;
            }
            if index != self.next {
                continue;
            }
            if self.any && record.len() > self.bytes_left {
                self.records_left = 0;
                return;
            }
            visit(index, record);
            self.any = true;
            self.next += 1;
            self.records_left -= 1;
            self.bytes_left = self.bytes_left.saturating_sub(record.len());
        }
    }
}
