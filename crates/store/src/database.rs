//! A worker's database: one folder, in which there is a store for each partition that it ever had, or one for all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    checkpoint::{Checkpoint, Due},
    engine::Engine,
    error::StoreError,
    identity::Identity,
    open, place,
    shared::Base,
    store::Store,
};

/// Bounds of a database.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of sled's own cache of pages. Measured, sled takes 20 to 30 MB beside it.
    pub sled_cache_bytes: u64,
    /// How long it is wanted.
    pub lifetime: Lifetime,
}

impl Options {
    /// Whether nobody opens it again.
    pub(crate) fn is_scratch(self) -> bool {
        self.lifetime == Lifetime::Scratch
    }
}

/// How long a database is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until somebody removes it.
    Lasting {
        /// Bytes of keys and values written after which a checkpoint has sled take a snapshot. An opening reads what sled
        /// logged since the last one, about four times as much; so does taking it, and nobody gets to sled meanwhile.
        snapshot_bytes: u64,
    },
    /// Until it is closed: nothing is put on the disk itself, and sled removes it some time after that. Nobody can open it
    /// again, nor another one in its place.
    Scratch,
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

    /// Begins the checkpoints of several stores: all of them will count or none, of what the stores are now, whatever
    /// happens meanwhile. What tables have is encoded by [`Checkpoint::go_on`], what other parts have before this returns;
    /// the rest is done in a thread. One can be under way at a time.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if a store is not of this database, its parts are others, the database is read-only, a
    /// checkpoint is under way, or there are more stores than [`Database::CHECKPOINT_STORES`]; what the disk says.
    pub fn begin_checkpoint(&self, due: &mut [Due<'_>]) -> Result<Checkpoint, StoreError> {
        Checkpoint::begin(&self.base, due)
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
