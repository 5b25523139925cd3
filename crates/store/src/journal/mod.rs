//! Lists of small records that only grow, as a channel's timeline does.
//!
//! - `chunk`: consecutive records of a list. `tails`: the ends of lists, in memory.
//! - `extents`: the file to which chunks go once they are full.
//!
//! Each checkpoint writes a run in which are, under the list's name, a zero byte and 8 bytes: where new extents are, under
//! the index that follows the extent's records; and the list's last chunk, under [`LAST`].

mod chunk;
mod extents;
mod tails;
mod window;

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::Arc,
    thread::{self, JoinHandle},
};

use self::{
    chunk::Chunk,
    extents::{Extent, Extents, Written},
    tails::{Tail, Tails},
    window::Window,
};
use crate::{
    checkpoint::Sink,
    error::StoreError,
    fields::{Reader, Writer as Fields},
    part::{Part, Steps},
    runs::{Record, Runs},
    shared::Shared,
    tree::Tree,
    writer::{KEY_BYTES, RECORD_BYTES},
};

/// Full chunks are written together until they are so many bytes ...
const WRITE_BACK_BYTES: usize = 4 << 20;
/// ... where they are so many at least: a thread is not begun for less.
const WRITE_BACK_BYTES_MIN: usize = if cfg!(test) { 1 } else { 128 << 10 };

/// Stands for the index that follows a list's last chunk, which grows.
const LAST: u64 = u64::MAX;
/// Bytes of a list's name: a key has nine more.
const NAME_BYTES: usize = KEY_BYTES - 9;

/// Lists of records, numbered from 0. Each checkpoint keeps all that was appended. Full chunks can be written before that;
/// without it they are gone when the journal is opened again.
pub struct Journal {
    runs: Runs,
    file: Arc<Extents>,
    /// Bytes of the file that are in use.
    file_bytes: u64,
    tails: Tails,
    /// Full chunks in memory, oldest first.
    full: VecDeque<Full>,
    /// How many at the end of `full` have no ticket.
    unsealed: usize,
    writing: Option<Writing>,
    pending_bytes: usize,
}

/// A chunk that nothing is added to any more.
struct Full {
    list: Arc<str>,
    chunk: Arc<Chunk>,
    /// The ticket that it waits for, once it is sealed.
    waits_for: Option<u64>,
}

/// The first of the full chunks are on their way to the file.
struct Writing {
    count: usize,
    thread: JoinHandle<Result<Written, StoreError>>,
}

impl Journal {
    /// What the last checkpoint's manifest names; `name` is also its file's.
    pub(crate) fn open(tree: Tree, name: &str, manifest: Option<&[u8]>) -> Result<Self, StoreError> {
        let shared = Arc::clone(&tree.shared);
        let unreadable = || shared.damaged(format!("what there is of the journal {name} cannot be read"));
        let (file_bytes, runs) = match manifest {
            None => (0, None),
            Some(sealed) => {
                let mut fields = Reader::open(sealed).ok_or_else(unreadable)?;
                let (bytes, runs) = fields.number().zip(fields.bytes()).ok_or_else(unreadable)?;
                (bytes, Some(runs))
            }
        };
        Ok(Self {
            runs: Runs::open(tree, true, None, runs)?,
            file: Arc::new(Extents::open(&shared, name, file_bytes)?),
            file_bytes,
            tails: Tails::new(),
            full: VecDeque::new(),
            unsealed: 0,
            writing: None,
            pending_bytes: 0,
        })
    }

    /// Appends a record as number `index` of `list`, which is how long the list is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what was kept of the list is not as long as that; [`StoreError::TooLarge`], also for a
    /// list's name of more than 1,015 bytes; [`StoreError::Misuse`] for a name with a zero byte, and for an index that
    /// does not follow the last one; what the disk says.
    pub fn append(&mut self, list: &str, index: u64, record: &[u8]) -> Result<(), StoreError> {
        if record.len() >= RECORD_BYTES - 4 {
            return Err(StoreError::TooLarge { what: "a record", bytes: record.len(), bound: RECORD_BYTES - 5 });
        }
        let tail = match self.tails.get_mut(list) {
            Some(tail) if tail.open.next() == index => tail,
            Some(_) => return Err(StoreError::Misuse(format!("an append to {list} at {index}, which is not its end"))),
            None => {
                let tail = load(&self.runs, list, index)?;
                self.tails.insert(tail)
            }
        };
        if !tail.dirty {
            tail.dirty = true;
            self.pending_bytes += tail.open.bytes().len();
        }
        if !tail.open.takes(record.len()) {
            let chunk = Arc::new(std::mem::replace(&mut tail.open, Chunk::following(index)));
            tail.full.push_back(Arc::clone(&chunk));
            self.full.push_back(Full { list: Arc::clone(&tail.name), chunk, waits_for: None });
            self.unsealed += 1;
        }
        self.pending_bytes += tail.open.push(record);
        Ok(())
    }

