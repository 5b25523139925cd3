//! Lists of small records that only grow, as a channel's timeline does.

mod chunk;
mod disk;
mod tails;
mod window;

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::{self, JoinHandle},
};

use self::{
    chunk::Chunk,
    disk::{Disk, Numbers},
    tails::{Tail, Tails},
    window::Window,
};
use crate::{
    blob::Blobs,
    error::StoreError,
    part::{Part, Steps},
    shared::Shared,
    tree::Tree,
    writer::{KEY_BYTES, RECORD_BYTES},
};

/// Full chunks are written together until they are so many bytes ...
const WRITE_BACK_BYTES: usize = 4 << 20;
/// ... where they are so many at least: a thread is not begun for less.
const WRITE_BACK_BYTES_MIN: usize = if cfg!(test) { 1 } else { 128 << 10 };

/// Lists of records, numbered from 0. How long a list is, the caller knows and says: what is on disk beyond that is
/// left from a crash, so records may be written before the checkpoint that makes them count.
pub struct Journal {
    tree: Arc<Tree>,
    numbers: Numbers,
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

/// The first of the full chunks are on their way to the disk.
struct Writing {
    count: usize,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Journal {
    pub(crate) fn open(tree: Tree) -> Result<Self, StoreError> {
        Ok(Self {
            numbers: Disk(Blobs { tree: &tree }).numbers()?,
            tree: Arc::new(tree),
            tails: Tails::new(),
            full: VecDeque::new(),
            unsealed: 0,
            writing: None,
            pending_bytes: 0,
        })
    }

    /// Appends a record as number `index` of `list`, which is how long the list is. Whatever was there at or after it
    /// is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the list is shorter than that; [`StoreError::TooLarge`], also for a list's name of
    /// more than 1,024 bytes; [`StoreError::Misuse`] for a name with a zero byte; what the disk says.
    pub fn append(&mut self, list: &str, index: u64, record: &[u8]) -> Result<(), StoreError> {
        if record.len() >= RECORD_BYTES - 4 {
            return Err(StoreError::TooLarge { what: "a record", bytes: record.len(), bound: RECORD_BYTES - 5 });
        }
        let tail = match self.tails.get_mut(list) {
            Some(tail) if tail.open.next() == index => tail,
            Some(_) => return Err(StoreError::Misuse(format!("an append to {list} at {index}, which is not its end"))),
            None => {
                let (tail, pending_bytes) = load(self.disk(), list, index)?;
                self.pending_bytes += pending_bytes;
                self.tails.insert(tail)
            }
        };
        if !tail.open.takes(record.len()) {
            let mut full = std::mem::replace(&mut tail.open, Chunk::following(index));
            if tail.dirty {
                self.numbers.give(&mut full);
                let chunk = Arc::new(full);
                tail.full.push_back(Arc::clone(&chunk));
                self.full.push_back(Full { list: Arc::clone(&tail.name), chunk, waits_for: None });
                self.unsealed += 1;
                tail.dirty = false;
            }
        }
        if !tail.dirty {
            tail.dirty = true;
            self.pending_bytes += tail.open.bytes().len();
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
        &mut self,
        list: &str,
        from: u64,
        until: u64,
        max_records: usize,
        max_bytes: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), StoreError> {
        self.tree.shared.check()?;
        let mut window =
            Window { next: from, until, records_left: max_records.max(1), bytes_left: max_bytes, any: false };
        let tail = self.tails.get(list);
        let on_disk_until = tail.map_or(u64::MAX, Tail::first);
        while window.is_open() && window.next < on_disk_until {
            // Chunks follow each other without a gap, so only the first one must be searched for.
            let chunk = if window.any {
                self.disk().chunk(list, window.next)?
            } else {
                self.disk().chunk_before(list, window.next.saturating_add(1))?
            };
            match chunk {
                Some(chunk) if chunk.next() > window.next => window.visit(&chunk, on_disk_until, visit),
                _ => return Err(self.tree.shared.damaged(format!("record {} of {list} is missing", window.next))),
            }
        }
        for chunk in tail.into_iter().flat_map(Tail::chunks) {
            window.visit(chunk, u64::MAX, visit);
        }
        if window.is_open() {
            return Err(StoreError::Misuse(format!("a read of {list} until {until}, which is beyond its end")));
        }
        Ok(())
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
        self.tree.shared.check()?;
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
        let (count, tree) = (chunks.len(), Arc::clone(&self.tree));
        let to_make = self.numbers.reserve();
        let write = move || {
            let chunks = chunks.iter().map(|(list, chunk)| (&**list, &**chunk));
            Disk(Blobs { tree: &tree }).write_all(to_make, chunks)
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(write);
        let thread = thread.map_err(StoreError::no_thread)?;
        self.writing = Some(Writing { count, thread });
        Ok(())
    }

    /// Waits until what is on its way to the disk is there, and lets go of it.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        let Some(Writing { count, thread }) = self.writing.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(self.tree.shared.damaged("writing a journal panicked")))?;
        for Full { list, .. } in self.full.drain(..count) {
            if let Some(chunk) = self.tails.get_mut(&list).and_then(|tail| tail.full.pop_front()) {
                self.pending_bytes -= chunk.bytes().len();
            }
        }
        Ok(())
    }

    /// Bytes of memory that only a checkpoint or [`Journal::write_back`] frees.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    fn disk(&self) -> Disk<'_> {
        Disk(Blobs { tree: &self.tree })
    }
}

/// Fetches the end of a list for an append at `index`, and removes what is stale. Also returns its pending bytes.
#[cold]
fn load(disk: Disk<'_>, list: &str, index: u64) -> Result<(Tail, usize), StoreError> {
    disk.0.tree.shared.check()?;
    if list.len() > KEY_BYTES {
        return Err(StoreError::TooLarge { what: "a list's name", bytes: list.len(), bound: KEY_BYTES });
    }
    if list.contains('\0') {
        return Err(StoreError::Misuse(format!("{list:?} as a list's name")));
    }
    let mut open = disk.chunk_before(list, index)?.unwrap_or_else(|| Chunk::starting_at(0));
    if open.next() < index {
        let end = open.next();
        return Err(disk.0.tree.shared.damaged(format!("{list} ends at {end}, before its length of {index}")));
    }
    // A chunk that was cut must be written again even if nothing is added to it: the next one begins inside of what
    // it was.
    let was_cut = open.cut(index);
    disk.remove_from(list, index)?;
    let pending_bytes = if was_cut { open.bytes().len() } else { 0 };
    Ok((Tail::new(list, open, was_cut), pending_bytes))
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
        self.tree.name()
    }

    fn belongs_to(&self, store: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.tree.shared, store)
    }

    /// Chunks need no manifest: what they hold beyond the lists' committed lengths is cut when it is read.
    fn write_dirty(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        self.settle()?;
        let mut tails = self.tails.in_order();
        tails.iter_mut().filter(|tail| tail.dirty).for_each(|tail| self.numbers.give(&mut tail.open));
        let dirty = tails.iter().flat_map(|tail| {
            let open = tail.dirty.then_some(&tail.open);
            tail.full.iter().map(|chunk| &**chunk).chain(open).map(|chunk| (&*tail.name, chunk))
        });
        let mut dirty = dirty.peekable();
        if dirty.peek().is_some() {
            Disk(Blobs { tree: &self.tree }).write_all(self.numbers.reserve(), dirty)?;
        }
        Ok(None)
    }

    fn committed(&mut self) {
        for tail in self.tails.in_order() {
            tail.full.clear();
            tail.dirty = false;
        }
        self.full.clear();
        (self.unsealed, self.pending_bytes) = (0, 0);
    }
}
