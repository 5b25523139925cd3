//! Rows: keys and values as they come, of which a later one replaces an earlier one, and which are read in key order.

use std::{
    ops::ControlFlow,
    panic,
    sync::Arc,
    thread::{self, ScopedJoinHandle},
};

use crate::{
    checkpoint::Sink,
    digest::{Digest, DigestResult},
    error::StoreError,
    part::{Part, Steps},
    runs::{Record, Runs, Visit},
    segment::{SEGMENT_BYTES, Segment},
    shared::Shared,
    writer::{KEY_BYTES, RECORD_BYTES},
};

/// Rows by key. Putting one in costs no read; [`Store::begin_checkpoint`](crate::Store::begin_checkpoint) is what writes.
pub struct Rows {
    runs: Runs,
    /// Keys and values that wait, each row within one segment.
    segments: Vec<Vec<u8>>,
    waiting: Vec<Waiting>,
    pending_bytes: usize,
}

/// Where a row lies.
#[derive(Clone, Copy)]
struct Waiting {
    segment: u32,
    at: u32,
    key_bytes: u16,
    value_bytes: u32,
    /// The part of its key that it is being sorted by, as a number; shorter ones with zeros behind.
    key_part: u64,
}

/// Keys are sorted by so many bytes at a time.
const KEY_PART_BYTES: usize = size_of::<u64>();

impl Rows {
    pub(crate) fn new(runs: Runs) -> Self {
        Self { runs, segments: Vec::new(), waiting: Vec::new(), pending_bytes: 0 }
    }