    /// Visits the records `from..until` of `list` in order, from disk and memory together, and stops after
    /// `max_records`, or before there would be more than `max_bytes`; one record it visits in any case. `until` is at
    /// most the list's length.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is not there; what the disk says.
    pub fn read(
        &self,
        list: &str,
        from: u64,
        until: u64,
        max_records: usize,
        max_bytes: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), StoreError> {
        self.shared().check()?;
        let mut window =
            Window { next: from, until, records_left: max_records.max(1), bytes_left: max_bytes, any: false };
        let Some(tail) = self.tails.get(list) else { return self.read_kept(list, &mut window, until, visit) };
        self.read_kept(list, &mut window, until.min(tail.first()), visit)?;
        for extent in tail.written.iter().filter(|extent| extent.records.end > from) {
            if !window.is_open() {
                return Ok(());
            }
            window.visit(&self.file.read(extent)?, u64::MAX, visit);
        }
        for chunk in tail.chunks() {
            window.visit(chunk, u64::MAX, visit);
        }
        if window.is_open() {
            return Err(StoreError::Misuse(format!("a read of {list} until {until}, which is beyond its end")));
        }
        Ok(())
    }

    /// Visits what the last checkpoint has of a list before `end`.
    fn read_kept(
        &self,
        list: &str,
        window: &mut Window,
        end: u64,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), StoreError> {
        if !window.is_open() || window.next >= end {
            return Ok(());
        }
        let missing = |window: &Window| self.shared().damaged(format!("record {} of {list} is missing", window.next));
        self.runs.scan(&key(list, window.next + 1), &mut |key, value| {
            let Some(chunk_end) = end_of(key, list) else { return Ok(ControlFlow::Break(())) };
            let chunk = match chunk_end {
                LAST => last_chunk(value).ok_or_else(|| missing(window))?,
                _ => self.file.read(&Extent::decode(chunk_end, value).ok_or_else(|| missing(window))?)?,
            };
            let before = window.next;
            window.visit(&chunk, end, visit);
            let goes_on = window.next > before && window.next < end && window.is_open();
            Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if window.is_open() && window.next < end { Err(missing(window)) } else { Ok(()) }
    }

    /// Says that all records appended so far belong to transactions up to `ticket`. Tickets only grow.
    pub fn seal(&mut self, ticket: u64) {
        let sealed = self.full.len() - self.unsealed;
        self.full.range_mut(sealed..).for_each(|full| full.waits_for = Some(ticket));
        self.unsealed = 0;
    }

    /// Has full chunks written whose transactions are committed, up to `committed_ticket`, so that the checkpoint has less
    /// to do: in a thread of their own, about 4 MB at once. Waits for that only where as much is due again.
    ///
    /// # Errors
    /// What the disk says, also of what an earlier call began.
    pub fn write_back(&mut self, committed_ticket: u64) -> Result<(), StoreError> {
        self.shared().check()?;
        let is_due = |full: &&Full| full.waits_for.is_some_and(|ticket| ticket <= committed_ticket);
        let written = self.writing.as_ref().map_or(0, |writing| writing.count);
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        for Full { list, chunk, .. } in self.full.iter().skip(written).take_while(is_due) {
            chunks.push((Arc::clone(list), Arc::clone(chunk)));
            bytes += chunk.bytes().len();
            if bytes >= WRITE_BACK_BYTES {
                break;
            }
        }
        let is_writing = self.writing.as_ref().is_some_and(|writing| !writing.thread.is_finished());
        if is_writing && bytes < WRITE_BACK_BYTES {
            return Ok(());
        }
        self.settle()?;
        if bytes < WRITE_BACK_BYTES_MIN {
            return Ok(());
        }
        let (count, file, at) = (chunks.len(), Arc::clone(&self.file), self.file_bytes);
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || file.write(at, &chunks));
        let thread = thread.map_err(StoreError::no_thread)?;
        self.writing = Some(Writing { count, thread });
        Ok(())
    }

    /// Waits until what is on its way to the file is there, and lets go of it.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        let Some(Writing { count, thread }) = self.writing.take() else { return Ok(()) };
        let written = thread.join().unwrap_or_else(|_| Err(self.shared().damaged("writing a journal panicked")))?;
        self.written(count, written);
        Ok(())
    }

