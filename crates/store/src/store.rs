//! A store and its checkpoints.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    codec::Codec,
    error::StoreError,
    identity::Identity,
    journal::Journal,
    meta::Progress,
    open,
    part::Part,
    place,
    shared::{Name, Shared},
    table::Table,
};

/// Bytes of a position.
const POSITION_BYTES: usize = 64 * 1024;

/// Bounds of a store's memory.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of sled's own cache of pages. Measured, sled takes 40 to 70 MB beside it, and about 100 bytes a key; a
    /// record that was written more than once is two keys.
    pub sled_cache_bytes: u64,
    /// Bytes of decoded records that each table keeps beside those not yet written.
    pub table_cache_bytes: usize,
}

/// An open store. It moves from one whole checkpoint to the next; a crash at any moment leaves the one or the other.
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) identity: Identity,
    pub(crate) progress: Progress,
    pub(crate) options: Options,
    pub(crate) read_only: bool,
}

/// What [`Store::open`] made of the folder.
pub struct Opened {
    /// The store; new if there was none or it was moved aside.
    pub store: Store,
    /// The store that was there and could not be used.
    pub moved_aside: Option<MovedAside>,
}

/// A store that could not be trusted. It is kept for whoever wants to know why; nothing reads it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedAside {
    /// Where it is now: `<dir>.aside-<n>`.
    pub path: PathBuf,
    /// What was wrong with it, for people.
    pub reason: String,
}

impl Store {
    /// Opens the store in `dir`, or makes one. Whatever is doubtful (another identity, an unknown format, an error on
    /// opening, a machine that stopped while it was open, damage) is renamed to `<dir>.aside-<n>`, and a new one made.
    ///
    /// # Errors
    /// [`StoreError::Generation`] for a store of another generation, [`StoreError::InUse`] while anybody else has it,
    /// [`StoreError::Io`] if the disk refuses.
    pub fn open(dir: &Path, identity: &Identity, options: Options) -> Result<Opened, StoreError> {
        open::open(dir, identity, options, &place::boot_id())
    }

    /// Opens an existing store for reading, by whoever finds nobody running. Never moves one aside, never makes one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, [`StoreError::Doubtful`] where [`Store::open`] would move it aside,
    /// [`StoreError::InUse`] and [`StoreError::Io`] as there.
    pub fn open_existing(dir: &Path, options: Options) -> Result<Self, StoreError> {
        open::open_existing(dir, options, &place::boot_id())
    }

    /// What the store is a copy of.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the last whole checkpoint said of its position; `None` before the first.
    #[must_use]
    pub fn position(&self) -> Option<&[u8]> {
        self.progress.position.as_deref()
    }

    /// A table of records behind a write-back cache. One name can be open once at a time.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if the name is open already; what the disk says.
    pub fn table<T: Default>(&self, name: &str, codec: Codec<T>) -> Result<Table<T>, StoreError> {
        let (name, tree) = self.tree(format!("table/{name}"))?;
        Ok(Table::new(name, tree, codec, self.options.table_cache_bytes))
    }

    /// A journal. One name can be open once at a time.
    ///
    /// # Errors
    /// As [`Store::table`].
    pub fn journal(&self, name: &str) -> Result<Journal, StoreError> {
        let (name, tree) = self.tree(format!("journal/{name}"))?;
        Ok(Journal::new(name, tree))
    }

    fn tree(&self, name: String) -> Result<(Name, sled::Tree), StoreError> {
        self.shared.check()?;
        let name = Name::take(&self.shared, name)?;
        let tree = self.shared.call(|| self.shared.db.open_tree(name.as_str()))?;
        Ok((name, tree))
    }

    /// Writes all dirty records of the tables and journals together with the position: all of it or nothing, whatever
    /// happens meanwhile. `parts` are all tables and journals of this store that are open: what one of them left out
    /// would be missing at the new position.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if `parts` are others, or the store is read-only. After any other error the store must be
    /// opened again; then it is as this checkpoint or as the one before left it, and its position says which.
    pub fn checkpoint(&mut self, position: &[u8], parts: &mut [&mut dyn Part]) -> Result<(), StoreError> {
        self.check_parts(position, parts)?;
        let done = self.attempt(position, parts);
        done.map_err(|error| self.shared.fail(error))
    }

    fn check_parts(&self, position: &[u8], parts: &[&mut dyn Part]) -> Result<(), StoreError> {
        self.shared.check()?;
        if self.read_only {
            return Err(StoreError::Misuse("it was opened for reading".into()));
        }
        if position.len() > POSITION_BYTES {
            return Err(StoreError::TooLarge { what: "a position", bytes: position.len(), bound: POSITION_BYTES });
        }
        let given: BTreeSet<String> = parts.iter().map(|part| part.name().to_owned()).collect();
        let open = self.shared.names();
        if given != open || !parts.iter().all(|part| part.belongs_to(&self.shared)) {
            return Err(StoreError::Misuse(format!("a checkpoint of {given:?} where {open:?} are open")));
        }
        Ok(())
    }

    fn attempt(&mut self, position: &[u8], parts: &mut [&mut dyn Part]) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let attempt = self.progress.begun + 1;
        self.progress.begun = attempt;
        // sled writes its log in order, but nothing promises it. So: the attempt, then its pages, then what makes them
        // count, each after the one before has been handed to the system.
        shared.call(|| self.progress.save(&shared.db))?;
        shared.call(|| shared.db.flush())?;
        for part in parts.iter_mut() {
            part.write_dirty(attempt)?;
        }
        shared.call(|| shared.db.flush())?;
        let whole = Progress { begun: attempt, committed: attempt, position: Some(position.to_vec()) };
        #[cfg(test)]
        shared.fault()?;
        shared.call(|| whole.save(&shared.db))?;
        shared.call(|| shared.db.flush())?;
        self.progress = whole;
        shared.commit(attempt);
        for part in parts.iter_mut() {
            part.committed()?;
        }
        Ok(())
    }

    /// Closes the store so that even a machine that stops right afterwards loses nothing. Without this, a store is
    /// still whole after its process ends; it is moved aside only if the machine stopped.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] while a table or journal of it is still alive; what the disk says.
    pub fn close(self) -> Result<(), StoreError> {
        let broken = self.shared.check();
        let Some(shared) = Arc::into_inner(self.shared) else {
            return Err(StoreError::Misuse("it is closed while a table or journal of it is open".into()));
        };
        broken?;
        shared.call(|| shared.db.flush())?;
        let Shared { db, place, .. } = shared;
        open::close(db, &place, self.progress.committed)
    }

    /// Marks the store as damaged, for what its owner found in it: it is moved aside when it is opened next.
    pub fn distrust(&self, reason: impl Into<String>) {
        let _ = self.shared.damaged(reason);
    }

    /// Bytes the store takes on disk.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.shared.db.size_on_disk().unwrap_or(0)
    }
}
