//! A worker's database: one folder, in which there is a store for each partition that it ever had, or one for all.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    engine::Engine,
    error::StoreError,
    identity::Identity,
    meta::{self, Progress},
    open,
    part::Part,
    place,
    shared::Base,
    store::{Store, check},
};

/// Bounds of a database.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of sled's own cache of pages. Measured, sled takes 20 to 30 MB beside it.
    pub sled_cache_bytes: u64,
    /// Bytes of keys and values written after which a checkpoint has sled take a snapshot. An opening reads what sled
    /// logged since the last one, about four times as much; so does taking it, and nothing else is done meanwhile.
    pub snapshot_bytes: u64,
}

/// An open database.
pub struct Database {
    pub(crate) base: Arc<Base>,
}

/// What [`Database::open`] made of the folder.
pub struct Opened {
    /// The database; new if there was none or it was moved aside.
    pub database: Database,
    /// The database that was there and could not be used.
    pub moved_aside: Option<MovedAside>,
}

/// A database that could not be trusted. It is kept for whoever wants to know why; nothing reads it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedAside {
    /// Where it is now: `<dir>.aside-<n>`.
    pub path: PathBuf,
    /// What was wrong with it, for people.
    pub reason: String,
}

/// A store that is due for a checkpoint.
pub struct Due<'a> {
    /// Which.
    pub store: &'a mut Store,
    /// Where it is.
    pub position: Vec<u8>,
    /// All of its parts that are open: what one of them left out would be missing at the new position.
    pub parts: Vec<&'a mut dyn Part>,
}

impl Database {
    /// So many stores can have their checkpoints together: each is a key of one batch, and with more sled's memory
    /// explodes.
    pub const CHECKPOINT_STORES: usize = 256;

    /// Opens the database in `dir`, or makes one. Whatever is doubtful (another identity, an unknown format, an error on
    /// opening, a machine that stopped while it was open, damage) is renamed to `<dir>.aside-<n>`, and a new one made.
    ///
    /// # Errors
    /// [`StoreError::Generation`] for one of another generation, [`StoreError::InUse`] while anybody else has it,
    /// [`StoreError::Io`] if the disk refuses.
    pub fn open(dir: &Path, identity: &Identity, options: Options) -> Result<Opened, StoreError> {
        open::open(dir, identity, options, &place::boot_id())
    }

    /// Opens an existing database for reading, by whoever finds nobody running. Never moves one aside, never makes one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, [`StoreError::Doubtful`] where [`Database::open`] would move it aside,
    /// [`StoreError::InUse`] and [`StoreError::Io`] as there.
    pub fn open_existing(dir: &Path, options: Options) -> Result<Self, StoreError> {
        open::open_existing(dir, options, &place::boot_id())
    }

    /// The store of this name; empty if there was none. One name can be open once at a time.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if the name is open already; what the disk says.
    pub fn store(&self, name: &str) -> Result<Store, StoreError> {
        self.base.check()?;
        Store::open(&self.base, name)
    }

    /// Takes the checkpoints of several stores: all of them or none, whatever happens meanwhile. First everything is
    /// written; `ready` is called after that, and the checkpoints count only once it has returned well.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if a store is not of this database, its parts are others, the database is read-only, or
    /// there are more stores than [`Database::CHECKPOINT_STORES`].
    /// After any other error, `ready`'s included, the database must be opened again; then each store is as this checkpoint
    /// or as the one before left it, and its position says which.
    pub fn checkpoint<E: From<StoreError>>(
        &self,
        due: &mut [Due<'_>],
        ready: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        checkpoint(&self.base, due, ready)
    }

    /// Has what journals have written put on the disk itself, in a thread of its own, so that [`Database::close`] has little
    /// to wait for. Does nothing where that is still under way.
    ///
    /// # Errors
    /// What the disk says, also of what an earlier call began.
    pub fn sync_ahead(&self) -> Result<(), StoreError> {
        self.base.check()?;
        self.base.sync_ahead().map_err(|error| self.base.fail(error))
    }

    /// Closes the database so that even a machine that stops right afterwards loses nothing. Without this, it is still
    /// whole after its process ends; it is moved aside only if the machine stopped.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] while a store, or a part of one, is still alive; what the disk says.
    pub fn close(self) -> Result<(), StoreError> {
        let broken = self.base.check();
        let Some(base) = Arc::into_inner(self.base) else {
            return Err(StoreError::Misuse("it is closed while a part of it is open".into()));
        };
        broken?;
        base.synced()?;
        base.call(Engine::flush)?;
        let Base { engine, place, checkpoints, .. } = base;
        open::close(engine, &place, checkpoints.into_inner())
    }

    /// Marks it as damaged, for what its owner found in it: it is moved aside when it is opened next.
    pub fn distrust(&self, reason: impl Into<String>) {
        let _ = self.base.fail(StoreError::damaged(reason));
    }
}

/// See [`Database::checkpoint`].
pub(crate) fn checkpoint<E: From<StoreError>>(
    base: &Arc<Base>,
    due: &mut [Due<'_>],
    ready: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    base.check()?;
    if base.read_only {
        return Err(StoreError::Misuse("it was opened for reading".into()).into());
    }
    if due.len() > Database::CHECKPOINT_STORES {
        return Err(StoreError::Misuse(format!("{} stores are due at once", due.len())).into());
    }
    due.iter().try_for_each(|due| check(base, due))?;
    let written = write(base, due).map_err(|error| base.fail(error))?;
    ready().inspect_err(|_| base.stop())?;
    Ok(name(base, due, written).map_err(|error| base.fail(error))?)
}

/// Writes what the checkpoint will name.
fn write(base: &Base, due: &mut [Due<'_>]) -> Result<Vec<Progress>, StoreError> {
    let mut written = Vec::with_capacity(due.len());
    for Due { store, position, parts } in due.iter_mut() {
        written.push(store.write_dirty(position, parts)?);
    }
    // sled writes its log in order, but nothing promises it. So: what the checkpoint names, then the checkpoint, each
    // after the one before has been handed to the system.
    base.call(Engine::flush)?;
    Ok(written)
}

/// From then on it counts.
fn name(base: &Base, due: &mut [Due<'_>], written: Vec<Progress>) -> Result<(), StoreError> {
    #[cfg(test)]
    base.fault()?;
    let checkpoints = base.checkpoints.load(Ordering::Relaxed) + 1;
    let stores = || due.iter().map(|due| due.store.name()).zip(&written);
    base.call(|engine| engine.call(|db| meta::save(db, checkpoints, stores())))?;
    base.call(Engine::flush)?;
    base.checkpoints.store(checkpoints, Ordering::Relaxed);
    for (Due { store, parts, .. }, progress) in due.iter_mut().zip(written) {
        store.committed(progress);
        parts.iter_mut().for_each(|part| part.committed());
    }
    base.call(|engine| engine.renew_if_due(&base.place))
}