    /// The first of the full chunks are in the file.
    fn written(&mut self, count: usize, extents: Written) {
        for Full { list, chunk, .. } in self.full.drain(..count) {
            self.pending_bytes -= chunk.bytes().len();
            if let Some(tail) = self.tails.get_mut(&list) {
                tail.full.pop_front();
            }
        }
        for (list, extent) in extents {
            self.file_bytes = extent.end();
            self.pending_bytes += size_of::<Extent>();
            if let Some(tail) = self.tails.get_mut(&list) {
                tail.written.push(extent);
            }
        }
    }

    /// Bytes of memory that only a checkpoint or [`Journal::write_back`] frees.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// As [`Table::tidy`](crate::Table::tidy).
    ///
    /// # Errors
    /// What the disk says.
    pub fn tidy(&mut self, max_bytes: usize) -> Result<usize, StoreError> {
        self.runs.tidy(max_bytes)
    }

    /// As [`Table::untidy`](crate::Table::untidy).
    #[must_use]
    pub fn untidy(&self) -> usize {
        self.runs.untidy()
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.runs.tree().shared
    }
}

/// Fetches the end of a list for an append at `index`.
#[cold]
fn load(runs: &Runs, list: &str, index: u64) -> Result<Tail, StoreError> {
    if list.len() > NAME_BYTES {
        return Err(StoreError::TooLarge { what: "a list's name", bytes: list.len(), bound: NAME_BYTES });
    }
    if list.contains('\0') {
        return Err(StoreError::Misuse(format!("{list:?} as a list's name")));
    }
    let damaged = |reason| runs.tree().shared.damaged(reason);
    let open = match runs.get(&key(list, LAST))? {
        None => Chunk::starting_at(0),
        Some(last) => last_chunk(&last).ok_or_else(|| damaged(format!("the end of {list} cannot be read")))?,
    };
    if open.next() != index {
        return Err(damaged(format!("{list} ends at {}, where its length is {index}", open.next())));
    }
    Ok(Tail::new(list, open))
}

fn key(list: &str, end: u64) -> Vec<u8> {
    [list.as_bytes(), b"\0", &end.to_be_bytes()].concat()
}

/// The index in a key of this list; `None` for a key of another.
fn end_of(key: &[u8], list: &str) -> Option<u64> {
    let end = key.strip_prefix(list.as_bytes())?.strip_prefix(b"\0")?;
    Some(u64::from_be_bytes(end.try_into().ok()?))
}

/// The chunk that these bytes are, behind the index of its first record; `None` if they are none.
fn last_chunk(bytes: &[u8]) -> Option<Chunk> {
    let (first, bytes) = bytes.split_first_chunk()?;
    Chunk::parse(u64::from_le_bytes(*first), bytes.to_vec())
}

impl Drop for Journal {
    /// Nothing is written any more by what is closed.
    fn drop(&mut self) {
        if let Some(Writing { thread, .. }) = self.writing.take() {
            drop(thread.join());
        }
    }
}

impl Part for Journal {}

impl Steps for Journal {
    fn name(&self) -> &str {
        self.runs.tree().name()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(self.shared(), store)
    }

    /// All at once: of lists there are few, and what they grew by is mostly in the file already.
    fn begin(&mut self, sink: &mut Sink) -> Result<Option<Vec<u8>>, StoreError> {
        self.settle()?;
        let chunks: Vec<_> = self.full.iter().map(|full| (Arc::clone(&full.list), Arc::clone(&full.chunk))).collect();
        let extents = self.file.write(self.file_bytes, &chunks)?;
        self.written(chunks.len(), extents);
        self.unsealed = 0;
        let tails = self.tails.dirty_in_order();
        let mut last = Vec::new();
        for tail in tails {
            for extent in tail.written.drain(..) {
                let key = key(&tail.name, extent.records.end);
                self.runs.add(Record { key: &key, value: &extent.encode(), adds: false }, sink)?;
            }
            last.clear();
            last.extend_from_slice(&tail.open.first.to_le_bytes());
            last.extend_from_slice(tail.open.bytes());
            self.runs.add(Record { key: &key(&tail.name, LAST), value: &last, adds: false }, sink)?;
            tail.dirty = false;
        }
        self.pending_bytes = 0;
        Ok(Some(Fields::default().number(self.file_bytes).bytes(&self.runs.complete(sink)?).seal()))
    }
}
