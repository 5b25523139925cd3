//! A checkpoint on its way: what stores were when it began is encoded, a piece at a time, and handed to a thread, which
//! packs and writes it, waits until it may count, and says so in one atomic write. Meanwhile the stores go on, and find in
//! memory what is not written yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use crate::{
    blob::Blobs,
    database::Database,
    error::StoreError,
    meta::{self, Progress},
    part::Part,
    shared::Base,
    store::{Store, check},
    tree::Tree,
    writer::BATCH_BYTES,
};

/// So many packs wait at most until they are written: 8 MB.
const PACKS_WAITING: usize = if cfg!(test) { 1 } else { 32 };
/// A pack is handed over once it has so many bytes.
const PACK_BYTES: usize = if cfg!(test) { 1_000 } else { BATCH_BYTES };

/// A store that is due for a checkpoint.
pub struct Due<'a> {
    /// Which.
    pub store: &'a mut Store,
    /// Where it is.
    pub position: Vec<u8>,
    /// All of its parts that are open: what one of them left out would be missing at the new position.
    pub parts: Vec<&'a mut dyn Part>,
}

/// A checkpoint that is under way. It counts only once it may: see [`Checkpoint::allow`]. If it is dropped before, the
/// stores are not what they say any more, and the database must be opened again; then they are as the checkpoint before
/// left them.
pub struct Checkpoint {
    base: Arc<Base>,
    /// Stores and their parts that are not on their way as a whole.
    unwritten: BTreeSet<(String, String)>,
    /// Until all are.
    sink: Option<Sink>,
    /// What the database will say of its stores.
    named: Named,
    may_count: bool,
    /// Until it was said that it may count.
    say: Option<SyncSender<Named>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

/// Stores by their names, and their progress.
type Named = BTreeMap<String, Progress>;

/// Where parts put what they have, for the thread. Public only as far as [`Steps`](crate::part::Steps) names it.
pub struct Sink {
    number: u64,
    give: SyncSender<Pack>,
    pack: Pack,
    pack_bytes: usize,
}

/// Byte strings, their keys, and where they go.
type Pack = Vec<(Arc<Tree>, Vec<u8>, Arc<Vec<u8>>)>;

impl Checkpoint {
    /// See [`Database::begin_checkpoint`].
    pub(crate) fn begin(base: &Arc<Base>, due: &mut [Due<'_>]) -> Result<Self, StoreError> {
        base.check()?;
        if base.read_only {
            return Err(StoreError::Misuse("it was opened for reading".into()));
        }
        if due.len() > Database::CHECKPOINT_STORES {
            return Err(StoreError::Misuse(format!("{} stores are due at once", due.len())));
        }
        due.iter().try_for_each(|due| check(base, due))?;
        if base.keeping.swap(true, Ordering::Relaxed) {
            return Err(StoreError::Misuse("a checkpoint is under way".into()));
        }
        let mut begun = Self {
            base: Arc::clone(base),
            unwritten: BTreeSet::new(),
            sink: None,
            named: BTreeMap::new(),
            may_count: false,
            say: None,
            thread: None,
        };
        begun.start(due).map_err(|error| begun.fail(error))?;
        Ok(begun)
    }

    fn start(&mut self, due: &mut [Due<'_>]) -> Result<(), StoreError> {
        let (give, packs) = sync_channel(PACKS_WAITING);
        let (say, said) = sync_channel(1);
        let base = Arc::clone(&self.base);
        let number = base.checkpoints.load(Ordering::Relaxed) + 1;
        let keep = move || keep(&base, number, &packs, &said);
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(keep);
        self.thread = Some(thread.map_err(StoreError::no_thread)?);
        self.say = Some(say);
        let sink = self.sink.insert(Sink { number, give, pack: Vec::new(), pack_bytes: 0 });
        for Due { store, position, parts } in due {
            store.progress.position = Some(position.clone());
            // Parts that are not open now stay as they are.
            for part in parts {
                match part.begin(sink)? {
                    Some(manifest) => drop(store.progress.manifests.insert(part.name().to_owned(), manifest)),
                    None => drop(self.unwritten.insert((store.name().to_owned(), part.name().to_owned()))),
                }
            }
            self.named.insert(store.name().to_owned(), store.progress.clone());
        }
        self.end_if_written()
    }

    /// Encodes about `max_bytes` more of what it keeps, and hands it to its thread; says whether that was the rest. It is
    /// given the stores that it was begun with, wherever they are now; others may be among them.
    ///
    /// # Errors
    /// As [`Database::begin_checkpoint`].
    pub fn go_on(&mut self, due: &mut [Due<'_>], max_bytes: usize) -> Result<bool, StoreError> {
        self.try_go_on(due, max_bytes).map_err(|error| self.fail(error))?;
        Ok(self.is_written())
    }

    fn try_go_on(&mut self, due: &mut [Due<'_>], max_bytes: usize) -> Result<(), StoreError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let mut bytes_left = max_bytes;
        for Due { store, parts, .. } in due {
            for part in parts {
                let name = (store.name().to_owned(), part.name().to_owned());
                if !self.unwritten.contains(&name) {
                    continue;
                }
                let Some(manifest) = part.go_on(sink, &mut bytes_left)? else { return Ok(()) };
                store.progress.manifests.insert(name.1.clone(), manifest);
                self.named.insert(name.0.clone(), store.progress.clone());
                self.unwritten.remove(&name);
            }
        }
        self.end_if_written()
    }

    fn end_if_written(&mut self) -> Result<(), StoreError> {
        if self.unwritten.is_empty()
            && let Some(mut sink) = self.sink.take()
        {
            sink.hand_over()?;
            self.say_if_may_count();
        }
        Ok(())
    }

    /// Whether all that it keeps is with its thread.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.sink.is_none()
    }

    /// Lets it count once it is written: everything that it keeps is committed where it came from.
    pub fn allow(&mut self) {
        self.may_count = true;
        self.say_if_may_count();
    }

    fn say_if_may_count(&mut self) {
        if self.may_count
            && self.is_written()
            && let Some(say) = self.say.take()
        {
            // If nobody takes it any more, the thread has failed, and says so.
            let _ = say.send(std::mem::take(&mut self.named));
        }
    }

    /// Whether nothing of it is under way any more; [`Checkpoint::finish`] then does not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets it count, and waits until it does.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if it was not handed to its thread as a whole; what the disk says. Then the database must be
    /// opened again, and each store is as this checkpoint or as the one before left it; its position says which.
    pub fn finish(mut self) -> Result<(), StoreError> {
        if !self.is_written() {
            let what = self.unwritten.iter().map(|(store, part)| format!("{part} of {store}"));
            let what = what.collect::<Vec<_>>().join(", ");
            return Err(self.fail(StoreError::Misuse(format!("a checkpoint is finished without {what}"))));
        }
        self.allow();
        self.join().map_err(|error| self.base.fail(error))
    }

    fn join(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(StoreError::damaged("writing a checkpoint panicked")))
    }

    /// It cannot go on: the thread knows better why, if it takes nothing more.
    fn fail(&mut self, error: StoreError) -> StoreError {
        (self.sink, self.say) = (None, None);
        let error = self.join().err().unwrap_or(error);
        self.base.fail(error)
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        let (sink, say) = (self.sink.take(), self.say.take());
        if sink.is_some() || say.is_some() {
            self.base.stop();
        }
        drop((sink, say));
        if let Err(error) = self.join() {
            tracing::warn!(error = %self.base.fail(error), "a checkpoint failed");
        }
        self.base.keeping.store(false, Ordering::Relaxed);
    }
}

impl Sink {
    /// Which checkpoint it is, of all that the database ever had.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Takes a byte string, and waits where much of it waits already.
    pub(crate) fn put(&mut self, tree: &Arc<Tree>, key: Vec<u8>, bytes: Vec<u8>) -> Result<(), StoreError> {
        let bytes = Arc::new(bytes);
        tree.will_have(key.clone(), Arc::clone(&bytes));
        self.pack_bytes += key.len() + bytes.len();
        self.pack.push((Arc::clone(tree), key, bytes));
        if self.pack_bytes >= PACK_BYTES { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), StoreError> {
        self.pack_bytes = 0;
        // Nobody takes any more once writing has failed, which then says why.
        self.give.send(std::mem::take(&mut self.pack)).map_err(|_| StoreError::Broken)
    }
}

/// Writes all packs, and once it may, what the database says of its stores.
fn keep(base: &Base, number: u64, packs: &Receiver<Pack>, said: &Receiver<Named>) -> Result<(), StoreError> {
    #[cfg(test)]
    drop(crate::shared::locked(&base.gate));
    packs.iter().try_for_each(|pack| write(&pack))?;
    // sled writes its log in order, but nothing promises it. So: what the checkpoint names, then the checkpoint, each
    // after the one before has been handed to the system.
    base.engine.flush()?;
    let Ok(named) = said.recv() else { return Ok(()) };
    #[cfg(test)]
    base.fault()?;
    let stores = || named.iter().map(|(name, progress)| (name.as_str(), progress));
    base.engine.call(|db| meta::save(db, number, stores()))?;
    base.engine.flush()?;
    base.checkpoints.store(number, Ordering::Release);
    base.engine.renew_if_due(&base.place)
}

fn write(pack: &Pack) -> Result<(), StoreError> {
    for part in pack.chunk_by(|(one, ..), (other, ..)| Arc::ptr_eq(one, other)) {
        let Some((tree, ..)) = part.first() else { continue };
        let blobs = Blobs { tree };
        let mut writer = blobs.writer();
        for (_, key, bytes) in part {
            blobs.put(&mut writer, &mut key.clone(), bytes)?;
        }
        writer.flush()?;
        tree.has(part.iter().map(|(_, key, _)| &**key));
    }
    Ok(())
}