    /// Puts a row in, in place of one with the same key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for a key over 1,024 bytes or a value over 1 MiB.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let lengths = checked(key.len(), value.len())?;
        let bytes = key.len() + value.len();
        if self.segments.last().is_none_or(|last| last.len() + bytes > last.capacity()) {
            self.segments.push(Vec::with_capacity(SEGMENT_BYTES.max(bytes)));
        }
        let segment = self.segments.len() - 1;
        if let Some(last) = self.segments.last_mut() {
            let at = last.len();
            last.extend_from_slice(key);
            last.extend_from_slice(value);
            self.note(segment, at, lengths);
        }
        Ok(())
    }

    /// Puts many in, as if one after the other, without copying them.
    ///
    /// # Errors
    /// As [`Rows::put`]; then none of them is put in.
    pub fn put_all(&mut self, segment: Segment) -> Result<(), StoreError> {
        let Segment { bytes, rows } = segment;
        let rows: Vec<_> = rows.into_iter().map(|(key, value)| checked(key, value)).collect::<Result<_, _>>()?;
        if u32::try_from(bytes.len()).is_err() {
            return Err(StoreError::TooLarge { what: "a segment", bytes: bytes.len(), bound: u32::MAX as usize });
        }
        self.segments.push(bytes);
        let mut at = 0;
        for lengths in rows {
            self.note(self.segments.len() - 1, at, lengths);
            at += usize::from(lengths.0) + lengths.1 as usize;
        }
        Ok(())
    }

    /// Notes a row in a segment. All is within bounds: a segment ends below 4 GiB.
    fn note(&mut self, segment: usize, at: usize, (key_bytes, value_bytes): (u16, u32)) {
        let (segment, at) = (segment as u32, at as u32);
        self.waiting.push(Waiting { segment, at, key_bytes, value_bytes, key_part: 0 });
        self.pending_bytes += usize::from(key_bytes) + value_bytes as usize + size_of::<Waiting>();
    }

    /// Bytes of memory that only a checkpoint frees: the caller takes one when its bound is reached.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Does some of the work that keeps it small, no more than about `max_bytes` of it; returns what is left of
    /// that, which is nothing if there may be more to do. To be called between batches.
    ///
    /// # Errors
    /// What the disk says.
    pub fn tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        self.runs.tidy(max_bytes)
    }

    /// Visits the rows with keys from `from` on, in the order of their keys, until `visit` says stop. It sees what the
    /// last checkpoint wrote.
    ///
    /// # Errors
    /// What `visit` returns; what the disk says.
    pub fn scan(&self, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.runs.scan(from, visit)
    }

    /// The digest of all rows that [`Rows::scan`] would visit, by as many threads as there are cores.
    ///
    /// # Errors
    /// What the disk says.
    pub fn digest(&self) -> Result<DigestResult, StoreError> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        self.digest_parted(&self.runs.parting_keys(threads))
    }

    /// The same, by one thread more than there are keys. They need be neither there nor different.
    pub(crate) fn digest_parted(&self, parting: &[&[u8]]) -> Result<DigestResult, StoreError> {
        let starts = [None].into_iter().chain(parting.iter().copied().map(Some));
        let ends = parting.iter().copied().map(Some).chain([None]);
        let parts: Result<Vec<Digest>, StoreError> = thread::scope(|scope| {
            let part = |(from, until)| {
                let thread = thread::Builder::new().name("digest".to_owned());
                thread.spawn_scoped(scope, move || self.digest_between(from, until)).map_err(StoreError::no_thread)
            };
            let parts = starts.zip(ends).map(part).collect::<Result<Vec<_>, _>>()?;
            let join = |part: ScopedJoinHandle<'_, _>| part.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            parts.into_iter().map(join).collect()
        });
        let mut digest = Digest::default();
        parts?.into_iter().for_each(|part| digest.append(part));
        Ok(digest.finish())
    }

    /// Of the sections that begin behind the end of another between these keys, and of the first one if there is no `from`.
    fn digest_between(&self, from: Option<&[u8]>, until: Option<&[u8]>) -> Result<Digest, StoreError> {
        let mut digest = Digest::default();
        let mut has_begun = from.is_none();
        self.runs.scan(from.unwrap_or_default(), &mut |key, value| {
            let ends = if has_begun { digest.row(key, value) } else { Digest::ends_section(key) };
            has_begun |= ends;
            let is_last = ends && until.is_some_and(|until| key >= until);
            Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(digest)
    }
}

/// The lengths of a key and a value, if a row may have them.
fn checked(key_bytes: usize, value_bytes: usize) -> Result<(u16, u32), StoreError> {
    if key_bytes > KEY_BYTES {
        return Err(StoreError::TooLarge { what: "a key", bytes: key_bytes, bound: KEY_BYTES });
    }
    if value_bytes > RECORD_BYTES {
        return Err(StoreError::TooLarge { what: "a row", bytes: value_bytes, bound: RECORD_BYTES });
    }
    Ok((key_bytes as u16, value_bytes as u32))
}

impl Waiting {
    fn row(self, segments: &[Vec<u8>]) -> (&[u8], &[u8]) {
        let bytes = segments.get(self.segment as usize).and_then(|segment| segment.get(self.at as usize..));
        let (key, rest) = bytes.unwrap_or_default().split_at(self.key_bytes.into());
        (key, rest.get(..self.value_bytes as usize).unwrap_or_default())
    }

    /// The part of its key from byte `from` on, as a number.
    fn key_part(self, segments: &[Vec<u8>], from: usize) -> u64 {
        let rest = self.row(segments).0.get(from..).unwrap_or_default();
        match rest.first_chunk() {
            Some(part) => u64::from_be_bytes(*part),
            None => (0..KEY_PART_BYTES).fold(0, |part, at| part << 8 | rest.get(at).copied().map_or(0, u64::from)),
        }
    }
}

/// Visits rows in the order of their keys, of the same key the one that was put in last; they are the same up to byte
/// `from`. Rows lie all over the memory, and keys begin alike: comparing whole ones would wait for two of them each time.
/// So each part of a key is fetched once, and only where what comes before it is shared.
fn in_order(
    rows: &mut [Waiting],
    segments: &[Vec<u8>],
    from: usize,
    visit: &mut dyn FnMut(Waiting) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    rows.iter_mut().for_each(|row| row.key_part = row.key_part(segments, from));
    let next = from + KEY_PART_BYTES;
    // A key that ends here comes before one that goes on with zeros.
    let part = |row: &Waiting| (row.key_part, usize::from(row.key_bytes).min(next + 1));
    rows.sort_unstable_by_key(part);
    for same in rows.chunk_by_mut(|one, other| part(one) == part(other)) {
        match same {
            [only] => visit(*only)?,
            [first, ..] if usize::from(first.key_bytes) > next => in_order(same, segments, next, visit)?,
            // Only a row without any bytes can lie where another does: the other was put in after it.
            same => {
                let last = same.iter().max_by_key(|row| (row.segment, row.at, row.value_bytes));
                last.map_or(Ok(()), |last| visit(*last))?;
            }
        }
    }
    Ok(())
}

impl Part for Rows {}

impl Steps for Rows {
    fn name(&self) -> &str {
        self.runs.tree().name()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.runs.tree().shared, store)
    }

    /// All at once: rows that are put in meanwhile would be among those that wait.
    fn begin(&mut self, sink: &mut Sink) -> Result<Option<Vec<u8>>, StoreError> {
        let Self { runs, segments, waiting, pending_bytes } = self;
        in_order(waiting, segments, 0, &mut |row| {
            let (key, value) = row.row(segments);
            runs.add(Record { key, value, adds: false }, sink)
        })?;
        segments.clear();
        waiting.clear();
        *pending_bytes = 0;
        runs.complete(sink).map(Some)
    }
}
